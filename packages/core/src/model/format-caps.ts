const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

/** See {@link formatCaps}. */
export interface FormatCaps extends BatchCaps, FileCaps {
  /** Partitions of one topic. */
  readonly maxPartitions: number
  /** Levels of lists, structs and maps in one value. */
  readonly maxValueDepth: number
  /** Fields of one value, those of nested ones, elements, keys and values counted too. */
  readonly maxValueFields: number
  /** A segment file of the write-ahead tier. */
  readonly segmentBytes: number
  readonly pageBytes: number
  readonly rowGroupBytes: number
  readonly sharedRowGroupBytes: number
  readonly markerBytes: number
  readonly metadataStopBytes: number
  /** Any JSON document of a store. */
  readonly maxJsonBytes: number
}

/** Of record batches. */
export interface BatchCaps {
  readonly maxRecordBytes: number
  readonly maxBatchBytes: number
  readonly maxDecompressedBatchBytes: number
  readonly maxRecordsPerBatch: number
  readonly maxHeadersPerRecord: number
}

/** Of Avro and Parquet files. */
export interface FileCaps {
  /** One block, decompressed. */
  readonly maxAvroBlockBytes: number
  /** One file, and all its blocks decompressed. */
  readonly maxAvroFileBytes: number
  readonly maxParquetFooterBytes: number
  /** Leaf columns of one file. */
  readonly maxParquetColumns: number
  readonly maxParquetRowGroups: number
  /** Rows that one row group may claim. */
  readonly maxParquetRowGroupRows: number
  /** One page after decompression. */
  readonly maxParquetPageBytes: number
}

const MAX_VALUE_FIELDS = 10_000

/**
 * What this format holds at most, and a reader therefore takes, whatever limits the log is opened with: what was written
 * under any limits is read under any others. A limit of the same name stays within, which is checked when a log is opened.
 * Fixed: to raise one is a new format with a new minimum reader.
 */
export const formatCaps: FormatCaps = {
  maxRecordBytes: 64 * MiB,
  maxBatchBytes: 256 * MiB,
  maxDecompressedBatchBytes: 512 * MiB,
  // A reader holds the records of a batch at once.
  maxRecordsPerBatch: 4_000_000,
  maxHeadersPerRecord: 1_000_000,
  maxPartitions: 100_000,
  maxValueDepth: 32,
  maxValueFields: MAX_VALUE_FIELDS,
  segmentBytes: 2 * GiB - 1,
  pageBytes: 64 * MiB,
  rowGroupBytes: 1 * GiB,
  sharedRowGroupBytes: 256 * MiB,
  markerBytes: 1 * MiB,
  maxJsonBytes: 256 * MiB,
  // A JSON document takes ten times as much once it is parsed, and this one is parsed at every load.
  metadataStopBytes: 64 * MiB,
  maxAvroBlockBytes: 64 * MiB,
  maxAvroFileBytes: 1 * GiB,
  maxParquetFooterBytes: 64 * MiB,
  // The value's, and those that have the thousand field ids before them.
  maxParquetColumns: MAX_VALUE_FIELDS + 1_000,
  maxParquetRowGroups: 100_000,
  maxParquetRowGroupRows: 64 * MiB,
  // Pages end at rows, so one may be as long as a record beyond `pageBytes`; a column may have eight bytes for one of a record.
  maxParquetPageBytes: 1 * GiB,
}
