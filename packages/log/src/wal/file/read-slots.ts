import { throwIfAborted, waitFor } from '@moulin/core'

/**
 * File reads at a time. libuv has four threads for everything: catch-up readers must leave some to the flushes, or they
 * would stand in front of an fdatasync (DESIGN §6).
 */
const SLOTS = 2

/** Runs at most a few file reads at once, in the order of the calls. A signal ends its caller's wait, never a read of others. */
export class ReadSlots {
  #free = SLOTS
  readonly #waiting: (() => void)[] = []

  run<T>(read: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return waitFor(this.#run(read, signal), signal)
  }

  async #run<T>(read: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      throwIfAborted(signal)
      return await read()
    } finally {
      // The slot goes to the next in line, or back.
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
