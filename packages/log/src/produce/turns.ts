import type { Runtime } from '@moulin/core'

/** So long the event loop goes without a turn. */
const TURN_MS = 1
/** How often the time is looked at. */
const RECORDS_PER_LOOK = 32

/**
 * When a loop that never waits is to let the event loop have a turn. Without, it would starve what it waits for in the end: the flushes
 * of a `sendAll` (acks of half a second, seen), what the thread of a feed is told.
 */
export class Turns {
  readonly #runtime: Pick<Runtime, 'clock' | 'timers'>
  #sinceLook = 0
  #turnMs = -Infinity

  constructor(runtime: Pick<Runtime, 'clock' | 'timers'>) {
    this.#runtime = runtime
  }

  /** To be asked once per record. */
  isDue(): boolean {
    if (++this.#sinceLook < RECORDS_PER_LOOK) return false
    this.#sinceLook = 0
    return this.#runtime.clock.monotonic() - this.#turnMs >= TURN_MS
  }

  async take(): Promise<void> {
    await this.#runtime.timers.turn()
    this.#turnMs = this.#runtime.clock.monotonic()
  }
}
