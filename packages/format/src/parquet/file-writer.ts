import type { ColumnBatch, IcebergSchema } from '@moulin/core'
import type { Compression } from '../compression.ts'

/**
 * The door between columns and a data file. `hyparquetWriter` is one implementation; an encoder of our own is another.
 * All of it is synchronous and does no I/O: it runs inside a worker thread, and the caller stores the bytes.
 */
export interface FileWriterFactory {
  /** For messages and benchmarks. */
  readonly name: string
  /** @throws `unsupported` for a type or codec that this writer cannot write; `invalid` for a malformed schema. */
  create(options: FileWriterOptions): FileWriter
}

export interface FileWriterOptions {
  /** Field ids, names and `required` are written as they stand. */
  readonly schema: IcebergSchema
  /** Default `zstd` (level 1). */
  readonly compression?: Compression
  /** Key-value metadata of the footer. */
  readonly keyValue?: Readonly<Record<string, string>>
  /** Uncompressed bytes of a page, about. Default {@link Limits.pageBytes}. */
  readonly pageBytes?: number
  /**
   * Top-level columns whose pages get bounds (a column index); names that the schema lacks are passed over. Every column
   * has an offset index in any case. Default: `_kafka_offset`.
   */
  readonly columnIndexes?: readonly string[]
}

/** One file being written. After an error it is of no use: make another. */
export interface FileWriter {
  /**
   * Writes the rows as exactly one row group, in the order given. Columns are matched by name; a column of the schema
   * that the batch lacks is all null, one of the batch that the schema lacks is `invalid`. Nothing of the batch is kept.
   * An empty batch writes nothing.
   * @throws `invalid` when a column's storage does not fit its type, or a required field has a null.
   */
  writeRowGroup(batch: ColumnBatch): void
  /** Bytes of the file so far, without its footer. */
  readonly sizeBytes: number
  /** Writes the indexes and the footer. Call once. */
  finish(): WrittenFile
}

export interface WrittenFile {
  readonly bytes: Uint8Array
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
}
