import type { BatchAck } from '@moulin/core'
import type { BatchObserver } from './producer-batch.ts'

/** Follows the batches of one `sendAll`: no promise per record. */
export class SendAllCall implements BatchObserver {
  readonly next: bigint[]
  records = 0
  failure: Error | undefined
  readonly #onAck: ((ack: BatchAck) => void) | undefined
  #pending = 0
  #settled: (() => void) | undefined

  constructor(next: bigint[], onAck: ((ack: BatchAck) => void) | undefined) {
    this.next = next
    this.#onAck = onAck
  }

  batchBegun(): void {
    this.#pending++
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

  #settle(): void {
    this.#pending--
    this.#settled?.()
  }
}
