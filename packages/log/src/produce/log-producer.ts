import {
  aborted,
  checkOptions,
  closed,
  invalid,
  isLivedThrough,
  option,
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
import { patchBatch } from '@moulin/format'
import { feedBatch } from '../feed/feed-batch.ts'
import { feedPlan, type FeedPlan, type FeedTarget } from '../feed/feed-plan.ts'
import { FeedRun, type BuiltBatch } from '../feed/feed-run.ts'
import { Admission, type Room } from './admission.ts'
import { ByteGate } from './byte-gate.ts'
import { Collector } from './collector.ts'
import type { OutgoingBatch, ProducerBatch } from './producer-batch.ts'
import { ownCopy, type OpenRecord, type PreparedRecord, type RecordInput } from './record-input.ts'
import { checkRecords } from './records-check.ts'
import { SendAllCall } from './send-all.ts'
import { Turns } from './turns.ts'

const LINGER_MS = 5
const BATCH_BYTES = 64 * 1024

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
  /** Of the whole log. */
  readonly unacked: ByteGate
  /** What the threads of a feed are to know of it. */
  readonly feed: FeedTarget
  closed(producer: LogProducer): void
}

/** Collects records into one batch per partition. See {@link Producer}. */
export class LogProducer implements Producer {
  readonly #target: ProducerTarget
  readonly #admission: Admission
  readonly #collector: Collector
  readonly #inFlight = new Set<Promise<void>>()
  /** The event loop has one with each batch of a `sendAll` that leaves, and where that takes long. */
  readonly #turns: Turns
  #failure: Error | undefined
  /** The last full disk that was lived through. */
  #rejection: Error | undefined
  readonly #calls = new Set<SendAllCall>()
  readonly #feed: FeedPlan | undefined
  /** The ends of its threads. */
  readonly #feeding = new Set<Promise<void>>()
  #hasFeed = false
  #closing: Promise<void> | undefined

