/**
 * Where an async `sendAll` takes its records from: as `for await` does, except that the wait for the next one can be ended. The
 * source is then told to end, and not waited for.
 */
export class AsyncSource<T> {
  readonly #iterator: AsyncIterator<T>
  #stop: ((error: Error) => void) | undefined
  #isOver = false

  constructor(records: AsyncIterable<T>) {
    this.#iterator = records[Symbol.asyncIterator]()
  }

  next(): Promise<IteratorResult<T, unknown>> {
    return new Promise((resolve, reject) => {
      this.#stop = reject
      this.#ask().then(resolve, reject)
    })
  }

  async #ask(): Promise<IteratorResult<T, unknown>> {
    try {
      const next = await this.#iterator.next()
      if (next.done === true) this.#isOver = true
      return next
    } catch (error) {
      this.#isOver = true
      throw error
    }
  }

  stop(error: Error): void {
    this.#stop?.(error)
  }

  /** Nothing more is taken from it, which one that is at its end is not told. What comes of that is its own affair. */
  async leave(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    try {
      await this.#iterator.return?.()
    } catch {
      // The call ends by what came before.
    }
  }
}
