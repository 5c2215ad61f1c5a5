import type { Codec } from './codec.ts'
import type { ValueMode } from './cold-tier.ts'
import type { Comparable, Expression, Where } from './expression.ts'
import type { PartitionFieldOf } from './partition-spec.ts'
import type { Producer, ProducerOptions } from './producer.ts'
import type { LogRecord, Position } from './record.ts'

/** The system columns of a topic's table, as a scan gives them (DESIGN §4). */
export interface SystemRow {
  _kafka_partition: number
  _kafka_offset: bigint
  _kafka_incarnation: number
  _kafka_timestamp: Date | null
  _kafka_timestamp_type: number
  _kafka_key: Uint8Array | null
  _kafka_headers: { key: string; value: Uint8Array | null }[]
  _kafka_crc: number | null
  _kafka_value_state: 'typed' | 'typed+raw' | 'raw' | 'null'
  _kafka_value: Uint8Array | null
  _kafka_schema_id: number
  _kafka_key_schema_id: number
}

/** How a topic is set up. Fixed at creation: another config for the same name is refused, and the difference printed. */
export interface TopicConfig<T = unknown> {
  /** 1 to `maxPartitions`; default 1. */
  readonly partitions?: number
  /** Without one, values are bytes and the table keeps them raw. */
  readonly value?: Codec<T>
  /** Without one, keys are bytes or strings. */
  readonly key?: Codec
  /** `namespace.table`; default `default.<topic>`. */
  readonly table?: string
  /** The table's partition spec; default: day of `_kafka_timestamp`. `[]` for none. */
  readonly partitionBy?: readonly PartitionFieldOf<(keyof T & string) | keyof SystemRow>[]
  /** Default `columns` with a value codec, else `raw`. */
  readonly valueMode?: ValueMode
  /** Default true. Without it an audit compares counts only. */
  readonly rowCrc?: boolean
  /** How old the oldest untiered record may get before a commit; default 60 000 once 8 MB wait, else 600 000. */
  readonly freshnessMs?: number
  /** Bounds of a record's timestamp around now; -1 switches one off. Defaults: 10 years before, 1 hour after. */
  readonly timestampBeforeMaxMs?: number
  readonly timestampAfterMaxMs?: number
  /** What happens to a value that does not decode. Only `raw` so far. */
  readonly onBadRecord?: 'raw'
}

/** A topic's config as anyone may look at it: its columns are no longer tied to `T`. */
export type ResolvedTopicConfig<T = unknown> = Omit<TopicConfig<T>, 'partitionBy'> & {
  readonly partitionBy?: readonly PartitionFieldOf[]
}

export interface Topic<T = unknown> {
  readonly name: string
  /** UUID; a recreated topic has another. */
  readonly id: string
  readonly incarnation: number
  readonly partitions: number
  /** With all defaults filled in. */
  readonly config: ResolvedTopicConfig<T>

  /** @throws `invalid` on a read-only log. */
  producer(options?: ProducerOptions): Producer<T>
  /**
   * Appends v2 record batches as they are (base offsets are patched). Resolves when durable.
   * @throws `corrupt` for a malformed batch or wrong CRC; `unsupported` for another magic, a transactional or control batch.
   */
  append(request: {
    readonly partition: number
    readonly batches: Uint8Array
    readonly signal?: AbortSignal
  }): Promise<{ readonly baseOffset: bigint; readonly lastOffset: bigint }>

  /** Records from one partition or (without `partition`) all, each partition in offset order. */
  read(options?: ReadOptions): AsyncIterable<LogRecord<T>>
  /** The records at given places, in the order given, missing ones as undefined. */
  readAt(
    positions: readonly Position[],
    options?: { readonly signal?: AbortSignal },
  ): AsyncIterable<LogRecord<T> | undefined>

  /**
   * The table plus what is still hot, each record once, as one consistent cut: one snapshot and one end offset per
   * partition, fixed at the first row. Columns: the value columns unless named; `_kafka_*` by name.
   */
  scan<K extends keyof (T & SystemRow) & string = keyof T & string>(
    options?: ScanOptions<K, Where<Comparable<T & SystemRow>>>,
  ): Scan<Pick<T & SystemRow, K>>
  /** Moves everything committed at the call into the table; resolves after the commit is read back. */
  tier(options?: { readonly signal?: AbortSignal }): Promise<TierResult>
  /** Compares the table with the ledger, by count and content. */
  audit(options?: { readonly signal?: AbortSignal }): Promise<AuditReport>
  /** Where each partition stands. */
  offsets(): readonly PartitionOffsets[]
  /** What is not in the table yet, and what the frontier comes from. */
  stats(): TopicStats
}

