import type { Column, PrimitiveColumn } from '@moulin/core'

const HALF = 0x100000000

/** The 32-bit halves of 64-bit values, over the same memory: low, then high. */
export function halvesOf(values: BigInt64Array | Float64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length * 2)
}

/** {@link halvesOf} an int64 column, looked up once per column rather than once per row. */
export function halvesByColumn(): (column: Column) => Int32Array {
  let last: unknown
  let halves: Int32Array = new Int32Array(0)
  return (column) => {
    const { values } = column as PrimitiveColumn & { values: BigInt64Array }
    if (values !== last) {
      last = values
      halves = halvesOf(values)
    }
    return halves
  }
}

/** Reads rows of int64 columns: a number where it is safe. */
export function longReader(): (column: Column, row: number) => number | bigint {
  const halves = halvesByColumn()
  return (column, row) => {
    const words = halves(column)
    const number = words[row * 2 + 1]! * HALF + (words[row * 2]! >>> 0)
    return Number.isSafeInteger(number) ? number : (column as PrimitiveColumn & { values: BigInt64Array }).values[row]!
  }
}

// One value, and its halves. Every other way between bigints and numbers takes memory, or a call that is not compiled in line.
const value = new BigInt64Array(1)
const halves = halvesOf(value)

/** The high half of an int64, signed. */
export function highOf(int64: bigint): number {
  value[0] = int64
  return halves[1]!
}

/** The low half of an int64, as a signed number. */
export function lowOf(int64: bigint): number {
  value[0] = int64
  return halves[0]!
}

/** Of signed halves, the low one in whichever sign. */
export function int64Of(high: number, low: number): bigint {
  halves[0] = low
  halves[1] = high
  return value[0]!
}
