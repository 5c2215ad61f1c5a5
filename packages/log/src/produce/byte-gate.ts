import { aborted } from '@moulin/core'

interface Waiting {
  readonly run: () => void
}

/**
 * Bounds the bytes that are accepted and not yet durable. One may pass while there is room, however big it is; those that must
 * wait pass in the order of their calls. A gate may stand within a wider one, whose bytes are those of all gates in it: then there is room
 * where both have some, and the gates within take turns.
 *
 * What is collected in company, and not on its way, comes back only once it has left. Where that alone takes the room of the widest gate, and
 * somebody waits for it, it is told to leave: no company can come to it. While anything is on its way it is not, or batches would become
 * ever smaller. Who has a gate of his own within a wider one has chosen his bound and his patience himself: the others are not to wait for it.
 */
export class ByteGate {
  readonly #maxBytes: number
  readonly #wider: ByteGate | undefined
  /** Lets go what is collected. */
  readonly #send: (() => void) | undefined
  #bytes = 0
  /** Of these, what has {@link leave left}. */
  #leftBytes = 0
  /** Gates within this one that have bytes. */
  readonly #within = new Set<ByteGate>()
  #waiting: Waiting[] = []
  /** Gates within this one in which somebody waits, the next one first. */
  readonly #crowded = new Set<ByteGate>()
  #isOpenForGood = false

  constructor(maxBytes: number, wider?: ByteGate, send?: () => void) {
    this.#maxBytes = maxBytes
    this.#wider = wider
    this.#send = send
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
    const wider = this.#wider
    if (this.#bytes === 0 && wider !== undefined) wider.#within.add(this)
    this.#bytes += bytes
    wider?.take(bytes)
  }

  /** So many of those taken are on their way: they are given back, whatever becomes of them. */
  leave(bytes: number): void {
    this.#leftBytes += bytes
    this.#wider?.leave(bytes)
  }

  /** Of what has {@link leave left}. */
  give(bytes: number): void {
    this.#bytes -= bytes
    this.#leftBytes -= bytes
    const wider = this.#wider
    if (this.#bytes === 0 && wider !== undefined) wider.#within.delete(this)
    wider?.give(bytes)
    while (this.#letOneIn());
    this.#sendIfStuck()
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
      const widest = this.#wider ?? this
      widest.#sendIfStuck()
    })
  }

  #sendIfStuck(): void {
    if (this.#wider !== undefined || this.#bytes < this.#maxBytes || this.#leftBytes > 0) return
    if (this.#waiting.length === 0 && this.#crowded.size === 0) return
    this.#send?.()
    for (const gate of [...this.#within]) gate.#send?.()
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
