import type { ColumnBatch, IcebergSchema } from '@moulin/core'
import type { Compression } from '../bytes/compression.ts'

/**
 * The door between columns and a data file. `parquetWriter` is our own encoder, `hyparquetWriter` of the entry `second-opinion` another.
 * All of it is synchronous and does no I/O: it runs inside a worker thread, and the caller stores the bytes.
 */
export interface FileWriterFactory {
  /** For messages and benchmarks. */
  readonly name: string
  /** @throws `unsupported` for a type, codec or option that this writer cannot write; `invalid` for a malformed schema. */
  create(options: FileWriterOptions): FileWriter
}

/** Every writer takes what is above `encodings`; what is below it, only `parquetWriter` does. */
export interface FileWriterOptions {
  /** Field ids, names and `required` are written as they stand. */
  readonly schema: IcebergSchema
  /**
   * Default `zstd` (level 1). `parquetWriter` leaves a column chunk uncompressed when its first page does not shrink by
   * a twentieth (`snappy`: an eighth).
   */
  readonly compression?: Compression
  /** Key-value metadata of the footer. */
  readonly keyValue?: Readonly<Record<string, string>>
  /** Uncompressed bytes of a page, about; pages end at rows. Default {@link Limits.pageBytes}. */
  readonly pageBytes?: number
  /**
   * Top-level columns whose pages get bounds (a column index), or `all`; names that the schema lacks are passed over.
   * Every column has an offset index in any case. Default: `_kafka_offset`.
   */
  readonly columnIndexes?: 'all' | readonly string[]
  /** Compressed bytes of pages at which an open row group is closed. Default {@link Limits.rowGroupBytes}. */
  readonly rowGroupBytes?: number
  /**
   * Takes the file's bytes as they become final, in order; the writer then keeps none of them and
   * {@link WrittenFile.bytes} is empty. The memory may be reused after the call: copy or write it at once.
   */
  readonly sink?: (bytes: Uint8Array) => void
  /** By dotted path of the leaf (`tags.list.element`). Default `auto`: by type and content. */
  readonly encodings?: Readonly<Record<string, LeafEncoding>>
  /**
   * Whether integers that no dictionary suits are DELTA_BINARY_PACKED where `encodings` says nothing else. Default false:
   * they are PLAIN, which is larger, and what Iceberg's vectorised Spark reader before 1.10 reads.
   */
  readonly deltas?: boolean
  /** Version of data pages; 1 is read by everyone. Default 1. */
  readonly pageVersion?: 1 | 2
  /** A CRC-32 in every page header. Default true. */
  readonly pageChecksums?: boolean
  /** Bytes that a bound in footer and column index is cut to. Default 64. */
  readonly boundBytes?: number
  /** Leaves that get a bloom filter, by dotted path, and its rate of false positives (default 0.01). */
  readonly bloomFilters?: Readonly<Record<string, { readonly fpp?: number }>>
  /** Stated in the row groups; that the rows are in this order is the caller's word. */
  readonly sortingColumns?: readonly SortingColumn[]
}

/** `auto` may begin with a dictionary and go on without it; `dictionary` does not give up before the page limit. */
export type LeafEncoding =
  | 'auto'
  | 'plain'
  | 'dictionary'
  | 'delta-binary-packed'
  | 'delta-length-byte-array'
  | 'delta-byte-array'
  | 'byte-stream-split'
  /** Booleans only. */
  | 'rle'

export interface SortingColumn {
  /** Dotted path of the leaf. */
  readonly path: string
  readonly descending?: boolean
  readonly nullsFirst?: boolean
}

/** One file being written. After an error it is of no use: make another. */
export interface FileWriter {
  /**
   * Appends rows to the open row group, and closes it once it has `rowGroupBytes`. Columns are matched by name; a column
   * of the schema that the batch lacks is all null, one of the batch that the schema lacks is `invalid`. Nothing of the
   * batch is kept: its memory may be reused after the call. An empty batch writes nothing. Pages do not reach over
   * batches, so a batch should have some thousand rows. A writer that cannot keep a row group open closes it at once.
   * @throws `invalid` when a column's storage does not fit its type, or a required field has a null.
   */
  write(batch: ColumnBatch): void
  /** Closes the open row group; without one it does nothing. */
  endRowGroup(): void
  /** The rows as exactly one row group: what is open is closed before, and this one after. */
  writeRowGroup(batch: ColumnBatch): void
  /** Bytes of the file so far, the open row group included, its footer not. */
  readonly sizeBytes: number
  /** Whether the file should get no more rows, whatever its size: readers take a footer up to {@link formatCaps}. */
  readonly isFull: boolean
  /** Closes the open row group, writes the indexes and the footer. Call once. */
  finish(): WrittenFile
}

export interface WrittenFile {
  /** The whole file in memory of its own; empty when a sink took it. */
  readonly bytes: Uint8Array
  readonly sizeBytes: number
  readonly rowCount: number
  readonly rowGroups: readonly WrittenRowGroup[]
  /** By field id, leaf fields only: what an Iceberg manifest wants to know. Taken from the columns, never read back. */
  readonly metrics: ReadonlyMap<number, FieldMetrics>
}

export interface WrittenRowGroup {
  readonly rowCount: number
  /** Where its first page begins in the file: an Iceberg split offset. */
  readonly offset: number
  /** Compressed bytes of its pages. */
  readonly sizeBytes: number
}

/**
 * A value as stored: `boolean`; int, date (days), float, double as `number`; long, time, timestamp, timestamptz (µs) and
 * every decimal (unscaled) as `bigint`; string (UTF-8), binary, uuid and fixed as bytes.
 */
export type MetricValue = boolean | number | bigint | Uint8Array

/** Iceberg spec, "Manifests", `column_sizes` to `upper_bounds`. */
export interface FieldMetrics {
  /** Compressed bytes of all its pages. */
  readonly sizeBytes: number
  /** Values with nulls and NaNs; below a list, its slots as Parquet counts them (an empty list is one). */
  readonly valueCount: number
  readonly nullCount: number
  /** Only float and double. */
  readonly nanCount?: number
  /** Exact, never cut, NaN left out; absent when there is no value, and for fields below a list. Bytes compare unsigned. */
  readonly lower?: MetricValue
  readonly upper?: MetricValue
  /**
   * Only uuid: the top bits seen. 1: a first half (8 bytes) without, 2: with; 4: a second half without, 8: with. Who compares
   * the halves as signed numbers, as Java does, orders values as their bytes do only where each half has one of its two.
   */
  readonly topBits?: number
}
