import {
  aborted,
  checkOptions,
  closed,
  invalid,
  isLivedThrough,
  option,
  shown,
  throwIfAborted,
  unsupported,
  type Ack,
  type Appended,
  type Limits,
  type OptionTable,
  type Producer,
  type ProducerOptions,
  type ProducerRecord,
  type Runtime,
} from '@moulin/core'
import { patchBatch, recordBatchBuilder, type RecordBatchBuilder } from '@moulin/format'
import { Admission, type Room } from './admission.ts'
import { partitionForKey } from './partitioner.ts'
import { ProducerBatch } from './producer-batch.ts'
import { ownCopy, type PreparedRecord, type RecordInput } from './record-input.ts'
import { SendAllCall } from './send-all.ts'

const LINGER_MS = 5
const BATCH_BYTES = 64 * 1024
/** More than a record takes in a batch besides its body. */
const FRAME_BYTES = 32
/** A `sendAll` that never waits would starve the flushes that it waits for in the end: acks of half a second, seen. */
const RECORDS_PER_TURN = 64

type SendOptions = NonNullable<Parameters<Producer['send']>[1]>
type SendAllOptions = NonNullable<Parameters<Producer['sendAll']>[1]>

// `send` is called once per record: without options there is nothing to check.
const nothing: SendOptions = {}
const sendTable: OptionTable<SendOptions> = { signal: option.abortSignal, ifNextOffset: option.int64('an offset') }
const sendAllTable: OptionTable<SendAllOptions> = { signal: option.abortSignal, onAck: option.callback }

/** What a producer needs of its topic. */
export interface ProducerTarget {
  readonly topic: string
  readonly runtime: Runtime
  readonly limits: Limits
  readonly input: RecordInput
  readonly partitions: number
  /** The high watermark. */
  nextOffset(partition: number): bigint
  append(batch: {
    readonly partition: number
    readonly batches: Uint8Array
    readonly recordCount: number
    readonly patch: (baseOffset: bigint) => void
  }): Promise<Appended>
  readonly room: Room
  closed(producer: LogProducer): void
}

/** Collects records into one batch per partition. See {@link Producer}. */
export class LogProducer implements Producer {
  readonly #target: ProducerTarget
  readonly #lingerMs: number
  readonly #batchBytes: number
  readonly #admission: Admission
  readonly #builders: (RecordBatchBuilder | undefined)[] = []
  readonly #open: (ProducerBatch | undefined)[] = []
  readonly #inFlight = new Set<Promise<void>>()
  readonly #makeBuilder: () => RecordBatchBuilder
  /** Records of `sendAll` since the event loop last had a turn. */
  #sinceTurn = 0
  /** Where records without key go until that partition's batch leaves. */
  #sticky = 0
  #failure: Error | undefined
  /** The last full disk that was lived through. */
  #rejection: Error | undefined
  readonly #calls = new Set<SendAllCall>()
  #closing: Promise<void> | undefined

  constructor(target: ProducerTarget, options: ProducerOptions = {}) {
    checkProducer(options, target)
    const { lingerMs = LINGER_MS, batchBytes = BATCH_BYTES, compression = 'none' } = options
    this.#target = target
    this.#lingerMs = lingerMs
    this.#batchBytes = batchBytes
    this.#admission = new Admission(target.room, options.maxUnackedBytes ?? target.limits.maxUnackedBytes)
    this.#makeBuilder = () => recordBatchBuilder({ compression })
  }

