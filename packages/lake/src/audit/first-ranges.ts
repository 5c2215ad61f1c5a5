import type { OffsetRange } from '@moulin/core'

/** Rising ranges of offsets: how many offsets they have, and the first of them, as many as are wanted. */
export class FirstRanges {
  readonly #most: number
  readonly #ranges: { from: bigint; to: bigint }[] = []
  #count = 0n

  constructor(most: number) {
    this.#most = most
  }

  static of(ranges: Iterable<OffsetRange>, most: number): FirstRanges {
    const first = new FirstRanges(most)
    for (const range of ranges) first.add(range)
    return first
  }

  get count(): bigint {
    return this.#count
  }

  get ranges(): readonly OffsetRange[] {
    return this.#ranges
  }

  /** One that begins where the last one ends, or behind it. */
  add({ from, to }: OffsetRange): void {
    this.#count += to - from
    const last = this.#ranges.at(-1)
    if (last?.to === from) last.to = to
    else if (this.#ranges.length < this.#most) this.#ranges.push({ from, to })
  }
}
