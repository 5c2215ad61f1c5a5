import { histogramOf, type Histogram, type Runtime } from '@moulin/core'
import { checkFence, hasHigherEpochNow } from './epoch-folder.ts'
import { patiently } from './patience.ts'
import type { SegmentPlace } from './segment-file.ts'

/** A look that holds up the thread for longer is slow. */
const SLOW_MS = 5
/**
 * For so many times as long as a slow look took, none is made like it: they take a hundredth of the thread's time at most, and one that
 * waited for a core, not for the disk, costs little.
 */
const REST = 100

/**
 * The look for a newer writer, after every flush and before its acks. On a local disk the thread makes it itself, which takes
 * microseconds: an asynchronous call would wait its turn behind the readers' calls. Where that was slow, was not
 * possible, or found somebody, the asynchronous one is made, and has the word.
 */
export class FenceLook {
  readonly #runtime: Runtime
  readonly #place: SegmentPlace
  readonly #isLocal: boolean
  readonly #looks: Histogram
  #restsUntilMs = -Infinity

  private constructor(runtime: Runtime, place: SegmentPlace, isLocal: boolean) {
    this.#runtime = runtime
    this.#place = place
    this.#isLocal = isLocal
    this.#looks = histogramOf(runtime.meter, 'moulin.wal.fence.duration')
  }

  static async begin(runtime: Runtime, place: SegmentPlace): Promise<FenceLook> {
    return new FenceLook(runtime, place, (await runtime.files.mountOf(place.dir)) === 'local')
  }

  /** @throws `fenced` when a newer writer has begun; what keeps it from looking, after some patience. */
  async pass(): Promise<void> {
    const { clock, files } = this.#runtime
    const { dir, epoch } = this.#place
    const beganMs = clock.monotonic()
    const isDirect = this.#isClear(beganMs)
    if (!isDirect) await patiently(this.#runtime, () => checkFence(files, dir, epoch))
    const tookMs = clock.monotonic() - beganMs
    this.#looks.record(tookMs / 1000, { 'moulin.wal.look': isDirect ? 'direct' : 'queued' })
  }

  /** Whether a direct look found nobody. False, too, where none was made. */
  #isClear(nowMs: number): boolean {
    if (!this.#isLocal || nowMs < this.#restsUntilMs) return false
    const { files, dir, epoch } = this.#place
    try {
      return !hasHigherEpochNow(files, dir, epoch)
    } catch {
      return false
    } finally {
      const endedMs = this.#runtime.clock.monotonic()
      if (endedMs - nowMs > SLOW_MS) this.#restsUntilMs = endedMs + REST * (endedMs - nowMs)
    }
  }
}
