/** Rows that are deleted by the value of a column which files lack and their partitions tell. */
import { keyOf, stringifyJson } from '@moulin/core'
import type { IcebergField } from '@moulin/core'
import type { DataFile } from '@moulin/iceberg'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { expect, it } from 'vitest'
import { noMetrics } from '../packages/iceberg/src/deletes/deletes.test-support.ts'
import { alter } from '../packages/lake/src/evolved.test-support.ts'
import { change, commitFiles } from '../packages/lake/src/foreign.test-support.ts'
import { logOf, placed } from '../packages/lake/src/hive.test-support.ts'
import { plainTable } from '../packages/lake/src/open-table/open-table.test-support.ts'
import type { PlainTable } from '../packages/lake/src/open-table/open-table.test-support.ts'
import { commitDeletes, newEquality } from './deletes/foreign-deletes.ts'
import type { ForeignTable } from './deletes/foreign-deletes.ts'

const id: IcebergField = { id: 1, name: 'id', required: false, type: 'long' }
const key: IcebergField = { id: 2, name: 'key', required: false, type: 'uuid' }
const uuid = (last: number): Uint8Array => Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, last])

const target = (table: PlainTable): ForeignTable => ({ ...table, table: 'shop.people' })

async function ids(table: PlainTable): Promise<number[]> {
  const rows = await (await table.open()).scan({ columns: ['id'] }).toArray()
  return rows.map((row) => Number(row['id'])).sort((a, b) => a - b)
}

/** Files of the rows 1 and 2, and 3 and 4. */
async function twoFiles(): Promise<PlainTable> {
  const table = await plainTable([id])
  await table.append([{ id: 1n }, { id: 2n }])
  await table.append([{ id: 3n }, { id: 4n }])
  return table
}

it('they are gone, by value and by null, in all partitions and in one', async () => {
  const table = await twoFiles()
  await alter(logOf(table), (fields) => [
    ...fields,
    { ...key, 'initial-default': '00000000-0000-0000-0000-000000000000' },
  ])
  await placed(logOf(table), [key], [[uuid(7)], [null]])
  expect(await ids(table)).toEqual([1, 2, 3, 4])
  const rows = [
    [1n, uuid(7)],
    [2n, null],
    [3n, null],
    [4n, uuid(0)],
  ] as const
  await commitDeletes(target(table), 'global', (name) => [newEquality(`${name}.parquet`, [id, key], rows)], {
    specId: 0,
  })
  expect(await ids(table)).toEqual([2, 4])
  expect(await (await table.open()).count()).toBe(2)
  await commitDeletes(target(table), 'one', (name) => [newEquality(`${name}.parquet`, [key], [[null], [uuid(7)]])], {
    partition: [null],
  })
  expect(await ids(table)).toEqual([1, 2])
})

it('files of deletes are opened for those data files alone that may have their rows, as manifests say', async () => {
  const table = await twoFiles()
  const rows = [[1n], [2n], [7n], [4n], [9n], [null], [3n], [5n]] as const
  await commitDeletes(target(table), 'many', (name) =>
    rows.map((row, at) => newEquality(`${name}-${at}.parquet`, [id], [row])),
  )
  const store = table.store as PlainTable['store'] & { readonly calls: readonly { readonly key: string }[] }
  const before = store.calls.length
  expect(await ids(table)).toEqual([])
  const opened = new Set(store.calls.slice(before).map((call) => call.key))
  const { metadata } = await table.loaded()
  const places = rows.map((_, at) => keyOf(store, `${metadata.location}/data/many-${at}.parquet`))
  expect(places.filter((place) => opened.has(place))).toEqual([0, 1, 3, 6].map((at) => places[at]))
})

it('what a partition tells comes before a column of that name, where files go by names', async () => {
  const city: IcebergField = { id: 2, name: 'city', required: false, type: 'string' }
  const table = await plainTable([id, city])
  const log = logOf(table)
  const names = [id, city].map(({ id: fieldId, name }) => ({ 'field-id': fieldId, names: [name] }))
  const updates = { 'schema.name-mapping.default': stringifyJson(names) }
  await change(log, [{ action: 'set-properties', updates }])
  const loaded = await table.loaded()
  const filePath = `${loaded.metadata.location}/data/bare.parquet`
  const bytes = new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'id', type: 'INT64', data: [1n, 2n] },
        // Which cannot even be read as what the table says.
        { name: 'city', type: 'INT32', data: Int32Array.of(7, 8) },
      ],
    }),
  )
  await table.store.put(keyOf(table.store, filePath), bytes)
  const size = { recordCount: 2n, fileSizeBytes: BigInt(bytes.length), ...noMetrics }
  const file = {
    content: 0,
    filePath,
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    sortOrderId: undefined,
    ...size,
  }
  await commitFiles(log, loaded, [file as DataFile], 'bare')
  await expect((await table.open()).scan().toArray()).rejects.toMatchObject({ code: 'PARQUET_TYPE' })
  await placed(log, [city], [['Oslo']])
  const rows = await (await table.open()).scan().toArray()
  expect(rows.map((row) => ({ ...row }))).toEqual([1n, 2n].map((one) => ({ id: one, city: 'Oslo' })))
  expect(await (await table.open()).scan({ columns: ['city'] }).toArray()).toHaveLength(2)
})
