/** Initial defaults of lists, maps and structs, in metadata by hand: no engine writes any yet. */
import { tableFromIPC } from 'apache-arrow'
import { eq, isNull, notNull } from '@moulin/core'
import type { IcebergField, IcebergType, JsonValue } from '@moulin/core'
import { beforeEach, expect, it } from 'vitest'
import { alter } from '../evolved.test-support.ts'
import { logOf } from '../hive.test-support.ts'
import { plainTable } from './open-table.test-support.ts'
import type { PlainTable } from './open-table.test-support.ts'

const field = (id: number, name: string, type: IcebergType, initial?: JsonValue): IcebergField => {
  return { id, name, required: false, type, ...(initial !== undefined && { 'initial-default': initial }) }
}
const listOf = (id: number, element: IcebergType): IcebergType => {
  return { type: 'list', 'element-id': id, element, 'element-required': false }
}
const id = field(1, 'id', 'long')
/** Of a member's id and the next one. */
const pointOf = (first: number): IcebergType => {
  return { type: 'struct', fields: [field(first, 'x', 'int', 0), field(first + 1, 'y', 'int', 0)] }
}

let table: PlainTable
beforeEach(async () => {
  table = await plainTable([id])
  await table.append([{ id: 1n }, { id: 2n }])
})

const add = (...fields: readonly IcebergField[]): Promise<void> => alter(logOf(table), () => [id, ...fields])

it('are in every row, all that is in them', async () => {
  await add(
    field(2, 'amounts', listOf(3, 'decimal(9,2)'), ['1.50', null]),
    field(10, 'point', pointOf(11), {}),
    field(20, 'none', pointOf(21)),
    field(30, 'points', listOf(31, pointOf(32)), [{}, { '33': -1 }, { '32': 4, '33': null }]),
    field(
      40,
      'ages',
      { type: 'map', 'key-id': 41, key: 'string', 'value-id': 42, value: 'date', 'value-required': false },
      {
        keys: ['a', 'b'],
        values: ['1969-12-31', null],
      },
    ),
  )
  const row = {
    amounts: ['1.50', null],
    point: { x: 0, y: 0 },
    none: null,
    points: [
      { x: 0, y: 0 },
      { x: 0, y: -1 },
      { x: 4, y: null },
    ],
    ages: new Map([
      ['a', '1969-12-31'],
      ['b', null],
    ]),
  }
  const opened = await table.open()
  const rows = await opened.scan().toArray()
  expect(rows.map((one) => ({ ...one, id: undefined }))).toEqual([1, 2].map(() => ({ ...row, id: undefined })))
  expect(await opened.scan({ where: notNull('amounts') }).count()).toBe(2)
  expect(await opened.scan({ where: isNull('points') }).count()).toBe(0)
  expect(await opened.scan({ where: isNull('none') }).count()).toBe(2)
  const arrow = tableFromIPC(await opened.scan({ where: eq('id', 2n) }).toIpc())
  expect(JSON.parse(JSON.stringify(arrow.getChild('points')!.get(0)))).toEqual(row.points)
})

it('of a struct say only that it is there, and are refused by name where they say more', async () => {
  await add(field(10, 'point', pointOf(11), { '11': 7 }))
  const opened = await table.open()
  await expect(opened.scan().toArray()).rejects.toMatchObject({
    kind: 'corrupt',
    code: 'DEFAULT_VALUE',
    message: expect.stringContaining('point'),
  })
  expect(await opened.scan({ columns: ['id'] }).toArray()).toHaveLength(2)
})
