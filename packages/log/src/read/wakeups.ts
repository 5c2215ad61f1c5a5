/** Wakes waiting readers: no polling, nothing left behind by one that stops waiting. */
export class Wakeups {
  readonly #waiting = new Set<() => void>()

  get size(): number {
    return this.#waiting.size
  }

  wake(): void {
    if (this.#waiting.size === 0) return
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const resolve of waiting) resolve()
  }

  /** Resolves at the next {@link wake}, or when the signal fires. */
  async wait(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return
    let resolve!: () => void
    const woken = new Promise<void>((settle) => (resolve = settle))
    this.#waiting.add(resolve)
    signal?.addEventListener('abort', resolve, { once: true })
    try {
      await woken
    } finally {
      this.#waiting.delete(resolve)
      signal?.removeEventListener('abort', resolve)
    }
  }
}
