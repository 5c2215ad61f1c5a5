import type { MoulinError } from '@moulin/core'
import { aborted, exhausted, throwIfAborted } from '@moulin/core'

export interface GateOptions {
  /** For messages: the layer with its store. */
  readonly name: string
  readonly places: number
  readonly bytes: number
  /** How many may wait. */
  readonly maxQueue: number
}

interface Waiting {
  readonly bytes: number
  readonly enter: () => void
}

/**
 * Lets in so many at a time, with so many bytes together, in the order of their coming: who does not fit yet holds up all behind him, so
 * that nobody large waits for ever. Who has more bytes than all may is let in alone.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #queue: Waiting[] = []
  #inside = 0
  #bytes = 0

  constructor(options: GateOptions) {
    this.#options = options
  }

  /**
   * @returns what is to be called once, at the end.
   * @throws `exhausted` code `QUEUE_FULL`; `aborted` when the signal fires first.
   */
  async enter(wantedBytes: number, signal: AbortSignal | undefined): Promise<() => void> {
    throwIfAborted(signal)
    // What is no number would let nobody in any more, and what is below refuses it.
    const bytes = wantedBytes > 0 ? Math.min(wantedBytes, this.#options.bytes) : 0
    if (this.#queue.length > 0 || !this.#fits(bytes)) await this.#wait(bytes, signal)
    else this.#take(bytes)
    let isInside = true
    return () => {
      if (!isInside) return
      isInside = false
      this.#inside--
      this.#bytes -= bytes
      this.#admit()
    }
  }

  #fits(bytes: number): boolean {
    return this.#inside < this.#options.places && this.#bytes + bytes <= this.#options.bytes
  }

  #take(bytes: number): void {
    this.#inside++
    this.#bytes += bytes
  }

  #wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#queue.length >= this.#options.maxQueue) throw this.#full()
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1)
        reject(aborted('ABORTED', 'The wait was aborted by its signal.', { cause: signal?.reason as unknown }))
        // Who came later may be smaller.
        this.#admit()
      }
      const enter = (): void => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }
      const waiting: Waiting = { bytes, enter }
      this.#queue.push(waiting)
      signal?.addEventListener('abort', stop, { once: true })
    })
  }

  #admit(): void {
    for (let first = this.#queue[0]; first !== undefined && this.#fits(first.bytes); first = this.#queue[0]) {
      this.#queue.shift()
      this.#take(first.bytes)
      first.enter()
    }
  }

  #full(): MoulinError {
    const { name, maxQueue, places } = this.#options
    const message = `${name}: ${maxQueue} calls wait already for one of ${places} places (maxQueue): call later, or less at a time.`
    return exhausted('QUEUE_FULL', message, { context: { maxQueue, concurrency: places } })
  }
}
