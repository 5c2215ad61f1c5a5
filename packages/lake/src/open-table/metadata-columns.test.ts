import { Int64Builder, isValid } from '@moulin/core'
import type { Column } from '@moulin/core'
import type { LiveFile } from '@moulin/iceberg'
import { expect, it } from 'vitest'
import type { ReadRows } from '../scan/read-passing.ts'
import { metadataColumns } from './metadata-columns.ts'
import type { MetadataColumn } from './metadata-columns.ts'

const columnsOf = (version: number, names: readonly string[] = []): readonly MetadataColumn[] =>
  metadataColumns(
    { 'format-version': version } as never,
    names.map((name, at) => ({ id: at, name, required: false, type: 'long' })),
  )
const named = (name: string): MetadataColumn => columnsOf(3).find((column) => column.name === name)!

/** Two row groups of ten rows; the second one is read from its third row on, and the fifth and sixth are deleted. */
const read: ReadRows = {
  batch: { length: 4, columns: [] },
  start: 2,
  rows: Int32Array.of(2, 3, 6, 7),
  kept: undefined,
}
const fileOf = (firstRowId: bigint | undefined): LiveFile =>
  ({
    listed: { file: { filePath: 'file:///t/ä b.parquet', firstRowId }, sequenceNumber: 7n },
    rowGroups: [{ firstRow: 0 }, { firstRow: 10 }],
  }) as never

function longs(column: Column): (bigint | null)[] {
  if (column.storage !== 'int64') throw new Error(`It is stored as ${column.storage}.`)
  return Array.from({ length: column.length }, (_, at) => (isValid(column, at) ? column.values[at]! : null))
}

function stored(values: readonly (bigint | null)[]): Column {
  const builder = new Int64Builder()
  for (const value of values) {
    if (value === null) builder.appendNull()
    else builder.append(value)
  }
  return builder.finish()
}

it('counts positions through the file, deleted rows too', () => {
  expect(longs(named('_pos').make(fileOf(undefined), 1, read, undefined))).toEqual([12n, 13n, 16n, 17n])
  const dense = { ...read, rows: undefined }
  expect(longs(named('_pos').make(fileOf(undefined), 1, dense, undefined))).toEqual([12n, 13n, 14n, 15n])
})

it('gives the ids that rows inherit, and those that were stored with them before these', () => {
  const rowId = named('_row_id')
  expect(longs(rowId.make(fileOf(100n), 1, read, undefined))).toEqual([112n, 113n, 116n, 117n])
  expect(longs(rowId.make(fileOf(100n), 1, read, stored([5n, null, null, 6n])))).toEqual([5n, 113n, 116n, 6n])
  // A file of before the upgrade: nobody knows.
  expect(longs(rowId.make(fileOf(undefined), 1, read, undefined))).toEqual([null, null, null, null])
})

it('gives the sequence number of the file where a row has none of its own', () => {
  const updated = named('_last_updated_sequence_number')
  expect(longs(updated.make(fileOf(0n), 0, read, stored([3n, null, null, null])))).toEqual([3n, 7n, 7n, 7n])
  expect(longs(updated.make(fileOf(undefined), 0, read, undefined))).toEqual([null, null, null, null])
})

it('has no lineage before format version 3, and no name that the table has itself', () => {
  expect(columnsOf(2).map(({ name }) => name)).toEqual(['_file', '_pos'])
  expect(columnsOf(3, ['_pos', '_row_id']).map(({ name }) => name)).toEqual(['_file', '_last_updated_sequence_number'])
})
