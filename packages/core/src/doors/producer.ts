import type { Header } from '../model/record.ts'

/** What is sent. `undefined` value is `invalid`; `null` is a tombstone. */
export interface ProducerRecord<T = unknown> {
  readonly value: T | null
  /** A string is its UTF-8. With a key codec, the codec's type. */
  readonly key?: unknown
  readonly headers?: Readonly<Record<string, string | Uint8Array | null>> | readonly Header[]
  /** Date or milliseconds since the epoch; default now. */
  readonly timestamp?: Date | number | bigint
  /** Default: by key (murmur2, as Kafka's Java client), else one partition per batch, round robin. */
  readonly partition?: number
}

export interface ProducerOptions {
  /** How long a batch waits for company; default 5. A batch leaves earlier when full. */
  readonly lingerMs?: number
  /**
   * Uncompressed bytes that close a batch, with the record that reaches them; default 64 KiB. Before a record that would take
   * it beyond {@link Limits.maxBatchBytes} it closes in any case.
   */
  readonly batchBytes?: number
  /**
   * Bytes accepted and not yet durable; above it `send` waits. Default {@link Limits.maxUnackedBytes}, which all producers of the log share
   * whatever is said here: above that they all wait, and take turns. Where nothing but open batches of this log is in the way of that, they linger no more.
   */
  readonly maxUnackedBytes?: number
  /** A batch that it does not make smaller goes as it is. */
  readonly compression?: 'none' | 'gzip' | 'zstd'
  /**
   * The module whose records {@link Producer.sendFeed} sends, each of {@link threads} its own share: a `file:` or `data:` URL, such as
   * `new URL('./feed.ts', import.meta.url)`. Its default export is a {@link Feed}.
   */
  readonly feed?: URL
  /** How many threads run the {@link feed}; default: the cores of this process. */
  readonly threads?: number
  /** Not yet: `unsupported`. */
  readonly id?: string
  readonly acks?: 'local' | 'store'
}

/**
 * What gives the records of {@link Producer.sendFeed}: the default export of a module that each of `threads` threads imports and calls
 * once, with its own number, 0 to `threads` - 1. Which share of the records is a thread's, the feed decides, by partition for instance.
 * `signal` fires when nothing more is taken from it.
 *
 * ```ts
 * const feed: Feed<Order> = async function* (thread, threads, signal) {
 *   for (const path of paths.filter((_, at) => at % threads === thread)) yield* ordersIn(path, { signal })
 * }
 * export default feed
 * ```
 */
export type Feed<T = unknown> = (
  thread: number,
  threads: number,
  signal: AbortSignal,
) => FeedRecords<T> | Promise<FeedRecords<T>>

type FeedRecords<T> = Iterable<ProducerRecord<T>> | AsyncIterable<ProducerRecord<T>>

export interface Ack {
  readonly partition: number
  readonly offset: bigint
  readonly timestamp: bigint
}

/** One per durable batch. */
export interface BatchAck {
  readonly records: number
  readonly partition: number
  /** Offset of the batch's last record. */
  readonly lastOffset: bigint
  /** From the first record of the batch being accepted to durable. */
  readonly ms: number
}

/**
 * Sends to one topic. Per partition, records get their offsets in the order of the calls. It never re-sends by itself:
 * after a batch whose outcome is unknown the instance is final (`closed`, code `PRODUCER_FAILED`), because its records may be
 * there; what waits then fails at once. A batch that a full disk rejected (`NO_SPACE`) is no such end: what waits behind it, in
 * batches or to be let in, is rejected with it, and what is sent after that goes on.
 *
 * A signal ends the wait of its call, at once, and nothing else. While the call waits to be let in, nothing of it is stored
 * (outcome `rejected`); once a record is in a batch, it goes out with that (outcome `unknown`).
 *
 * A record is taken as it is at the call: once `send` has returned its promise, the caller may change or reuse what the record
 * was made of; of a source of `sendAll`, once the next record is asked for. Bytes are what the engine says of a Uint8Array,
 * whatever a subclass says; one without its memory (detached, or beyond its buffer) is `invalid`.
 */
export interface Producer<T = unknown> extends AsyncDisposable {
  /**
   * Resolves when the record is durable: what that survives is `log.durability`.
   * @throws `invalid`: nothing of the record was taken, and the producer goes on; code `RECORD_TOO_LARGE` above
   * {@link Limits.maxRecordBytes}, `HEADERS` above {@link Limits.maxHeadersPerRecord}.
   */
  send(
    record: ProducerRecord<T>,
    options?: { readonly signal?: AbortSignal; readonly ifNextOffset?: bigint },
  ): Promise<Ack>
  /**
   * Sends all of it with back-pressure and no promise per record. `next` is, per partition, the offset after its last record.
   *
   * It takes no more records after its signal, a failed batch, `close()`, an error of the source or of `onAck`, and rejects with
   * the first of these: at once at the signal, else when what it has taken is durable or has failed. A source that is waited for
   * is told to end (`return()`), and not waited for. Once anything has been taken, an error of ours has outcome `unknown` and says
   * how much is stored at least; an error of the source or of `onAck` is thrown as it is. What exactly is stored, `onAck` says: it
   * is called once for each batch that becomes durable, even after the call has ended.
   */
  sendAll(
    records: Iterable<ProducerRecord<T>> | AsyncIterable<ProducerRecord<T>>,
    options?: { readonly signal?: AbortSignal; readonly onAck?: (ack: BatchAck) => void },
  ): Promise<{ readonly records: number; readonly next: readonly bigint[] }>
  /**
   * Sends all that the {@link ProducerOptions.feed} gives, with the promises of {@link sendAll}: threads make, encode and batch the
   * records, each its own, and this one appends their batches as they come. Of a thread, records of one partition keep their order; of
   * several threads they lie batch by batch. `send` and `sendAll` go on beside it.
   *
   * Each call starts threads of its own, which are gone when it resolves; one that has to stop early gets a second to clean up. While
   * one call runs, another is `invalid` (code `FEED_RUNS`). A record counts as taken once its batch has been handed over and let in: what
   * a thread has collected, and what waits, is given up when the call ends early, except that a feed that fails by itself sends what it gave
   * before, and {@link flush} waits for what has been taken. A thread holds at most its share of {@link ProducerOptions.maxUnackedBytes} and its next
   * record.
   *
   * ```ts
   * const producer = orders.producer({ feed: new URL('./feed.ts', import.meta.url), threads: 2 })
   * const { records } = await producer.sendFeed()
   * ```
   * @throws as {@link sendAll}; `invalid` code `NO_FEED` of a producer without one, `FEED_MODULE` for a module that cannot be imported or
   * has no such default export, `FEED_FAILED` with the `cause` where the feed throws what is no error of ours, `WORKER_START` where no
   * thread starts; `unavailable` code `WORKER_DIED` with outcome `unknown` for a thread that ended by itself (its heap was full, or the
   * feed left the process).
   */
  sendFeed(options?: {
    readonly signal?: AbortSignal
    readonly onAck?: (ack: BatchAck) => void
  }): Promise<{ readonly records: number; readonly next: readonly bigint[] }>
  /** Waits for all accepted so far. */
  flush(): Promise<void>
  /** Refuses new sends, waits for acks. Idempotent. */
  close(): Promise<void>
}
