import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { corrupt, exhausted } from '@moulin/core'
import { compressSync, uncompressSync } from 'snappy'
import { giveBack } from './give-back.ts'
import { isWholeZstd } from './zstd-frame.ts'

/** The same memory, not as a Buffer. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length)
}

/** How bytes are compressed. `snappy` is the raw block format (Parquet, Avro), not a framing. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'zstd'

// Level 1: level 3 is 2.4 times slower for 2 % (js-measured §3).
const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
// Without the copy each result lives in fresh external memory: four times slower (js-measured §3).
const snappyOptions = { copyOutputData: true }

/** Compresses synchronously: call it in a worker, or for small input. `none` returns the bytes given. */
export function compress(codec: Compression, bytes: Uint8Array): Uint8Array {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return plain(gzipSync(bytes))
    case 'zstd':
      return plain(zstdCompressSync(bytes, { ...zstdOptions, chunkSize: zstdBound(bytes.length) }))
    case 'snappy':
      return plain(compressSync(bytes, snappyOptions))
  }
}

/** Gives the memory of what {@link compress} has made, and nobody looks into any more, back at once: {@link giveBack}. */
export function discard(codec: Compression, { buffer }: Uint8Array): void {
  // Which are the caller's own.
  if (codec !== 'none') giveBack(buffer)
}

/**
 * As many bytes as zstd may need (its `ZSTD_COMPRESSBOUND`): given these at once, it works in place, a tenth faster. And so many that
 * they are not of the memory that Buffers share, unless an application made that larger.
 */
function zstdBound(size: number): number {
  return Math.max(size + (size >> 8) + 1024, UNSHARED_BYTES)
}

/** Half of Node's own `Buffer.poolSize`: a Buffer of less may be of the pool. */
const UNSHARED_BYTES = 32 * 1024

/**
 * Reverses {@link compress}, also synchronously.
 * @throws `exhausted` before more than `maxBytes` come out, `corrupt` when the input is not of this codec.
 */
export function decompress(codec: Compression, bytes: Uint8Array, maxBytes: number): Uint8Array {
  switch (codec) {
    case 'none':
      if (bytes.length > maxBytes) throw tooLarge(codec, bytes.length, maxBytes)
      return bytes
    case 'gzip':
      return inflated(codec, bytes, maxBytes, gunzipSync)
    case 'zstd':
      if (!isWholeZstd(bytes)) throw malformed(codec, undefined)
      return inflated(codec, bytes, maxBytes, zstdDecompressSync)
    case 'snappy':
      return unsnapped(bytes, maxBytes)
  }
}

/** One of node:zlib's functions. */
export type Inflate = (bytes: Uint8Array, options: { maxOutputLength: number; chunkSize: number }) => Uint8Array

/** Runs one of node:zlib's functions under the limit. */
export function inflated(codec: string, bytes: Uint8Array, maxBytes: number, inflate: Inflate): Uint8Array {
  const chunkSize = Math.max(4096, Math.min(1 << 20, maxBytes + 1, bytes.length * 4))
  try {
    return plain(inflate(bytes, { maxOutputLength: Math.max(1, maxBytes), chunkSize }))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw tooLarge(codec, undefined, maxBytes, cause)
    throw malformed(codec, cause)
  }
}

function unsnapped(bytes: Uint8Array, maxBytes: number): Uint8Array {
  // The block begins with its length as a varint (snappy format description §1): checked before anything is allocated.
  let length = 0
  let at = 0
  for (let shift = 1; ; shift *= 128) {
    const byte = bytes[at++]
    if (byte === undefined || at > 5) throw malformed('snappy', undefined)
    length += (byte & 0x7f) * shift
    if (byte < 0x80) break
  }
  if (length > maxBytes) throw tooLarge('snappy', length, maxBytes)
  // One copy element of 3 bytes gives at most 64.
  if (length > (bytes.length - at) * 64) throw malformed('snappy', undefined)
  try {
    return plain(uncompressSync(bytes, { asBuffer: true, ...snappyOptions }) as Uint8Array)
  } catch (cause) {
    throw malformed('snappy', cause)
  }
}

function tooLarge(codec: string, sizeBytes: number | undefined, maxBytes: number, cause?: unknown): Error {
  const size = sizeBytes === undefined ? `more than ${maxBytes}` : `${sizeBytes}`
  const message = `Bytes of codec ${codec} decompress to ${size} bytes; the limit here is ${maxBytes}.`
  return exhausted('DECOMPRESSED_TOO_LARGE', message, { context: { codec, maxBytes }, cause })
}

function malformed(codec: string, cause: unknown): Error {
  const reason = cause instanceof Error ? `: ${cause.message}` : '.'
  return corrupt('DECOMPRESS', `Bytes do not decompress as ${codec}${reason}`, { context: { codec }, cause })
}
