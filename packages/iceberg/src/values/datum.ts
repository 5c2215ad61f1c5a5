import type { PrimitiveType } from './primitive-type.ts'

/**
 * A value as it lies in a data file, null set aside: boolean; number for int, float, double and date (days); bigint for
 * long, time and timestamps (µs, or ns) and decimal (unscaled); bytes for string (UTF-8), uuid, fixed and binary.
 */
export type Datum = boolean | number | bigint | Uint8Array

/**
 * A value of a partition field, stored as in {@link Datum}, except that a string is a string.
 * (Of the table's partition spec; the log's partitions are something else.)
 */
export type PartitionValue = null | boolean | number | bigint | string | Uint8Array

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * The order of values of one type: NaN above all and equal to itself, as in most SQL engines, −0 equal to 0; bytes
 * unsigned, so strings go by UTF-8, which is by code point.
 */
export function compareDatum(a: Datum, b: Datum): number {
  if (typeof a === 'object') return compareBytes(a, b as Uint8Array)
  if (a < b) return -1
  if (a > b) return 1
  if (a === b) return 0
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
}

/** A copy of `bytes[start, end)`. (Of a Buffer, `slice` is none: it shares the memory.) */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end))
}

/** Lexicographic, bytes unsigned. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!
  }
  return a.length - b.length
}

export function startsWithBytes(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return bytes.length >= prefix.length && compareBytes(bytes.subarray(0, prefix.length), prefix) === 0
}

export function datumOf(value: Exclude<PartitionValue, null>): Datum {
  return typeof value === 'string' ? encoder.encode(value) : value
}

export function partitionValueOf(datum: Datum, type: PrimitiveType): PartitionValue {
  return type.kind === 'string' ? decoder.decode(datum as Uint8Array) : datum
}

/** One string per distinct tuple of one spec, for maps. Floats are told apart by their bits, as the spec asks. */
export function partitionTupleKey(values: readonly PartitionValue[]): string {
  return values.map(valueKey).join('|')
}

function valueKey(value: PartitionValue): string {
  switch (typeof value) {
    case 'string':
      return `${value.length}:${value}`
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'object':
      return value === null ? 'null' : Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')
    default:
      return String(value)
  }
}
