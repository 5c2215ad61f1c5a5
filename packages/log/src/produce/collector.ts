import { throwIfAborted, type Codec, type Limits, type Runtime } from '@moulin/core'
import {
  recordBatchBuilder,
  type InPlaceCodec,
  type RecordBatchBuilder,
  type WritableCompression,
} from '@moulin/format'
import { partitionForKey } from './partitioner.ts'
import { ProducerBatch } from './producer-batch.ts'
import type { OpenRecord, PreparedRecord, RecordInput } from './record-input.ts'

/** More than a record takes in a batch besides its body. */
const FRAME_BYTES = 32

export interface CollectorOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>
  readonly limits: Limits
  readonly input: RecordInput
  readonly partitions: number
  readonly lingerMs: number
  readonly batchBytes: number
  readonly compression: WritableCompression
  /** @throws where nothing more is taken. A record's own code may end whoever collects. */
  checkOpen(): void
  /** The batch under way has so many bytes more. */
  took(bytes: number): void
  /** It grows no more, and had so many in all. */
  closed(bytes: number): void
  /** The batch is closed: its builder is to be emptied (`finish()`) before the next record of its partition comes. */
  left(batch: ProducerBatch): void
}

/** Collects records into one open batch per partition. A batch leaves when it is full, or when its linger time is over. */
export class Collector {
  readonly #options: CollectorOptions
  readonly #builders: (RecordBatchBuilder | undefined)[] = []
  readonly #open: (ProducerBatch | undefined)[] = []
  /** Where records without key go until that partition's batch leaves. */
  #sticky = 0

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  /**
   * Takes the record into its partition's batch, its value encoded where it belongs. @throws what the codec throws, `invalid`, `aborted`,
   * what `checkOpen` throws: nothing of it was taken.
   */
  add(record: OpenRecord, signal?: AbortSignal): ProducerBatch {
    const { codec } = record
    return (isInPlace(codec) ? this.#addInPlace(record, codec, signal) : undefined) ?? this.#addEncoded(record, signal)
  }

  /** Undefined: it is to be encoded first. */
  #addInPlace(record: OpenRecord, codec: InPlaceCodec, signal: AbortSignal | undefined): ProducerBatch | undefined {
    const { input, limits } = this.#options
    const partition = this.#partitionOf(record)
    const builder = this.#builderOf(partition)
    const before = builder.recordCount === 0 ? 0 : builder.sizeBytes
    const bodyBytes = builder.appendValue(record, codec, record.value)
    if (bodyBytes < 0) return undefined
    try {
      input.checkBody(bodyBytes)
      this.#checkGoesOn(signal)
    } catch (error) {
      builder.undo()
      throw error
    }
    if (builder.sizeBytes <= limits.maxBatchBytes) return this.#added(partition, builder, before)
    builder.undo()
    return undefined
  }

  #addEncoded(record: OpenRecord, signal: AbortSignal | undefined): ProducerBatch {
    const prepared = this.#options.input.encoded(record)
    this.#checkGoesOn(signal)
    return this.addPrepared(prepared)
  }

  /** Puts the record into its partition's batch, or into the next one where it does not fit any more. */
  addPrepared(record: PreparedRecord): ProducerBatch {
    let partition = this.#partitionOf(record)
    let batch = this.#open[partition]
    while (batch !== undefined && !this.#hasRoom(batch.builder, record)) {
      this.leave(batch)
      // Without a key it goes on with the next partition.
      partition = this.#partitionOf(record)
      batch = this.#open[partition]
    }
    const builder = this.#builderOf(partition)
    const before = batch === undefined ? 0 : builder.sizeBytes
    builder.append(record)
    return this.#added(partition, builder, before)
  }

  /** Lets the batch go if it is full: then it returns true. */
  leaveIfFull(batch: ProducerBatch): boolean {
    const { batchBytes, limits } = this.#options
    const { builder } = batch
    const isFull = builder.sizeBytes >= batchBytes || builder.recordCount >= limits.maxRecordsPerBatch
    if (isFull) this.leave(batch)
    return isFull
  }

  leaveAll(): void {
    for (const batch of this.#open) if (batch !== undefined) this.leave(batch)
  }

  leave(batch: ProducerBatch): void {
    if (batch.isClosed) return
    this.#close(batch)
    const { partition } = batch
    if (partition === this.#sticky) this.#sticky = (partition + 1) % this.#options.partitions
    this.#options.left(batch)
  }

  /** Takes back all that has not left, with what it has collected. */
  dropAll(): ProducerBatch[] {
    const dropped = this.#open.filter((batch) => batch !== undefined)
    for (const batch of dropped) {
      this.#close(batch)
      this.#builders[batch.partition] = undefined
    }
    return dropped
  }

  #close(batch: ProducerBatch): void {
    batch.isClosed = true
    batch.linger?.cancel()
    this.#open[batch.partition] = undefined
    this.#options.closed(batch.bytes)
  }

  #added(partition: number, builder: RecordBatchBuilder, before: number): ProducerBatch {
    let batch = this.#open[partition]
    if (batch === undefined) {
      batch = new ProducerBatch(partition, builder, this.#options.runtime.clock.monotonic())
      this.#open[partition] = batch
      this.#linger(batch)
    }
    const bytes = builder.sizeBytes - before
    batch.bytes += bytes
    this.#options.took(bytes)
    return batch
  }

  #builderOf(partition: number): RecordBatchBuilder {
    const { compression } = this.#options
    return (this.#builders[partition] ??= recordBatchBuilder({ compression }))
  }

  #partitionOf({ key, partition }: Pick<OpenRecord, 'key' | 'partition'>): number {
    return partition ?? (key === null ? this.#sticky : partitionForKey(key, this.#options.partitions))
  }

  /** What the record is made of may be code, which closes whoever collects, or fires the signal. */
  #checkGoesOn(signal: AbortSignal | undefined): void {
    throwIfAborted(signal)
    this.#options.checkOpen()
  }

  #hasRoom(builder: RecordBatchBuilder, record: PreparedRecord): boolean {
    const { maxBatchBytes } = this.#options.limits
    const { bodyBytes } = record
    if (builder.sizeBytes + bodyBytes + FRAME_BYTES <= maxBatchBytes) return true
    return builder.sizeWith(record, bodyBytes) <= maxBatchBytes
  }

  #linger(batch: ProducerBatch): void {
    const { lingerMs, runtime } = this.#options
    const leave = (): void => this.leave(batch)
    if (lingerMs === 0) queueMicrotask(leave)
    else batch.linger = runtime.timers.after(lingerMs, leave, { ref: true })
  }
}

function isInPlace(codec: Codec | undefined): codec is Codec & InPlaceCodec {
  return codec?.encodeInto !== undefined
}
