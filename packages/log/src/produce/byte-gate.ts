import { aborted } from '@moulin/core'

interface Waiting {
  readonly run: () => void
}

/**
 * Bounds the bytes that are accepted and not yet durable. One may pass while there is room, however big it is; those that must
 * wait pass in the order of their calls.
 */
export class ByteGate {
  readonly #maxBytes: number
  #bytes = 0
  #waiting: Waiting[] = []

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get isOpen(): boolean {
    return this.#bytes < this.#maxBytes && this.#waiting.length === 0
  }

  take(bytes: number): void {
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
    this.#letIn()
  }

  /** Lets everyone in, room or not: what they do then fails by itself. */
  openForGood(): void {
    this.#bytes = -Infinity
    this.#letIn()
  }

  /** Runs `work` as soon as it may pass, in order. @throws `aborted` when the signal fires first; `work` never runs then. */
  async pass<T>(work: () => T, signal?: AbortSignal): Promise<T> {
    if (this.isOpen) return work()
    return new Promise<T>((resolve, reject) => {
      const stop = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting)
        reject(
          aborted('ABORTED', 'The send was aborted while it waited for room.', { cause: signal?.reason as unknown }),
        )
      }
      const waiting: Waiting = {
        run: () => {
          signal?.removeEventListener('abort', stop)
          try {
            resolve(work())
          } catch (error) {
            reject(error as Error)
          }
        },
      }
      if (signal?.aborted) {
        stop()
        return
      }
      signal?.addEventListener('abort', stop, { once: true })
      this.#waiting.push(waiting)
    })
  }

  #letIn(): void {
    while (this.#waiting.length > 0 && this.#bytes < this.#maxBytes) this.#waiting.shift()!.run()
  }
}
