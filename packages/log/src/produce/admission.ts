import { throwIfAborted } from '@moulin/core'
import type { ByteGate } from './byte-gate.ts'

/** Whether the write-ahead tier takes more: see `WalPressure`. */
export interface Room {
  readonly isFull: boolean
  enter<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>
}

/** One that waits. */
interface Waiting {
  readonly ended: Promise<void>
  readonly stop: AbortController
  refusal: Error | undefined
}

/**
 * What lets records in: room in the write-ahead tier, and few enough bytes that are accepted and not yet durable. Those that must
 * wait, for the one or the other, pass in the order of their calls, and nobody who comes later passes them.
 */
export class Admission {
  readonly #room: Room
  readonly #gate: ByteGate
  readonly #waiting = new Set<Waiting>()

  constructor(room: Room, gate: ByteGate) {
    this.#room = room
    this.#gate = gate
  }

  get isOpen(): boolean {
    return !this.#room.isFull && this.#gate.isOpen
  }

  take(bytes: number): void {
    this.#gate.take(bytes)
  }

  give(bytes: number): void {
    this.#gate.give(bytes)
  }

  /** Waits for nothing but room from now on: what those who wait then do fails by itself. */
  openForGood(): void {
    this.#gate.openForGood()
  }

  /**
   * Runs `work` as soon as it may pass, in order; in this very turn while it {@link isOpen}. `work` never runs where this throws by itself.
   * @throws `aborted`; `exhausted` code `WAL_FULL`; what {@link refuse} was given.
   */
  async pass<T>(work: () => T | Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.isOpen) return await work()
    throwIfAborted(signal)
    const { promise: ended, resolve } = Promise.withResolvers<void>()
    const waiting: Waiting = { ended, stop: new AbortController(), refusal: undefined }
    const { stop } = waiting
    const abort = (): void => stop.abort(signal!.reason)
    signal?.addEventListener('abort', abort, { once: true })
    this.#waiting.add(waiting)
    const leave = (): void => {
      this.#waiting.delete(waiting)
      signal?.removeEventListener('abort', abort)
      resolve()
    }
    const enter = (): T | Promise<T> => {
      leave()
      // Let in by somebody who heard the signal first.
      throwIfAborted(signal)
      return work()
    }
    try {
      return await this.#room.enter(() => this.#gate.pass(enter, stop.signal), stop.signal)
    } catch (error) {
      throw waiting.refusal ?? error
    } finally {
      leave()
    }
  }

  /** Ends the waits of all that wait now with this error. */
  refuse(error: Error): void {
    for (const waiting of this.#waiting) {
      waiting.refusal = error
      waiting.stop.abort()
    }
  }

  /** Resolves when all that wait at the call have been let in or refused. Never rejects. */
  async settled(): Promise<void> {
    await Promise.all(Array.from(this.#waiting, ({ ended }) => ended))
  }
}
