/** Offsets of one partition, half-open. */
export interface OffsetRange {
  readonly from: bigint
  /** Exclusive. */
  readonly to: bigint
}

/** The same, or of deltas within a batch. */
interface RangeOf<N extends bigint | number> {
  readonly from: N
  readonly to: N
}

/** By index, the first of rising ranges that ends behind the offset; how many there are, where none does. */
export function rangeBehind<N extends bigint | number>(ranges: readonly RangeOf<N>[], offset: N): number {
  let [low, high] = [0, ranges.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ranges[middle]!.to <= offset) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether one of the rising ranges has the offset. */
export function hasOffset<N extends bigint | number>(ranges: readonly RangeOf<N>[], offset: N): boolean {
  // Asked for each record, and nearly always there are none.
  if (ranges.length === 0) return false
  const next = ranges[rangeBehind(ranges, offset)]
  return next !== undefined && next.from <= offset
}

/** What the rising ranges have within another one, in their order. */
export function rangesWithin(ranges: readonly OffsetRange[], within: OffsetRange): OffsetRange[] {
  const found: OffsetRange[] = []
  for (let at = rangeBehind(ranges, within.from); at < ranges.length; at++) {
    const { from, to } = ranges[at]!
    if (from >= within.to) break
    const start = from > within.from ? from : within.from
    const end = to < within.to ? to : within.to
    if (start < end) found.push({ from: start, to: end })
  }
  return found
}
