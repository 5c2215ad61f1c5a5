/** Files put together page by page, to have in them what no writer at hand writes. */
import { crc32 } from 'node:zlib'
import { joinBytes } from '@moulin/core'
import { ThriftWriter } from './encode/thrift-writer.ts'
import { physicalTypes } from './footer-element.ts'
import { thrift } from './thrift-reader.ts'

export interface TestElement {
  readonly name: string
  readonly repetition: 'REQUIRED' | 'OPTIONAL' | 'REPEATED'
  readonly type?: (typeof physicalTypes)[number]
  readonly typeLength?: number
  /** Of parquet.thrift's ConvertedType. */
  readonly converted?: number
  readonly precision?: number
  readonly scale?: number
  readonly fieldId?: number
  readonly children?: readonly TestElement[]
}

export interface TestPage {
  readonly kind?: 'data' | 'dictionary' | 'data-v2'
  /** Of parquet.thrift's Encoding. Default PLAIN. */
  readonly encoding?: number
  readonly levelEncoding?: number
  readonly values: number
  readonly body: Uint8Array
  /** Of version 2: bytes of its levels, and how many rows. */
  readonly repetitionBytes?: number
  readonly definitionBytes?: number
  readonly rows?: number
  readonly crc?: number | 'right'
  /** Of version 2. */
  readonly isCompressed?: boolean
  /** Bytes after decompression; default: those of the body. */
  readonly uncompressedBytes?: number
}

export interface TestChunk {
  readonly valueCount: number
  readonly pages: readonly TestPage[]
  /** Of parquet.thrift's CompressionCodec; the pages are stored as they are given. */
  readonly codec?: number
}

/** In one row group, with a chunk for each leaf of the elements. */
export function pageFile(elements: readonly TestElement[], rowCount: number, chunks: readonly TestChunk[]): Uint8Array {
  const parts: Uint8Array[] = [utf8('PAR1')]
  let size = 4
  const push = (bytes: Uint8Array): void => {
    parts.push(bytes.slice())
    size += bytes.length
  }
  const places = chunks.map(({ pages }) => {
    const start = size
    let data = size
    for (const page of pages) {
      if (page.kind !== 'dictionary' && data === start) data = size
      push(pageHeader(page))
      push(page.body)
    }
    return { start, size: size - start }
  })
  const footer = footerOf(elements, rowCount, chunks, places)
  push(footer)
  const end = new Uint8Array(8)
  new DataView(end.buffer).setUint32(0, footer.length, true)
  end.set(utf8('PAR1'), 4)
  push(end)
  return joinBytes(parts)
}

function pageHeader(page: TestPage): Uint8Array {
  const { kind = 'data', encoding = 0, levelEncoding = 3, values, body } = page
  const writer = new ThriftWriter()
  writer.element(() => {
    writer.i32(1, { data: 0, dictionary: 2, 'data-v2': 3 }[kind])
    writer.i32(2, page.uncompressedBytes ?? body.length)
    writer.i32(3, body.length)
    if (page.crc !== undefined) writer.i32(4, page.crc === 'right' ? crc32(body) | 0 : page.crc)
    writer.struct({ data: 5, dictionary: 7, 'data-v2': 8 }[kind], () => {
      writer.i32(1, values)
      if (kind === 'data-v2') {
        writer.i32(2, 0)
        writer.i32(3, page.rows ?? values)
        writer.i32(4, encoding)
        writer.i32(5, page.definitionBytes ?? 0)
        writer.i32(6, page.repetitionBytes ?? 0)
        if (page.isCompressed !== undefined) writer.boolean(7, page.isCompressed)
        return
      }
      writer.i32(2, encoding)
      if (kind === 'dictionary') return
      writer.i32(3, levelEncoding)
      writer.i32(4, levelEncoding)
    })
  })
  return writer.buffer.written()
}

function footerOf(
  elements: readonly TestElement[],
  rowCount: number,
  chunks: readonly TestChunk[],
  places: readonly { readonly start: number; readonly size: number }[],
): Uint8Array {
  const flat: TestElement[] = []
  const leaves: { readonly element: TestElement; readonly path: readonly string[] }[] = []
  const add = (element: TestElement, path: readonly string[]): void => {
    flat.push(element)
    const own = [...path, element.name]
    if (element.children === undefined) leaves.push({ element, path: own })
    for (const child of element.children ?? []) add(child, own)
  }
  for (const element of elements) add(element, [])
  const writer = new ThriftWriter()
  writer.element(() => {
    writer.i32(1, 1)
    writer.list(2, thrift.struct, flat.length + 1)
    writer.element(() => {
      writer.text(4, 'root')
      writer.i32(5, elements.length)
    })
    for (const element of flat) writer.element(() => writeElement(writer, element))
    writer.i64(3, rowCount)
    writer.list(4, thrift.struct, 1)
    writer.element(() => {
      writer.list(1, thrift.struct, chunks.length)
      for (const [index, { element, path }] of leaves.entries()) {
        const { start, size } = places[index]!
        writer.element(() => {
          writer.i64(2, 0)
          writer.struct(3, () => {
            writer.i32(1, physicalTypes.indexOf(element.type!))
            writer.i32List(2, [0])
            writer.textList(3, path)
            writer.i32(4, chunks[index]!.codec ?? 0)
            writer.i64(5, chunks[index]!.valueCount)
            writer.i64(6, size)
            writer.i64(7, size)
            writer.i64(9, start)
          })
        })
      }
      writer.i64(2, 0)
      writer.i64(3, rowCount)
    })
  })
  return writer.buffer.written().slice()
}

function writeElement(writer: ThriftWriter, element: TestElement): void {
  if (element.type !== undefined) writer.i32(1, physicalTypes.indexOf(element.type))
  if (element.typeLength !== undefined) writer.i32(2, element.typeLength)
  writer.i32(3, ['REQUIRED', 'OPTIONAL', 'REPEATED'].indexOf(element.repetition))
  writer.text(4, element.name)
  if (element.children !== undefined) writer.i32(5, element.children.length)
  if (element.converted !== undefined) writer.i32(6, element.converted)
  if (element.scale !== undefined) writer.i32(7, element.scale)
  if (element.precision !== undefined) writer.i32(8, element.precision)
  if (element.fieldId !== undefined) writer.i32(9, element.fieldId)
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** Levels in packed groups of eight, without a length. */
export function packedLevels(levels: readonly number[], max: number): Uint8Array {
  const width = max.toString(2).length
  const groups = Math.ceil(levels.length / 8)
  const bytes = new Uint8Array(1 + groups * width)
  bytes[0] = (groups << 1) | 1
  for (const [i, level] of levels.entries()) {
    for (let bit = 0; bit < width; bit++) {
      const at = i * width + bit
      if ((level >> bit) & 1) bytes[1 + (at >> 3)]! |= 1 << (at & 7)
    }
  }
  return bytes
}

/** The same after their length, as pages of version 1 have them. */
export function levelsV1(levels: readonly number[], max: number): Uint8Array {
  const bytes = packedLevels(levels, max)
  return concat(Uint8Array.of(bytes.length, 0, 0, 0), bytes)
}

export const plainInt32 = (...values: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer)

export const plainInt64 = (...values: readonly bigint[]): Uint8Array =>
  new Uint8Array(BigInt64Array.from(values).buffer)

export function plainBytes(...values: readonly string[]): Uint8Array {
  return new Uint8Array(Buffer.concat(values.flatMap((value) => [Uint8Array.of(value.length, 0, 0, 0), utf8(value)])))
}
