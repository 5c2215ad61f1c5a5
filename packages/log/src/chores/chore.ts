import { isKind, type Clock, type Failing, type Runtime, type Timer } from '@moulin/core'
import { Failures } from './failures.ts'

const FIRST_WAIT_MS = 1_000
const MAX_WAIT_MS = 60_000

/** Time between tries that did not help: longer each time. */
export class Backoff {
  readonly #clock: Clock
  #waitMs = FIRST_WAIT_MS
  /** Not before, on the monotonic clock. */
  untilMs: number = -Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Returns for how long. */
  postpone(): number {
    const waitMs = this.#waitMs
    this.untilMs = this.#clock.monotonic() + waitMs
    this.#waitMs = Math.min(MAX_WAIT_MS, waitMs * 2)
    return waitMs
  }

  reset(): void {
    this.#waitMs = FIRST_WAIT_MS
    this.untilMs = -Infinity
  }
}

/**
 * When a wall time comes, on the monotonic clock. What is past is due whatever the clock says by the time that it is asked again: a real
 * one has moved on by then.
 */
export function atWallTime(clock: Clock, wallMs: number): number {
  const waitMs = wallMs - clock.now()
  return waitMs <= 0 ? -Infinity : clock.monotonic() + waitMs
}

export interface ChoreWork {
  /** For messages: `Tiering`. */
  readonly name: string
  /** Whether there is anything for it to do, now or later. Where there is not, what failed before is settled, whoever did it. */
  readonly isWanted: () => boolean
  /** When what is wanted is due as things stand, on the monotonic clock; Infinity for never. Default: at once. */
  readonly due?: () => number
  /** Does it once, through {@link Chore.attempt}. Never rejects. */
  readonly run: () => Promise<unknown>
}

export interface Attempt<T> {
  /** It did what it could, and nothing came of it. */
  readonly isInVain?: (result: T) => boolean
  /** Of those who asked for it. */
  readonly signal?: AbortSignal | undefined
  /** Somebody asked for it, who is told its error. */
  readonly isAsked?: boolean | undefined
}

/** After each attempt: its error, when it may be tried again (null: never), and whether somebody else is told. */
export type ChoreEnded = (error: unknown, retryMs: number | null, isAsked: boolean) => void

/**
 * Work that is done by itself, again and again: when it is next due, and how long it waits after an attempt that failed or brought
 * nothing, whoever asked for that attempt.
 */
export class Chore {
  readonly #failures: Failures
  readonly #work: ChoreWork
  readonly #clock: Clock
  readonly #ended: ChoreEnded
  readonly #backoff: Backoff
  #running = 0
  /** Fenced: nothing makes it right again. */
  #isOver = false

  constructor(clock: Clock, work: ChoreWork, ended: ChoreEnded) {
    this.#clock = clock
    this.#work = work
    this.#ended = ended
    this.#backoff = new Backoff(clock)
    this.#failures = new Failures(clock)
  }

  get name(): string {
    return this.#work.name
  }

  /** When it should be started next; Infinity while an attempt runs, or nothing is due. */
  get nextMs(): number {
    if (this.#running > 0 || this.#isOver || !this.#work.isWanted()) return Infinity
    return Math.max(this.#work.due?.() ?? -Infinity, this.#backoff.untilMs)
  }

  /** For `stats()`: what went wrong with it, until it succeeds or is not wanted any more. */
  get failing(): Failing {
    this.settle()
    return this.#failures.now
  }

  /** Forgets what failed where nothing is left to be done: when that is wanted again, it is other work. */
  settle(): void {
    if (!this.#isOver && !this.#work.isWanted()) this.#failures.succeeded()
  }

  get isRunning(): boolean {
    return this.#running > 0
  }

  /** It failed or brought nothing a moment ago: only an explicit call tries it now. */
  get isWaiting(): boolean {
    return this.#isOver || this.#backoff.untilMs > this.#clock.monotonic()
  }

  start(): void {
    void this.#work.run()
  }

  /** One attempt, whoever asks for it. Its end decides when the next one may be. */
  async attempt<T>(work: () => Promise<T>, { isInVain, signal, isAsked = false }: Attempt<T> = {}): Promise<T> {
    this.#running++
    let failure: unknown
    let retryMs: number | null = null
    try {
      const result = await work()
      this.#failures.succeeded()
      if (isInVain?.(result) === true) this.#backoff.postpone()
      else this.#backoff.reset()
      return result
    } catch (error) {
      failure = error
      if (isKind(error, 'fenced')) {
        this.#failures.failed(error)
        this.#isOver = true
      } else if (isKind(error, 'aborted')) {
        // That its callers gave up says nothing of the work; that somebody below did must not make it spin.
        if (signal?.aborted !== true) this.#backoff.postpone()
      } else {
        this.#failures.failed(error)
        retryMs = this.#backoff.postpone()
      }
      throw error
    } finally {
      this.#running--
      this.#ended(failure, retryMs, isAsked)
    }
  }

  /** What it waited for may have come: the next attempt need not wait. */
  mayHelp(): void {
    this.#backoff.reset()
  }
}

/** Starts each of its chores when it is due, with one timer: none while nothing is due. */
export class Scheduler {
  readonly #runtime: Runtime
  readonly #chores: readonly Chore[]
  #timer: Timer | undefined
  #timerMs = Infinity
  #isStopped = false

  constructor(runtime: Runtime, chores: readonly Chore[]) {
    this.#runtime = runtime
    this.#chores = chores
  }

  /** Starts what is due and sets the timer for what will be. To be called after whatever may change that. */
  evaluate(): void {
    if (this.#isStopped) return
    const now = this.#runtime.clock.monotonic()
    for (const chore of this.#chores) {
      chore.settle()
      if (chore.nextMs <= now) chore.start()
    }
    const next = this.#chores.reduce((first, { nextMs }) => Math.min(first, nextMs), Infinity)
    if (next === this.#timerMs) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerMs = next
    if (next === Infinity) return
    this.#timer = this.#runtime.timers.after(Math.max(0, next - now), () => {
      this.#timer = undefined
      this.#timerMs = Infinity
      this.evaluate()
    })
  }

  /** Starts nothing more. */
  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
