import { Arena, invalid, isKind, isValid } from '@moulin/core'
import type { Codec, Column, ColumnarCodec, ColumnBatch, ColumnBuilder, RowsEncoder } from '@moulin/core'
import { rowsEncoderOf } from '@moulin/format'
import { columnOf } from '../places/identity-rows.ts'
import type { TableColumns } from '../table/table-layout.ts'

interface Scratch {
  bytes: Uint8Array
}

/** The value columns of one schema, and back to bytes. */
export class ValueSource {
  /** The table has some of the columns no more. */
  readonly lacksColumns: boolean
  readonly #codec: ColumnarCodec
  readonly #rows: RowsEncoder
  readonly #format: string
  /** Why the last row had no encoding. */
  #fault = ''
  readonly #present: readonly Column[]
  /** In the schema's field order; a column that the file lacks is all null. */
  readonly #columns: readonly Column[]
  readonly #target: Scratch = { bytes: new Uint8Array(4096) }
  readonly #otherTarget: Scratch = { bytes: new Uint8Array(4096) }
  #again: { readonly arena: Arena; readonly builders: readonly ColumnBuilder[] } | undefined

  constructor(codec: Codec, batch: ColumnBatch, columns: TableColumns) {
    this.#codec = codec.columnar!
    this.#rows = rowsEncoderOf(this.#codec)
    this.#format = codec.format
    const names = codec.schema.fields.map(({ name }) => name)
    this.lacksColumns = names.some((name) => columns.byName.get(name) === undefined)
    const found = names.map((name) => columnOf(batch, columns, name))
    this.#present = found.flatMap((column) => column ?? [])
    const builders = found.includes(undefined) ? this.#codec.builders(new Arena(0)) : []
    this.#columns = found.map((column, at) => column ?? nulls(builders[at]!, batch.length))
  }

  /** Some column has a value. */
  hasValue(row: number): boolean {
    return this.#present.some((column) => isValid(column, row))
  }

  /** How many canonical bytes each of these rows has; −1: none, and {@link faultOf} says why. */
  sizes(rows: Int32Array, sizes: Int32Array): void {
    this.#rows.sizes(this.#columns, rows, sizes)
  }

  /**
   * Writes the canonical bytes of rows to their places, which are then where they end.
   * @throws `invalid` naming the codec when they are not of the sizes that it said: the records around would be lost.
   */
  encodeRows(rows: Int32Array, sizes: Int32Array, target: Uint8Array, places: Int32Array): void {
    let left = 0
    for (let at = 0; at < places.length; at++) left += places[at]! + sizes[at]!
    this.#rows.encodeRows(this.#columns, rows, target, places)
    for (let at = 0; at < places.length; at++) left -= places[at]!
    if (left === 0) return
    const message =
      `The codec ${this.#format} encodes ${rows.length} rows from row ${rows[0]} on in ${left} bytes less than its \`sizes\` ` +
      'say. Both must say what `encodeRow` writes; without them the rows are encoded one by one.'
    throw invalid('CODEC_SIZES', message)
  }

  /** Why the row has no encoding. */
  faultOf(row: number): string {
    return this.encode(row) === undefined ? this.#fault : 'its codec has no size for it.'
  }

  /** The canonical bytes of a row, good until the next call; undefined where it has none. */
  encode(row: number): Uint8Array | undefined {
    return this.#encoded(this.#columns, row, this.#target)
  }

  /** Whether these bytes are an encoding of the value whose canonical bytes are `encoded`. */
  isSame(bytes: Uint8Array, encoded: Uint8Array): boolean {
    if (Buffer.compare(bytes, encoded) === 0) return true
    const { arena, builders } = (this.#again ??= this.#builders())
    arena.clear()
    for (const builder of builders) builder.clear()
    const start = arena.append(bytes)
    const fidelity = this.#codec.decodeRow(arena, start, start + bytes.length, builders)
    if (fidelity === 'unreadable') return false
    const columns = builders.map((builder): Column => builder.view())
    const canonical = this.#encoded(columns, 0, this.#otherTarget)
    return canonical !== undefined && Buffer.compare(canonical, encoded) === 0
  }

  #builders(): { readonly arena: Arena; readonly builders: readonly ColumnBuilder[] } {
    const arena = new Arena(1024)
    return { arena, builders: this.#codec.builders(arena) }
  }

  #encoded(columns: readonly Column[], row: number, target: Scratch): Uint8Array | undefined {
    for (;;) {
      const end = this.#encode(columns, row, target.bytes, 0)
      if (end === undefined) return undefined
      if (end >= 0) return target.bytes.subarray(0, end)
      target.bytes = new Uint8Array(target.bytes.length * 2)
    }
  }

  // -1: no room; undefined: no encoding.
  #encode(columns: readonly Column[], row: number, target: Uint8Array, position: number): number | undefined {
    try {
      return this.#codec.encodeRow(columns, row, target, position)
    } catch (error) {
      if (!isKind(error, 'invalid')) throw error
      this.#fault = error.message
      return undefined
    }
  }
}

function nulls(builder: ColumnBuilder, length: number): Column {
  for (let row = 0; row < length; row++) builder.appendNull()
  return builder.finish()
}
