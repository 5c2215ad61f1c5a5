import { tableFromIPC } from 'apache-arrow'
import { and, eq, gt, isNull, not, notNull, or } from '@moulin/core'
import type { IcebergField, IcebergType } from '@moulin/core'
import { beforeEach, expect, it } from 'vitest'
import { alter } from '../evolved.test-support.ts'
import { logOf, placed } from '../hive.test-support.ts'
import { plainTable } from './open-table.test-support.ts'
import type { PlainTable } from './open-table.test-support.ts'

const field = (id: number, name: string, type: IcebergType): IcebergField => ({ id, name, required: false, type })
const id = field(1, 'id', 'long')
const nothing = field(2, 'nothing', 'unknown')

let table: PlainTable
beforeEach(async () => {
  table = await plainTable([id])
  await table.append([{ id: 1n }, { id: 2n }])
  await table.append([{ id: 3n }])
  await alter(logOf(table), (fields) => [...fields, nothing])
})

const rowsOf = async (): Promise<unknown[]> => {
  const rows = await (await table.open()).scan().toArray()
  return rows.map((row) => ({ ...row })).sort((a, b) => Number((a['id'] as bigint) - (b['id'] as bigint)))
}

it('a column of type unknown is null in every row', async () => {
  expect(await rowsOf()).toEqual([1n, 2n, 3n].map((one) => ({ id: one, nothing: null })))
  const opened = await table.open()
  expect(await opened.scan({ columns: ['nothing'] }).toArray()).toHaveLength(3)
  expect(opened.columns[1]).toEqual(nothing)
})

it('conditions take it for null', async () => {
  const opened = await table.open()
  const counts = [
    [isNull('nothing'), 3],
    [notNull('nothing'), 0],
    [not(isNull('nothing')), 0],
    [and(isNull('nothing'), gt('id', 1n)), 2],
    [or(notNull('nothing'), eq('id', 3n)), 1],
  ] as const
  for (const [where, count] of counts) {
    expect(await opened.scan({ where }).count()).toBe(count)
    expect(await opened.scan({ where }).toArray()).toHaveLength(count)
  }
  expect(() => opened.scan({ where: eq('nothing', 1) })).toThrow(
    expect.objectContaining({
      kind: 'invalid',
      code: 'EXPRESSION',
      message: expect.stringContaining('of type unknown'),
    }),
  )
})

it('Arrow has a type for it', async () => {
  const struct: IcebergType = { type: 'struct', fields: [field(4, 'inner', 'unknown'), field(5, 'n', 'int')] }
  await alter(logOf(table), (fields) => [...fields, field(3, 'place', struct)])
  const opened = await table.open()
  for (const arrow of [
    tableFromIPC(await opened.scan().toIpc()),
    await opened.scan().toArrow<ReturnType<typeof tableFromIPC>>(),
  ]) {
    expect(arrow.schema.fields.map(({ type }) => String(type))).toEqual([
      'Int64',
      'Null',
      'Struct<{inner:Null, n:Int32}>',
    ])
    expect([arrow.numRows, arrow.getChild('nothing')!.toArray().length]).toEqual([3, 3])
    expect(Array.from(arrow.getChild('nothing')!)).toEqual([null, null, null])
  }
})

it('is null within lists, maps and structs, and as what it becomes', async () => {
  const list: IcebergType = { type: 'list', 'element-id': 6, element: 'unknown', 'element-required': false }
  const map: IcebergType = {
    type: 'map',
    'key-id': 8,
    key: 'string',
    'value-id': 9,
    value: 'unknown',
    'value-required': false,
  }
  const filled = (one: IcebergField, value: unknown): IcebergField => ({ ...one, 'initial-default': value as never })
  await alter(logOf(table), (fields) => [
    ...fields,
    filled(field(5, 'list', list), [null, null]),
    filled(field(7, 'map', map), { keys: ['a'], values: [null] }),
  ])
  const row = { nothing: null, list: [null, null], map: new Map([['a', null]]) }
  expect(await rowsOf()).toEqual([1n, 2n, 3n].map((one) => ({ id: one, ...row })))
  await alter(logOf(table), () => [id, { ...nothing, type: 'decimal(9,2)' }])
  expect(await rowsOf()).toEqual([1n, 2n, 3n].map((one) => ({ id: one, nothing: null })))
  expect(await (await table.open()).scan({ where: eq('nothing', '1.00') }).count()).toBe(0)
})

it('of a partition field it is no more than null, either', async () => {
  await alter(logOf(table), () => [id, { ...nothing, type: 'int' }])
  await placed(logOf(table), [nothing], [[null], [null]])
  await alter(logOf(table), () => [id, nothing])
  expect(await rowsOf()).toEqual([1n, 2n, 3n].map((one) => ({ id: one, nothing: null })))
  expect(await (await table.open()).scan({ where: isNull('nothing') }).count()).toBe(3)
})

it('a default that is none is refused where the column is asked for, and nowhere else', async () => {
  await alter(logOf(table), () => [id, { ...nothing, 'initial-default': 5 }])
  const opened = await table.open()
  await expect(opened.scan().toArray()).rejects.toMatchObject({ kind: 'corrupt', code: 'DEFAULT_VALUE' })
  expect(await opened.scan({ columns: ['id'] }).toArray()).toHaveLength(3)
})
