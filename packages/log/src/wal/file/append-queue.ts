import type { Appended } from '@moulin/core'
import type { PendingSection, PlacedSection } from './flush-buffer.ts'
import { frameBytes, frameEnd, SEAL_BYTES } from './frame.ts'
import type { SegmentFile } from './segment-file.ts'

/**
 * Above so many waiting appends a flush takes half of them: to answer one takes the thread microseconds, and it answers one half while
 * the disk writes the other. Of fewer, the second call would cost more than that.
 */
const HALVE_ABOVE = 256

/** An append that has not been answered yet. */
export interface PendingAppend extends PendingSection {
  readonly resolve: (appended: Appended) => void
  readonly reject: (error: Error) => void
}

/** What one flush holds. */
export interface Taken {
  readonly appends: PendingAppend[]
  /** Where the next frame goes. */
  readonly end: number
  /** Of their frames alone. */
  readonly bytes: number
}

/** Appends that wait for a flush: what frees room first, and else in the order of the calls. */
export class AppendQueue {
  #waiting: PendingAppend[] = []

  get length(): number {
    return this.#waiting.length
  }

  /** As many wait as one half has: the disk is busy with them for as long as it takes to answer the other one. */
  get isLong(): boolean {
    return 2 * this.#waiting.length > HALVE_ABOVE
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

  /**
   * What goes out together, and where that ends: at least one, at most a flush, all of one kind and in this segment; of very many, half.
   */
  take({ position: start, sizeBytes }: SegmentFile, maxFlushBytes: number): Taken {
    const { frees } = this.first
    const { length } = this.#waiting
    const most = length > HALVE_ABOVE ? length >> 1 : length
    let end = start
    let bytes = 0
    let count = 0
    while (count < most) {
      const { section, batchesBytes } = this.#waiting[count]!
      const next = frameEnd(end, batchesBytes)
      if (section.frees !== frees) break
      if (count > 0 && (next - start > maxFlushBytes || next + SEAL_BYTES > sizeBytes)) break
      end = next
      bytes += frameBytes(batchesBytes)
      count += 1
    }
    return { appends: this.#waiting.splice(0, count), end, bytes }
  }

  takeAll(): PendingAppend[] {
    return this.#waiting.splice(0)
  }
}
