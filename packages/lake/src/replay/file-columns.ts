import type { LiveFile } from '@moulin/iceberg'
import { systemIds } from '../table/system-columns.ts'
import type { TableColumns } from '../table/table-layout.ts'

/**
 * The columns as a file of ours has them. What the table lacked when it was written its rows have lost for good, also where an earlier
 * schema was made current again and has the column: then it is gone from this file, and not from the table. Members of columns are not
 * looked at.
 */
export function columnsIn(columns: TableColumns, { fields }: Pick<LiveFile, 'fields'>): TableColumns {
  const present = new Set(fields.map(({ id }) => id))
  const lost = [...columns.followed].filter(([, { theirs }]) => !present.has(theirs.id))
  if (lost.length === 0) return columns
  const followed = new Map(columns.followed)
  for (const [name, field] of lost) followed.set(name, { ...field, gone: [name] })
  const isOfSystem = ([name]: readonly [string, unknown]): boolean => name in systemIds
  return {
    ...columns,
    followed,
    gone: [...columns.gone, ...lost.map(([name]) => name)],
    lacksSystem: columns.lacksSystem || lost.some(isOfSystem),
    lacksValues: columns.lacksValues || !lost.every(isOfSystem),
  }
}
