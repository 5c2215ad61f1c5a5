import type { Column, ColumnBatch, IcebergSchema } from '@moulin/core'

/** A table to encode: the rows of its row groups. */
export interface Shape {
  readonly name: string
  readonly schema: IcebergSchema
  readonly rows: number
  readonly batches: readonly ColumnBatch[]
  readonly tuned: TunedColumns
}

/** By name; columns that are in neither list are PLAIN. */
export interface TunedColumns {
  readonly delta: readonly string[]
  readonly dictionary: readonly string[]
}

export const rowGroupRows = 100_000

/** Cuts flat columns into batches of {@link rowGroupRows}, without copying. */
export function inRowGroups(columns: readonly { readonly name: string; readonly column: Column }[]): ColumnBatch[] {
  const rows = columns[0]!.column.length
  const batches: ColumnBatch[] = []
  for (let start = 0; start < rows; start += rowGroupRows) {
    const end = Math.min(rows, start + rowGroupRows)
    const part = columns.map(({ name, column }) => ({ name, column: rowsOf(column, start, end) }))
    batches.push({ length: end - start, columns: part })
  }
  return batches
}

function rowsOf(column: Column, start: number, end: number): Column {
  const length = end - start
  const validity = column.validity?.subarray(start >> 3, (end + 7) >> 3)
  if (column.storage === 'bytes') {
    const { data } = column
    const [starts, ends] = [column.starts.subarray(start, end), column.ends.subarray(start, end)]
    return { storage: 'bytes', length, validity, data, starts, ends }
  }
  if (column.storage === 'list' || column.storage === 'struct' || column.storage === 'fixed')
    throw new Error(`A shape has flat columns only, not ${column.storage}.`)
  return { ...column, length, validity, values: column.values.subarray(start, end) } as Column
}

/** Strings back to back; row i is `[offsets[i], offsets[i + 1])`. */
export class TextColumn {
  #data: Buffer
  readonly #offsets: Int32Array
  #row = 0

  constructor(rows: number, bytesPerRow: number) {
    this.#data = Buffer.allocUnsafeSlow(Math.max(64, rows * bytesPerRow))
    this.#offsets = new Int32Array(rows + 1)
  }

  append(text: string): void {
    this.appendBytes(Buffer.from(text))
  }

  appendBytes(bytes: Uint8Array): void {
    const start = this.#offsets[this.#row]!
    const end = start + bytes.length
    if (end > this.#data.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, Math.ceil(this.#data.length * 1.3)))
      this.#data.copy(grown, 0, 0, start)
      this.#data = grown
    }
    this.#data.set(bytes, start)
    this.#offsets[++this.#row] = end
  }

  finish(): Column {
    const length = this.#row
    const data = new Uint8Array(this.#data.buffer, 0, this.#offsets[length])
    const [starts, ends] = [this.#offsets.subarray(0, length), this.#offsets.subarray(1, length + 1)]
    return { storage: 'bytes', length, validity: undefined, data, starts, ends }
  }
}
