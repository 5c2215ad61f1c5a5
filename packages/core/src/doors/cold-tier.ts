import type { Codec, SchemaFieldId, SchemaLedger } from './codec.ts'
import type { ObjectStore } from './object-store.ts'
import type { BatchRun, Position, StoredRecord } from '../model/record.ts'
import type { Runtime } from './runtime.ts'
import type { Limits } from '../model/limits.ts'
import type { AuditOptions, AuditReport } from './audit.ts'
import type {
  AdoptTableOptions,
  JudgeTableOptions,
  Lineage,
  Scan,
  ScanOptions,
  TableAdoption,
  TableVerdict,
  TierOptions,
  TierResult,
} from './topic.ts'
import type { PartitionFieldOf } from '../model/partition-spec.ts'
import type { ValueMode } from '../model/value-mode.ts'

/**
 * The door through which a log reads and grows its history. A log owns the newest records (the hot tier); a cold tier
 * owns everything below its *frontier*. The log decides when to tier and when the write-ahead copy may go; the cold
 * tier decides what is safely in the table.
 */
export interface ColdTier {
  readonly name: string
  /**
   * Asked before anything of a new topic is stored: whether the tier could keep it. A topic that exists is not asked about.
   * @throws `invalid` or `unsupported`, with what is in the way.
   */
  plan?(topic: PlannedTopic, limits: Limits): Promise<void>
  /**
   * Takes responsibility for a topic: creates what it needs, empty, or finds it again.
   * @throws `exists` when the table is another's; `conflict` code `LINEAGE_BROKEN`, or `LOG_BEHIND_TABLE` where the table has what the
   * log has lost (an older copy of it may have the epoch of whoever wrote that); `not-found` where a log open for reading only finds none;
   * `closed`; `unsupported`.
   */
  attach(topic: ColdTopicInfo, context: ColdContext): Promise<ColdTopic>
  /**
   * Makes a table fit to be attached again, once; see {@link Topic.adoptTable} and {@link OnBroken}. Only `by-hand` gives a log
   * that is older than its table the next incarnation: its `frontier` is then the first offset of each partition, and the topic is
   * to be attached with that. Called while the topic is not attached.
   * @throws what `attach` throws where the table stays as it is; `conflict` code `TABLE_MOVED` where it is at another snapshot than the
   * expected one, and nothing is changed then; an error with outcome `unknown` is settled by the next call.
   */
  adopt(
    topic: ColdTopicInfo,
    context: ColdContext,
    request: AdoptTableOptions & { readonly how: 'restore' | 'gap' | 'by-hand' },
  ): Promise<ColdAdoption>
  /** {@link Topic.judgeTable}, whether or not the topic is attached. A log open for reading only is judged by where it ends now. */
  judge?(topic: ColdTopicInfo, context: ColdContext, options?: JudgeTableOptions): Promise<TableVerdict>
  /**
   * {@link Topic.scan} of what the log holds, without a look at the table: for a topic that has released nothing, so that this is
   * all there is. The topic need not be attached.
   */
  scanHot?(topic: ColdTopicInfo, context: ColdContext, options: ScanOptions): Scan<Record<string, unknown>>
  /** Field ids that it asks for in a new table with values of this codec, for the schema ledger; null when they are no columns. */
  fieldIds?(codec: Codec): readonly SchemaFieldId[] | null
  /** What is going wrong with it that fails no call; the log's `stats()` show it. */
  failing?(): Error | undefined
  /** Closes its topics, and attaches none after that. */
  close(): Promise<void>
}

/** What a cold tier says of an adoption. */
export type ColdAdoption = Omit<TableAdoption, 'earlier'>

