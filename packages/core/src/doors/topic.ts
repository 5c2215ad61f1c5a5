import type { AuditOptions, AuditRange, AuditReport } from './audit.ts'
import type { Codec } from './codec.ts'
import type { Comparable, Expression, Where } from '../model/expression.ts'
import type { PartitionFieldOf } from '../model/partition-spec.ts'
import type { ValueMode } from '../model/value-mode.ts'
import type { ErrorKind } from '../model/errors.ts'
import type { FetchedBatches, FetchOptions, OffsetForOptions, ReadOptions } from './topic-reads.ts'
import type { Producer, ProducerOptions } from './producer.ts'
import type { LogRecord, Position } from '../model/record.ts'

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
  /**
   * Of the Iceberg table that is made for the topic; default 2. 3 has row lineage, and engines that change rows there write deletion
   * vectors; some engines of today cannot read it. A table that others upgrade stays what they made of it.
   */
  readonly formatVersion?: 2 | 3
  /** How old the oldest untiered record may get before a commit; at least 1; default 60 000 once 8 MB wait, else 600 000. */
  readonly freshnessMs?: number
  /** Bounds of a record's timestamp around now; -1 switches one off. Defaults: 10 years before, 1 hour after. */
  readonly timestampBeforeMaxMs?: number
  readonly timestampAfterMaxMs?: number
  /** What happens to a value that does not decode. Only `raw` so far. */
  readonly onBadRecord?: 'raw'
  /**
   * What happens when the table's history is broken; default: the log's own. Unlike the other options it is not stored: it holds
   * for this process, as the last call with a config that names it says.
   */
  readonly onBroken?: OnBroken
}

/**
 * What a writer does with a table whose history is broken, when it attaches it, before a commit and before it releases anything.
 *
 * - `error`: nothing. Tiering and cold reads stop with `LINEAGE_BROKEN` until the table is right again, or adopted.
 * - `restore`: the frontier goes back to where the table's rows end, so that what the write-ahead tier still holds is tiered again,
 *   and the ledger is counted anew. Where rows are missing that it does not hold, as `error`.
 * - `gap`: the same, and what is missing for good counts as skipped; readers pass it as a gap.
 */
