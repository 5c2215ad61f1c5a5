import type { Appended } from '@moulin/core'
import type { PendingSection, PlacedSection } from './flush-buffer.ts'
import { frameEnd, SEAL_BYTES } from './frame.ts'
import type { SegmentFile } from './segment-file.ts'

/** An append that has not been answered yet. */
export interface PendingAppend extends PendingSection {
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: Error) => void
}

/** Appends that wait for a flush: what frees room first, and else in the order of the calls. */
export class AppendQueue {
  #waiting: PendingAppend[] = []

  get length(): number {
    return this.#waiting.length
  }

  /** The section that is next. */
  get first(): PlacedSection {
    return this.#waiting[0]!.section
  }

  push(append: PendingAppend): void {
    const at = append.section.frees === true ? this.#waiting.findIndex(({ section }) => section.frees !== true) : -1
    if (at < 0) this.#waiting.push(append)
    else this.#waiting.splice(at, 0, append)
  }

  /** What was taken comes first again, among its kind. */
  putBack(taken: readonly PendingAppend[]): void {
    const all = [...taken, ...this.#waiting]
    this.#waiting = []
    for (const append of all) this.push(append)
  }

  /** What goes out together, and where that ends: at least one, at most a flush, all of one kind and in this segment. */
  take({ position: start, sizeBytes }: SegmentFile, maxFlushBytes: number): { taken: PendingAppend[]; end: number } {
    const { frees } = this.first
    let end = start
    let count = 0
    for (const { section, batchesBytes } of this.#waiting) {
      const next = frameEnd(end, batchesBytes)
      if (section.frees !== frees) break
      if (count > 0 && (next - start > maxFlushBytes || next + SEAL_BYTES > sizeBytes)) break
      end = next
      count += 1
    }
    return { taken: this.#waiting.splice(0, count), end }
  }

  takeAll(): PendingAppend[] {
    return this.#waiting.splice(0)
  }
}
