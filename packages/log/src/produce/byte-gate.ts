import { aborted } from '@moulin/core'

interface Waiting {
  readonly run: () => void
  isGone: boolean
}

/**
 * Bounds the bytes that are accepted and not yet durable. One may pass while there is room, however big it is; those that must
 * wait pass in the order of their calls. A gate may stand within a wider one, whose bytes are those of all gates in it: then there is room
 * where both have some, and the gates within take turns. Whoever waits in the wider one itself comes before them all.
 *
 * Bytes that are held go when their owner says so: an open batch lingers. Where somebody waits and all that is in his way is held, nothing
 * would ever make room before that, so the owners are told; one that waits behind nobody's bytes but its own has asked for it.
 */
export class ByteGate {
  readonly #maxBytes: number
  readonly #wider: ByteGate | undefined
  readonly #onStuck: (() => void) | undefined
  #bytes = 0
  /** Of the bytes: what is held. */
  #heldBytes = 0
  /** Gates within this one that hold something. */
  readonly #holders = new Set<ByteGate>()
  /** Who waits, in order, among some that are gone. */
  #waiting: Waiting[] = []
  #waiters = 0
  /** Gates within this one in which somebody waits, the next one first. */
  readonly #crowded = new Set<ByteGate>()
  #isOpenForGood = false

  /** `onStuck`: what is held is to go, for somebody waits for just that. */
  constructor(maxBytes: number, wider?: ByteGate, onStuck?: () => void) {
    this.#maxBytes = maxBytes
    this.#wider = wider
    this.#onStuck = onStuck
  }

  get isOpen(): boolean {
    return this.#hasRoom && this.#waiters === 0
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

  /** {@link take} of what is held until {@link letGo}. */
  hold(bytes: number): void {
    this.#bytes += bytes
    this.#heldBytes += bytes
    const wider = this.#wider
    if (wider === undefined) return
    // Once per record: only the first is news.
    if (this.#heldBytes === bytes) wider.#holders.add(this)
    wider.hold(bytes)
  }

  /** So many held bytes are on their way, or about to be given back. */
  letGo(bytes: number): void {
    this.#heldBytes -= bytes
    const wider = this.#wider
    if (wider === undefined) return
    if (this.#heldBytes === 0) wider.#holders.delete(this)
    wider.letGo(bytes)
  }

  give(bytes: number): void {
    this.#bytes -= bytes
    this.#wider?.give(bytes)
    while (this.#letOneIn());
    if (this.#waiters > 0 || this.#crowded.size > 0) this.#tellStuck()
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
        waiting.isGone = true
        this.#waiters--
        // Half of them at a time: thousands go at once when what they wait for has failed.
        if (this.#waiting.length > 2 * this.#waiters) this.#waiting = this.#waiting.filter(({ isGone }) => !isGone)
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
        isGone: false,
      }
      this.#waiting.push(waiting)
      this.#waiters++
      if (signal?.aborted) {
        stop()
        return
      }
      signal?.addEventListener('abort', stop, { once: true })
      this.#tellWider()
      if (this.#wider !== undefined) this.#wider.#tellStuck()
    })
  }

  /** Somebody waits here or further in. While anything is on its way, its end is what he waits for: batches that go early are small ones. */
  #tellStuck(): void {
    if (this.#bytes < this.#maxBytes || this.#heldBytes < this.#bytes) return
    for (const gate of this.#holders) gate.#onStuck?.()
  }

  /** Whether somebody waits here. */
  #tellWider(): void {
    const wider = this.#wider
    if (wider === undefined) return
    if (this.#waiters === 0) wider.#crowded.delete(this)
    else wider.#crowded.add(this)
  }

  /** Somebody who waits here or further in. */
  #letOneIn(): boolean {
    if (!this.#hasRoom) return false
    let next = this.#waiting.shift()
    while (next?.isGone === true) next = this.#waiting.shift()
    if (next !== undefined) {
      this.#waiters--
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
