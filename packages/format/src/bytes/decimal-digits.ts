/** How many digits a safe integer has that is not negative. */
export function decimalCount(value: number): number {
  let count = 1
  for (let limit = 10; limit <= value; limit *= 10) count++
  return count
}

/** Writes the last `count` digits of a safe integer that is not negative at `start`, zeros in front. */
export function putDigits(target: Uint8Array, start: number, value: number, count: number): void {
  let at = start + count
  // Nine at a time, which divide as integers.
  for (let rest = value; at > start;) {
    const upper = Math.floor(rest / 1e9)
    let lower = (rest - upper * 1e9) | 0
    for (const stop = Math.max(start, at - 9); at > stop;) {
      const tens = (lower / 10) | 0
      target[--at] = 0x30 + lower - tens * 10
      lower = tens
    }
    rest = upper
  }
}
