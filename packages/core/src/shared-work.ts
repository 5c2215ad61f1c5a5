import { aborted, type Outcome } from './model/errors.ts'

/**
 * Waits for work that others wait for, too, or that goes on for its own sake: the signal ends this wait and nothing else.
 * @throws `aborted` when the signal fires first, with the given outcome (default `rejected`); what the work throws.
 */
export async function waitFor<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  outcome: Outcome = 'rejected',
): Promise<T> {
  if (signal === undefined) return await work
  const ended = (): Error =>
    aborted('ABORTED', 'The wait was aborted by its signal.', { outcome, cause: signal.reason as unknown })
  if (signal.aborted) {
    work.catch(() => {})
    throw ended()
  }
  return await new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(ended())
    const done = (): void => signal.removeEventListener('abort', stop)
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).then(done, done)
  })
}

/**
 * Work that several callers share. A caller's signal ends the wait of that caller; the work itself is aborted only when
 * nobody waits for it any more, so whoever begins it waits at once.
 */
export class SharedWork<T> {
  /** Its end, for those who do not count: it goes on only as long as somebody is in {@link wait}. Never unhandled. */
  readonly done: Promise<T>
  readonly #abort = new AbortController()
  #waiting = 0
  #isOver = false

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.done = work(this.#abort.signal)
    const over = (): void => void (this.#isOver = true)
    this.done.then(over, over)
  }

  /** It was aborted: whoever comes now begins anew, once this is `done`. */
  get isAbandoned(): boolean {
    return this.#abort.signal.aborted
  }

  /** @throws `aborted` with outcome `unknown`, since the work may be beyond the point where it can be stopped; what it throws. */
  async wait(signal?: AbortSignal): Promise<T> {
    this.#waiting++
    try {
      return await waitFor(this.done, signal, 'unknown')
    } finally {
      this.#waiting--
      if (this.#waiting === 0 && !this.#isOver) this.#abort.abort()
    }
  }
}