export type OnBroken = 'error' | 'restore' | 'gap'

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
   * Appends v2 record batches as they are (base offsets are patched), taken at the call: the caller may change the bytes once it
   * has the promise. Resolves when durable.
   * @throws `invalid` for a record whose timestamp is outside of the topic's bounds; `invalid` code `BATCH_MAX_TIMESTAMP` for a batch with
   * a record that is later than its header says, since searches by time believe headers; `corrupt` for a malformed batch or wrong CRC;
   * `unsupported` for another magic, a transactional or control batch; `exhausted` above a limit: all batches together have at most
   * `maxBatchBytes`. Nothing was appended then. The signal ends the wait: `aborted` with outcome `unknown` once the batches were
   * accepted, which are then appended all the same.
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
   * Raw batches of one partition from an offset on, out of the write-ahead tier or the table: what a server of the Kafka protocol
   * answers a fetch with. Resolves as soon as there are `minBytes`, and after `maxWaitMs` with what there is by then. At least one
   * batch comes, whatever `maxBytes` is; over a gap that ends where the partition does, none, but `nextOffset` is behind it. A partition
   * is asked again from `nextOffset`.
   *
   * A row that SQL changed so that no record comes back of it makes no fetch fail: something stands in for the record, and
   * {@link FetchedBatches.unreadable} names it, which is to be looked at before `batches` is passed on.
   *
   * A log that is open for reading only may be asked for offsets above what it has seen: it waits for them like any other.
   * @throws `invalid` code `PARTITION`; `invalid` code `OFFSET_RANGE` for an offset below the partition's start or above its high
   * watermark, with both in `context`; `aborted` at once when the signal fires; `closed` when the log is closed meanwhile; what reading
   * the table throws.
   */
  fetch(options: FetchOptions): Promise<FetchedBatches>
  /**
   * The first offset whose record is not older than `timestamp` (milliseconds since the epoch; a record without one has -1): where
   * `read({ from: { timestamp } })` begins. Undefined where there is none yet. Times need not rise with offsets. In the write-ahead tier
   * the headers of batches are believed in what they say of their newest record, which {@link append} has checked; of the table, only
   * times are read, and only where the bounds of files and row groups leave it open.
   * `partition` may be left out where there is but one.
   * @throws `invalid` code `PARTITION`; `aborted`; `closed`; what reading the table throws.
   */
  offsetFor(timestamp: bigint, options?: OffsetForOptions): Promise<bigint | undefined>

  /**
   * The table plus what is still hot, each record once, as one consistent cut: one snapshot and one end offset per
   * partition, fixed at the first row. Columns: the value columns unless named; `_kafka_*` by name.
   */
  scan<K extends keyof (T & SystemRow) & string = keyof T & string>(
    options?: ScanOptions<K, Where<Comparable<T & SystemRow>>>,
  ): Scan<Pick<T & SystemRow, K>>
  /**
   * Moves everything committed at the call into the table; resolves after the commit is read back. Calls share a commit: a signal
   * ends the wait of its caller, and the commit only when nobody waits for it any more.
   * @throws `aborted` with outcome `unknown`: the next call settles what became of the commit.
   */
  tier(options?: TierOptions): Promise<TierResult>
  /**
   * Compares the table with the ledger, by count and by the sum of the checksums that stand in the rows. That sees rows that
   * are gone, doubled or foreign; a row that SQL changed keeps its checksum, so only `deep` sees it.
   * @throws `invalid` for an option that means nothing; `aborted`; `conflict` code `LINEAGE_BROKEN`.
   */
  audit(options?: AuditOptions): Promise<AuditReport>
  /**
   * The explicit way back where table and log do not belong together any more; a table that is fine is left as it is.
   *
   * On a broken table (`LINEAGE_BROKEN`) it is what `onBroken: 'gap'` does, once: the ledger is counted anew from the rows that
   * are there, what neither the table nor the write-ahead tier holds counts as skipped, and the topic goes on in the same
   * incarnation. On a log that is older than its table (`LOG_BEHIND_TABLE`) the topic takes the next incarnation, 2^20 offsets
   * above the table's end. What the log holds of the earlier one stays in the write-ahead tier, apart: it is listed, here and in
   * {@link TopicStats.earlier}, and read with {@link ReadOptions.incarnation}, until {@link Topic.dropEarlier}.
   *
   * @throws `invalid` on a read-only log or without a cold tier; `conflict` where the table belongs to another, or holds rows
   * of offsets that the log still has to give it, code `TABLE_MOVED` where it is not at `expectedSnapshotId`; `aborted` at once when the signal fires; an error with outcome `unknown` is
   * settled by the next call.
   */
  adoptTable(options?: AdoptTableOptions): Promise<TableAdoption>
  /**
   * What the table's history is worth now, as a writer would find it that opened the log: of a log open for reading only, too. Reads the
   * table's metadata and manifests, files only where these do not tell, and looks whether the files are there; changes nothing.
   * @throws `invalid` without a cold tier; `unsupported` for a table that cannot be read, or a tier that has no verdict; what the catalog throws.
   */
  judgeTable(options?: JudgeTableOptions): Promise<TableVerdict>
  /**
   * Gives up what the write-ahead tier keeps of earlier incarnations, for good. Resolves when that is durable.
   * @throws `invalid` on a read-only log.
   */
  dropEarlier(): Promise<void>
  /** Where each partition stands. */
  offsets(): readonly PartitionOffsets[]
  /** What is not in the table yet, and what the frontier comes from. */
  stats(): TopicStats
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

/** An error that nobody was there to catch, as `stats()` shows it. */
export interface Failure {
  readonly kind: ErrorKind
  readonly code: string
  readonly message: string
  /** Wall time, ms since the epoch. */
  readonly timeMs: number
}

/** What is going wrong in the background. Nothing is, when `lastError` is null: work that succeeds again clears it. */
export interface Failing {
  readonly lastError: Failure | null
  /** Wall time of the first error since the same work last succeeded. */
  readonly failingSinceMs: number | null
  /** How often it has been tried again since. */
  readonly retries: number
}

/** `JSON.stringify` of it works: 64-bit numbers become decimal strings, errors their kind, code and message. */
export interface TopicStats extends Failing {
  readonly untieredBytes: number
  readonly untieredRecords: number
  /** How long the oldest of these has been durable, in milliseconds; null where there is none. */
  readonly untieredAgeMs: number | null
  /** Of the table that the frontier comes from; null until the table has been read, or has a snapshot. */
  readonly snapshotId: bigint | null
  /**
   * Why the table takes nothing and gives nothing: it refuses what is there (a broken lineage, deletes or a format that cannot be
   * read yet, columns that have changed, a table that is gone). It is looked at again and again; null while there is no such reason.
   */
  readonly stoppedBy: Error | null
  /** What the table's history is worth; null until the table has been read. A broken one is in `stoppedBy`. */
  readonly lineage: Lineage | null
  /** What the write-ahead tier keeps of earlier incarnations, which an adopted table has ended. */
  readonly earlier: readonly EarlierRange[]
  /**
   * Locations of the table's files that were not there, or could not be opened, when it was last looked at them: at most
   * `maxMissingFiles`. Their records keep their write-ahead copy and are read from it. The table is looked at anew whenever something is
   * to be released; a file that is there again, or that the table names no more, is then left out. Offsets without a row that such a
   * file may have, and whose write-ahead copy is gone, fail a read (`FILE_MISSING`) unless the ledger's counts prove that they never had one.
   */
  readonly missingFiles: readonly string[]
  /** How many there are, named or not. */
  readonly missingFileCount: number
}

