import type { Failing, Runtime } from '@moulin/core'
import { Chore, Scheduler } from '../../chores/chore.ts'
import { removeFile } from './durable-folder.ts'
import { checkFence } from './epoch-folder.ts'
import type { SegmentPlace } from './segment-file.ts'

/**
 * Files that hold nothing any more. One that cannot be removed stands in nobody's way: it is tried again whenever another one is
 * removed, and by itself after ever longer waits. The next opener removes what is left.
 */
export class DeadFiles {
  readonly #place: SegmentPlace
  readonly #left = new Set<string>()
  readonly #removal: Chore
  readonly #scheduler: Scheduler

  constructor(runtime: Runtime, place: SegmentPlace) {
    const { clock, logger } = runtime
    this.#place = place
    const work = {
      name: 'Removing files of the write-ahead tier',
      isWanted: () => this.#left.size > 0,
      run: () => this.retry(),
    }
    this.#removal = new Chore(clock, work, (error, retryMs) => {
      if (error !== undefined) {
        const fields = { err: error, files: this.#left.size, retryMs }
        logger.warn(fields, `${work.name} failed${retryMs === null ? ' for good' : ': it will be tried again'}`)
      }
      this.#scheduler.evaluate()
    })
    this.#scheduler = new Scheduler(runtime, [this.#removal])
  }

  /** How many could not be removed yet. */
  get size(): number {
    return this.#left.size
  }

  get failing(): Failing {
    return this.#removal.failing
  }

  /** Nobody is newer than us, and nothing in it is needed. Never rejects. False where the file is still there, or may be. */
  async remove(path: string): Promise<boolean> {
    this.#left.add(path)
    await this.#removal.attempt(() => this.#removeAll()).catch(() => undefined)
    return !this.#left.has(path)
  }

  /** Tries what is left, unless a newer writer has taken over by now: it removes that itself. Never rejects. */
  async retry(): Promise<void> {
    if (this.#left.size === 0) return
    const { files, dir, epoch } = this.#place
    const work = async (): Promise<void> => {
      await checkFence(files, dir, epoch)
      await this.#removeAll()
    }
    await this.#removal.attempt(work).catch(() => undefined)
  }

  /** Tries once more, and no more by itself. */
  async close(): Promise<void> {
    await this.retry()
    this.#scheduler.stop()
  }

  async #removeAll(): Promise<void> {
    let failure: unknown
    for (const path of this.#left) {
      try {
        // A newer writer may have removed it.
        await removeFile(this.#place.files, path)
        this.#left.delete(path)
      } catch (error) {
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure as Error
  }
}
