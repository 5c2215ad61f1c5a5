import { isValid } from '@moulin/core'
import type { CallOptions, Column, ColumnBatch, IcebergField } from '@moulin/core'
import type { LiveFile, LiveRows } from '@moulin/iceberg'
import { rowOf } from '../live/live-files.ts'
import { reshaped } from '../table/reshape.ts'
import type { Misfit } from '../table/reshape.ts'
import { identityNames } from '../table/system-columns.ts'
import type { TableColumns } from '../table/table-layout.ts'

/** Who a row is: (incarnation, partition, offset). Rows that lack one are foreign ones, invisible to the log. */
export interface IdentityColumns {
  readonly length: number
  /** Whether the row has an identity at all. */
  isKnown(row: number): boolean
  partition(row: number): number
  incarnation(row: number): number
  offset(row: number): bigint
}

export { identityNames }

/** What a file is asked for, to have these columns of ours; one that is gone is left out. They come under our names. */
export function fieldsOf(columns: TableColumns, names: readonly string[]): IcebergField[] {
  return names.flatMap((name) => columns.followed.get(name)?.read ?? [])
}

/** The identities of rows that lie in one row group. */
export interface GroupIdentities extends IdentityColumns {
  /** The row's number within the row group. */
  rowOf(row: number): number
}

/** Reads the identities of the rows of one row group that are not deleted. */
export async function readIdentities(
  file: Pick<LiveFile, 'read'>,
  rowGroup: number,
  columns: TableColumns,
  options: CallOptions = {},
): Promise<GroupIdentities> {
  const types = fieldsOf(columns, identityNames)
  return groupIdentities(await file.read({ rowGroup, types, ...options }), columns)
}

/** {@link identitiesIn} of a batch that knows where its rows lie. */
export function groupIdentities(rows: LiveRows, columns: TableColumns): GroupIdentities {
  return { ...identitiesIn(rows.batch, columns), rowOf: (row) => rowOf(rows, row) }
}

/** The identities of rows that were read with, at least, the columns {@link identityNames}. */
export function identitiesIn(batch: ColumnBatch, columns: TableColumns): IdentityColumns {
  const [partition, offset, incarnation] = identityNames.map((name) => columnOf(batch, columns, name))
  const partitions = int32Values(partition)
  const incarnations = int32Values(incarnation)
  const offsets = offset?.storage === 'int64' ? offset.values : new BigInt64Array(0)
  const all = [partition, offset, incarnation]
  return {
    length: batch.length,
    isKnown: (row) => all.every((column) => column !== undefined && isValid(column, row)),
    partition: (row) => partitions[row]!,
    incarnation: (row) => incarnations[row]!,
    offset: (row) => offsets[row]!,
  }
}

/** A column of ours in a batch that was read from the table, as our type. A row whose value our type does not hold has none. */
export function columnOf(batch: ColumnBatch, columns: TableColumns, name: string): Column | undefined {
  const misfits: number[] = []
  const column = fittingOf(batch, columns, name, (row) => misfits.push(row))
  return column === undefined || misfits.length === 0 ? column : withoutRows(column, misfits)
}

/** The same, and `misfit` is told of those rows: nothing of what they have then is to be used. */
export function fittingOf(batch: ColumnBatch, columns: TableColumns, name: string, misfit: Misfit): Column | undefined {
  const column = tableColumnOf(batch, name)
  return column === undefined ? undefined : reshaped(column, columns.followed.get(name)?.fromTable, misfit)
}

/** As the table's type, which may be wider than ours. */
export function tableColumnOf(batch: ColumnBatch, name: string): Column | undefined {
  return batch.columns.find((entry) => entry.name === name)?.column
}

function withoutRows(column: Column, rows: readonly number[]): Column {
  const validity = column.validity?.slice() ?? new Uint8Array((column.length + 7) >> 3).fill(0xff)
  for (const row of rows) validity[row >> 3]! &= ~(1 << (row & 7))
  return { ...column, validity }
}

function int32Values(column: Column | undefined): Int32Array {
  return column?.storage === 'int32' ? column.values : new Int32Array(0)
}
