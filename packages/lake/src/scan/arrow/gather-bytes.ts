import { isValid } from '@moulin/core'
import type { BytesColumn } from '@moulin/core'

export interface GatheredBytes {
  readonly data: Uint8Array
  /** Row i is `data[offsets[i], offsets[i + 1])`. */
  readonly offsets: Int32Array
}

/** Up to here a loop is faster than a call. */
const LOOPED_BYTES = 16

/** The values of all rows, copied together in their order; a null takes no byte. The caller keeps them below 2 GiB. */
export function gatherBytes(column: BytesColumn): GatheredBytes {
  const { length, data, starts, ends, validity } = column
  const offsets = new Int32Array(length + 1)
  for (let row = 0, end = 0; row < length; row++) {
    if (validity === undefined || isValid(column, row)) end += ends[row]! - starts[row]!
    offsets[row + 1] = end
  }
  const gathered = new Uint8Array(offsets[length]!)
  const source = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  for (let row = 0; row < length;) {
    const first = row
    const start = starts[first]!
    // Rows that lie side by side are one copy.
    let end = start + offsets[++row]! - offsets[first]!
    while (row < length && starts[row] === end) end += offsets[row + 1]! - offsets[row++]!
    const to = offsets[first]!
    if (end - start > LOOPED_BYTES) source.copy(gathered, to, start, end)
    else for (let at = start; at < end; at++) gathered[to + at - start] = data[at]!
  }
  return { data: gathered, offsets }
}

/** Bytes that {@link gatherBytes} would copy, as a double: rows may share theirs, so there can be very many. */
export function gatheredSize(column: BytesColumn): number {
  let bytes = 0
  for (let row = 0; row < column.length; row++) {
    if (isValid(column, row)) bytes += column.ends[row]! - column.starts[row]!
  }
  return bytes
}
