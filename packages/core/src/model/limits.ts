/**
 * Every limit has a name, a default, a unit (last in its name) and a test. A limit is policy: what is taken, and how much is
 * held at once. It never decides what can be read: that is {@link formatCaps}, which is fixed.
 */
const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

export interface Limits {
  /**
   * One record as it is framed, from the length of its key to the end of its headers: key, value, headers and the lengths
   * before them. The same wherever the record lies in a batch, and whatever batch that is.
   */
  readonly maxRecordBytes: number
  /** One record batch, compressed, as sent; all batches of one append together. A producer ends a batch before it. */
  readonly maxBatchBytes: number
  /** One record batch after decompression. */
  readonly maxDecompressedBatchBytes: number
  readonly maxRecordsPerBatch: number
  readonly maxHeadersPerRecord: number
  /** Partitions of a new topic. */
  readonly maxPartitions: number
  /** Bytes that the producers and appends of a log have accepted and not yet made durable, together; `send` waits above it. */
  readonly maxUnackedBytes: number
  /** One flush of the write-ahead tier: a write and its sync. Bounds the p99 of an ack (js-measured §5). */
  readonly maxFlushBytes: number
  /** A segment file of the write-ahead tier, where the Wal is not given a size of its own. */
  readonly segmentBytes: number
  /** Write-ahead bytes kept before confirmed data goes ahead of its grace. */
  readonly maxWalBytes: number
  /** Newest batches kept in memory for tailing readers. */
  readonly tailRingBytes: number
  /**
   * Write-ahead bytes at which a tiering commit is due, and which one takes of what is more than twice as much; less where the store
   * had no room for the files of one so large.
   */
  readonly commitBytes: number
  /** Memory for column builds of open partition writers; above it the largest goes out as a small file. */
  readonly maxOpenWriterBytes: number
  readonly maxOpenWriters: number
  /** Slices below this (uncompressed column bytes) share a row group. */
  readonly sharedRowGroupBytes: number
  readonly rowGroupBytes: number
  readonly pageBytes: number
  readonly markerBytes: number
  readonly metadataWarnBytes: number
  readonly metadataStopBytes: number
  /** Wall time a worker gets to decode one row group before it is killed as `corrupt`. */
  readonly decodeDeadlineMs: number
  /** Bytes handed to worker threads, and their results that nobody took yet; callers wait above it. */
  readonly maxWorkerBytes: number
  /** Write-ahead bytes, about, that one thread makes into data files of their own; a larger commit takes several. */
  readonly shardBytes: number
  /** Footers and page indexes, about, of the tables' data files that one log keeps for the next read; the least used go first. */
  readonly openFileBytes: number
  /**
   * Memory, about, that the keys of equality deletes about one data file take; what was read of files of deletes is kept for the next
   * read within as much.
   */
  readonly equalityDeleteBytes: number
  /** Memory, about, that the positions in one file of position deletes take. */
  readonly positionDeleteBytes: number
  /** Memory, about, in which it is kept which rows of data files are deleted. */
  readonly rowMaskBytes: number
  /** What is kept of the tables' manifests for the next plan, about; the least used go first. A data file takes 0.5 to 2 kB. */
  readonly manifestBytes: number
  /** Gaps listed by an audit per partition; findings of each kind listed by a deep one. */
  readonly maxGaps: number
  /** Missing files of a table that `stats()` names; it counts the others. */
  readonly maxMissingFiles: number
}

export const defaultLimits: Limits = {
  maxRecordBytes: 16 * MiB,
  maxBatchBytes: 32 * MiB,
  maxDecompressedBatchBytes: 128 * MiB,
  maxRecordsPerBatch: 1_000_000,
  maxHeadersPerRecord: 1_000,
  maxPartitions: 10_000,
  maxUnackedBytes: 64 * MiB,
  maxFlushBytes: 2 * MiB,
  segmentBytes: 64 * MiB,
  maxWalBytes: 16 * GiB,
  tailRingBytes: 32 * MiB,
  commitBytes: 128 * MiB,
  maxOpenWriterBytes: 256 * MiB,
  maxOpenWriters: 64,
  sharedRowGroupBytes: 4 * MiB,
  rowGroupBytes: 32 * MiB,
  pageBytes: 64 * KiB,
  markerBytes: 8 * KiB,
  metadataWarnBytes: 2 * MiB,
  metadataStopBytes: 4 * MiB,
  decodeDeadlineMs: 30_000,
  maxWorkerBytes: 256 * MiB,
  shardBytes: 64 * MiB,
  openFileBytes: 64 * MiB,
  equalityDeleteBytes: 256 * MiB,
  positionDeleteBytes: 256 * MiB,
  rowMaskBytes: 64 * MiB,
  manifestBytes: 128 * MiB,
  maxGaps: 1_000,
  maxMissingFiles: 100,
}

/** Extremes of a signed 64-bit integer. */
export const INT64_MIN: bigint = -(2n ** 63n)
export const INT64_MAX: bigint = 2n ** 63n - 1n

/** `ms × 1000` must fit an int64: the range of a record timestamp (DETAILS, "Columns"). */
export const TIMESTAMP_MS_MAX: bigint = 9_223_372_036_854_775n
