import type { Arena } from '../columns/arena.ts'
import type { ColumnBuilder } from '../columns/column-builder.ts'
import type { Column } from '../columns/columns.ts'
import type { Schema } from '../model/schema.ts'

/**
 * The door to a value's encoding. A codec turns JavaScript values into bytes, and back, and bytes straight into
 * columns, and back. It is frozen: `format` names the encoder version, and the same value gives the same bytes for ever.
 */
export interface Codec<T = unknown> {
  /** Name and version of the encoder, e.g. `avro/1`. */
  readonly format: string
  /** The codec's own definition. With `format` it rebuilds the codec in a process that has no schema in its code. */
  readonly definition: string
  /** Where a schema registry gave the schema: a part of what it is, so one text under two ids is two schemas. */
  readonly registry?: RegistryIdentity
  readonly schema: Schema<T>
  /** @throws `invalid` naming the field, for a value that does not fit the schema. */
  encode(value: T): Uint8Array
  /**
   * Writes the bytes of {@link encode} to `target` from `position` on, and returns where they end; -1 where there might not be room, so
   * that the caller comes again or encodes the value by itself. It may use all of `target` from `position` on, whatever it returns, and
   * touches nothing before. It keeps no reference that it would write to later. A codec without it is asked for {@link encode}, which costs
   * an array a value. @throws as {@link encode}.
   */
  encodeInto?(value: T, target: Uint8Array, position: number): number
  /** @throws `corrupt`. Gives the schema's own JavaScript types. */
  decode(bytes: Uint8Array): T
  /** Undefined when values of this schema cannot be columns; they are stored raw, and `reason` says why. */
  readonly columnar: ColumnarCodec | undefined
  readonly reason?: string
}

/** What a schema registry calls a schema, and how values name it. Plain data. */
export interface RegistryIdentity {
  /** How a value names its schema, e.g. `confluent`. */
  readonly wire: string
  /** The registry's id, a number or a GUID, as text. */
  readonly id: string
  /** Null where only the id is known. */
  readonly subject: string | null
  readonly version: number | null
  /** Schemas that the definition names, in the order of the registry. */
  readonly references: readonly { readonly name: string; readonly subject: string; readonly version: number }[]
}

/**
 * Values to columns and back, without a JavaScript value between. `builders`, `decodeRow` and `encodeRow` are what a codec
 * must have. {@link sizes} and {@link encodeRows} go together: a codec that has only one of them, or neither, is encoded
 * row by row, into the same bytes.
 *
 * All calls are synchronous, and what is passed in stays the caller's: a codec keeps no bytes, and changes none but those
 * that it is asked for.
 */
export interface ColumnarCodec {
  /** Empty builders for the value columns, in the schema's field order; strings go to `arena`. */
  builders(arena: Arena): ColumnBuilder[]
  /**
   * Appends one row to every builder from the bytes `[start, end)` of the arena that the builders were made with.
   * `canonical`: {@link encodeRow} over these columns gives the very same bytes. `readable`: the columns hold the value,
   * but not its exact encoding. `unreadable`: the bytes do not decode; every builder got a null. Never throws for bytes.
   */
  decodeRow(arena: Arena, start: number, end: number, builders: readonly ColumnBuilder[]): ValueFidelity
  /**
   * The canonical bytes of row `row` from columns in the schema's field order, written to `target` at `position`;
   * returns the end, or -1 when there is no room. @throws `invalid` when a required column is null there, or a column
   * holds what the encoding has no bytes for.
   */
  encodeRow(columns: readonly Column[], row: number, target: Uint8Array, position: number): number
  /**
   * How many bytes {@link encodeRow} gives each row: of row `rows[i]` into `sizes[i]`, −1 where it would throw `invalid`
   * (who wants to know why asks it). The columns are in the schema's field order; rows come in any order, as often as the
   * caller likes; `sizes` is as long as `rows`, what it holds before does not count. Throws for no row.
   */
  sizes?(columns: readonly Column[], rows: Int32Array, sizes: Int32Array): void
  /**
   * Writes the bytes of row `rows[i]` at `places[i]` of `target`, and not a byte beside them; `places[i]` is then where
   * they end. Only rows are asked for that {@link sizes} had a size of over the same columns, with that much room each, no
   * place within another's. The same bytes as {@link encodeRow}, for ever; where they are of other sizes than was said, a
   * cold read is refused (`invalid`, code CODEC_SIZES).
   */
  encodeRows?(columns: readonly Column[], rows: Int32Array, target: Uint8Array, places: Int32Array): void
}

/** The encoding of many rows at a time. */
export type RowsEncoder = Required<Pick<ColumnarCodec, 'sizes' | 'encodeRows'>>

export type ValueFidelity = 'canonical' | 'readable' | 'unreadable'

/** Rebuilds codecs of one encoder version from the schema ledger. */
export interface CodecFormat {
  readonly format: string
  /** A codec given a registry says so in {@link Codec.registry}. @throws `corrupt` when the definition is not one of this format. */
  restore(definition: string, registry?: RegistryIdentity): Codec
}

/** Where a log keeps every schema ever used. Ids are per log, start at 1, are never reused; 0 means no schema. */
export interface SchemaLedger {
  /** @throws `not-found` for an unknown id; `unsupported` when no given {@link CodecFormat} knows the entry. */
  codec(id: number): Promise<Codec>
  entry(id: number): Promise<SchemaLedgerEntry>
}

export interface SchemaLedgerEntry {
  readonly id: number
  /** {@link CodecFormat.format} of the encoder. */
  readonly codec: string
  readonly definition: string
  /** SHA-256 of the definition, hex. */
  readonly sha256: string
  readonly registry: RegistryIdentity | undefined
  /** Version of the mapping from schema to columns. */
  readonly mapping: number
  /** Ids that a new table of this schema is asked for; null where the log had no tier, or values are no columns. */
  readonly ids: readonly SchemaFieldId[] | null
}

/** Id of a field of the value, nested ones too: `['legs', 'element', 'to']`. */
export interface SchemaFieldId {
  readonly path: readonly string[]
  readonly id: number
}
