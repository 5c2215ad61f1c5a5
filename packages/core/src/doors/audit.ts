export interface AuditOptions {
  /**
   * Also reads all of every row in files that this log did not write, and makes its checksum anew; default false. It takes as
   * long as reading them, in memory that does not grow with them.
   */
  readonly deep?: boolean
  /** Called again and again while files are read. What it throws ends the audit. */
  readonly onProgress?: (progress: AuditProgress) => void
  readonly signal?: AbortSignal
}

export interface AuditProgress {
  /** Data files of the snapshot, as it says itself; null where it does not. */
  readonly files: number | null
  readonly filesDone: number
  /** Rows read so far. */
  readonly rows: number
}

export interface AuditReport {
  /** Rows and checksum of every partition equal the ledger; a deep audit found nothing altered, moved, doubled or returned either. */
  readonly clean: boolean
  readonly partitions: readonly AuditPartition[]
  /** Ranges below the frontier without a row, with the reason; where a partition has several, of which a tier knows the counts alone, one of them. */
  readonly gaps: readonly AuditGap[]
  /** What `audit({ deep: true })` found; null without it. */
  readonly deep: DeepAudit | null
  /**
   * Count and sum for any SQL engine; `{table}` stands for the table's name. Like the audit that is not deep it cannot see an
   * UPDATE of anything but `_kafka_crc`, incarnation and partition.
   */
  readonly sql: string
}

/** What is wrong with single rows: what they hold, in files that this log did not write; where they are, in all. Each list ends at the limit `maxGaps`. */
export interface DeepAudit {
  /** Files that the log did not write, and their rows whose checksum was made anew; none in a topic with `rowCrc: false`. */
  readonly files: number
  readonly rows: bigint
  /** Rows that do not match their checksum: all that `altered` and `moved` are about, listed or not. */
  readonly mismatched: bigint
  /** Rows at a place that another row has, in any file. */
  readonly doubledRows: bigint
  /** Rows that cannot be judged, since a column that they need, or that of the checksums, has been dropped. */
  readonly unproven: bigint
  /**
   * Rows of the ledger that are in the table no more, those that were moved left out. Where more rows are altered than the limit
   * `maxGaps`, all above it may be moved ones: it is at least so many then, and `deleted` names none.
   */
  readonly deletedRows: bigint
  /** Rows, at least, that an earlier deep audit found deleted and that are there again, with whatever content: all that `returned` is about. */
  readonly returnedRows: bigint
  /** Where rows are gone. Of a partition that has offsets which never had a row, these too: the ledger does not place them. */
  readonly deleted: readonly AuditRange[]
  readonly altered: readonly AuditRange[]
  /** Rows that match at a place of the ledger where no row stands that does: SQL moved them from there. */
  readonly moved: readonly AuditMove[]
  readonly doubled: readonly AuditRange[]
  /**
   * Places that the last deep audit of a writer found without their row, and that have one again. A writer's audit names them once, since it
   * remembers the table as it finds it (docs/formats/log.md, "What an audit found deleted"); a log open for reading only compares, and
   * remembers nothing.
   */
  readonly returned: readonly AuditRange[]
}

export interface AuditPlace {
  readonly incarnation: number
  readonly partition: number
  readonly offset: bigint
}

export interface AuditMove extends AuditPlace {
  /** Where it was. */
  readonly origin: AuditPlace
}

export interface AuditRange {
  readonly incarnation: number
  readonly partition: number
  readonly from: bigint
  /** Exclusive. */
  readonly to: bigint
}

/** Counts of one (incarnation, partition): what the table holds, beside what the ledger says. */
export interface AuditPartition {
  readonly incarnation: number
  readonly partition: number
  readonly start: bigint
  readonly frontier: bigint
  /** Places of the ledger with a row: what reads, scans and counts show. */
  readonly rows: bigint
  /** Rows that the table should have: those of the ledger without what retention removed. */
  readonly ledgerRows: bigint
  /**
   * Rows that nobody is shown: at a place where another row counts, or outside of `[start, frontier)`. `count(*)` in SQL is `rows`
   * and these together.
   */
  readonly unseen: bigint
  readonly control: bigint
  readonly aborted: bigint
  readonly skipped: bigint
  /** Rows of the ledger that are not in the table. */
  readonly deleted: bigint
  /** Exact sum of the signed `_kafka_crc` of `rows`; null without row checksums, and where SQL has dropped their column. */
  readonly checksum: bigint | null
  /** Of the same rows as `ledgerRows`. */
  readonly ledgerChecksum: bigint | null
}

export interface AuditGap extends AuditRange {
  /** `unknown`: the jump at the beginning of an incarnation that an adopted table began; what was there, nobody knows. */
  readonly reason: 'control' | 'aborted' | 'skipped' | 'deleted' | 'expired' | 'unknown'
}
