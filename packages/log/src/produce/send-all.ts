import { isMoulinError, MoulinError, type BatchAck } from '@moulin/core'
import type { BatchObserver } from './producer-batch.ts'

/** Follows the batches of one `sendAll`: no promise per record. */
export class SendAllCall implements BatchObserver {
  readonly next: bigint[]
  records = 0
  failure: Error | undefined
  readonly #onAck: ((ack: BatchAck) => void) | undefined
  #pending = 0
  #hasBegun = false
  #settled: (() => void) | undefined

  constructor(next: bigint[], onAck: ((ack: BatchAck) => void) | undefined) {
    this.next = next
    this.#onAck = onAck
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
      this.failure ??= error as Error
    }
    this.#settle()
  }

  failed(error: Error): void {
    this.failure ??= error
    this.#settle()
  }

  /** Resolves when all its batches are durable or have failed. */
  async settled(): Promise<void> {
    while (this.#pending > 0) await new Promise<void>((resolve) => (this.#settled = resolve))
  }

  /** The failure as the whole call's: what came before it may be stored. To be asked once {@link settled}. */
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
