/** How many are kept. */
const KEPT = 200
/** Fewer say nothing of a percentile. */
const ENOUGH = 20

/** The newest durations, and what so many of a hundred of them do not exceed. */
export class Latencies {
  readonly #ms: number[] = []
  #next = 0

  add(ms: number): void {
    this.#ms[this.#next] = ms
    this.#next = (this.#next + 1) % KEPT
  }

  /** Undefined while there are too few. */
  percentile(percent: number): number | undefined {
    if (this.#ms.length < ENOUGH) return undefined
    const sorted = this.#ms.toSorted((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))]
  }
}
