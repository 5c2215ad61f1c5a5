import { rangeBehind, type OffsetRange } from '@moulin/core'

const none: readonly OffsetRange[] = []

/** Offsets of one partition whose records belong to aborted transactions. They come and go in their order; mostly there are none. */
export class AbortedRanges {
  /** Rising, each behind the one before. */
  #ranges: OffsetRange[] = []

  add(ranges: readonly OffsetRange[]): void {
    for (const { from, to } of ranges) if (from < to) this.#ranges.push({ from, to })
  }

  /** Those that have offsets of `[from, to)`, whole. */
  meeting({ from, to }: OffsetRange): readonly OffsetRange[] {
    if (this.#ranges.length === 0) return none
    let end = rangeBehind(this.#ranges, from)
    const start = end
    while (end < this.#ranges.length && this.#ranges[end]!.from < to) end++
    return this.#ranges.slice(start, end)
  }

  /** How many offsets from there on. */
  countFrom(offset: bigint): bigint {
    const ranges = this.#ranges.slice(rangeBehind(this.#ranges, offset))
    return ranges.reduce((count, { from, to }) => count + to - (from > offset ? from : offset), 0n)
  }

  dropBelow(offset: bigint): void {
    if (this.#ranges.length > 0) this.#ranges.splice(0, rangeBehind(this.#ranges, offset))
  }
}
