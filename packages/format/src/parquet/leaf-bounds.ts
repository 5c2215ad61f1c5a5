import type { Column } from '@moulin/core'
import { bigIntOf } from '../values/scalars.ts'
import type { MetricValue } from './file-writer.ts'
import type { PrimitiveType } from './primitive-type.ts'

export interface LeafBounds {
  readonly lower?: MetricValue
  readonly upper?: MetricValue
  /** Only float and double. */
  readonly nanCount?: number
  /** Only uuid: as {@link FieldMetrics.topBits}. */
  readonly topBits?: number
}

/** Of one UUID at `start`: see {@link FieldMetrics.topBits}. */
export function topBitsAt(bytes: Uint8Array, start: number): number {
  return ((bytes[start]! & 0x80) === 0 ? 1 : 2) | ((bytes[start + 8]! & 0x80) === 0 ? 4 : 8)
}

/** Exact bounds of a column's values, without nulls and NaNs; −0 lies below 0. */
export function boundsOf(column: Column, type: PrimitiveType): LeafBounds {
  switch (column.storage) {
    case 'bool':
    case 'int32':
      return smallIntegerBounds(column.values, column, column.storage === 'bool')
    case 'int64':
      return int64Bounds(column.values, column)
    case 'float32':
    case 'float64':
      return floatBounds(column.values, column)
    case 'bytes':
      return bytesBounds(column)
    case 'fixed':
      return fixedBounds(column, type.kind)
    case 'list':
    case 'struct':
      return {}
  }
}

/** Negative, zero or positive; bytes as unsigned, a prefix first. Both must be of one kind. */
export function compareMetricValues(a: MetricValue, b: MetricValue): number {
  if (typeof a === 'object' && typeof b === 'object') return compareRanges(a, 0, a.length, b, 0, b.length)
  if (a < b) return -1
  if (a > b) return 1
  return a === 0 && b === 0 ? Number(Object.is(b, -0)) - Number(Object.is(a, -0)) : 0
}

/** The bounds of both together. */
export function mergeBounds(a: LeafBounds, b: LeafBounds): LeafBounds {
  const lower = pick(a.lower, b.lower, -1)
  const upper = pick(a.upper, b.upper, 1)
  const nanCount = a.nanCount === undefined ? b.nanCount : a.nanCount + (b.nanCount ?? 0)
  return {
    ...(lower === undefined ? {} : { lower }),
    ...(upper === undefined ? {} : { upper }),
    ...(nanCount === undefined ? {} : { nanCount }),
    ...mergedTopBits(a, b),
  }
}

// Of a side that had values and did not count them, nothing is known.
function mergedTopBits(a: LeafBounds, b: LeafBounds): { readonly topBits?: number } {
  const bits = (side: LeafBounds): number | undefined => side.topBits ?? (side.lower === undefined ? 0 : undefined)
  const [left, right] = [bits(a), bits(b)]
  const topBits = left === undefined || right === undefined ? 0 : left | right
  return topBits === 0 ? {} : { topBits }
}

function pick(a: MetricValue | undefined, b: MetricValue | undefined, sign: number): MetricValue | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.sign(compareMetricValues(b, a)) === sign ? b : a
}

const isNull = (validity: Uint8Array | undefined, row: number): boolean =>
  validity !== undefined && (validity[row >> 3]! & (1 << (row & 7))) === 0

function smallIntegerBounds(values: Uint8Array | Int32Array, column: Column, isBoolean: boolean): LeafBounds {
  const { validity, length } = column
  let lower = Infinity
  let upper = -Infinity
  for (let row = 0; row < length; row++) {
    if (isNull(validity, row)) continue
    const value = values[row]!
    if (value < lower) lower = value
    if (value > upper) upper = value
  }
  if (lower > upper) return {}
  return isBoolean ? { lower: lower !== 0, upper: upper !== 0 } : { lower, upper }
}