  constructor(target: ProducerTarget, options: ProducerOptions = {}) {
    checkProducer(options, target)
    const { runtime, limits, input, partitions, unacked } = target
    const { lingerMs = LINGER_MS, batchBytes = BATCH_BYTES, compression = 'none' } = options
    this.#target = target
    this.#turns = new Turns(runtime)
    const gate = new ByteGate(options.maxUnackedBytes ?? limits.maxUnackedBytes, unacked)
    this.#admission = new Admission(target.room, gate)
    this.#collector = new Collector({
      ...{ runtime, limits, input, partitions, lingerMs, batchBytes, compression },
      checkOpen: () => this.#checkOpen(),
      took: (bytes) => gate.take(bytes),
      left: (batch) => this.#leave(batch),
    })
    const { feed, threads = runtime.process.cores } = options
    if (feed !== undefined) {
      const batching = { topic: target.topic, partitions, limits, lingerMs, batchBytes, compression }
      const maxUnackedBytes = options.maxUnackedBytes ?? limits.maxUnackedBytes
      this.#feed = feedPlan(target.feed, { feed, threads, maxUnackedBytes, runtime, batching })
    }
  }

  // Once per record: one promise, and nothing asked twice.
  send(record: ProducerRecord<never>, options: SendOptions = nothing): Promise<Ack> {
    try {
      if (options !== nothing) this.#checkSend(options)
      const { signal } = options
      throwIfAborted(signal)
      const open = this.#target.input.open(record)
      // What the record is made of may be code, which closes this, or fires the signal.
      throwIfAborted(signal)
      this.#checkOpen()
      // Where there is room, the record is accepted before this call returns.
      if (!this.#admission.isOpen) return this.#sendLater(open, signal)
      const batch = this.#collector.add(open, signal)
      const ack = batch.addSender(open.timestamp, signal)
      this.#collector.leaveIfFull(batch)
      return ack
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  #checkSend(options: SendOptions): void {
    checkOptions(this.#what('send'), options, sendTable)
    if (options.ifNextOffset !== undefined) throw unsupported('IF_NEXT_OFFSET', 'Conditional appends come later.')
  }

  #sendLater(open: OpenRecord, signal: AbortSignal | undefined): Promise<Ack> {
    const taken = this.#taken(open, signal)
    return this.#admission.pass(() => {
      this.#checkAlive()
      const batch = this.#collector.addPrepared(taken)
      const ack = batch.addSender(taken.timestamp, signal)
      this.#collector.leaveIfFull(batch)
      return ack
    }, signal)
  }

  /** What waits to be let in, in memory of its own. */
  #taken(open: OpenRecord, signal: AbortSignal | undefined): PreparedRecord {
    const taken = ownCopy(this.#target.input.encoded(open))
    throwIfAborted(signal)
    this.#checkOpen()
    return taken
  }

  async sendAll(
    records: Iterable<ProducerRecord<never>> | AsyncIterable<ProducerRecord<never>>,
    options: SendAllOptions = {},
  ): Promise<{ readonly records: number; readonly next: readonly bigint[] }> {
    checkOptions(this.#what('sendAll'), options, sendAllTable)
    checkRecords(this.#what('sendAll'), records)
    throwIfAborted(options.signal)
    return this.#takeAll('sendAll', records, options, (record, call) => this.#sendOne(record, call, options.signal))
  }

  async sendFeed(
    options: SendAllOptions = {},
  ): Promise<{ readonly records: number; readonly next: readonly bigint[] }> {
    const what = this.#what('sendFeed')
    checkOptions(what, options, sendAllTable)
    if (this.#feed === undefined) {
      const message = `${what}: this producer has no feed; make one with producer({ feed: new URL('./feed.ts', import.meta.url) }).`
      throw invalid('NO_FEED', message)
    }
    throwIfAborted(options.signal)
    this.#checkOpen()
    if (this.#hasFeed) {
      throw invalid('FEED_RUNS', `${what}: its feed is running; wait for that call, or make another producer.`)
    }
    this.#hasFeed = true
    try {
      const run = new FeedRun(this.#feed)
      const gone = run.gone.finally(() => this.#feeding.delete(gone))
      this.#feeding.add(gone)
      return await this.#takeAll('sendFeed', run, options, (built, call) =>
        this.#sendBuilt(built, call, options.signal),
      )
    } finally {
      this.#hasFeed = false
    }
  }

  /** Takes all that there is, and waits until it is durable. */
  async #takeAll<T>(
    name: string,
    source: Iterable<T> | AsyncIterable<T>,
    { signal, onAck }: SendAllOptions,
    accept: (item: T, call: SendAllCall) => Promise<void> | undefined,
  ): Promise<{ readonly records: number; readonly next: readonly bigint[] }> {
    const { partitions, nextOffset } = this.#target
    const call = new SendAllCall(
      Array.from({ length: partitions }, () => -1n),
      onAck,
    )
    const abandon = (): void => {
      const cause = signal!.reason as unknown
      call.abandon(aborted('ABORTED', `${this.#what(name)} was aborted by its signal.`, { cause }))
    }
    signal?.addEventListener('abort', abandon, { once: true })
    this.#calls.add(call)
    try {
      await call.takeAll(source, (item) => accept(item, call))
      this.#collector.leaveAll()
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
    const open = this.#target.input.open(record)
    if (call.failure !== undefined) throw call.failure
    this.#checkOpen()
    if (!this.#admission.isOpen) return this.#sendOneLater(open, call, signal)
    const hasLeft = this.#observe(this.#collector.add(open, signal), call)
    return hasLeft || this.#turns.isDue() ? this.#turns.take() : undefined
  }

  async #sendOneLater(open: OpenRecord, call: SendAllCall, signal: AbortSignal | undefined): Promise<void> {
    const taken = this.#taken(open, signal)
    await this.#admission.pass(() => {
      this.#checkAlive()
      this.#observe(this.#collector.addPrepared(taken), call)
    }, signal)
  }

  /** Returns whether the record's batch has left. */
  #observe(batch: ProducerBatch, call: SendAllCall): boolean {
    if (batch.addObserved(call)) call.batchBegun()
    return this.#collector.leaveIfFull(batch)
  }

  /** Accepts a batch of a feed, behind those that wait to be let in. */
  #sendBuilt(built: BuiltBatch, call: SendAllCall, signal: AbortSignal | undefined): Promise<void> | undefined {
    if (call.failure !== undefined) throw call.failure
    this.#checkOpen()
    const send = (): void => {
      this.#checkAlive()
      this.#admission.take(built.bytes)
      call.batchBegun()
      this.#leave(feedBatch(built, call))
    }
    if (!this.#admission.isOpen) return this.#admission.pass(send, signal)
    send()
    return undefined
  }

  async flush(): Promise<void> {
    this.#collector.leaveAll()
    // Sends that wait to be let in were called before.
    await this.#admission.settled()
    this.#collector.leaveAll()
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
    this.#collector.leaveAll()
    await Promise.all(this.#inFlight)
    await Promise.all(this.#feeding)
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

  #leave(batch: OutgoingBatch): void {
    const sent = this.#send(batch).finally(() => this.#inFlight.delete(sent))
    this.#inFlight.add(sent)
  }

  async #send(batch: OutgoingBatch): Promise<void> {
    const { partition, recordCount } = batch
    try {
      const batches = batch.finish()
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
  #failed(batch: OutgoingBatch, error: Error): void {
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
    for (const batch of this.#collector.dropAll()) {
      batch.fail(error)
      this.#admission.give(batch.bytes)
    }
  }
}

const producerTable = ({ maxBatchBytes }: Pick<Limits, 'maxBatchBytes'>): OptionTable<ProducerOptions> => ({
  lingerMs: option.milliseconds(),
  batchBytes: option.integer('bytes', 1, maxBatchBytes),
  maxUnackedBytes: option.positiveBytes,
  compression: option.oneOf('none', 'gzip', 'zstd', 'snappy', 'lz4'),
  id: option.text,
  acks: option.oneOf('local', 'store'),
  feed: option.importUrl,
  threads: option.integer('threads', 1, 1024),
})

function checkProducer(options: ProducerOptions, { topic, limits }: ProducerTarget): void {
  checkOptions(`Topic ${topic}: producer`, options, producerTable(limits))
  if (options.threads !== undefined && options.feed === undefined) {
    const message = `Topic ${topic}: producer: threads is given without a feed, which they would run; send and sendAll stay on the caller's thread.`
    throw invalid('OPTION', message, { context: { option: 'threads' } })
  }
  if (options.id !== undefined) throw unsupported('PRODUCER_ID', `Topic ${topic}: named producers come later.`)
  if (options.acks !== undefined)
    throw unsupported('PRODUCER_ACKS', `Topic ${topic}: acks is a choice of tandemWal, later.`)
  const compression: string = options.compression ?? 'none'
  if (compression === 'snappy' || compression === 'lz4') {
    const message = `Topic ${topic}: compression ${compression} is not written; use none, gzip or zstd.`
    throw unsupported('COMPRESSION', message)
  }
}
