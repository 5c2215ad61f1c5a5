import { corrupt, unsupported } from '@moulin/core'
import { giveBack, giveBackRest } from '../../bytes/give-back.ts'
import { ByteArena } from './byte-arena.ts'
import { appendByteStreamSplit } from './byte-stream-split.ts'
import { appendDeltaBytes, appendDeltaLength } from './delta-bytes.ts'
import { readDeltaInt32, readDeltaInt64 } from './delta-decoder.ts'
import { BytesValues, type DenseValues, FixedValues, tooFew } from './dense-values.ts'
import { countOf, type PageParts, pageParts, readLevels, ValidityBits } from './levels.ts'
import { checkCodec, type PageBytes, pageBytes } from './page-bytes.ts'
import { type ChunkPages, chunkPages, type Page } from './pages.ts'
import { readRunsInt32, readRunsUint8 } from './rle-decoder.ts'

/** One column chunk of a file. Plain data. */
export interface LeafChunk {
  /** Position among the leaves of the file's schema. */
  readonly leaf: number
  readonly physicalType: string
  /** Bytes of a FIXED_LEN_BYTE_ARRAY. */
  readonly typeLength: number
  readonly codec: string
  readonly maxDefinition: number
  readonly maxRepetition: number
  /** As the footer states it. */
  readonly valueCount: number
  /** The rows, within the row group, that the loaded data pages hold. */
  readonly rows: RowRange
  /** The loaded pages are all that there are. */
  readonly isWhole: boolean
  /** A top-level leaf, no list: levels of 0 and 1 become a bitmap at once. */
  readonly isFlat: boolean
  /** Only how lists and structs lie is wanted, no values. */
  readonly levelsOnly: boolean
}

/** Half-open. */
export interface RowRange {
  readonly start: number
  readonly end: number
}

/** What the pages of a chunk hold. */
export interface LeafData {
  /** Without nulls; undefined where only levels were wanted. */
  readonly values: DenseValues | undefined
  /** Values and nulls. */
  readonly slots: number
  /** Of a flat column: the row of the first slot, and a bit a slot (undefined: no nulls). */
  readonly firstRow: number
  readonly validity: Uint8Array | undefined
  /** Of another one: a byte a slot. */
  readonly levels: { readonly repetition: Uint8Array; readonly definition: Uint8Array } | undefined
}

const widths: Readonly<Record<string, number>> = { BOOLEAN: 1, INT32: 4, INT64: 8, INT96: 12, FLOAT: 4, DOUBLE: 8 }

/**
 * Decodes the loaded pages of one chunk; of a flat column only those that hold some of `wanted`.
 * @throws `corrupt`, `unsupported` or `exhausted`, without saying where.
 */
export function decodeLeaf(
  chunk: LeafChunk,
  spans: readonly Uint8Array[],
  wanted: RowRange,
  maxPageBytes: number,
): LeafData {
  checkCodec(chunk.codec)
  const pages = chunkPages(spans, { ...chunk, maxPageBytes })
  const { isFlat } = chunk
  if (chunk.maxRepetition === 0 && pages.values !== chunk.rows.end - chunk.rows.start)
    throw corrupt(
      'PARQUET_PAGE',
      `Its pages hold ${pages.values} rows in place of ${chunk.rows.end - chunk.rows.start}.`,
    )
  const { data, firstRow } = isFlat ? pagesOf(pages.data, chunk.rows.start, wanted) : { data: pages.data, firstRow: 0 }
  return new LeafDecoder(chunk, { ...pages, data }, maxPageBytes).decode(firstRow)
}

/** The entries of the dictionary, whose page is all that was loaded. @throws as {@link decodeLeaf}. */
export function decodeEntries(chunk: LeafChunk, spans: readonly Uint8Array[], maxPageBytes: number): DenseValues {
  checkCodec(chunk.codec)
  const pages = chunkPages(spans, { valueCount: chunk.valueCount, maxPageBytes, isWhole: false })
  return new LeafDecoder(chunk, pages, maxPageBytes).entries()
}

/** Of a flat column each slot is a row, so pages of other rows need not be decompressed. */
function pagesOf(data: readonly Page[], start: number, wanted: RowRange): { data: Page[]; firstRow: number } {
  const kept: Page[] = []
  let firstRow = start
  let row = start
  for (const page of data) {
    const end = row + page.header.values
    if (row < wanted.end && end > wanted.start) {
      if (kept.length === 0) firstRow = row
      kept.push(page)
    }
    row = end
  }
  return { data: kept, firstRow }
}