// As 32-bit halves: a BigInt per value would cost more than the rest of the pass (js-measured §6). Little-endian hosts.
function int64Bounds(values: BigInt64Array, { validity, length }: Column): LeafBounds {
  const halves = new Int32Array(values.buffer, values.byteOffset, length * 2)
  let lower = -1
  let upper = -1
  let [lowerHigh, lowerLow, upperHigh, upperLow] = [0, 0, 0, 0]
  for (let row = 0; row < length; row++) {
    if (isNull(validity, row)) continue
    const low = halves[row * 2]! >>> 0
    const high = halves[row * 2 + 1]!
    if (lower === -1 || high < lowerHigh || (high === lowerHigh && low < lowerLow)) {
      lower = row
      lowerHigh = high
      lowerLow = low
    }
    if (upper === -1 || high > upperHigh || (high === upperHigh && low > upperLow)) {
      upper = row
      upperHigh = high
      upperLow = low
    }
  }
  return lower === -1 ? {} : { lower: values[lower]!, upper: values[upper]! }
}

function floatBounds(values: Float32Array | Float64Array, { validity, length }: Column): LeafBounds {
  let lower = Infinity
  let upper = -Infinity
  let count = 0
  let nanCount = 0
  for (let row = 0; row < length; row++) {
    if (isNull(validity, row)) continue
    const value = values[row]!
    if (value !== value) {
      nanCount++
      continue
    }
    count++
    // Both order −0 before 0.
    lower = Math.min(lower, value)
    upper = Math.max(upper, value)
  }
  return count === 0 ? { nanCount } : { lower, upper, nanCount }
}

function bytesBounds(column: Column & { readonly storage: 'bytes' }): LeafBounds {
  const { data, starts, ends, validity, length } = column
  let lower = -1
  let upper = -1
  for (let row = 0; row < length; row++) {
    if (isNull(validity, row)) continue
    if (lower === -1) {
      lower = upper = row
      continue
    }
    const start = starts[row]!
    const end = ends[row]!
    if (compareRanges(data, start, end, data, starts[lower]!, ends[lower]!) < 0) lower = row
    else if (compareRanges(data, start, end, data, starts[upper]!, ends[upper]!) > 0) upper = row
  }
  if (lower === -1) return {}
  return { lower: data.slice(starts[lower], ends[lower]), upper: data.slice(starts[upper], ends[upper]) }
}

function fixedBounds(column: Column & { readonly storage: 'fixed' }, kind: PrimitiveType['kind']): LeafBounds {
  const isDecimal = kind === 'decimal'
  const { values, width, validity, length } = column
  // Decimals are signed: turning the sign bit over orders two's complement as unsigned bytes.
  const flip = isDecimal ? 0x80 : 0
  const compare = (a: number, b: number): number => {
    const first = (values[a * width]! ^ flip) - (values[b * width]! ^ flip)
    return first !== 0
      ? first
      : compareRanges(values, a * width, a * width + width, values, b * width, b * width + width)
  }
  let lower = -1
  let upper = -1
  let topBits = 0
  for (let row = 0; row < length; row++) {
    if (isNull(validity, row)) continue
    if (kind === 'uuid') topBits |= topBitsAt(values, row * width)
    if (lower === -1) lower = upper = row
    else if (compare(row, lower) < 0) lower = row
    else if (compare(row, upper) > 0) upper = row
  }
  if (lower === -1) return {}
  const at = (row: number): Uint8Array => values.slice(row * width, row * width + width)
  if (kind === 'uuid') return { lower: at(lower), upper: at(upper), topBits }
  if (!isDecimal) return { lower: at(lower), upper: at(upper) }
  return { lower: bigIntOf(at(lower), 0, width), upper: bigIntOf(at(upper), 0, width) }
}

function compareRanges(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart)
  for (let i = 0; i < length; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!
    if (difference !== 0) return difference
  }
  return aEnd - aStart - (bEnd - bStart)
}
