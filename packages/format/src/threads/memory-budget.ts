import { aborted, closed, invalid, throwIfAborted } from '@moulin/core'

export interface MemoryBudgetStats {
  readonly totalBytes: number
  /** May exceed the total: see {@link MemoryBudget}. */
  readonly usedBytes: number
  /** Callers in line. */
  readonly waiting: number
}

/** Bytes held of a {@link MemoryBudget}. */
export interface MemoryGrant {
  readonly bytes: number
  /** Idempotent. */
  release(): void
}

interface Waiter {
  readonly bytes: number
  grant(grant: MemoryGrant): void
  fail(error: Error): void
}

/**
 * Bytes that may be under way at once. Callers wait in the order in which they came; what is larger than the whole budget
 * runs alone instead of never. Results that are there already are counted without a wait, so use may exceed the total,
 * and then those who hand over more wait longer.
 */
export class MemoryBudget {
  readonly #totalBytes: number
  #usedBytes = 0
  readonly #waiting: Waiter[] = []
  #isClosed = false

  /** @throws `invalid` for a total that is not a whole number above 0. */
  constructor(totalBytes: number) {
    if (!Number.isSafeInteger(totalBytes) || totalBytes <= 0)
      throw invalid('MEMORY_BYTES', `memoryBytes is ${totalBytes}; it must be a whole number above 0.`)
    this.#totalBytes = totalBytes
  }

  get stats(): MemoryBudgetStats {
    return { totalBytes: this.#totalBytes, usedBytes: this.#usedBytes, waiting: this.#waiting.length }
  }

  /** Waits until there is room. @throws `aborted`; `closed`. */
  async acquire(bytes: number, { signal }: { readonly signal?: AbortSignal } = {}): Promise<MemoryGrant> {
    throwIfAborted(signal)
    if (this.#isClosed) throw budgetClosed()
    if (this.#waiting.length === 0 && this.#fits(bytes)) return this.take(bytes)
    return await new Promise<MemoryGrant>((resolve, reject) => {
      const stop = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        reject(
          aborted('ABORTED', 'The wait for memory was aborted by its signal.', { cause: signal?.reason as unknown }),
        )
        this.#serve()
      }
      const waiter: Waiter = {
        bytes,
        grant: (grant) => {
          signal?.removeEventListener('abort', stop)
          resolve(grant)
        },
        fail: (error) => {
          signal?.removeEventListener('abort', stop)
          reject(error)
        },
      }
      signal?.addEventListener('abort', stop, { once: true })
      this.#waiting.push(waiter)
    })
  }

  /** Counts bytes that exist already. */
  take(bytes: number): MemoryGrant {
    this.#usedBytes += bytes
    let isHeld = true
    return {
      bytes,
      release: () => {
        if (!isHeld) return
        isHeld = false
        this.#usedBytes -= bytes
        this.#serve()
      },
    }
  }

  /** Fails who waits and who comes later with `closed`; what is held may still be released. */
  close(): void {
    this.#isClosed = true
    for (const waiter of this.#waiting.splice(0)) waiter.fail(budgetClosed())
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#totalBytes
  }

  #serve(): void {
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.bytes)) {
      const { bytes, grant } = this.#waiting.shift()!
      grant(this.take(bytes))
    }
  }
}

function budgetClosed(): Error {
  return closed('CLOSED', 'The worker threads are closed.')
}
