import type { Clock } from '@moulin/core'

/** What may be spent by all calls together. It is full at first, and never holds more than `tokens`. */
export class TokenBucket {
  readonly #tokens: number
  readonly #perMs: number
  readonly #clock: Pick<Clock, 'monotonic'>
  #left: number
  #atMs: number

  constructor(options: {
    readonly tokens: number
    /** How many come back by themselves. Default none. */
    readonly perSecond?: number
    readonly clock: Pick<Clock, 'monotonic'>
  }) {
    this.#tokens = options.tokens
    this.#perMs = (options.perSecond ?? 0) / 1000
    this.#clock = options.clock
    this.#left = options.tokens
    this.#atMs = options.clock.monotonic()
  }

  /** False where there is none left. */
  take(): boolean {
    const nowMs = this.#clock.monotonic()
    this.give((nowMs - this.#atMs) * this.#perMs)
    this.#atMs = nowMs
    if (this.#left < 1) return false
    this.#left--
    return true
  }

  give(tokens: number): void {
    this.#left = Math.min(this.#tokens, this.#left + tokens)
  }
}
