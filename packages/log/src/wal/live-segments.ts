import type { WalLocation } from '@moulin/core'

/** What still lives in a segment. */
export interface LiveCount {
  sections: number
  bytes: number
}

/** Counts live sections per segment, and says when a segment has none left. */
export class LiveSegments {
  readonly #counts = new Map<string, LiveCount>()
  liveBytes = 0

  add({ segment, sizeBytes }: WalLocation): void {
    const count = this.#counts.get(segment)
    if (count === undefined) this.#counts.set(segment, { sections: 1, bytes: sizeBytes })
    else {
      count.sections += 1
      count.bytes += sizeBytes
    }
    this.liveBytes += sizeBytes
  }

  /** Returns the segments that these were the last sections of. */
  remove(locations: readonly WalLocation[]): string[] {
    const emptied: string[] = []
    for (const { segment, sizeBytes } of locations) {
      const count = this.#counts.get(segment)
      if (count === undefined) continue
      count.sections -= 1
      count.bytes -= sizeBytes
      this.liveBytes -= sizeBytes
      if (count.sections > 0) continue
      this.#counts.delete(segment)
      emptied.push(segment)
    }
    return emptied
  }

  has(segment: string): boolean {
    return this.#counts.has(segment)
  }

  get size(): number {
    return this.#counts.size
  }
}