/** What a cold tier knows of a topic. */
export interface ColdTopicInfo {
  readonly logId: string
  readonly name: string
  /** UUID of the topic. */
  readonly id: string
  readonly incarnation: number
  readonly partitions: number
  /** `namespace.table`. */
  readonly table: string
  readonly partitionBy: readonly PartitionFieldOf[]
  /** Of the table's format, when it is made; default 2. */
  readonly formatVersion?: 2 | 3
  readonly valueMode: ValueMode
  /** Keep a checksum of each record in the row. */
  readonly rowCrc: boolean
  /** The present value codec, and its id in the ledger; 0 and undefined for a raw topic. */
  readonly valueCodec: Codec | undefined
  readonly valueSchemaId: number
  /** First offset per partition that this incarnation is responsible for. */
  readonly startOffsets: readonly bigint[]
}

/** What decides whether a topic's table can be made. */
export type PlannedTopic = Pick<
  ColdTopicInfo,
  'name' | 'table' | 'partitionBy' | 'formatVersion' | 'valueMode' | 'valueCodec'
>

/** What a log lends to its cold tier. */
export interface ColdContext {
  readonly runtime: Runtime
  readonly limits: Limits
  /** The log's store; the tier may keep its own objects below `log/`, never under a table's location. */
  readonly store: ObjectStore
  readonly schemas: SchemaLedger
  readonly hot: HotSource
  /** The records of a run, in order, for a tier that has no parser of record batches. */
  readonly recordsOf: (run: BatchRun) => readonly StoredRecord[]
  readonly access: 'read-write' | 'read-only'
  /** Of the writer; goes into the marker. */
  readonly epoch: bigint
  /**
   * Asked before a history is called broken: what a newer writer has done to a table is no fault of it. Resolves at once for a log
   * open for reading only. @throws `fenced` when a newer writer has taken over.
   */
  checkFence(): Promise<void>
  /**
   * Called by {@link ColdTopic.repair} before each commit that puts new files in the place of vanished ones, and once more where only
   * later it is learned that it happened: what waits for its release begins its grace anew, for whoever listed orphans before may take a
   * file that is new for a dead one. Durable on return. @throws what keeps the log from writing that down: then nothing is committed. A
   * commit that stands already does so all the same, and no call fails for that: the log tries again by itself, and its `stats()` tell.
   */
  renewGrace?(): Promise<void>
}

/** The hot tier, as the cold one sees it. Offsets per partition. */
export interface HotSource {
  /** Exclusive: min of high watermark and last stable offset. All below it and not released is readable here. */
  committedOffsets(): readonly bigint[]
  /** First offset that is still in the write-ahead tier. */
  releasedOffsets(): readonly bigint[]
  /**
   * Exclusive, per partition: where the log ended when this writer opened it; 0 for a partition made since. What a table holds of an
   * older epoch at or above it, the log has lost. A log open for reading only knows no such end and says 0.
   */
  recoveredOffsets(): readonly bigint[]
  /** Keeps `[from, …)` of every partition in the write-ahead tier until released. */
  pin(from: readonly bigint[]): { release(): void }
  /** Batches of `[from, to)`, cut at batch borders: the first and last run may reach outside. */
  read(request: {
    readonly partition: number
    readonly from: bigint
    readonly to: bigint
    readonly signal?: AbortSignal
  }): AsyncIterable<BatchRun>
}

