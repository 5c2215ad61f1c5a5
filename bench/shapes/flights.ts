import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { BytesColumn, ColumnBatch, IcebergField } from '@moulin/core'
import { bytesRangeReader, openParquet } from '@moulin/format'
import { inRowGroups, TextColumn } from './shape.ts'
import type { Shape } from './shape.ts'

const fields: readonly IcebergField[] = [
  { id: 1, name: 'date', required: true, type: 'timestamp' },
  { id: 2, name: 'delay', required: true, type: 'long' },
  { id: 3, name: 'distance', required: true, type: 'long' },
  { id: 4, name: 'origin', required: true, type: 'string' },
  { id: 5, name: 'destination', required: true, type: 'string' },
]

/** `flights-3m.parquet` of npm's vega-datasets: 3 000 000 rows of few distinct values, no nulls. */
export async function flights(limit: number = Infinity): Promise<Shape> {
  const path = fileURLToPath(new URL('../data/flights-3m.parquet', import.meta.resolve('vega-datasets')))
  const nameMapping = fields.map(({ id, name }) => ({ 'field-id': id, names: [name] }))
  const file = await openParquet(bytesRangeReader(await readFile(path), path), { nameMapping })
  const rows = Math.min(limit, file.rowCount)
  const longs = fields.slice(0, 3).map(() => new BigInt64Array(rows))
  const texts = fields.slice(3).map(() => new TextColumn(rows, 3))
  for (const [rowGroup, { firstRow }] of file.rowGroups.entries()) {
    if (firstRow >= rows) break
    const batch = await file.read({ rowGroup, types: fields })
    take(batch, Math.min(batch.length, rows - firstRow), firstRow)
  }
  const columns = fields.map(({ name }, at) => {
    const values = longs[at]
    if (values === undefined) return { name, column: texts[at - 3]!.finish() }
    return { name, column: { storage: 'int64', length: rows, validity: undefined, values } as const }
  })
  return {
    name: 'flights',
    schema: { type: 'struct', fields },
    rows,
    batches: inRowGroups(columns),
    tuned: { delta: ['date'], dictionary: ['delay', 'distance', 'origin', 'destination'] },
  }

  function take({ columns: from }: ColumnBatch, count: number, firstRow: number): void {
    for (const [at, values] of longs.entries()) {
      values.set((from[at]!.column as { values: BigInt64Array }).values.subarray(0, count), firstRow)
    }
    for (const [at, text] of texts.entries()) {
      const { data, starts, ends } = from[at + 3]!.column as BytesColumn
      for (let row = 0; row < count; row++) text.appendBytes(data.subarray(starts[row], ends[row]))
    }
  }
}