  async send(record: ProducerRecord<never>, options: SendOptions = nothing): Promise<Ack> {
    if (options !== nothing) checkOptions(this.#what('send'), options, sendTable)
    if (options.ifNextOffset !== undefined) throw unsupported('IF_NEXT_OFFSET', 'Conditional appends come later.')
    const { signal } = options
    throwIfAborted(signal)
    const prepared = this.#target.input.prepare(record)
    // What the record is made of may be code, which closes this, or fires the signal.
    throwIfAborted(signal)
    this.#checkOpen()
    // Where there is room, the record is accepted before this call returns.
    const taken = this.#admission.isOpen ? prepared : ownCopy(prepared)
    return this.#admission.pass(() => {
      this.#checkAlive()
      const batch = this.#add(taken)
      const ack = batch.addSender(BigInt(taken.timestamp), signal)
      this.#closeIfFull(batch)
      return ack
    }, signal)
  }

  async sendAll(
    records: Iterable<ProducerRecord<never>> | AsyncIterable<ProducerRecord<never>>,
    options: SendAllOptions = {},
  ): Promise<{ readonly records: number; readonly next: readonly bigint[] }> {
    checkOptions(this.#what('sendAll'), options, sendAllTable)
    checkRecords(this.#what('sendAll'), records)
    const { signal, onAck } = options
    throwIfAborted(signal)
    const { partitions, nextOffset } = this.#target
    const call = new SendAllCall(
      Array.from({ length: partitions }, () => -1n),
      onAck,
    )
    const abandon = (): void => {
      const cause = signal!.reason as unknown
      call.abandon(aborted('ABORTED', `${this.#what('sendAll')} was aborted by its signal.`, { cause }))
    }
    signal?.addEventListener('abort', abandon, { once: true })
    this.#calls.add(call)
    try {
      await call.takeAll(records, (record) => this.#sendOne(record, call, signal))
      this.#closeAll()
      await call.settled()
    } finally {
      this.#calls.delete(call)
      signal?.removeEventListener('abort', abandon)
    }
    if (call.failure !== undefined) throw call.error(call.failure)
    const next = call.next.map((offset, partition) => (offset < 0n ? nextOffset(partition) : offset))
    return { records: call.records, next }
  }

  /** Accepts one record of a `sendAll`. A promise only where it has to wait, or when it is time to let I/O in. */
  #sendOne(
    record: ProducerRecord<never>,
    call: SendAllCall,
    signal: AbortSignal | undefined,
  ): Promise<void> | undefined {
    const prepared = this.#target.input.prepare(record)
    if (call.failure !== undefined) throw call.failure
    this.#checkOpen()
    if (!this.#admission.isOpen) return this.#sendLater(ownCopy(prepared), call, signal)
    const isFull = this.#addObserved(prepared, call)
    if (!isFull && ++this.#sinceTurn < RECORDS_PER_TURN) return undefined
    this.#sinceTurn = 0
    return this.#target.runtime.timers.turn()
  }

  async #sendLater(prepared: PreparedRecord, call: SendAllCall, signal: AbortSignal | undefined): Promise<void> {
    await this.#admission.pass(() => {
      this.#checkAlive()
      this.#addObserved(prepared, call)
    }, signal)
  }

  async flush(): Promise<void> {
    this.#closeAll()
    // Sends that wait to be let in were called before.
    await this.#admission.settled()
    this.#closeAll()
    await Promise.all(this.#inFlight)
    this.#checkAlive()
  }

  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing
    this.#closing = this.#close()
    // Nobody knows when a source gives its next record, and it would be refused.
    for (const call of this.#calls) call.stopSource(this.#closedByCaller())
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    // Sends that wait to be let in were called before: they go out, too, or are refused.
    this.#admission.openForGood()
    await this.#admission.settled()
    this.#closeAll()
    await Promise.all(this.#inFlight)
    this.#target.closed(this)
  }

  #what(call: string): string {
    return `Topic ${this.#target.topic}: ${call}`
  }

  #checkAlive(): void {
    if (this.#failure !== undefined) throw this.#closedByFailure(this.#failure)
  }

  #checkOpen(): void {
    this.#checkAlive()
    if (this.#closing !== undefined) throw this.#closedByCaller()
  }

  #closedByCaller(): Error {
    return closed('PRODUCER_CLOSED', `This producer of ${this.#target.topic} was closed.`)
  }

  #closedByFailure(cause: Error): Error {
    return closed(
      'PRODUCER_FAILED',
      `This producer of ${this.#target.topic} is final: an earlier batch failed, and re-sending it could store it twice.`,
      { cause },
    )
  }

  /** Returns whether the record's batch has left. */
  #addObserved(record: PreparedRecord, call: SendAllCall): boolean {
    const batch = this.#add(record)
    if (batch.addObserved(call)) call.batchBegun()
    return this.#closeIfFull(batch)
  }

  /** Puts the record into its partition's batch, or into the next one where it does not fit any more. */
  #add(record: PreparedRecord): ProducerBatch {
    let partition = this.#partitionOf(record)
    let batch = this.#open[partition]
    while (batch !== undefined && !this.#hasRoom(batch.builder, record)) {
      this.#leave(batch)
      // Without a key it goes on with the next partition.
      partition = this.#partitionOf(record)
      batch = this.#open[partition]
    }
    const builder = (this.#builders[partition] ??= this.#makeBuilder())
    const before = batch === undefined ? 0 : builder.sizeBytes
    builder.append(record)
    if (batch === undefined) {
      batch = new ProducerBatch(partition, builder, this.#target.runtime.clock.monotonic())
      this.#open[partition] = batch
      this.#linger(batch)
    }
    const bytes = builder.sizeBytes - before
    batch.bytes += bytes
    this.#admission.take(bytes)
    return batch
  }

  #partitionOf({ key, partition }: PreparedRecord): number {
    return partition ?? (key === null ? this.#sticky : partitionForKey(key, this.#target.partitions))
  }

  #hasRoom(builder: RecordBatchBuilder, record: PreparedRecord): boolean {
    const { maxBatchBytes } = this.#target.limits
    const { bodyBytes } = record
    if (builder.sizeBytes + bodyBytes + FRAME_BYTES <= maxBatchBytes) return true
    return builder.sizeWith(record, bodyBytes) <= maxBatchBytes
  }

  #linger(batch: ProducerBatch): void {
    const leave = (): void => this.#leave(batch)
    if (this.#lingerMs === 0) queueMicrotask(leave)
    else batch.linger = this.#target.runtime.timers.after(this.#lingerMs, leave, { ref: true })
  }

  #closeIfFull(batch: ProducerBatch): boolean {
    const { builder } = batch
    const isFull =
      builder.sizeBytes >= this.#batchBytes || builder.recordCount >= this.#target.limits.maxRecordsPerBatch
    if (isFull) this.#leave(batch)
    return isFull
  }

  #closeAll(): void {
    for (const batch of this.#open) if (batch !== undefined) this.#leave(batch)
  }

  #leave(batch: ProducerBatch): void {
    if (batch.isClosed) return
    batch.isClosed = true
    batch.linger?.cancel()
    const { partition } = batch
    this.#open[partition] = undefined
    if (partition === this.#sticky) this.#sticky = (partition + 1) % this.#target.partitions
    const sent = this.#send(batch).finally(() => this.#inFlight.delete(sent))
    this.#inFlight.add(sent)
  }

  async #send(batch: ProducerBatch): Promise<void> {
    const { partition, builder } = batch
    const { recordCount } = builder
    try {
      const batches = builder.finish()
      const patch = (baseOffset: bigint): void => patchBatch(batches, 0, { baseOffset, partitionLeaderEpoch: 0 })
      const { baseOffset, lastOffset } = await this.#target.append({ partition, batches, recordCount, patch })
      batch.settle(baseOffset, lastOffset, this.#target.runtime.clock.monotonic())
      this.#admission.give(batch.bytes)
    } catch (error) {
      this.#failed(batch, error as Error)
    }
  }

  /**
   * A full disk that stored nothing is no end: all that waits behind the batch is rejected with it, and what is sent then goes on.
   * After anything else this is final.
   */
  #failed(batch: ProducerBatch, error: Error): void {
    const isLast = !isLivedThrough(error)
    // All that was on its way to the disk is rejected at once, with one error.
    const isKnown = isLast ? this.#failure !== undefined : error === this.#rejection
    if (isLast) this.#failure ??= error
    else this.#rejection = error
    batch.fail(error)
    if (!isKnown) this.#refuse(isLast ? this.#closedByFailure(error) : error)
    this.#admission.give(batch.bytes)
    if (isLast) for (const call of this.#calls) call.stopSource(this.#closedByFailure(error))
  }

  /** Ends the wait of all that is not on its way yet. */
  #refuse(error: Error): void {
    this.#admission.refuse(error)
    this.#open.forEach((batch, partition) => {
      if (batch === undefined) return
      batch.isClosed = true
      batch.linger?.cancel()
      this.#open[partition] = undefined
      // With what it has collected.
      this.#builders[partition] = undefined
      batch.fail(error)
      this.#admission.give(batch.bytes)
    })
  }
}

