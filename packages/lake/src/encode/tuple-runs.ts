import { unsupported } from '@moulin/core'
import type { Column, ColumnBatch, IcebergField, IcebergSchema } from '@moulin/core'
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
  /** Names from the top-level column down: a source may lie in a struct. */
  readonly path: readonly string[]
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

  /** @throws `unsupported` for a spec that takes what the schema has no more. */
  constructor(spec: BoundPartitionSpec, schema: IcebergSchema) {
    this.#fields = spec.fields.map(({ name, transform, source, sourceId }) => {
      const path = pathTo(schema.fields, sourceId)
      if (source !== undefined && path !== undefined) {
        const { type } = source
        return { path, transform: columnTransformer(transform, type), runs: columnRuns(transform, type) }
      }
      // What an older format leaves of a partition field that was dropped.
      if (transform.kind === 'void') return { path: [], transform: () => null, runs: (column) => column.length }
      const message = `The partition field ${name} is made of column id ${sourceId}, which the table has no more.`
      throw unsupported('PARTITION_SOURCE', message, { context: { field: name, column: sourceId } })
    })
  }

  /** In the order in which their first rows come. */
  groups(batch: ColumnBatch): TupleGroup[] {
    const columns = this.#fields.map(({ path }) => columnAt(batch, path))
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

function pathTo(fields: readonly IcebergField[], id: number): readonly string[] | undefined {
  for (const { id: own, name, type } of fields) {
    if (own === id) return [name]
    const below = typeof type === 'object' && type.type === 'struct' ? pathTo(type.fields, id) : undefined
    if (below !== undefined) return [name, ...below]
  }
  return undefined
}

/** Null where a struct around it is. */
function columnAt(batch: ColumnBatch, [first, ...rest]: readonly string[]): Column | undefined {
  let column = batch.columns.find(({ name }) => name === first)?.column
  for (const step of rest) {
    if (column?.storage !== 'struct') return undefined
    const inner: Column | undefined = column.fields.find(({ name }) => name === step)?.column
    column = inner && { ...inner, validity: both(column.validity, inner.validity) }
  }
  return column
}

function both(a: Uint8Array | undefined, b: Uint8Array | undefined): Uint8Array | undefined {
  return a === undefined || b === undefined ? (a ?? b) : a.map((bits, at) => bits & b[at]!)
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
