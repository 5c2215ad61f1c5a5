import type { Timer, Timers } from '@moulin/core'
import { hasOutcome, isKind, unavailable } from '@moulin/core'

/** The caller's signal and a time limit as one signal. */
export class CallDeadline {
  readonly signal: AbortSignal | undefined
  readonly #given: AbortSignal | undefined
  readonly #ms: number | undefined
  readonly #timer: Timer | undefined
  #isOver = false

  constructor(timers: Pick<Timers, 'after'>, signal: AbortSignal | undefined, ms: number | undefined) {
    this.#given = signal
    this.#ms = ms
    if (ms === undefined) {
      this.signal = signal
      return
    }
    const end = new AbortController()
    this.signal = signal === undefined ? end.signal : AbortSignal.any([signal, end.signal])
    const over = (): void => {
      this.#isOver = true
      end.abort()
    }
    this.#timer = timers.after(ms, over, { ref: true })
  }

  /** Whether what was thrown comes of the time limit, not of the caller's own signal. */
  hasEnded(error: unknown): boolean {
    return this.#isOver && this.#given?.aborted !== true && isKind(error, 'aborted')
  }

  error(store: string, what: string, cause: unknown): Error {
    const message = `${store}: ${what} was not answered within ${this.#ms} ms (deadlineMs): try later, or give it longer.`
    const outcome = hasOutcome(cause, 'unknown') ? 'unknown' : 'rejected'
    return unavailable('DEADLINE', message, { outcome, context: { deadlineMs: this.#ms }, cause })
  }

  cancel(): void {
    this.#timer?.cancel()
  }
}