const producerTable = ({ maxBatchBytes }: Pick<Limits, 'maxBatchBytes'>): OptionTable<ProducerOptions> => ({
  lingerMs: option.milliseconds(),
  batchBytes: option.integer('bytes', 1, maxBatchBytes),
  maxUnackedBytes: option.positiveBytes,
  compression: option.oneOf('none', 'gzip', 'zstd', 'snappy', 'lz4'),
  id: option.text,
  acks: option.oneOf('local', 'store'),
})

function checkProducer(options: ProducerOptions, { topic, limits }: ProducerTarget): void {
  checkOptions(`Topic ${topic}: producer`, options, producerTable(limits))
  if (options.id !== undefined) throw unsupported('PRODUCER_ID', `Topic ${topic}: named producers come later.`)
  if (options.acks !== undefined)
    throw unsupported('PRODUCER_ACKS', `Topic ${topic}: acks is a choice of tandemWal, later.`)
  const compression: string = options.compression ?? 'none'
  if (compression === 'snappy' || compression === 'lz4') {
    const message = `Topic ${topic}: compression ${compression} is not written; use none, gzip or zstd.`
    throw unsupported('COMPRESSION', message)
  }
}

function checkRecords(what: string, records: unknown): void {
  const isIterable =
    typeof records === 'object' && records !== null && (Symbol.asyncIterator in records || Symbol.iterator in records)
  if (isIterable) return
  throw invalid('RECORDS', `${what}: the records are ${shown(records)}; give an iterable of records, such as an array.`)
}