export interface ReadOptions {
  readonly partition?: number
  /** Inclusive; default `earliest`. `{ timestamp }`: the first offset whose record is not older (ms since the epoch). */
  readonly from?: 'earliest' | 'latest' | bigint | { readonly timestamp: bigint }
  /** Exclusive; `end` is fixed at the call. Without it the read follows new records. */
  readonly to?: 'end' | bigint
  /** A value that does not decode: yielded with `error` set (default), or thrown. */
  readonly onBadValue?: 'yield' | 'throw'
  readonly signal?: AbortSignal
}

export interface PartitionOffsets {
  readonly partition: number
  /** First readable offset. */
  readonly start: bigint
  /** Exclusive: everything below is durable and readable. */
  readonly highWatermark: bigint
  /** Exclusive: everything below is in the table. */
  readonly frontier: bigint
  /** Everything below has left the write-ahead tier. */
  readonly released: bigint
}

export interface TopicStats {
  readonly untieredBytes: number
  readonly untieredRecords: number
  /** Snapshot that the frontier comes from. */
  readonly snapshotId: bigint | null
  /** Why nothing more goes to the table until `tier()` attaches it anew (a broken lineage); null while tiering runs. */
  readonly stoppedBy: Error | null
  /** What the table's history is worth; null until the table has been read. A broken one is in `stoppedBy`. */
  readonly lineage: Lineage | null
}

/**
 * The verdict on a table. `intact`: the snapshot of the last commit is main or an ancestor of it. `plausible`: expiry took
 * the snapshots in between, as compaction followed by expiry does, and the files speak for it.
 */
export interface Lineage {
  readonly verdict: 'intact' | 'plausible'
  /** What speaks for a plausible table, in words; null for an intact one. */
  readonly evidence: string | null
}

export interface ScanOptions<K extends string = string, W = Expression> {
  readonly columns?: readonly K[]
  readonly where?: W
  readonly signal?: AbortSignal
}

/** A scan that has not begun; each call below is a scan of its own. Rows have a null prototype. */
export interface Scan<R> extends AsyncIterable<R> {
  batches(): AsyncIterable<R[]>
  toArray(): Promise<R[]>
  count(): Promise<number>
  /**
   * The rows as a `Table` of the package apache-arrow; docs/formats/arrow.md says which type becomes which. This package
   * does not depend on that one, so say what you get: `await scan.toArrow<Table>()` with its `Table`.
   * @throws `unsupported` code `ARROW_MISSING` when apache-arrow is not installed.
   */
  toArrow<Table = unknown>(): Promise<Table>
  /** The same one `RecordBatch` at a time, in bounded memory. */
  arrowBatches<RecordBatch = unknown>(): AsyncIterable<RecordBatch>
  /** The bytes of an Arrow IPC stream, which Arrow in any language reads. */
  toIpc(): Promise<Uint8Array>
}

export interface TierResult {
  readonly snapshotId: bigint | null
  /** Rows that this call's commit added. */
  readonly rows: number
  /** Exclusive, per partition. */
  readonly frontier: readonly bigint[]
}

export interface AuditReport {
  /** Rows and checksum of every partition equal the ledger. */
  readonly clean: boolean
  readonly partitions: readonly AuditPartition[]
  /** Ranges below the frontier without a row, with the reason. */
  readonly gaps: readonly AuditGap[]
  /** The same check for any SQL engine; `{table}` stands for the table's name. */
  readonly sql: string
}

/** Counts of one (incarnation, partition): what the table holds, beside what the ledger says. */
export interface AuditPartition {
  readonly incarnation: number
  readonly partition: number
  readonly start: bigint
  readonly frontier: bigint
  readonly rows: bigint
  /** Rows that the table should have: those of the ledger without what retention removed. */
  readonly ledgerRows: bigint
  readonly control: bigint
  readonly aborted: bigint
  readonly skipped: bigint
  /** Rows of the ledger that are not in the table. */
  readonly deleted: bigint
  /** Exact sum of the signed `_kafka_crc`; null without row checksums. */
  readonly checksum: bigint | null
  /** Of the same rows as `ledgerRows`. */
  readonly ledgerChecksum: bigint | null
}

export interface AuditGap {
  readonly incarnation: number
  readonly partition: number
  readonly from: bigint
  /** Exclusive. */
  readonly to: bigint
  readonly reason: 'control' | 'aborted' | 'skipped' | 'deleted' | 'expired'
}
