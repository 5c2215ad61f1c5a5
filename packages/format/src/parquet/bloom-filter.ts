import { corrupt } from '@moulin/core'
import { bigIntBytes } from '../values/scalars.ts'
import type { ByteSpan } from './byte-ranges.ts'
import { XxHash64 } from './encode/xxhash64.ts'
import type { FileNode } from './file-node.ts'
import type { MetricValue } from './file-writer.ts'
import { thrift, ThriftReader } from './thrift-reader.ts'

/** A filter is a row of blocks of eight 32-bit words; a value sets one bit in each word of one block. */
const blockBytes = 32
const salts = [0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31]

/** Bytes that a header fits in. */
export const maxHeaderBytes = 64

/**
 * Reads a filter's header. Spec: parquet-format, "Parquet Bloom Filter".
 * @returns where its blocks lie in the file; undefined for an algorithm, a hash or a compression that is not the usual one.
 * @throws `corrupt` when they reach beyond `fileEnd`.
 */
export function bloomBlocks(header: Uint8Array, start: number, fileEnd: number, what: string): ByteSpan | undefined {
  const reader = new ThriftReader(header, 0, header.length, what)
  let size = 0
  let usual = 0
  reader.struct((id, type) => {
    if (id === 1 && type === thrift.i32) size = reader.i32()
    else if (id >= 2 && id <= 4 && type === thrift.struct) {
      // Of each union the first member is the one that there is.
      reader.struct((member) => {
        if (member === 1) usual++
        return false
      })
    } else return false
    return true
  })
  const from = start + reader.position
  if (size <= 0 || size % blockBytes !== 0 || from + size > fileEnd)
    throw corrupt('PARQUET_BLOOM', `${what} states ${size} bytes.`, { context: { what, size } })
  return usual === 3 ? { start: from, end: from + size } : undefined
}

/** The value as the filter hashes it, plain-encoded; undefined where the file's type holds no such value in one way. */
export function bloomKey(value: MetricValue, { element }: FileNode): Uint8Array | undefined {
  const { type, annotation, typeLength } = element
  if (typeof value === 'object') {
    const fits = type === 'BYTE_ARRAY' || (type === 'FIXED_LEN_BYTE_ARRAY' && value.length === typeLength)
    return fits && annotation.kind !== 'decimal' ? value : undefined
  }
  if (typeof value === 'boolean') return undefined
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  // A NaN has many forms.
  if (Number.isNaN(value)) return undefined
  if (type === 'FLOAT' && typeof value === 'number' && Math.fround(value) === value) {
    view.setFloat32(0, value, true)
    return bytes.subarray(0, 4)
  }
  if (type === 'DOUBLE' && typeof value === 'number') {
    view.setFloat64(0, value, true)
    return bytes
  }
  if (type !== 'INT32' && type !== 'INT64') {
    return type === 'FIXED_LEN_BYTE_ARRAY' && annotation.kind === 'decimal' && typeof value === 'bigint'
      ? decimalBytes(value, typeLength ?? 0)
      : undefined
  }
  if (typeof value === 'number' && !Number.isInteger(value)) return undefined
  // What is asked for is a time, and the filter is of days.
  if (annotation.kind === 'date' && typeof value === 'bigint') return undefined
  let stored = BigInt(value)
  if ((annotation.kind === 'time' || annotation.kind === 'timestamp') && annotation.unit === 'MILLIS') {
    if (stored % 1000n !== 0n) return undefined
    stored /= 1000n
  }
  const bits = type === 'INT32' ? 32 : 64
  const isUnsigned = annotation.kind === 'integer' && !annotation.isSigned
  if ((isUnsigned ? BigInt.asUintN(bits, stored) : BigInt.asIntN(bits, stored)) !== stored) return undefined
  view.setBigInt64(0, BigInt.asIntN(64, stored), true)
  return bytes.subarray(0, bits / 8)
}

function decimalBytes(value: bigint, width: number): Uint8Array | undefined {
  return width === 0 || BigInt.asIntN(width * 8, value) !== value ? undefined : bigIntBytes(value, width)
}

/** The block of a filter of `size` bytes that a key is in, by its offset, and what to ask that block for. */
export function bloomProbe(
  key: Uint8Array,
  size: number,
): { readonly block: number; isIn(block: Uint8Array): boolean } {
  const hash = new XxHash64()
  hash.hash(new DataView(key.buffer, key.byteOffset, key.length), 0, key.length)
  const { low, high } = hash
  // Multiplied and shifted in place of a remainder; a filter has fewer than 2^26 blocks, so this is not exact in 53 bits.
  const block = Number((BigInt(high >>> 0) * BigInt(size / blockBytes)) >> 32n) * blockBytes
  return {
    block,
    isIn(bytes) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, blockBytes)
      return salts.every((salt, word) => (view.getInt32(word * 4, true) >>> (Math.imul(low, salt) >>> 27)) & 1)
    },
  }
}

export const bloomBlockBytes: number = blockBytes
