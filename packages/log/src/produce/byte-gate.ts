import { aborted } from '@moulin/core'

interface Waiting {
  readonly run: () => void
}

/**
 * Bounds the bytes that are accepted and not yet durable. One may pass while there is room, however big it is; those that must
 * wait pass in the order of their calls. A gate may stand within a wider one, whose bytes are those of all gates in it: then there is room
 * where both have some, and the gates within take turns.
 */
export class ByteGate {
  readonly #maxBytes: number
  readonly #wider: ByteGate | undefined
  #bytes = 0
  #waiting: Waiting[] = []
  /** Gates within this one in which somebody waits, the next one first. */
  readonly #crowded = new Set<ByteGate>()
  #isOpenForGood = false

  constructor(maxBytes: number, wider?: ByteGate) {
    this.#maxBytes = maxBytes
    this.#wider = wider
  }

  get isOpen(): boolean {
    return this.#hasRoom && this.#waiting.length === 0
  }

  get bytes(): number {
    return this.#bytes
  }

  get #hasRoom(): boolean {
    return this.#isOpenForGood || (this.#bytes < this.#maxBytes && (this.#wider === undefined || this.#wider.#hasRoom))
  }

  take(bytes: number): void {
    this.#bytes += bytes
    this.#wider?.take(bytes)
  }

  give(bytes: number): void {
    this.#bytes -= bytes
    this.#wider?.give(bytes)
    while (this.#letOneIn());
  }

  /** Lets everyone in, room or not: what they do then fails by itself. */
  openForGood(): void {
    this.#isOpenForGood = true
    while (this.#letOneIn());
  }

  /** Runs `work` as soon as it may pass, in order. @throws `aborted` when the signal fires first; `work` never runs then. */
  async pass<T>(work: () => T, signal?: AbortSignal): Promise<T> {
    if (this.isOpen) return work()
    return new Promise<T>((resolve, reject) => {
      const stop = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting)
        this.#tellWider()
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
      this.#tellWider()
    })
  }

  /** Whether somebody waits here. */
  #tellWider(): void {
    const wider = this.#wider
    if (wider === undefined) return
    if (this.#waiting.length === 0) wider.#crowded.delete(this)
    else wider.#crowded.add(this)
  }

  /** Somebody who waits here or further in. */
  #letOneIn(): boolean {
    if (!this.#hasRoom) return false
    const next = this.#waiting.shift()
    if (next !== undefined) {
      this.#tellWider()
      next.run()
      return true
    }
    for (const gate of this.#crowded) {
      if (!gate.#hasRoom) continue
      // The others come first, the next time.
      this.#crowded.delete(gate)
      this.#crowded.add(gate)
      return gate.#letOneIn()
    }
    return false
  }
}