class LeafDecoder {
  readonly #chunk: LeafChunk
  readonly #pages: ChunkPages
  readonly #maxPageBytes: number
  readonly #slots: number
  readonly #values: DenseValues | undefined
  #dictionary: DenseValues | undefined
  #indexes = new Int32Array(0)

  constructor(chunk: LeafChunk, pages: ChunkPages, maxPageBytes: number) {
    this.#chunk = chunk
    this.#pages = pages
    this.#maxPageBytes = maxPageBytes
    this.#slots = pages.data.reduce((sum, { header }) => sum + header.values, 0)
    this.#values = chunk.levelsOnly ? undefined : this.#store(this.#slots)
  }

  decode(firstRow: number): LeafData {
    const { maxRepetition, maxDefinition, isFlat } = this.#chunk
    const slots = this.#slots
    const validity = new ValidityBits(isFlat ? slots : 0)
    const repetition = new Uint8Array(isFlat ? 0 : slots)
    const definition = new Uint8Array(isFlat ? 0 : slots)
    let at = 0
    for (const page of this.#pages.data) {
      const { values } = page.header
      const content = pageBytes(page, this.#chunk.codec)
      const parts = pageParts(page.header, content, maxRepetition, maxDefinition)
      let valid = values
      if (isFlat) valid = validity.append(parts.definition, values)
      else {
        if (parts.repetition !== undefined) readLevels(parts.repetition, maxRepetition, values, repetition, at)
        if (parts.definition !== undefined) {
          readLevels(parts.definition, maxDefinition, values, definition, at)
          valid = countOf(definition, at, at + values, maxDefinition)
        }
      }
      at += values
      if (valid > 0) this.#decodeValues(page, content, parts, valid)
      releaseBytes(content, this.#values)
    }
    giveBack(this.#indexes.buffer)
    // Its strings lie where the column's do.
    if (this.#dictionary !== undefined) giveBackRest(this.#dictionary.memory(), this.#values!.memory())
    const levels = isFlat ? undefined : { repetition, definition }
    return { values: this.#values, slots, firstRow, validity: validity.bits, levels }
  }

  entries(): DenseValues {
    return this.#readDictionary(this.#store(0))
  }

  #store(capacity: number): DenseValues {
    const { physicalType, typeLength } = this.#chunk
    if (physicalType !== 'BYTE_ARRAY') {
      const width = physicalType === 'FIXED_LEN_BYTE_ARRAY' ? typeLength : widths[physicalType]
      if (width === undefined || width < 1)
        throw unsupported('PARQUET_TYPE', `Its physical type ${physicalType} is not one that this version reads.`)
      return new FixedValues(width, capacity)
    }
    const { dictionary, data } = this.#pages
    const arena = new ByteArena(expectedBytes(dictionary === undefined ? data : [dictionary, ...data]))
    const isBackToBack = data.every(({ header }) => header.encoding.startsWith('DELTA_'))
    return new BytesValues(arena, capacity, isBackToBack)
  }

  #decodeValues({ header }: Page, content: PageBytes, { valuesStart: start }: PageParts, count: number): void {
    const values = this.#values
    const { values: bytes, isOwned } = content
    if (values === undefined) return
    const { encoding } = header
    const { physicalType } = this.#chunk
    switch (encoding) {
      case 'PLAIN':
        appendPlain(values, physicalType, bytes, start, count, isOwned)
        return
      case 'PLAIN_DICTIONARY':
      case 'RLE_DICTIONARY':
        this.#appendEntries(values, bytes, start, count)
        return
      case 'RLE':
        if (physicalType !== 'BOOLEAN' || values.kind !== 'fixed') break
        appendRuns(values, bytes, start, count)
        return
      case 'DELTA_BINARY_PACKED':
        if (values.kind !== 'fixed') break
        if (physicalType === 'INT32') readDeltaInt32(bytes, start, count, values.words, values.count)
        else if (physicalType === 'INT64') readDeltaInt64(bytes, start, count, values.words, values.count)
        else break
        values.count += count
        return
      case 'DELTA_LENGTH_BYTE_ARRAY':
        if (values.kind !== 'bytes') break
        appendDeltaLength(values, bytes, start, count)
        return
      case 'DELTA_BYTE_ARRAY':
        if (!physicalType.endsWith('BYTE_ARRAY')) break
        appendDeltaBytes(values, bytes, start, count, this.#maxPageBytes)
        return
      case 'BYTE_STREAM_SPLIT':
        if (values.kind !== 'fixed' || physicalType === 'BOOLEAN') break
        appendByteStreamSplit(values, bytes, start, count)
        return
      default:
    }
    const message = `It uses ${encoding} for ${physicalType}, which this version does not read.`
    throw unsupported('PARQUET_ENCODING', message, { context: { encoding } })
  }

  #appendEntries(values: DenseValues, bytes: Uint8Array, start: number, count: number): void {
    const dictionary = (this.#dictionary ??= this.#readDictionary(values))
    const width = bytes[start]
    if (width === undefined) throw tooFew()
    if (width > 32) throw corrupt('PARQUET_VALUES', `A page has dictionary indexes of ${width} bits.`)
    if (this.#indexes.length < count) this.#indexes = new Int32Array(count)
    readRunsInt32(bytes, start + 1, bytes.length, width, count, this.#indexes)
    if (values.kind === 'fixed') values.appendEntries(dictionary as FixedValues, this.#indexes, count)
    else values.appendEntries(dictionary as BytesValues, this.#indexes, count)
  }

  #readDictionary(values: DenseValues): DenseValues {
    const page = this.#pages.dictionary
    if (page === undefined) throw corrupt('PARQUET_PAGE', 'Its pages name a dictionary that is not there.')
    const { encoding, values: count } = page.header
    const { codec, physicalType } = this.#chunk
    if (encoding !== 'PLAIN' && encoding !== 'PLAIN_DICTIONARY')
      throw unsupported('PARQUET_ENCODING', `Its dictionary is in ${encoding}, which this version does not read.`)
    const content = pageBytes(page, codec)
    const { values: bytes, isOwned } = content
    // Each entry has to be there, so a count that lies makes nothing large.
    if (
      values.kind === 'fixed' &&
      Math.ceil(count * (physicalType === 'BOOLEAN' ? 1 / 8 : values.width)) > bytes.length
    )
      throw tooFew()
    if (values.kind === 'bytes' && count * 4 > bytes.length) throw tooFew()
    const dictionary =
      values.kind === 'fixed' ? new FixedValues(values.width, count) : new BytesValues(values.arena, count, false)
    appendPlain(dictionary, physicalType, bytes, 0, count, isOwned)
    releaseBytes(content, dictionary)
    return dictionary
  }
}

function appendPlain(
  values: DenseValues,
  physicalType: string,
  bytes: Uint8Array,
  start: number,
  count: number,
  isOwned: boolean,
): void {
  if (values.kind === 'bytes') values.appendPlain(bytes, start, isOwned, count)
  else if (physicalType === 'BOOLEAN') values.appendBits(bytes, start, count)
  else values.appendPlain(bytes, start, count)
}

/** Booleans as runs, after their length. */
function appendRuns(values: FixedValues, bytes: Uint8Array, start: number, count: number): void {
  if (start + 4 > bytes.length) throw tooFew()
  const size = new DataView(bytes.buffer, bytes.byteOffset + start, 4).getUint32(0, true)
  if (size > bytes.length - start - 4) throw tooFew()
  readRunsUint8(bytes, start + 4, start + 4 + size, 1, count, values.bytes, values.count)
  for (let i = values.count; i < values.count + count; i++)
    if (values.bytes[i]! > 1) throw corrupt('PARQUET_VALUES', 'A page has a boolean that is neither 0 nor 1.')
  values.count += count
}

/** Gives decompressed bytes back at once, unless they became the column's: the next page then gets the same, warm memory. */
function releaseBytes({ values: bytes, isOwned }: PageBytes, values: DenseValues | undefined): void {
  const { buffer, length } = bytes
  // Not those of a pool.
  if (!isOwned || buffer.byteLength > 2 * length) return
  if (values?.kind === 'bytes' && values.arena.data.buffer === buffer) return
  giveBack(buffer)
}

/** What is stated, as far as it is likely: what compresses better than this makes the arena grow. */
function expectedBytes(pages: readonly Page[]): number {
  let bytes = 0
  for (const { header } of pages) bytes += Math.min(header.uncompressedBytes, header.compressedBytes * 16)
  return bytes
}
