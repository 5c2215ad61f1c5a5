import type { Ack, BatchAck, Timer } from '@moulin/core'
import type { RecordBatchBuilder } from '@moulin/format'

/** One `send` that waits for its record. */
interface Sender {
  readonly index: number
  readonly timestamp: bigint
  readonly resolve: (ack: Ack) => void
  readonly reject: (error: Error) => void
}

/** One `sendAll`, as its batches see it. */
export interface BatchObserver {
  acked(ack: BatchAck): void
  failed(error: Error): void
}

/** The records of one partition that go out together. */
export class ProducerBatch {
  readonly partition: number
  readonly builder: RecordBatchBuilder
  /** When its first record was accepted, on the monotonic clock. */
  readonly firstMs: number
  /** As counted by the gate. */
  bytes = 0
  linger: Timer | undefined
  isClosed = false
  readonly #senders: Sender[] = []
  readonly #observers = new Map<BatchObserver, number>()

  constructor(partition: number, builder: RecordBatchBuilder, firstMs: number) {
    this.partition = partition
    this.builder = builder
    this.firstMs = firstMs
  }

  addSender(timestamp: bigint): Promise<Ack> {
    const index = this.builder.recordCount - 1
    return new Promise((resolve, reject) => this.#senders.push({ index, timestamp, resolve, reject }))
  }

  /** Counts the record just added as one of the observer's. Returns true for its first in this batch. */
  addObserved(observer: BatchObserver): boolean {
    const count = this.#observers.get(observer) ?? 0
    this.#observers.set(observer, count + 1)
    return count === 0
  }

  settle(baseOffset: bigint, lastOffset: bigint, nowMs: number): void {
    const { partition } = this
    for (const { index, timestamp, resolve } of this.#senders) {
      resolve({ partition, offset: baseOffset + BigInt(index), timestamp })
    }
    const ms = nowMs - this.firstMs
    for (const [observer, records] of this.#observers) observer.acked({ records, partition, lastOffset, ms })
  }

  fail(error: Error): void {
    for (const { reject } of this.#senders) reject(error)
    for (const observer of this.#observers.keys()) observer.failed(error)
  }
}
