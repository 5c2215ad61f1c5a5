import { type Column, corrupt } from '@moulin/core'
import type { BytesValues, DenseValues, FixedValues } from './dense-values.ts'

/**
 * The values `[from, to)` of a chunk as a column of `length` rows: those whose bit is set get them in turn. Where all
 * of them are taken, their memory becomes the column's: they are of no further use.
 * @throws `corrupt` when there are not as many as bits.
 */
export function physicalColumn(
  values: DenseValues,
  physicalType: string,
  from: number,
  to: number,
  validity: Uint8Array | undefined,
  length: number,
): Column {
  if (to > values.count || (validity === undefined && to - from !== length))
    throw corrupt('PARQUET_VALUES', `It has ${values.count} values, fewer than its levels say.`)
  if (values.kind === 'bytes') return bytesColumn(values, from, to, validity, length)
  const { width } = values
  const bytes = spreadFixed(values, from, to, validity, length)
  const { buffer } = bytes
  switch (physicalType) {
    case 'BOOLEAN':
      return { storage: 'bool', length, validity, values: bytes }
    case 'INT32':
      return { storage: 'int32', length, validity, values: new Int32Array(buffer, 0, length) }
    case 'INT64':
      return { storage: 'int64', length, validity, values: new BigInt64Array(buffer, 0, length) }
    case 'FLOAT':
      return { storage: 'float32', length, validity, values: new Float32Array(buffer, 0, length) }
    case 'DOUBLE':
      return { storage: 'float64', length, validity, values: new Float64Array(buffer, 0, length) }
    default:
      return { storage: 'fixed', length, validity, width, values: bytes }
  }
}

/** `length × width` bytes at the beginning of their buffer. */
function spreadFixed(
  values: FixedValues,
  from: number,
  to: number,
  validity: Uint8Array | undefined,
  length: number,
): Uint8Array<ArrayBuffer> {
  const { width } = values
  const count = to - from
  let bytes = values.bytes as Uint8Array<ArrayBuffer>
  if (from > 0 || bytes.length < length * width || bytes.length > 2 * length * width + 64) {
    bytes = new Uint8Array((length * width + 3) & ~3)
    bytes.set(values.bytes.subarray(from * width, to * width))
  }
  if (validity !== undefined && count < length) {
    if (width === 4) spread4(new Int32Array(bytes.buffer), validity, count, length)
    else if (width === 8) spread8(new Int32Array(bytes.buffer), validity, count, length)
    else spreadBytes(bytes, width, validity, count, length)
  }
  return bytes.subarray(0, length * width)
}

// From the end, so that nothing is overwritten that still has to move.
function spread4(words: Int32Array, validity: Uint8Array, count: number, length: number): void {
  for (let row = length - 1, next = count - 1; next >= 0 && row > next; row--)
    if ((validity[row >> 3]! >> (row & 7)) & 1) words[row] = words[next--]!
}

function spread8(words: Int32Array, validity: Uint8Array, count: number, length: number): void {
  for (let row = length - 1, next = count - 1; next >= 0 && row > next; row--) {
    if (((validity[row >> 3]! >> (row & 7)) & 1) === 0) continue
    words[2 * row] = words[2 * next]!
    words[2 * row + 1] = words[2 * next + 1]!
    next--
  }
}

function spreadBytes(bytes: Uint8Array, width: number, validity: Uint8Array, count: number, length: number): void {
  for (let row = length - 1, next = count - 1; next >= 0 && row > next; row--) {
    if (((validity[row >> 3]! >> (row & 7)) & 1) === 0) continue
    bytes.copyWithin(row * width, next * width, (next + 1) * width)
    next--
  }
}

function bytesColumn(
  values: BytesValues,
  from: number,
  to: number,
  validity: Uint8Array | undefined,
  length: number,
): Column {
  const count = to - from
  const isNarrow = from > 0 || values.starts.length < length || values.starts.length > 2 * length + 64
  const { data, base } = isNarrow ? narrowed(values, from, to) : { data: values.arena.data, base: 0 }
  if (values.isBackToBack) {
    const offsets = new Int32Array(values.starts.buffer as ArrayBuffer)
    const own = isNarrow ? padded(offsets.subarray(from, to + 1), length + 1, base) : offsets.subarray(0, length + 1)
    if (validity !== undefined && count < length) spreadOffsets(own, validity, count, length)
    return { storage: 'bytes', length, validity, data, starts: own.subarray(0, length), ends: own.subarray(1) }
  }
  const taken = (positions: Int32Array): Int32Array =>
    isNarrow ? padded(positions.subarray(from, to), length, base) : positions.subarray(0, length)
  const [starts, ends] = [taken(values.starts), taken(values.ends)]
  if (validity !== undefined && count < length) spreadPositions(starts, ends, validity, count, length)
  return { storage: 'bytes', length, validity, data, starts, ends }
}

/** The bytes that the values `[from, to)` lie in, by themselves where they are less than half of all, and where those began. */
function narrowed({ arena, starts, ends }: BytesValues, from: number, to: number): { data: Uint8Array; base: number } {
  const { data } = arena
  // Nulls alone: each of them lies where the value before ended.
  if (from === to) return { data: new Uint8Array(0), base: from === 0 ? 0 : ends[from - 1]! }
  let low = data.length
  let high = 0
  for (let at = from; at < to; at++) {
    if (starts[at]! < low) low = starts[at]!
    if (ends[at]! > high) high = ends[at]!
  }
  return 2 * (high - low) < data.length ? { data: data.slice(low, high), base: low } : { data, base: 0 }
}

/** A copy of so many, 0 behind them, counted from `base` on. */
function padded(positions: Int32Array, length: number, base: number): Int32Array {
  const copy = new Int32Array(length)
  if (base === 0) copy.set(positions)
  else for (let at = 0; at < positions.length; at++) copy[at] = positions[at]! - base
  return copy
}

/** A null is empty, and lies where the next value begins. */
function spreadOffsets(offsets: Int32Array, validity: Uint8Array, count: number, length: number): void {
  let next = count
  offsets[length] = offsets[count]!
  for (let row = length - 1; row >= next; row--) {
    if ((validity[row >> 3]! >> (row & 7)) & 1) offsets[row] = offsets[--next]!
    else offsets[row] = offsets[row + 1]!
  }
}

function spreadPositions(
  starts: Int32Array,
  ends: Int32Array,
  validity: Uint8Array,
  count: number,
  length: number,
): void {
  for (let row = length - 1, next = count - 1; row > next; row--) {
    if ((validity[row >> 3]! >> (row & 7)) & 1) {
      starts[row] = starts[next]!
      ends[row] = ends[next]!
      next--
    } else starts[row] = ends[row] = 0
  }
}
