import { type Column, internal, invalid } from '@moulin/core'
import { halvesOf } from '../../bytes/int64-halves.ts'
import type { ScratchMemory } from './scratch.ts'

/**
 * The values of a leaf, back to back and without nulls, in the form that pages are made from. 64-bit integers are 32-bit
 * halves, low first: a BigInt a value would cost more than the rest (js-measured §6). Little-endian hosts.
 */
export type LeafValues = BooleanValues | IntValues | LongValues | FloatValues | DoubleValues | BytesValues | FixedValues

interface Counted {
  readonly count: number
}
export interface BooleanValues extends Counted {
  readonly kind: 'boolean'
  readonly values: Uint8Array
}
export interface IntValues extends Counted {
  readonly kind: 'int32'
  readonly values: Int32Array
}
export interface LongValues extends Counted {
  readonly kind: 'int64'
  readonly halves: Int32Array
}
export interface FloatValues extends Counted {
  readonly kind: 'float'
  readonly values: Float32Array
}
export interface DoubleValues extends Counted {
  readonly kind: 'double'
  readonly values: Float64Array
}
/** Value i is `data[starts[i], ends[i])`. */
export interface BytesValues extends Counted {
  readonly kind: 'bytes'
  readonly data: Uint8Array
  readonly view: DataView
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** Every value begins where the one before ends: sizes are differences. */
  readonly isContiguous: boolean
}
export interface FixedValues extends Counted {
  readonly kind: 'fixed'
  readonly width: number
  readonly bytes: Uint8Array
}

/** @throws `invalid` for positions outside of the data: they would put a neighbour's bytes into the file. */
export function bytesValues(
  path: string,
  data: Uint8Array,
  starts: Int32Array,
  ends: Int32Array,
  count: number,
): BytesValues {
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  const size = data.length
  let last = count === 0 ? 0 : starts[0]!
  let at = last < 0 ? count : 0
  // Usually they lie back to back, which needs no more than that none is below the one before.
  for (; at < count && starts[at] === last && ends[at]! >= last; at++) last = ends[at]!
  const isContiguous = at === count && last >= 0 && last <= size
  for (let i = isContiguous ? count : 0; i < count; i++) {
    const start = starts[i]!
    const end = ends[i]!
    if (start < 0 || end < start || end > size)
      throw invalid('COLUMN_POSITIONS', `Column ${path} has a value at ${start} to ${end} of ${size} bytes.`)
  }
  return { kind: 'bytes', count, data, view, starts, ends, isContiguous }
}

/** Bytes that values `[from, to)` of variable length take without their lengths: `unencoded_byte_array_data_bytes`. */
export function stringBytes(values: LeafValues, from: number, to: number): number {
  if (values.kind !== 'bytes' || from >= to) return 0
  const { starts, ends } = values
  if (values.isContiguous) return ends[to - 1]! - starts[from]!
  let size = 0
  for (let i = from; i < to; i++) size += ends[i]! - starts[i]!
  return size
}

/** The 32-bit words of floats, over the same memory. */
export function wordsOf(values: Float32Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length)
}

/**
 * The values of a primitive column at `rows`, or all of them. Where all are wanted nothing is copied; otherwise they are
 * gathered into scratch memory.
 */
export function leafValues(
  path: string,
  column: Column,
  rows: Int32Array | undefined,
  scratch: ScratchMemory,
): LeafValues {
  const count = rows?.length ?? column.length
  switch (column.storage) {
    case 'bool':
      if (rows === undefined) return { kind: 'boolean', count, values: column.values }
      return { kind: 'boolean', count, values: gatherBytes(column.values, rows, scratch.bytes(count)) }
    case 'int32':
      if (rows === undefined) return { kind: 'int32', count, values: column.values }
      return { kind: 'int32', count, values: gather(column.values, rows, scratch.ints(count)) }
    case 'int64': {
      const halves = halvesOf(column.values)
      if (rows === undefined) return { kind: 'int64', count, halves }
      return { kind: 'int64', count, halves: gatherPairs(halves, rows, scratch.ints(count * 2)) }
    }
    case 'float32': {
      if (rows === undefined) return { kind: 'float', count, values: column.values }
      const words = gather(wordsOf(column.values), rows, scratch.ints(count))
      return { kind: 'float', count, values: new Float32Array(words.buffer, words.byteOffset, count) }
    }
    case 'float64': {
      if (rows === undefined) return { kind: 'double', count, values: column.values }
      const halves = gatherPairs(halvesOf(column.values), rows, scratch.ints(count * 2))
      return { kind: 'double', count, values: new Float64Array(halves.buffer, halves.byteOffset, count) }
    }
    case 'bytes': {
      const { data, starts, ends } = column
      if (rows === undefined) return bytesValues(path, data, starts, ends, count)
      const [from, to] = [scratch.ints(count), scratch.ints(count)]
      return bytesValues(path, data, gather(starts, rows, from), gather(ends, rows, to), count)
    }
    case 'fixed': {
      const { width, values } = column
      if (rows === undefined) return { kind: 'fixed', count, width, bytes: values }
      const bytes = scratch.bytes(count * width)
      for (let i = 0; i < count; i++) {
        const from = rows[i]! * width
        for (let k = 0; k < width; k++) bytes[i * width + k] = values[from + k]!
      }
      return { kind: 'fixed', count, width, bytes }
    }
    case 'list':
    case 'struct':
      throw internal('PARQUET_WRITE', `A ${column.storage} is no leaf.`)
  }
}

function gather(source: Int32Array, rows: Int32Array, target: Int32Array): Int32Array {
  for (let i = 0; i < rows.length; i++) target[i] = source[rows[i]!]!
  return target
}

function gatherPairs(source: Int32Array, rows: Int32Array, target: Int32Array): Int32Array {
  for (let i = 0; i < rows.length; i++) {
    const from = rows[i]! * 2
    target[i * 2] = source[from]!
    target[i * 2 + 1] = source[from + 1]!
  }
  return target
}

function gatherBytes(source: Uint8Array, rows: Int32Array, target: Uint8Array): Uint8Array {
  for (let i = 0; i < rows.length; i++) target[i] = source[rows[i]!]!
  return target
}