/** Acked records of an earlier incarnation that are in the write-ahead tier; the table may have some of them, too. */
export interface EarlierRange extends AuditRange {
  /** Write-ahead bytes. */
  readonly bytes: number
}

/** What {@link Topic.adoptTable} did. */
export interface TableAdoption {
  /**
   * `none`: the table is fine. `recounted`: its ledger was counted anew. `next-incarnation`: the log was older than it.
   */
  readonly outcome: 'none' | 'recounted' | 'next-incarnation'
  /** Of the topic, from now on. */
  readonly incarnation: number
  /** Of the table; null where it has none. */
  readonly snapshotId: bigint | null
  /** Exclusive, per partition: what the table answers for. A new incarnation begins here. */
  readonly frontier: readonly bigint[]
  /** Rows that the ledger counts, of all partitions and incarnations. */
  readonly rows: bigint
  /** Offsets below the frontier that have no row: all that the ledger calls skipped now, the jump of a new incarnation included. */
  readonly skippedOffsets: bigint
  /** Where they are, up to the limit `maxGaps`. */
  readonly skipped: readonly AuditRange[]
  /** What stays of an earlier incarnation. */
  readonly earlier: readonly EarlierRange[]
}

export interface AdoptTableOptions {
  /**
   * Adopts the table only at this snapshot ({@link TableVerdict.snapshotId}; null: without one, or gone), through lost races too: what
   * somebody was shown and said yes to, and nothing else. Default: as it is by then.
   */
  readonly expectedSnapshotId?: bigint | null
  readonly signal?: AbortSignal
}

export interface JudgeTableOptions {
  /** Of a broken table, also work out what {@link Topic.adoptTable} would do. It reads who each of the table's rows is. Default false. */
  readonly plan?: boolean
  /**
   * Look for the files that the current snapshot names, by name and size; none is opened. It reads the table's manifests and lists its
   * data folder; files elsewhere are asked for one by one, a thousand of them at most. Default true.
   */
  readonly files?: boolean
  readonly signal?: AbortSignal
}

/**
 * See {@link Lineage} for the first two verdicts; on a `broken` one the log neither tiers nor releases, nor reads the table. Two faults do
 * not stop all of that, and are called broken here all the same: `foreign-rows`, which tiering alone minds, and `missing-files`. Of a
 * table whose metadata is damaged (`unreadable-metadata`) all else is `corrupt`.
 */
export interface TableVerdict {
  readonly verdict: 'intact' | 'plausible' | 'broken'
  /** What it comes from, in words. */
  readonly evidence: string
  /** What is wrong with a broken one, by the word of docs/formats/table.md; else null. */
  readonly fault: string | null
  /** Of the table; null where it has none, or is gone. */
  readonly snapshotId: bigint | null
  /**
   * Offsets that the write-ahead tier has let go of and a broken table cannot be trusted to hold, or may have had in files that are
   * missing.
   */
  readonly inDoubt: readonly AuditRange[]
  /** Offsets that the table holds and the log does not have: the log is the older one. */
  readonly ahead: readonly AuditRange[]
  /** What became of the files; null where they were not looked for: not asked to, the history itself is broken, or there are none. */
  readonly files: TableFilesVerdict | null
  /** What to do, in words. */
  readonly remedy: string
  /** What {@link Topic.adoptTable} would do; null unless it was asked for, where nothing is broken, and where it would refuse. */
  readonly adoption: Omit<TableAdoption, 'earlier'> | null
}

/** Of the manifest list, manifests, data files and delete files that a table's current snapshot names. */
export interface TableFilesVerdict {
  /** As far as the manifests that are there tell. */
  readonly named: number
  /** Those that were looked for, and are there with the size that the table says, or missing. */
  readonly looked: number
  /** Locations of those that are missing, each with why, up to the limit `maxMissingFiles`. */
  readonly missing: readonly { readonly location: string; readonly reason: string }[]
  readonly missingCount: number
  /** Offsets that may be in them and whose records the write-ahead tier still has: they are read from there, and a writer puts them back. */
  readonly held: readonly AuditRange[]
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

/** See {@link Topic.tier}. */
export interface TierOptions {
  /**
   * The time that the snapshot is to bear, in milliseconds since the epoch, where the table has not changed since; at most that of the
   * commit, which is the default, and at least a minute before that. The snapshot has all that was durable by then, and more; its summary
   * says when it was committed. For readers that show nothing that is younger than their own transaction, and whose reading is what asks
   * for the commit. Calls that share a commit share the earliest; where it takes several commits, it is the time of the last.
   */
  readonly asOfMs?: number
  readonly signal?: AbortSignal
}

export interface TierResult {
  readonly snapshotId: bigint | null
  /** Rows that this call's commit added. */
  readonly rows: number
  /** Exclusive, per partition. */
  readonly frontier: readonly bigint[]
}
