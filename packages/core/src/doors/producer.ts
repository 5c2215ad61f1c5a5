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
  /** Bytes accepted and not yet durable; above it `send` waits. Default {@link Limits.maxUnackedBytes}. */
  readonly maxUnackedBytes?: number
  /** A batch that it does not make smaller goes as it is. */
  readonly compression?: 'none' | 'gzip' | 'zstd'
  /** Not yet: `unsupported`. */
  readonly id?: string
  readonly acks?: 'local' | 'store'
}

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
 * after an unknown outcome the instance is final (`closed`), because the record may be there.
 *
 * A record is taken as it is at the call: once `send` has returned its promise, the caller may change or reuse what the record
 * was made of; of a source of `sendAll`, once the next record is asked for.
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
  /** Sends all of it with back-pressure and no promise per record. `next` is, per partition, the offset after its last record. */
  sendAll(
    records: Iterable<ProducerRecord<T>> | AsyncIterable<ProducerRecord<T>>,
    options?: { readonly signal?: AbortSignal; readonly onAck?: (ack: BatchAck) => void },
  ): Promise<{ readonly records: number; readonly next: readonly bigint[] }>
  /** Waits for all accepted so far. */
  flush(): Promise<void>
  /** Refuses new sends, waits for acks. Idempotent. */
  close(): Promise<void>
}
