import { unavailable } from '@moulin/core'
import type { Timers } from '@moulin/core'

/** The time that a call has, as a signal. */
export interface Deadline {
  readonly signal: AbortSignal
  /** It is over: nothing is to fire any more. */
  end(): void
  /** Before its time, such as when the client is gone. */
  abort(reason: unknown): void
}

export function deadline(timers: Pick<Timers, 'after'>, ms: number): Deadline {
  const controller = new AbortController()
  const late = unavailable('CATALOG_TIMEOUT', `The catalog took longer than requestTimeoutMs (${ms} ms).`)
  // While somebody waits for the answer the process lives.
  const timer = timers.after(ms, () => controller.abort(late), { ref: true })
  return {
    signal: controller.signal,
    end: () => timer.cancel(),
    abort: (reason) => controller.abort(reason),
  }
}
