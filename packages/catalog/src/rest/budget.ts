import { aborted, throwIfAborted, unavailable } from '@moulin/core'
import type { MoulinError, Outcome, Runtime } from '@moulin/core'

/** The time that one call of a caller may take, with all requests that it makes. */
export interface Budget {
  /** Fires at the end of the time, or with the caller's own. */
  readonly signal: AbortSignal
  leftMs(): number
  /** Why the signal has fired; undefined: it has not. */
  ended(outcome: Outcome): MoulinError | undefined
}

export interface BudgetRequest {
  /** For the message: `restCatalog(…): loadTable of shop.orders`. */
  readonly what: string
  readonly ms: number
  readonly signal?: AbortSignal | undefined
}

/** Runs the work with a budget. @throws `aborted` before it begins. */
export async function withBudget<T>(
  { clock, timers }: Pick<Runtime, 'clock' | 'timers'>,
  { what, ms, signal }: BudgetRequest,
  work: (budget: Budget) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal)
  const control = new AbortController()
  const beganMs = clock.monotonic()
  let isLate = false
  const timer = timers.after(ms, () => {
    isLate = true
    control.abort()
  })
  const stop = (): void => control.abort()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    return await work({
      signal: control.signal,
      leftMs: () => ms - (clock.monotonic() - beganMs),
      ended(outcome) {
        if (signal?.aborted === true) {
          return aborted('ABORTED', 'The call was aborted by its signal.', { outcome, cause: signal.reason as unknown })
        }
        if (!isLate) return undefined
        const message = `${what} had no answer within ${ms} ms: try again, or raise requestTimeoutMs.`
        return unavailable('CATALOG_TIMEOUT', message, { outcome, context: { requestTimeoutMs: ms } })
      },
    })
  } finally {
    timer.cancel()
    signal?.removeEventListener('abort', stop)
  }
}
