import { isMoulinError, messageOf, type Clock, type Failing, type Failure } from '@moulin/core'

/** What went wrong in the background, for `stats()`: until the same work succeeds, or is settled otherwise. */
export class Failures {
  readonly #clock: Clock
  #last: Failure | null = null
  #sinceMs: number | null = null
  #retries = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  failed(error: unknown): void {
    const timeMs = this.#clock.now()
    if (this.#sinceMs === null) this.#sinceMs = timeMs
    else this.#retries++
    this.#last = failureOf(error, timeMs)
  }

  succeeded(): void {
    this.#last = null
    this.#sinceMs = null
    this.#retries = 0
  }

  get now(): Failing {
    return { lastError: this.#last, failingSinceMs: this.#sinceMs, retries: this.#retries }
  }
}

/** The newest error of several, since the first of them, with all that was tried again. */
export function worstOf(all: Iterable<Failing>): Failing {
  let lastError: Failure | null = null
  let failingSinceMs: number | null = null
  let retries = 0
  for (const failing of all) {
    if (failing.lastError === null || failing.failingSinceMs === null) continue
    if (lastError === null || failing.lastError.timeMs > lastError.timeMs) lastError = failing.lastError
    failingSinceMs = Math.min(failingSinceMs ?? Infinity, failing.failingSinceMs)
    retries += failing.retries
  }
  return { lastError, failingSinceMs, retries }
}

export function failureOf(error: unknown, timeMs: number): Failure {
  if (isMoulinError(error)) return { kind: error.kind, code: error.code, message: error.message, timeMs }
  return {
    kind: 'internal',
    code: 'UNEXPECTED',
    message: messageOf(error),
    timeMs,
  }
}
