import { bigIntOf } from '../../values/scalars.ts'
import { compareMetricValues, topBitsAt } from '../leaf-bounds.ts'
import type { MetricValue } from '../file-writer.ts'
import type { Leaf } from '../parquet-schema.ts'
import type { BytesValues, FixedValues, LeafValues } from './leaf-values.ts'

/**
 * Least and greatest of the values seen, exactly, and how many were NaN, which is no bound; −0 lies below 0.
 * 64-bit integers stay two halves while values are looked at.
 */
export class Bounds {
  lower: MetricValue | undefined
  upper: MetricValue | undefined
  nanCount = 0
  /** Only of uuid: as {@link FieldMetrics.topBits}. */
  topBits = 0
  readonly #leaf: Leaf

  constructor(leaf: Leaf) {
    this.#leaf = leaf
  }

  clear(): void {
    this.lower = this.upper = undefined
    this.nanCount = this.topBits = 0
  }

  /** Takes the bounds of other values of the same leaf in. */
  absorb(other: Bounds): void {
    if (other.lower !== undefined) this.#take(other.lower, other.upper!)
    this.nanCount += other.nanCount
    this.topBits |= other.topBits
  }

  /** Looks at values `[from, to)`. */
  scan(values: LeafValues, from: number, to: number): void {
    if (from >= to) return
    switch (values.kind) {
      case 'boolean':
        return this.#scanBooleans(values.values, from, to)
      case 'int32':
        return this.#scanInts(values.values, from, to)
      case 'int64':
        return this.#scanLongs(values.halves, from, to)
      case 'float':
        return this.#scanFloats(values.values, from, to)
      case 'double':
        return this.#scanDoubles(values.values, from, to)
      case 'bytes':
        return this.#scanBytes(values, from, to)
      case 'fixed':
        return this.#scanFixed(values, from, to)
    }
  }

