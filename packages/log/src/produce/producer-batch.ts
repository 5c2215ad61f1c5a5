import { aborted, type Ack, type BatchAck, type Timer } from '@moulin/core'
import type { RecordBatchBuilder } from '@moulin/format'

/** One `send` that waits for its record. */
interface Sender {
  readonly index: number
  readonly timestamp: bigint | number
  readonly resolve: (ack: Ack) => void
  readonly reject: (error: Error) => void
}

/** The sends of a batch that one signal ends: a listener for each of thousands would take longer than they do. */
interface Stop {
  readonly rejects: ((error: Error) => void)[]
  readonly listener: () => void
}

/** One `sendAll`, as its batches see it. */
export interface BatchObserver {
  acked(ack: BatchAck): void
  failed(error: Error): void
}

/** A batch on its way out, wherever it was built. */
export interface OutgoingBatch {
  readonly partition: number
  /** Before {@link finish}. */
  readonly recordCount: number
  /** As counted by the gate. */
  readonly bytes: number
  /** Its checksum was made in this thread, of these bytes: what is summed over it need not walk them again. */
  readonly isOfThisThread: boolean
  /** The batch without its offsets. */
  finish(): Uint8Array
  settle(baseOffset: bigint, lastOffset: bigint, nowMs: number): void
  fail(error: Error): void
}

/** The records of one partition that go out together. */
export class ProducerBatch implements OutgoingBatch {
  readonly isOfThisThread = true
  readonly partition: number
  readonly builder: RecordBatchBuilder
  /** When its first record was accepted, on the monotonic clock. */
  readonly firstMs: number
  bytes = 0
  linger: Timer | undefined
  isClosed = false
  readonly #senders: Sender[] = []
  readonly #observers = new Map<BatchObserver, number>()
  /** The one counted last, and how many of its records are not in the map yet: they come in rows. */
  #observer: BatchObserver | undefined
  #observed = 0
  #stops: Map<AbortSignal, Stop> | undefined

  constructor(partition: number, builder: RecordBatchBuilder, firstMs: number) {
    this.partition = partition
    this.builder = builder
    this.firstMs = firstMs
  }

  get recordCount(): number {
    return this.builder.recordCount
  }

  finish(): Uint8Array {
    return this.builder.finish()
  }

  /** The ack of the record just added. The signal ends the wait for it, and nothing else. */
  addSender(timestamp: bigint | number, signal: AbortSignal | undefined): Promise<Ack> {
    const index = this.builder.recordCount - 1
    return new Promise((resolve, reject) => {
      this.#senders.push({ index, timestamp, resolve, reject })
      if (signal !== undefined) this.#stopAt(signal, reject)
    })
  }

  #stopAt(signal: AbortSignal, reject: (error: Error) => void): void {
    this.#stops ??= new Map()
    const known = this.#stops.get(signal)
    if (known !== undefined) {
      known.rejects.push(reject)
      return
    }
    const rejects = [reject]
    const listener = (): void => {
      const message = 'The wait of this send was ended by its signal; its record may be stored.'
      const error = aborted('ABORTED', message, { outcome: 'unknown', cause: signal.reason as unknown })
      for (const each of rejects) each(error)
    }
    signal.addEventListener('abort', listener, { once: true })
    this.#stops.set(signal, { rejects, listener })
  }

  #forgetSignals(): void {
    for (const [signal, { listener }] of this.#stops ?? []) signal.removeEventListener('abort', listener)
    this.#stops = undefined
  }

  /** Counts the record just added as one of the observer's. Returns true for its first in this batch. */
  addObserved(observer: BatchObserver): boolean {
    if (observer === this.#observer) {
      this.#observed++
      return false
    }
    this.#countObserved()
    const isNew = !this.#observers.has(observer)
    if (isNew) this.#observers.set(observer, 0)
    this.#observer = observer
    this.#observed = 1
    return isNew
  }

  #countObserved(): void {
    const observer = this.#observer
    if (observer === undefined) return
    this.#observers.set(observer, this.#observers.get(observer)! + this.#observed)
    this.#observer = undefined
  }

  settle(baseOffset: bigint, lastOffset: bigint, nowMs: number): void {
    const { partition } = this
    this.#forgetSignals()
    this.#countObserved()
    for (const { index, timestamp, resolve } of this.#senders) {
      resolve({ partition, offset: baseOffset + BigInt(index), timestamp: BigInt(timestamp) })
    }
    const ms = nowMs - this.firstMs
    for (const [observer, records] of this.#observers) observer.acked({ records, partition, lastOffset, ms })
  }

  fail(error: Error): void {
    this.#forgetSignals()
    for (const { reject } of this.#senders) reject(error)
    for (const observer of this.#observers.keys()) observer.failed(error)
  }
}
