import { Arena, isValid } from '@moulin/core'
import type { BytesColumn, Column, ColumnBatch } from '@moulin/core'
import { gather } from './gathered-column.ts'
import type { GatheredColumn } from './gathered-column.ts'

/**
 * Rows copied together from batches whose memory goes back to its owner: small slices that will share pages or a row
 * group. Columns are copied as wholes, and the memory is used again after {@link clear}.
 */
export class SliceBuffer {
  readonly #arena = new Arena()
  readonly #columns = new Map<string, GatheredColumn>()
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Copies all rows. The columns must be those of the first batch. */
  append(batch: ColumnBatch): void {
    for (const { name, column } of batch.columns) {
      let gathered = this.#columns.get(name)
      if (gathered === undefined) this.#columns.set(name, (gathered = gather(column, this.#arena)))
      gathered.append(column, 0, column.length)
    }
    this.#length += batch.length
  }

  /** All rows so far, over memory that is good until the next `append` or `clear`. */
  view(): ColumnBatch {
    const columns = [...this.#columns].map(([name, gathered]) => ({ name, column: gathered.view() }))
    return { length: this.#length, columns }
  }

  clear(): void {
    this.#arena.clear()
    for (const gathered of this.#columns.values()) gathered.clear()
    this.#length = 0
  }
}

/** Uncompressed bytes of a column's values: what the limits on slices and row groups count. */
export function columnBytes(column: Column): number {
  switch (column.storage) {
    case 'bool':
      return column.length / 8
    case 'int32':
    case 'float32':
      return column.length * 4
    case 'int64':
    case 'float64':
      return column.length * 8
    case 'fixed':
      return column.length * column.width
    case 'bytes':
      return column.length * 4 + textBytes(column)
    case 'list':
      return column.length * 4 + columnBytes(column.element)
    case 'struct':
      return column.fields.reduce((sum, field) => sum + columnBytes(field.column), 0)
  }
}

function textBytes(column: BytesColumn): number {
  const { starts, ends, validity, length } = column
  let bytes = 0
  if (validity === undefined) for (let row = 0; row < length; row++) bytes += ends[row]! - starts[row]!
  else for (let row = 0; row < length; row++) if (isValid(column, row)) bytes += ends[row]! - starts[row]!
  return bytes
}

/** {@link columnBytes} of all columns. */
export function batchBytes(batch: ColumnBatch): number {
  return batch.columns.reduce((sum, { column }) => sum + columnBytes(column), 0)
}