export interface ColdTopic {
  /** Exclusive, per partition: the first offset the table does not answer for. Moved by `tier` and `refresh`, and not back. */
  frontier(): readonly bigint[]
  /** Of the table that the frontier was read from, as it was then; null where the table has no snapshot yet. */
  snapshotId(): bigint | null
  /**
   * Wall time of the commit that holds the frontier, or later, milliseconds since the epoch; undefined where the table does not say. The
   * log counts the grace of what was committed before it opened from here, and from its opening without. Safety must not rest on it.
   */
  committedAtMs?(): number | undefined
  /** How sure it is that the table is the log's history; as of the last time it was read. */
  lineage(): Lineage
  /** Reads the table anew. @throws `conflict` code `LINEAGE_BROKEN`. */
  refresh(options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * Moves all committed records below `upTo` (exclusive, per partition) into the table, in one commit, and resolves after
   * that commit has been read back. With nothing to move it makes no commit and says what is there. A signal asks it to stop where
   * it still can: whoever aborts hears what became of it, so that a commit which had been sent is not lost sight of. `asOfMs` as in
   * {@link TierOptions}; a tier without snapshots passes over it.
   * @throws `conflict` code `LINEAGE_BROKEN`; an error with outcome `unknown` is settled by the next call, never re-done blindly.
   */
  tier(request: TierOptions & { readonly upTo: readonly bigint[] }): Promise<TierResult>
  /**
   * Asked before write-ahead data goes: checks again that the table is intact, looks at every file that may hold offsets from what is
   * released up to `upTo` (exclusive, per partition), and returns the offset below which the write-ahead copy is not needed: at most
   * `upTo`, never beyond the first offset whose file is missing or cannot be opened. Such files are remembered until a later
   * call finds them, or finds that the table names them no more; until then reads and scans take what the write-ahead tier still has of
   * them from there. Nor does it go beyond the first offset of which nobody can tell whether its row is deleted; where nothing may go for
   * that reason, it throws what whoever reads there is told.
   * @throws `conflict` code `LINEAGE_BROKEN`; `unavailable` where a file could not be looked at; `exhausted`, `corrupt` or `unsupported` where
   * what is deleted cannot be read.
   */
  releasable(request: { readonly upTo: readonly bigint[]; readonly signal?: AbortSignal }): Promise<readonly bigint[]>
  /** Names of the files that are remembered as missing. */
  missingFiles?(): readonly string[]
  /**
   * Batches of `[from, to)` below the frontier, in order, with the producer's bytes where they are still known. The runs answer for all of
   * it, gaps too: the first begins at `from`, each next one where the one before ended. A batch that
   * reaches over an end may be given whole: of a run only what lies at its own offsets counts. Commits that come meanwhile change nothing.
   */
  read(request: {
    readonly partition: number
    readonly from: bigint
    readonly to: bigint
    readonly signal?: AbortSignal
  }): AsyncIterable<BatchRun>
  /** The records at these places, a run for each in the order given; a missing one is an empty run. */
  readAt(positions: readonly Position[], options?: { readonly signal?: AbortSignal }): AsyncIterable<BatchRun>
  /**
   * The first offset below `to` and the frontier whose record is not older than `timestamp` (ms since the epoch; a record without one has
   * -1); undefined: none. A tier that has no better way than a scan leaves it out: its `scan` is then asked with a 64-bit number beside
   * `_kafka_timestamp`, microseconds since the epoch, since there are times that no `Date` has.
   */
  offsetSince?(request: {
    readonly partition: number
    readonly timestamp: bigint
    readonly to: bigint
    readonly signal?: AbortSignal
  }): Promise<bigint | undefined>
  /** Table and hot tier as one: see {@link Topic.scan}. */
  scan(options: ScanOptions): Scan<Record<string, unknown>>
  /** See {@link Topic.audit}. */
  audit(options?: AuditOptions): Promise<AuditReport>
  /**
   * When something that commits have left behind is due to be deleted: wall time in ms since the epoch, never in the past for
   * nothing; undefined while there is nothing. The log calls {@link cleanUp} then.
   */
  cleanUpDueMs?(): number | undefined
  /** Deletes what is due. Cut off anywhere, the next call goes on. */
  cleanUp?(options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * When files that the table has lost are to be put back out of the write-ahead tier: wall time in ms since the epoch; undefined while
   * nothing is missing. The log calls {@link repair} then.
   */
  repairDueMs?(): number | undefined
  /**
   * Puts files with the same rows in the place of those that have vanished, as far as the write-ahead tier has their records; what the
   * table answers for stays what it was. True: some of them, by this call or an earlier one that could not say so. See
   * {@link ColdContext.renewGrace}.
   * @throws what `tier` throws.
   */
  repair?(options?: { readonly signal?: AbortSignal }): Promise<boolean>
  /** Waits for a commit already begun, starts none. Every other call is refused then (`closed`). Idempotent. */
  close(): Promise<void>
}