  #take(lower: MetricValue, upper: MetricValue): void {
    if (this.lower === undefined || compareMetricValues(lower, this.lower) < 0) this.lower = lower
    if (this.upper === undefined || compareMetricValues(upper, this.upper) > 0) this.upper = upper
  }

  #scanBooleans(values: Uint8Array, from: number, to: number): void {
    let ones = 0
    for (let i = from; i < to; i++) ones += values[i]! & 1
    this.#take(ones === to - from, ones > 0)
  }

  #scanInts(values: Int32Array, from: number, to: number): void {
    let lower = values[from]!
    let upper = lower
    for (let i = from + 1; i < to; i++) {
      const value = values[i]!
      if (value < lower) lower = value
      else if (value > upper) upper = value
    }
    // The column of a decimal of few digits is 64-bit, and so is its bound.
    if (this.#leaf.type.kind === 'decimal') this.#take(BigInt(lower), BigInt(upper))
    else this.#take(lower, upper)
  }

  #scanLongs(halves: Int32Array, from: number, to: number): void {
    let lowerLow = halves[from * 2]! >>> 0
    let lowerHigh = halves[from * 2 + 1]!
    let upperLow = lowerLow
    let upperHigh = lowerHigh
    for (let i = from + 1; i < to; i++) {
      const low = halves[i * 2]! >>> 0
      const high = halves[i * 2 + 1]!
      if (high < lowerHigh || (high === lowerHigh && low < lowerLow)) {
        lowerLow = low
        lowerHigh = high
      } else if (high > upperHigh || (high === upperHigh && low > upperLow)) {
        upperLow = low
        upperHigh = high
      }
    }
    this.#take(bigintOf(lowerLow, lowerHigh), bigintOf(upperLow, upperHigh))
  }

  #scanFloats(values: Float32Array, from: number, to: number): void {
    let lower = Infinity
    let upper = -Infinity
    let nans = 0
    for (let i = from; i < to; i++) {
      const value = values[i]!
      if (value !== value) nans++
      else {
        // Both order −0 before 0.
        lower = Math.min(lower, value)
        upper = Math.max(upper, value)
      }
    }
    this.nanCount += nans
    if (nans < to - from) this.#take(lower, upper)
  }

  // The same for an array of another type: one loop for both would be slower for either.
  #scanDoubles(values: Float64Array, from: number, to: number): void {
    let lower = Infinity
    let upper = -Infinity
    let nans = 0
    for (let i = from; i < to; i++) {
      const value = values[i]!
      if (value !== value) nans++
      else {
        lower = Math.min(lower, value)
        upper = Math.max(upper, value)
      }
    }
    this.nanCount += nans
    if (nans < to - from) this.#take(lower, upper)
  }

  // Most values are told apart by their first four bytes, read as one number.
  #scanBytes(values: BytesValues, from: number, to: number): void {
    const { data, view, starts, ends } = values
    let lower = from
    let upper = from
    let lowerPrefix = prefixAt(data, starts[from]!, ends[from]!)
    let upperPrefix = lowerPrefix
    for (let i = from + 1; i < to; i++) {
      const start = starts[i]!
      const end = ends[i]!
      const prefix = end - start >= 4 ? view.getUint32(start) : prefixAt(data, start, end)
      if (prefix < lowerPrefix || (prefix === lowerPrefix && compareAt(values, i, lower) < 0)) {
        lower = i
        lowerPrefix = prefix
      } else if (prefix > upperPrefix || (prefix === upperPrefix && compareAt(values, i, upper) > 0)) {
        upper = i
        upperPrefix = prefix
      }
    }
    const [least, most] = [data.subarray(starts[lower], ends[lower]), data.subarray(starts[upper], ends[upper])]
    if (this.lower === undefined || compareMetricValues(least, this.lower) < 0) this.lower = new Uint8Array(least)
    if (this.upper === undefined || compareMetricValues(most, this.upper) > 0) this.upper = new Uint8Array(most)
  }

  #scanFixed(values: FixedValues, from: number, to: number): void {
    const { bytes, width } = values
    const isDecimal = this.#leaf.type.kind === 'decimal'
    // Decimals are signed: turning the sign bit over orders two's complement as unsigned bytes.
    const flip = isDecimal ? 0x80 : 0
    let lower = from * width
    let upper = lower
    for (let i = from + 1; i < to; i++) {
      const at = i * width
      if (compareFixed(bytes, at, lower, width, flip) < 0) lower = at
      else if (compareFixed(bytes, at, upper, width, flip) > 0) upper = at
    }
    if (this.#leaf.type.kind === 'uuid') for (let i = from; i < to; i++) this.topBits |= topBitsAt(bytes, i * width)
    // Not slice: that of a Buffer copies nothing.
    const least = new Uint8Array(bytes.subarray(lower, lower + width))
    const most = new Uint8Array(bytes.subarray(upper, upper + width))
    if (isDecimal) this.#take(bigIntOf(least, 0, least.length), bigIntOf(most, 0, most.length))
    else this.#take(least, most)
  }
}

function bigintOf(low: number, high: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}

function prefixAt(data: Uint8Array, start: number, end: number): number {
  let prefix = 0
  for (let i = 0; i < 4; i++) prefix = prefix * 256 + (start + i < end ? data[start + i]! : 0)
  return prefix
}

function compareAt(values: BytesValues, a: number, b: number): number {
  const { data, starts, ends } = values
  const aStart = starts[a]!
  const bStart = starts[b]!
  const aLength = ends[a]! - aStart
  const bLength = ends[b]! - bStart
  const length = Math.min(aLength, bLength)
  for (let i = 0; i < length; i++) {
    const difference = data[aStart + i]! - data[bStart + i]!
    if (difference !== 0) return difference
  }
  return aLength - bLength
}

function compareFixed(bytes: Uint8Array, a: number, b: number, width: number, flip: number): number {
  const first = (bytes[a]! ^ flip) - (bytes[b]! ^ flip)
  if (first !== 0) return first
  for (let i = 1; i < width; i++) {
    const difference = bytes[a + i]! - bytes[b + i]!
    if (difference !== 0) return difference
  }
  return 0
}
