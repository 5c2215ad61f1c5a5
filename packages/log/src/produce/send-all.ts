import { isMoulinError, MoulinError, type BatchAck } from '@moulin/core'
import { AsyncSource } from './async-source.ts'
import type { BatchObserver } from './producer-batch.ts'

/** Follows the batches of one `sendAll`: no promise per record. */
export class SendAllCall implements BatchObserver {
  readonly next: bigint[]
  records = 0
  failure: Error | undefined
  #source: AsyncSource<unknown> | undefined
  /** Why nothing more is to be taken. */
  #stopped: Error | undefined
  readonly #onAck: ((ack: BatchAck) => void) | undefined
  #pending = 0
  #hasBegun = false
  #isAbandoned = false
  #settled: (() => void) | undefined

  constructor(next: bigint[], onAck: ((ack: BatchAck) => void) | undefined) {
    this.next = next
    this.#onAck = onAck
  }

  /** Gives all records to `accept`, in order, which says when to wait. What keeps it from that is its failure. */
  async takeAll<T>(
    records: Iterable<T> | AsyncIterable<T>,
    accept: (record: T) => Promise<void> | undefined,
  ): Promise<void> {
    try {
      if (Symbol.asyncIterator in records) await this.#takeFrom(new AsyncSource(records), accept)
      else {
        for (const record of records) {
          // Not every time: an await costs as much as the record.
          const waiting = accept(record)
          if (waiting !== undefined) await waiting
        }
      }
    } catch (error) {
      this.fail(error as Error)
    }
  }

  async #takeFrom<T>(source: AsyncSource<T>, accept: (record: T) => Promise<void> | undefined): Promise<void> {
    this.#source = source
    try {
      for (;;) {
        // While the record before waited to be let in.
        if (this.#stopped !== undefined) throw this.#stopped
        const next = await source.next()
        if (next.done === true) return
        const waiting = accept(next.value)
        if (waiting !== undefined) await waiting
      }
    } catch (error) {
      void source.leave()
      throw error
    } finally {
      this.#source = undefined
    }
  }

  batchBegun(): void {
    this.#pending++
    this.#hasBegun = true
  }

  acked(ack: BatchAck): void {
    this.records += ack.records
    const next = ack.lastOffset + 1n
    if (next > this.next[ack.partition]!) this.next[ack.partition] = next
    try {
      this.#onAck?.(ack)
    } catch (error) {
      this.fail(error as Error)
    }
    this.#settle()
  }

  failed(error: Error): void {
    this.fail(error)
    this.#settle()
  }

  /** Takes no more records, and ends with the first such error. */
  fail(error: Error): void {
    this.failure ??= error
    this.stopSource(this.failure)
  }

  /** Takes no more from an async source, and ends the wait for its next record. */
  stopSource(error: Error): void {
    this.#stopped ??= error
    this.#source?.stop(error)
  }

  /** Ends it at once: what its batches come to, only `onAck` learns. */
  abandon(error: Error): void {
    this.#isAbandoned = true
    this.fail(error)
    this.#settled?.()
  }

  /** Resolves when all its batches are durable or have failed, or when it is {@link abandon}ed. */
  async settled(): Promise<void> {
    while (this.#pending > 0 && !this.#isAbandoned) await new Promise<void>((resolve) => (this.#settled = resolve))
  }

  /** The failure as the whole call's: what came before it may be stored. To be asked once {@link settled}; where it was abandoned, more of it may be. */
  error(failure: Error): Error {
    if (!this.#hasBegun || !isMoulinError(failure)) return failure
    const { kind, code, message, context } = failure
    const { records, next } = this
    const places = next.map((offset) => (offset < 0n ? 'none' : offset)).join(', ')
    const stored = `${message} Of this call at least ${records} records are stored: per partition, up to offset ${places} (exclusive).`
    const options = { outcome: 'unknown', retryable: false, cause: failure } as const
    return new MoulinError(kind, code, stored, { ...options, context: { ...context, records, next: places } })
  }

  #settle(): void {
    this.#pending--
    this.#settled?.()
  }
}
