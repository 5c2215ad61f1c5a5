import type { WalLocation } from '@moulin/core'
import { SEGMENT_HEADER_BYTES } from './segment-header.ts'

/** What still lives in a segment. */
export interface LiveCount {
  sections: number
  bytes: number
  /** All that it takes of the disk, once nothing more will be written to it. */
  sealedBytes: number | undefined
}

const none: readonly string[] = []

/** Counts live sections per segment, and says when a segment has none left. */
export class LiveSegments {
  readonly #counts = new Map<string, LiveCount>()
  liveBytes = 0
  /** See `WalUsage`. */
  heldBytes = 0

  add({ segment, sizeBytes }: WalLocation): void {
    this.addAll(segment, 1, sizeBytes)
  }

  /** So many sections of one segment, of so many bytes together. */
  addAll(segment: string, sections: number, bytes: number): void {
    const count = this.#counts.get(segment)
    if (count === undefined) this.#counts.set(segment, { sections, bytes, sealedBytes: undefined })
    else {
      count.sections += sections
      count.bytes += bytes
    }
    this.liveBytes += bytes
    if (count?.sealedBytes === undefined) this.heldBytes += bytes
  }

  /** Nothing more will be written to the segment, which takes `bytes` of the disk: as long as one section lives it holds them all. */
  seal(segment: string, bytes: number): void {
    const count = this.#counts.get(segment)
    if (count === undefined || count.sealedBytes !== undefined) return
    count.sealedBytes = bytes
    this.heldBytes += bytes - count.bytes
  }

  /** Returns the segments that these were the last sections of. */
  remove(locations: readonly WalLocation[]): readonly string[] {
    let emptied: string[] | undefined
    for (const { segment, sizeBytes } of locations) {
      const count = this.#counts.get(segment)
      if (count === undefined) continue
      count.sections -= 1
      count.bytes -= sizeBytes
      this.liveBytes -= sizeBytes
      if (count.sealedBytes === undefined) this.heldBytes -= sizeBytes
      if (count.sections > 0) continue
      this.heldBytes -= count.sealedBytes ?? 0
      this.#counts.delete(segment)
      ;(emptied ??= []).push(segment)
    }
    return emptied ?? none
  }

  /**
   * Segments that nothing more will be written to, of which at most `share` lives: those that hold least first. The header does not
   * count: what is copied on into a segment that is sealed early would be copied on again and again.
   */
  sparse(share: number): string[] {
    return [...this.#counts]
      .filter(
        ([, { bytes, sealedBytes }]) =>
          sealedBytes !== undefined && bytes <= (sealedBytes - SEGMENT_HEADER_BYTES) * share,
      )
      .sort(([, a], [, b]) => a.bytes - b.bytes)
      .map(([segment]) => segment)
  }

  has(segment: string): boolean {
    return this.#counts.has(segment)
  }

  get size(): number {
    return this.#counts.size
  }
}
