import { brotliDecompressSync, crc32, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { corrupt, unsupported } from '@moulin/core'
import { decompress, type Inflate, inflated } from '../../bytes/compression.ts'
import { isWholeZstd } from '../../bytes/zstd-frame.ts'
import { lz4Block, lz4Hadoop } from './lz4-block.ts'
import type { Page } from './pages.ts'

/** Gives exactly `size` bytes, and never makes more. */
type Codec = (bytes: Uint8Array, size: number) => Uint8Array

const codecs: Readonly<Record<string, Codec>> = {
  UNCOMPRESSED: (bytes, size) => decompress('none', bytes, size),
  GZIP: (bytes, size) => inflated('gzip', bytes, size, inOnePiece(size, gunzipSync)),
  SNAPPY: (bytes, size) => decompress('snappy', bytes, size),
  ZSTD(bytes, size) {
    if (!isWholeZstd(bytes)) throw corrupt('DECOMPRESS', 'A page is not of whole zstd frames.')
    return inflated('zstd', bytes, size, inOnePiece(size, zstdDecompressSync))
  },
  BROTLI: (bytes, size) => inflated('brotli', bytes, size, inOnePiece(size, brotliDecompressSync)),
  LZ4_RAW: lz4Block,
  LZ4: lz4Hadoop,
}

/**
 * The size is known here, so that the result need not be put together from parts, unless it is an unlikely one. A byte
 * more tells at once that nothing is left.
 */
function inOnePiece(size: number, inflate: Inflate): Inflate {
  return (bytes, options) =>
    inflate(bytes, { ...options, chunkSize: Math.max(4096, Math.min(size + 1, bytes.length * 64)) })
}

/** @throws `unsupported` naming a codec that we do not have. */
export function checkCodec(codec: string): void {
  if (Object.hasOwn(codecs, codec)) return
  throw unsupported('PARQUET_CODEC', `Its codec is ${codec}, which this version does not read.`, { context: { codec } })
}

/** What a page holds: in version 1 the levels stand before the values and are found by who decodes them. */
export interface PageBytes {
  /** Undefined in version 1. */
  readonly repetition: Uint8Array | undefined
  readonly definition: Uint8Array | undefined
  readonly values: Uint8Array
  /** The values are in memory that nobody else looks into. */
  readonly isOwned: boolean
}

/**
 * Checks a page's CRC-32, if it has one, and decompresses it.
 * @throws `corrupt`, `exhausted` when it is larger than its header says.
 */
export function pageBytes({ header, body }: Page, codec: string): PageBytes {
  if (header.crc !== undefined && (crc32(body) | 0) !== header.crc)
    throw corrupt('PARQUET_CRC', 'A page is not what its CRC-32 says.')
  if (header.kind !== 'data-v2') {
    const values = uncompressed(body, header.uncompressedBytes, codec)
    return { repetition: undefined, definition: undefined, values, isOwned: values.buffer !== body.buffer }
  }
  const definitionStart = header.repetitionBytes
  const valuesStart = definitionStart + header.definitionBytes
  const storedCodec = header.isCompressed ? codec : 'UNCOMPRESSED'
  const values = uncompressed(body.subarray(valuesStart), header.uncompressedBytes - valuesStart, storedCodec)
  return {
    repetition: body.subarray(0, definitionStart),
    definition: body.subarray(definitionStart, valuesStart),
    values,
    isOwned: values.buffer !== body.buffer,
  }
}

function uncompressed(bytes: Uint8Array, size: number, codec: string): Uint8Array {
  // Some writers leave out what compresses to nothing.
  if (size === 0 && bytes.length === 0) return bytes
  const result = codecs[codec]!(bytes, size)
  if (result.length === size) return result
  throw corrupt('PARQUET_PAGE', `A page has ${result.length} bytes where its header states ${size}.`)
}
