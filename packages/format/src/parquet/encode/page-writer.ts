import { crc32 } from '@node-rs/crc32'
import { compress, discard, type Compression } from '../../bytes/compression.ts'
import { encodingCodes, type PageEncoding, pageTypes } from './parquet-codes.ts'
import type { PageBuffer } from './page-buffer.ts'
import { ThriftWriter } from './thrift-writer.ts'

/** Where finished bytes go. */
export interface ByteTarget {
  /** Copies `bytes`. */
  append(bytes: Uint8Array): void
}

export interface PageWriterOptions {
  readonly pageVersion: 1 | 2
  readonly pageChecksums: boolean
}

/** Bytes of a page with its header. */
export interface PageSize {
  readonly compressed: number
  readonly uncompressed: number
}

export interface DataPage {
  readonly encoding: PageEncoding
  readonly slotCount: number
  readonly rowCount: number
  readonly nullCount: number
  /** In version 2 these stand before the values, uncompressed; in version 1 the body begins with them. */
  readonly repetitionBytes: number
  readonly definitionBytes: number
}

/**
 * How the pages of a chunk are compressed. The first one decides: where a codec hardly helps, as with random bytes, it
 * would cost writer and readers more than the bytes are worth.
 */
export interface ChunkCodec {
  codec: Compression
  isDecided: boolean
}

/** A codec must come below this share of the bytes: less for one that is chosen for its speed. */
const worthwhile: Readonly<Record<Compression, number>> = { none: 1, snappy: 0.875, zstd: 0.95, gzip: 0.95 }
/** Fewer bytes say nothing about the rest. */
const leastTelling = 4096

/** Compresses page bodies and writes them behind their headers. Spec: parquet-format, "Data Pages", "Checksumming". */
export class PageWriter {
  readonly #options: PageWriterOptions
  readonly #thrift = new ThriftWriter()

  constructor(options: PageWriterOptions) {
    this.#options = options
  }

  /** Of a chunk that is compressed: what repeats shrinks. */
  dictionary(target: ByteTarget, body: Uint8Array, count: number, chunk: ChunkCodec): PageSize {
    chunk.isDecided = true
    const { codec } = chunk
    const bytes = compress(codec, body)
    const size = this.#write(target, pageTypes.dictionary, body.length, [bytes], (thrift) => {
      thrift.struct(7, () => {
        thrift.i32(1, count)
        thrift.i32(2, encodingCodes.plain)
      })
    })
    discard(codec, bytes)
    return size
  }

  data(target: ByteTarget, body: PageBuffer, page: DataPage, chunk: ChunkCodec): PageSize {
    const isV1 = this.#options.pageVersion === 1
    const values = body.written(isV1 ? 0 : page.repetitionBytes + page.definitionBytes)
    const bytes = compressed(values, chunk)
    const size = isV1 ? this.#dataV1(target, body, page, bytes) : this.#dataV2(target, body, page, values, bytes)
    if (bytes !== values) discard(chunk.codec, bytes)
    return size
  }

  #dataV1(target: ByteTarget, body: PageBuffer, page: DataPage, bytes: Uint8Array): PageSize {
    return this.#write(target, pageTypes.data, body.length, [bytes], (thrift) => {
      thrift.struct(5, () => {
        thrift.i32(1, page.slotCount)
        thrift.i32(2, encodingCodes[page.encoding])
        thrift.i32(3, encodingCodes.rle)
        thrift.i32(4, encodingCodes.rle)
      })
    })
  }

  #dataV2(target: ByteTarget, body: PageBuffer, page: DataPage, values: Uint8Array, smaller: Uint8Array): PageSize {
    const { repetitionBytes, definitionBytes } = page
    const levelBytes = repetitionBytes + definitionBytes
    // The version can say that a page is not compressed, so that none grows.
    const isCompressed = smaller !== values && smaller.length < values.length
    const parts = [body.bytes.subarray(0, levelBytes), isCompressed ? smaller : values]
    return this.#write(target, pageTypes.dataV2, body.length, parts, (thrift) => {
      thrift.struct(8, () => {
        thrift.i32(1, page.slotCount)
        thrift.i32(2, page.nullCount)
        thrift.i32(3, page.rowCount)
        thrift.i32(4, encodingCodes[page.encoding])
        thrift.i32(5, definitionBytes)
        thrift.i32(6, repetitionBytes)
        thrift.boolean(7, isCompressed)
      })
    })
  }

  #write(
    target: ByteTarget,
    type: number,
    uncompressed: number,
    parts: readonly Uint8Array[],
    header: (thrift: ThriftWriter) => void,
  ): PageSize {
    let size = 0
    let crc = 0
    for (const part of parts) {
      size += part.length
      if (this.#options.pageChecksums) crc = crc32(part, crc)
    }
    const thrift = this.#thrift
    thrift.buffer.clear()
    thrift.element(() => {
      thrift.i32(1, type)
      thrift.i32(2, uncompressed)
      thrift.i32(3, size)
      if (this.#options.pageChecksums) thrift.i32(4, crc | 0)
      header(thrift)
    })
    target.append(thrift.buffer.written())
    for (const part of parts) target.append(part)
    return { compressed: thrift.buffer.length + size, uncompressed: thrift.buffer.length + uncompressed }
  }
}

function compressed(body: Uint8Array, chunk: ChunkCodec): Uint8Array {
  const bytes = compress(chunk.codec, body)
  if (chunk.isDecided) return bytes
  chunk.isDecided = true
  if (body.length < leastTelling || bytes.length <= body.length * worthwhile[chunk.codec]) return bytes
  chunk.codec = 'none'
  return body
}
