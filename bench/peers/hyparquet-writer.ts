import { parquetWriteBuffer } from 'hyparquet-writer'
import type { ColumnSource } from 'hyparquet-writer'
import { isValid } from '@moulin/core'
import type { Column } from '@moulin/core'
import { compress } from '@moulin/format'
import type { Shape } from '../shapes/shape.ts'
import { rowGroupRows } from '../shapes/shape.ts'

/** Its natural input: typed arrays, and arrays of JavaScript strings. Made before the clock runs. */
export function hyparquetColumns({ batches, schema, tuned }: Shape): ColumnSource[] {
  return schema.fields.map(({ name, required }, at) => {
    const columns = batches.map(({ columns }) => columns[at]!.column)
    const isDelta = tuned.delta.includes(name)
    const isPlain = !isDelta && !tuned.dictionary.includes(name)
    const encoding = isDelta ? 'DELTA_BINARY_PACKED' : isPlain ? 'PLAIN' : undefined
    return { name, nullable: !required, ...valuesOf(columns), ...(encoding !== undefined && { encoding }) }
  })
}

export function hyparquetWrite(columnData: ColumnSource[]): { readonly bytes: number } {
  const compressors = { SNAPPY: (bytes: Uint8Array) => compress('snappy', bytes) }
  return { bytes: parquetWriteBuffer({ columnData, compressors, rowGroupSize: rowGroupRows }).byteLength }
}

function valuesOf(columns: readonly Column[]): Pick<ColumnSource, 'data' | 'type'> {
  const rows = columns.reduce((sum, { length }) => sum + length, 0)
  const first = columns[0]!
  if (first.storage === 'int64') return { data: joined(columns, new BigInt64Array(rows)), type: 'INT64' }
  if (first.storage === 'float64') return { data: joined(columns, new Float64Array(rows)), type: 'DOUBLE' }
  return { data: columns.flatMap(plainValues), type: first.storage === 'int32' ? 'INT32' : 'STRING' }
}

function joined<A extends BigInt64Array | Float64Array>(columns: readonly Column[], target: A): A {
  let at = 0
  for (const column of columns) {
    ;(target as BigInt64Array).set((column as { values: BigInt64Array }).values, at)
    at += column.length
  }
  return target
}

function plainValues(column: Column): (string | number | null)[] {
  return Array.from({ length: column.length }, (_, row) => {
    if (!isValid(column, row)) return null
    if (column.storage === 'int32') return column.values[row]!
    if (column.storage !== 'bytes') throw new Error(`No bench has a column stored as ${column.storage}.`)
    return Buffer.from(column.data.buffer, column.data.byteOffset).toString(
      'utf8',
      column.starts[row],
      column.ends[row],
    )
  })
}
