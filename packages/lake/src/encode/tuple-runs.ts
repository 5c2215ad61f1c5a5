import type { Column, ColumnBatch } from '@moulin/core'
import { columnRuns, columnTransformer, partitionTupleKey } from '@moulin/iceberg'
import type { BoundPartitionSpec, ColumnRuns, ColumnTransformer, PartitionValue } from '@moulin/iceberg'

/** Rows of a batch that have one partition tuple. */
export interface TupleGroup {
  readonly key: string
  readonly tuple: readonly PartitionValue[]
  /** Rising; undefined: all of the batch, the usual case. */
  readonly rows: Int32Array | undefined
}

interface SpecField {
  readonly name: string
  readonly transform: ColumnTransformer
  readonly runs: ColumnRuns
}

interface Run {
  readonly group: Found
  readonly start: number
  readonly end: number
}

interface Found {
  readonly key: string
  readonly tuple: readonly PartitionValue[]
  length: number
}

/** Finds the partition tuples of rows run by run: what is made is made per run, not per row. */
export class TupleRuns {
  readonly #fields: readonly SpecField[]

  constructor(spec: BoundPartitionSpec) {
    this.#fields = spec.fields.map(({ transform, source }) => ({
      name: source!.name,
      transform: columnTransformer(transform, source!.type),
      runs: columnRuns(transform, source!.type),
    }))
  }

  /** In the order in which their first rows come. */
  groups(batch: ColumnBatch): TupleGroup[] {
    const columns = this.#fields.map(({ name }) => batch.columns.find((entry) => entry.name === name)?.column)
    const groups = new Map<string, Found>()
    const runs: Run[] = []
    let last: Found | undefined
    for (let start = 0, end = 0; start < batch.length; start = end) {
      const tuple = this.#fields.map(({ transform }, at) => valueAt(columns[at], transform, start))
      end = this.#runEnd(columns, batch.length, start)
      if (last === undefined || !sameTuple(tuple, last.tuple)) {
        const key = partitionTupleKey(tuple)
        last = groups.get(key)
        if (last === undefined) groups.set(key, (last = { key, tuple, length: 0 }))
      }
      last.length += end - start
      runs.push({ group: last, start, end })
    }
    const found = [...groups.values()]
    if (found.length === 1) return found.map(({ key, tuple }) => ({ key, tuple, rows: undefined }))
    const rows = new Map(found.map((group) => [group, { rows: new Int32Array(group.length), length: 0 }]))
    for (const { group, start, end } of runs) {
      const into = rows.get(group)!
      for (let row = start; row < end; row++) into.rows[into.length++] = row
    }
    return found.map((group) => ({ key: group.key, tuple: group.tuple, rows: rows.get(group)!.rows }))
  }

  #runEnd(columns: readonly (Column | undefined)[], length: number, start: number): number {
    let end = length
    this.#fields.forEach(({ runs }, at) => {
      const column = columns[at]
      if (column !== undefined && end > start + 1) end = Math.min(end, runs(column, start))
    })
    return end
  }
}

// A column that the batch lacks is all null.
function valueAt(column: Column | undefined, transform: ColumnTransformer, row: number): PartitionValue {
  return column === undefined ? null : transform(column, row)
}

// Equal references and scalars; bytes that are equal but not the same take the slow way and still land in one group.
function sameTuple(a: readonly PartitionValue[], b: readonly PartitionValue[]): boolean {
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false
  return true
}
