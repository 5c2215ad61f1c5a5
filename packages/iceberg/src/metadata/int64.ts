import type { Int64 } from '@moulin/core'

/** The JSON form of a 64-bit integer: a number while it is exact as one, else the bigint. */
export function toInt64(value: bigint): Int64 {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

/** The later of two times in JSON form. */
export function laterOf(a: Int64, b: Int64): Int64 {
  return BigInt(a) >= BigInt(b) ? a : b
}
