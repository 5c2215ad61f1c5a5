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

/**
 * The signed halves of an int64, which is given as a number, too, rounded where it is not safe: nearly all are, and halves of bigints are
 * bigints, which take memory.
 */
export function highOf(number: number, value: bigint): number {
  return Number.isSafeInteger(number) ? Math.floor(number / HALF) : Number(BigInt.asIntN(32, value >> 32n))
}

export function lowOf(number: number, value: bigint): number {
  return Number.isSafeInteger(number) ? number | 0 : Number(BigInt.asIntN(32, value))
}

/** Of signed halves, the low one in whichever sign. */
export function int64Of(high: number, low: number): bigint {
  // A BigInt from a safe number is cheaper than two and a shift.
  if (high >= -0x200000 && high < 0x200000) return BigInt(high * HALF + (low >>> 0))
  return (BigInt(high) << 32n) | BigInt(low >>> 0)
}
