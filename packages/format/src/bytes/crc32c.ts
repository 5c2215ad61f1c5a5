import { crc32c as native } from '@node-rs/crc32'

// Slicing-by-8 tables of the Castagnoli polynomial, reflected. Below some hundred bytes a native call (and the view it
// needs) costs more than it saves (js-measured §5 c).
const tables = crc32cTables(8)
const NATIVE_FROM_BYTES = 512

/** Table `slice` says what a byte does to the register, `slice` bytes before the end of a step. */
export function crc32cTables(slices: number): Int32Array {
  const table = new Int32Array(slices * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    table[byte] = crc
  }
  for (let slice = 1; slice < slices; slice++) {
    for (let byte = 0; byte < 256; byte++) {
      const previous = table[(slice - 1) * 256 + byte]!
      table[slice * 256 + byte] = (previous >>> 8) ^ table[previous & 0xff]!
    }
  }
  return table
}

/**
 * CRC32C of `bytes`, unsigned; `previous` continues an earlier call's result.
 *
 * Spec: RFC 3720 §12.1 and appendix B.4.
 */
export function crc32c(bytes: Uint8Array, previous: number = 0): number {
  return crc32cOf(bytes, 0, bytes.length, previous)
}

/** {@link crc32c} of the bytes `[start, end)`, without making a view for short ranges. */
export function crc32cOf(bytes: Uint8Array, start: number, end: number, previous: number = 0): number {
  if (end - start >= NATIVE_FROM_BYTES) return native(bytes.subarray(start, end), previous >>> 0)
  const table = tables
  let crc = ~previous
  let at = start
  for (const last = end - 7; at < last; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc =
      table[0x700 + (crc & 0xff)]! ^
      table[0x600 + ((crc >>> 8) & 0xff)]! ^
      table[0x500 + ((crc >>> 16) & 0xff)]! ^
      table[0x400 + (crc >>> 24)]! ^
      table[0x300 + bytes[at + 4]!]! ^
      table[0x200 + bytes[at + 5]!]! ^
      table[0x100 + bytes[at + 6]!]! ^
      table[bytes[at + 7]!]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ table[(crc ^ bytes[at]!) & 0xff]!
  return ~crc >>> 0
}

/** {@link crc32c} of a big-endian 64-bit number, given as its 32-bit halves; a signed int, which costs no memory. */
export function crc32cOfInt64(high: number, low: number, previous: number): number {
  const table = tables
  const crc = ~previous
  const after =
    table[0x700 + ((crc ^ (high >>> 24)) & 0xff)]! ^
    table[0x600 + (((crc >>> 8) ^ (high >>> 16)) & 0xff)]! ^
    table[0x500 + (((crc >>> 16) ^ (high >>> 8)) & 0xff)]! ^
    table[0x400 + (((crc >>> 24) ^ high) & 0xff)]! ^
    table[0x300 + (low >>> 24)]! ^
    table[0x200 + ((low >>> 16) & 0xff)]! ^
    table[0x100 + ((low >>> 8) & 0xff)]! ^
    table[low & 0xff]!
  return ~after
}

/** {@link crc32c} of one byte; a signed int. */
export function crc32cOfByte(byte: number, previous: number): number {
  const crc = ~previous
  return ~((crc >>> 8) ^ tables[(crc ^ byte) & 0xff]!)
}

// The one table entry that ends in a given high byte: what a step back takes out.
const backwards = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) backwards[tables[byte]! >>> 24] = byte

/** What a sum was before the bytes `[start, end)` made `after` of it: {@link crc32cOf} the other way round. */
export function crc32cBefore(bytes: Uint8Array, start: number, end: number, after: number): number {
  let crc = ~after
  for (let at = end - 1; at >= start; at--) {
    const entry = backwards[crc >>> 24]!
    crc = ((crc ^ tables[entry]!) << 8) | (entry ^ bytes[at]!)
  }
  return ~crc >>> 0
}
