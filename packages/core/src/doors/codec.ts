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

export interface ColumnarCodec {
  /** Empty builders for the value columns, in the schema's field order; strings go to `arena`. */
  builders(arena: Arena): ColumnBuilder[]
  /**
   * Appends one row to every builder from the bytes `[start, end)` of the arena that the builders were made with.
   * `canonical`: {@link encodeRow} over these columns gives the very same bytes. `readable`: the columns hold the value,
   * but not its exact encoding. `unreadable`: the bytes do not decode; every builder got a null.
   */
  decodeRow(arena: Arena, start: number, end: number, builders: readonly ColumnBuilder[]): ValueFidelity
  /**
   * The canonical bytes of row `row` from columns in the schema's field order, written to `target` at `position`;
   * returns the end, or -1 when there is no room. @throws `invalid` when a required column is null there.
   */
  encodeRow(columns: readonly Column[], row: number, target: Uint8Array, position: number): number
}

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
