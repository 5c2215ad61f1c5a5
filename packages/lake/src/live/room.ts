import { SharedWork, withOutcome } from '@moulin/core'
import type { CallOptions } from '@moulin/core'

/** What it is, and of memory, about, what it takes. */
export interface Sized<T> {
  readonly value: T
  readonly sizeBytes: number
}

/** Room for what was read of immutable files, which tables share. The last one is kept, however large. */
export class Room<T> {
  readonly #maxBytes: number
  // Insertion order is the order of use. Files are immutable, so what is kept never grows old.
  readonly #kept = new Map<string, Sized<T>>()
  readonly #loading = new Map<string, SharedWork<T>>()
  #bytes = 0
  #sharers = 0

  /** @param maxBytes Of memory, about, that what is kept takes. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Begins the names of one table's files: each is read with the credentials of its own table. */
  share(): string {
    return `${++this.#sharers} `
  }

  get(name: string): T | undefined {
    const known = this.#kept.get(name)
    if (known === undefined) return undefined
    this.#kept.delete(name)
    this.#kept.set(name, known)
    return known.value
  }

  add(name: string, value: T, sizeBytes: number): void {
    // Somebody else may have opened it meanwhile.
    this.#drop(name)
    this.#kept.set(name, { value, sizeBytes })
    this.#bytes += sizeBytes
    for (const one of this.#kept.keys()) {
      if (this.#bytes <= this.#maxBytes || one === name) break
      this.#drop(one)
    }
  }

  /** What is kept under the name, or comes of the work, which all share that ask meanwhile. What it throws is not kept. */
  async load(name: string, { signal }: CallOptions, work: (call: CallOptions) => Promise<Sized<T>>): Promise<T> {
    const known = this.get(name)
    if (known !== undefined) return known
    let loading = this.#loading.get(name)
    if (loading === undefined || loading.isAbandoned) {
      const begun = new SharedWork(async (own) => {
        try {
          const { value, sizeBytes } = await work({ signal: own })
          this.add(name, value, sizeBytes)
          return value
        } finally {
          if (this.#loading.get(name) === begun) this.#loading.delete(name)
        }
      })
      this.#loading.set(name, (loading = begun))
    }
    try {
      return await loading.wait(signal)
    } catch (error) {
      // It only reads.
      throw withOutcome(error, 'rejected')
    }
  }

  forget(name: string): void {
    this.#drop(name)
  }

  #drop(name: string): void {
    this.#bytes -= this.#kept.get(name)?.sizeBytes ?? 0
    this.#kept.delete(name)
  }
}
