import type { OffsetRange } from './offset-range.ts'

/** A header: keys may repeat and keep their order; a null value is not an empty one. */
export type Header = readonly [key: string, value: Uint8Array | null]

/** Whether a record's bytes are the producer's. */
export type Fidelity =
  /** They are. */
  | 'exact'
  /** Someone changed the row in SQL: rebuilt from what the columns say now. */
  | 'rewritten'
  /** A column that the bytes need is gone. */
  | 'degraded'

/**
 * A record as it lies in the log: all bytes, nothing decoded.
 *
 * The bytes are plain `Uint8Array`s and the reader's own: changing them changes nothing that the log, the table or another
 * reader has. Those of records read together may share one `ArrayBuffer` of some size: copy (`slice`) what is kept for long,
 * and before a transfer to another thread.
 */
export interface StoredRecord {
  readonly partition: number
  readonly offset: bigint
  /** Milliseconds since the epoch; -1n for none. */
  readonly timestamp: bigint
  readonly timestampType: 'create' | 'append'
  readonly key: Uint8Array | null
  /** The value's bytes; null for a tombstone. */
  readonly bytes: Uint8Array | null
  readonly headers: readonly Header[]
  readonly fidelity: Fidelity
}

/** A record as a reader gets it. */
export interface LogRecord<T = unknown> extends StoredRecord {
  /** The decoded value; undefined for a tombstone, for raw topics, and when `error` is set. */
  readonly value: T | undefined
  /**
   * The value does not decode, or SQL left the row without what the record needs, such as a null where the topic's schema
   * requires a value: kind `corrupt`. Or the log's schema ledger does not give the value's schema: `not-found` or
   * `unsupported`, code `SCHEMA_ID`. The record is still there.
   */
  readonly error?: Error
}

/**
 * Consecutive record batches of one partition on their way to a reader, from either tier. `nextOffset` spans trailing
 * gaps, so that every read makes progress.
 */
export interface BatchRun {
  readonly partition: number
  /** First offset that the run answers for. */
  readonly baseOffset: bigint
  /** Exclusive. */
  readonly nextOffset: bigint
  /** v2 record batches, back to back; may be empty (a gap). To be read only: they may be the log's own memory. */
  readonly batches: Uint8Array
  /**
   * Offsets whose records belong to aborted transactions, rising; they may reach beyond the run. The records are in `batches`, and whoever
   * shows, counts or stores records passes them over; absent: none.
   */
  readonly aborted?: readonly OffsetRange[]
  /** Of each record, in order; undefined: all exact. */
  readonly fidelity?: readonly Fidelity[]
  /** By place among the records: why a row of the table does not give its record back. What is framed there stands in. */
  readonly unreadable?: ReadonlyMap<number, string>
  /** Ids in the schema ledger of the values, per record or one for all. */
  readonly valueSchemaIds: number | readonly number[]
  /** Likewise of the keys; absent: 0, no schema. */
  readonly keySchemaIds?: number | readonly number[]
}

/** One place in a topic. */
export interface Position {
  readonly partition: number
  readonly offset: bigint
}
