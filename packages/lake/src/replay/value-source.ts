import { Arena, invalid, isKind, isValid, takeRows } from '@moulin/core'
import type { Codec, Column, ColumnarCodec, ColumnBatch, ColumnBuilder, RowsEncoder } from '@moulin/core'
import { rowsEncoderOf } from '@moulin/format'
import { fittingOf } from '../places/identity-rows.ts'
import type { Reshape } from '../table/reshape.ts'
import type { TableColumns } from '../table/table-layout.ts'

interface Scratch {
  bytes: Uint8Array
}

/** The value columns of one schema, and back to bytes. */
export class ValueSource {
  /** The table has some of the columns, or of their members, no more. */
  readonly lacksColumns: boolean
  readonly #codec: ColumnarCodec
  readonly #rows: RowsEncoder
  readonly #format: string
  /** Why the last row had no encoding. */
  #fault = ''
  /** Rows that SQL has given a value which their schema's type does not hold, and which one. */
  readonly #misfits = new Map<number, string>()
  readonly #present: readonly Column[]
  /** In the schema's field order; a column that the file lacks is all null. */
  readonly #columns: readonly Column[]
  /** What became of each of them in the table. */
  readonly #shapes: readonly (Reshape | 'gone' | undefined)[]
  readonly #target: Scratch = { bytes: new Uint8Array(4096) }
  readonly #otherTarget: Scratch = { bytes: new Uint8Array(4096) }
  #again: { readonly arena: Arena; readonly builders: readonly ColumnBuilder[] } | undefined

  constructor(codec: Codec, batch: ColumnBatch, columns: TableColumns) {
    this.#codec = codec.columnar!
    this.#rows = rowsEncoderOf(this.#codec)
    this.#format = codec.format
    const names = codec.schema.fields.map(({ name }) => name)
    this.lacksColumns = names.some((name) => columns.followed.get(name)?.gone.length !== 0)
    this.#shapes = names.map((name) => {
      const followed = columns.followed.get(name)
      return followed === undefined ? 'gone' : followed.fromTable
    })
    const found = names.map((name) =>
      fittingOf(batch, columns, name, (row, path, value) => {
        this.#misfits.set(row, `${name}${path} is ${value}, which its schema's type does not hold.`)
      }),
    )
    this.#present = found.flatMap((column) => column ?? [])
    const builders = found.includes(undefined) ? this.#codec.builders(new Arena(0)) : []
    this.#columns = found.map((column, at) => column ?? nulls(builders[at]!, batch.length))
  }

  /** Some column has one. */
  hasValue(row: number): boolean {
    return this.#present.some((column) => hasValueAt(column, row))
  }

  /** How many canonical bytes each of these rows has; −1: none, and {@link faultOf} says why. */
  sizes(rows: Int32Array, sizes: Int32Array): void {
    this.#rows.sizes(this.#columns, rows, sizes)
    if (this.#misfits.size === 0) return
    for (let at = 0; at < rows.length; at++) if (this.#misfits.has(rows[at]!)) sizes[at] = -1
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
    const misfit = this.#misfits.get(row)
    if (misfit !== undefined) {
      this.#fault = misfit
      return undefined
    }
    return this.#encoded(this.#columns, row, this.#target)
  }

  /** Whether these bytes are an encoding of the value whose canonical bytes are `encoded`. */
  isSame(bytes: Uint8Array, encoded: Uint8Array): boolean {
    if (Buffer.compare(bytes, encoded) === 0) return true
    const columns = this.#decoded(bytes)
    const canonical = columns === undefined ? undefined : this.#encoded(columns, 0, this.#otherTarget)
    return canonical !== undefined && Buffer.compare(canonical, encoded) === 0
  }

  /** The bytes as columns of one row, good until the next call; undefined where they are no value. */
  #decoded(bytes: Uint8Array): Column[] | undefined {
    const { arena, builders } = (this.#again ??= this.#builders())
    arena.clear()
    for (const builder of builders) builder.clear()
    const start = arena.append(bytes)
    const fidelity = this.#codec.decodeRow(arena, start, start + bytes.length, builders)
    return fidelity === 'unreadable' ? undefined : builders.map((builder): Column => builder.view())
  }

  /**
   * Whether these bytes are of a value that has in common with the row what the table still has of it: SQL has not changed
   * that since.
   */
  agrees(row: number, bytes: Uint8Array): boolean {
    if (this.#misfits.has(row)) return false
    const kept = this.#decoded(bytes)
    if (kept === undefined) return false
    const at = Int32Array.of(row)
    const merged = this.#columns.map((column, index) => {
      const shape = this.#shapes[index]
      return shape === 'gone' ? kept[index]! : withGone(takeRows(column, at), kept[index]!, shape)
    })
    const encoded = this.#encoded(merged, 0, this.#target)
    const canonical = encoded === undefined ? undefined : this.#encoded(kept, 0, this.#otherTarget)
    return canonical !== undefined && Buffer.compare(canonical, encoded!) === 0
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

/** A column of one row, and below it of as many as its lists have, with what the table has not of it from another one. */
function withGone(column: Column, kept: Column, shape: Reshape | undefined): Column {
  // Lists of other lengths differ whatever is in them.
  if (column.length !== kept.length) return column
  if (shape?.kind === 'list' && column.storage === 'list' && kept.storage === 'list') {
    return { ...column, element: withGone(column.element, kept.element, shape.element) }
  }
  if (shape?.kind !== 'struct' || column.storage !== 'struct' || kept.storage !== 'struct') return column
  const fields = shape.members.map(({ name, at, shape: below }, index) => {
    const [own, other] = [column.fields[index]!.column, kept.fields[index]!.column]
    return { name, column: at === undefined && own.length === other.length ? other : withGone(own, other, below) }
  })
  return { ...column, fields }
}

/** An empty list is none by itself: PyIceberg writes one in the place of a null in all rows that it puts into another file. */
export function hasValueAt(column: Column, row: number): boolean {
  return isValid(column, row) && !(column.storage === 'list' && column.offsets[row] === column.offsets[row + 1])
}

function nulls(builder: ColumnBuilder, length: number): Column {
  for (let row = 0; row < length; row++) builder.appendNull()
  return builder.finish()
}
