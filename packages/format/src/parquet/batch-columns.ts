import { type Column, type ColumnBatch, type IcebergField, invalid } from '@moulin/core'

/**
 * A batch's columns in the order of the fields, matched by name; undefined where the batch has none.
 * @throws `invalid` for a name that is there twice or is no field's, and for a column of another length than its batch.
 */
export function batchColumns(fields: readonly IcebergField[], batch: ColumnBatch): (Column | undefined)[] {
  const columns = new Map(batch.columns.map(({ name, column }) => [name, column]))
  if (columns.size < batch.columns.length) throw invalid('COLUMN_REPEATED', 'A batch names one of its columns twice.')
  const matched = fields.map(({ name }) => {
    const column = columns.get(name)
    columns.delete(name)
    if (column !== undefined && column.length !== batch.length)
      throw invalid('COLUMN_LENGTH', `Column ${name} has ${column.length} rows, its batch ${batch.length}.`)
    return column
  })
  for (const name of columns.keys())
    throw invalid('COLUMN_UNKNOWN', `Column ${JSON.stringify(name)} is not in the schema of this file.`)
  return matched
}
