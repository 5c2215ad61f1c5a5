/**
 * Columns: typed arrays, one slot a row, a validity bitmap and, for strings, positions in an arena. The form in which
 * records travel between a record batch and a Parquet page, with no object per row.
 */

/** How the values of a column lie in memory. */
export type Column = PrimitiveColumn | BytesColumn | FixedColumn | ListColumn | StructColumn

interface ColumnBase {
  readonly length: number
  /** Bit i (least significant first) is set when row i has a value; undefined: no nulls. A null's slot holds anything. */
  readonly validity: Uint8Array | undefined
}

/**
 * | storage | values | holds |
 * | --- | --- | --- |
 * | `bool` | Uint8Array, 0 or 1 | boolean |
 * | `int32` | Int32Array | int, date (days since 1970-01-01) |
 * | `int64` | BigInt64Array | int53, long, time, timestamp, timestamptz (µs), decimal up to precision 18 (unscaled) |
 * | `float32`, `float64` | Float32Array, Float64Array | float, double |
 */
export type PrimitiveColumn = ColumnBase &
  (
    | { readonly storage: 'bool'; readonly values: Uint8Array }
    | { readonly storage: 'int32'; readonly values: Int32Array }
    | { readonly storage: 'int64'; readonly values: BigInt64Array }
    | { readonly storage: 'float32'; readonly values: Float32Array }
    | { readonly storage: 'float64'; readonly values: Float64Array }
  )

/** The arrays of {@link PrimitiveColumn}, by storage. */
export const valueArrays: {
  readonly [S in PrimitiveColumn['storage']]: new (
    length: number,
  ) => Extract<PrimitiveColumn, { readonly storage: S }>['values']
} = { bool: Uint8Array, int32: Int32Array, int64: BigInt64Array, float32: Float32Array, float64: Float64Array }

/** string and binary: row i is `data[starts[i], ends[i])`. Rows may share or skip bytes. */
export interface BytesColumn extends ColumnBase {
  readonly storage: 'bytes'
  readonly data: Uint8Array
  readonly starts: Int32Array
  readonly ends: Int32Array
}

/** uuid (16 bytes), fixed, decimal above precision 18 (big-endian two's complement, {@link decimalWidth} bytes). */
export interface FixedColumn extends ColumnBase {
  readonly storage: 'fixed'
  readonly width: number
  /** `length × width` bytes. */
  readonly values: Uint8Array
}

/** Row i is the child's rows `[offsets[i], offsets[i + 1])`. */
export interface ListColumn extends ColumnBase {
  readonly storage: 'list'
  /** `length + 1` entries, never falling. */
  readonly offsets: Int32Array
  readonly element: Column
}

export interface StructColumn extends ColumnBase {
  readonly storage: 'struct'
  readonly fields: readonly { readonly name: string; readonly column: Column }[]
}

/** Columns of one length with their names: some rows of a table. */
export interface ColumnBatch {
  readonly length: number
  readonly columns: readonly { readonly name: string; readonly column: Column }[]
}

/** Whether row `row` has a value. */
export function isValid(column: Column, row: number): boolean {
  return column.validity === undefined || (column.validity[row >> 3]! & (1 << (row & 7))) !== 0
}

/** Bytes of a fixed-length decimal: the fewest that hold the precision (Iceberg spec, appendix A, Parquet). */
export function decimalWidth(precision: number): number {
  const max = 10n ** BigInt(precision) - 1n
  let width = 1
  while (2n ** BigInt(8 * width - 1) - 1n < max) width++
  return width
}

/** Counts the rows without a value. */
export function nullCount(column: Column): number {
  if (column.validity === undefined) return 0
  let nulls = 0
  for (let row = 0; row < column.length; row++) if (!isValid(column, row)) nulls++
  return nulls
}

/** The rows at `rows`, in that order, as a column of its own. Bytes stay where they are; only positions are copied. */
export function takeRows(column: Column, rows: Int32Array): Column {
  const length = rows.length
  const validity = takeValidity(column, rows)
  switch (column.storage) {
    case 'bytes': {
      const starts = new Int32Array(length)
      const ends = new Int32Array(length)
      for (let i = 0; i < length; i++) {
        starts[i] = column.starts[rows[i]!]!
        ends[i] = column.ends[rows[i]!]!
      }
      return { storage: 'bytes', length, validity, data: column.data, starts, ends }
    }
    case 'fixed': {
      const { width } = column
      const values = new Uint8Array(length * width)
      for (let i = 0; i < length; i++) {
        const from = rows[i]! * width
        values.set(column.values.subarray(from, from + width), i * width)
      }
      return { storage: 'fixed', length, validity, width, values }
    }
    case 'list': {
      const offsets = new Int32Array(length + 1)
      for (let i = 0; i < length; i++) {
        offsets[i + 1] = offsets[i]! + column.offsets[rows[i]! + 1]! - column.offsets[rows[i]!]!
      }
      const children = new Int32Array(offsets[length]!)
      for (let i = 0, at = 0; i < length; i++) {
        for (let child = column.offsets[rows[i]!]!; child < column.offsets[rows[i]! + 1]!; child++)
          children[at++] = child
      }
      return { storage: 'list', length, validity, offsets, element: takeRows(column.element, children) }
    }
    case 'struct': {
      const fields = column.fields.map(({ name, column: child }) => ({ name, column: takeRows(child, rows) }))
      return { storage: 'struct', length, validity, fields }
    }
    default: {
      const values = new (column.values.constructor as Uint8ArrayConstructor)(length)
      const source = column.values as Uint8Array
      for (let i = 0; i < length; i++) values[i] = source[rows[i]!]!
      return { storage: column.storage, length, validity, values } as unknown as PrimitiveColumn
    }
  }
}

function takeValidity(column: Column, rows: Int32Array): Uint8Array | undefined {
  if (column.validity === undefined) return undefined
  const validity = new Uint8Array((rows.length + 7) >> 3)
  for (let i = 0; i < rows.length; i++) if (isValid(column, rows[i]!)) validity[i >> 3]! |= 1 << (i & 7)
  return validity
}
