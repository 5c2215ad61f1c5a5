/** The corpus as tables: files of other writers, listed without any metrics, read without a log. */
import { readFileSync } from 'node:fs'
import { eq, gt, isNull, tableIdentifier } from '@moulin/core'
import type { IcebergField } from '@moulin/core'
import type { FileWriterFactory } from '@moulin/format'
import { openParquet, bytesRangeReader } from '@moulin/format'
import { expect, it } from 'vitest'
import { commitFiles, foreignFile } from '../../packages/lake/src/foreign.test-support.ts'
import type { TestLog } from '../../packages/lake/src/lake.test-support.ts'
import { plainTable } from '../../packages/lake/src/open-table/open-table.test-support.ts'
import type { PlainTable } from '../../packages/lake/src/open-table/open-table.test-support.ts'
import { field, list } from './types.ts'

/** A table that lists the file and knows nothing of it but its rows. */
async function tableOf(name: string, fields: readonly IcebergField[]): Promise<PlainTable> {
  const bytes = new Uint8Array(readFileSync(new URL(`./fixtures/corpus/${name}.parquet`, import.meta.url)))
  const nameMapping = [{ names: ['unused'] }]
  const { rowCount } = await openParquet(bytesRangeReader(bytes, name), { nameMapping })
  const table = await plainTable(fields)
  const { store, catalog, runtime } = table
  const log = { store, catalog, runtime } as unknown as TestLog
  const finish = (): object => ({ bytes, rowCount, metrics: new Map(), rowGroups: [] })
  const asItIs = { name, create: () => ({ writeRowGroup() {}, finish }) } as unknown as FileWriterFactory
  const loaded = await catalog.loadTable(tableIdentifier('shop.people'))
  const id = runtime.random.uuid()
  await commitFiles(log, loaded, [await foreignFile(log, loaded, { length: 0, columns: [] }, id, asItIs)], id)
  return table
}

const plain = (rows: readonly object[]): object[] => rows.map((row) => ({ ...row }))

it('row groups without rows have none, and hide none of others', async () => {
  const table = await tableOf('pyarrow-empty-row-groups', [field(1, 'id', 'long', true), field(2, 'name', 'string')])
  const opened = await table.open()
  expect(plain(await opened.scan().toArray())).toEqual([
    { id: 1n, name: 'one' },
    { id: 2n, name: null },
    { id: 3n, name: 'three' },
    { id: 4n, name: 'four' },
  ])
  expect(await opened.count()).toBe(4)
  expect(await opened.scan({ where: gt('id', 2n) }).count()).toBe(2)
  expect(await opened.scan({ where: isNull('name') }).count()).toBe(1)
  expect(plain(await opened.scan({ columns: ['id'], where: eq('name', 'four') }).toArray())).toEqual([{ id: 4n }])
})

it('a file without rows is none', async () => {
  const table = await tableOf('pyarrow-no-rows', [field(1, 'id', 'long', true), field(2, 'name', 'string')])
  const opened = await table.open()
  expect([await opened.scan().toArray(), await opened.count()]).toEqual([[], 0])
})

it('columns of nothing are null, and found as that', async () => {
  const fields = [field(1, 'id', 'long'), field(2, 'void', 'string'), field(3, 'voids', list(4, 'int'))]
  const opened = await (await tableOf('pyarrow-null-columns', fields)).open()
  expect(plain(await opened.scan({ columns: ['id', 'void'], where: isNull('void') }).toArray())).toEqual(
    [1n, 2n, 3n].map((id) => ({ id, void: null })),
  )
  expect(await opened.scan({ where: eq('void', 'x') }).count()).toBe(0)
  expect((await opened.scan({ columns: ['voids'] }).toArray()).map((row) => row['voids'])).toEqual([
    [null, null],
    null,
    [],
  ])
})

it('INT96 is a timestamp, also to a condition', async () => {
  const opened = await (await tableOf('pyarrow-int96', [field(1, 'id', 'long'), field(2, 'at', 'timestamp')])).open()
  const ids = async (where: Parameters<typeof opened.scan>[0]): Promise<unknown[]> =>
    (await opened.scan({ columns: ['id'], ...where }).toArray()).map(({ id }) => id)
  expect(await ids({ where: isNull('at') })).toEqual([2n])
  expect(await ids({ where: gt('at', -2n) })).toEqual([1n, 4n])
  expect(await ids({ where: eq('at', -1n) })).toEqual([1n])
})

it('an id that two columns have is refused by name, until a name mapping tells them apart', async () => {
  const table = await tableOf('pyarrow-repeated-ids', [field(7, 'a', 'long'), field(8, 'b', 'long')])
  const [a, b] = (await table.loaded()).metadata.schemas[0]!.fields
  const refused = (await table.open()).scan().toArray()
  await expect(refused).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_FIELD_IDS' })
  await expect(refused).rejects.toThrow(/a and b both have the field id 7/)
  const mapping = JSON.stringify([a, b].map((each) => ({ 'field-id': each!.id, names: [each!.name] })))
  table.tell((metadata) => ({
    ...metadata,
    properties: { ...metadata.properties, 'schema.name-mapping.default': mapping },
  }))
  expect(plain(await (await table.open()).scan().toArray())).toEqual([
    { a: 1n, b: 30n },
    { a: 2n, b: 40n },
  ])
})
