import type { IcebergField, IcebergType } from '@moulin/core'
import type { LeafEncoding } from '@moulin/format'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { expectTable } from './plain.ts'
import { type Case, columnValues, encodingsOf, nullShares, primitives, type Style, styles, write } from './cases.ts'
import { Dice } from './dice.ts'
import { closeDuckDb } from './read-with-duckdb.ts'
import { inDuckDb, oracles, ourTable } from './readers.ts'
import { ours } from './writers.ts'

vi.setConfig({ testTimeout: 300_000 })
afterAll(closeDuckDb)

/** One case of the grid with everything fixed but one thing. */
function gridCase(
  fields: readonly IcebergField[],
  rowCount: number,
  style: Style,
  nulls: number,
  options: Case['options'],
): Case {
  const dice = new Dice(fields.length * 7919 + rowCount)
  const table = fields.map((field) => columnValues(field, rowCount, style, nulls, dice))
  const third = Math.ceil(rowCount / 3)
  const batches = [
    { rows: third, ends: false },
    { rows: Math.min(third, rowCount - third), ends: true },
    { rows: rowCount - 2 * third, ends: false },
  ].filter(({ rows }) => rows > 0)
  return { schema: { type: 'struct', fields }, table, rowCount, options, batches }
}

async function expectSame(each: Case, seed: number): Promise<void> {
  const { fields } = each.schema
  const { bytes, file } = write(ours, each, new Dice(seed))
  expect(file.rowCount).toBe(each.rowCount)
  expectTable(fields, each.table, await ourTable(bytes, fields), 'read by us')
  for (const [name, read] of Object.entries(oracles)) {
    const shown = name === 'duckdb' ? inDuckDb(each) : fields
    const expected = each.table.filter((_, index) => shown.includes(fields[index]!))
    expectTable(shown, expected, await read(bytes, shown), `read by ${name}`)
  }
}

const field = (id: number, name: string, type: IcebergType, required = false): IcebergField => ({
  id,
  name,
  type,
  required,
})
const kinds = primitives
const flat = kinds.map((kind, i) => field(i + 1, `f${i}`, kind))

describe('a Parquet file of ours is read alike by hyparquet, parquet-rs, DuckDB and us', () => {
  for (const style of styles) {
    it.each(nullShares)(`with every type, values ${style}, %d of them null`, async (nulls) => {
      await expectSame(gridCase(flat, 500, style, nulls, { pageBytes: 600, columnIndexes: 'all' }), 1)
    })
  }

  for (const pageVersion of [1, 2] as const) {
    it.each(['zstd', 'snappy', 'gzip', 'none'] as const)(`with pages V${pageVersion} in %s`, async (compression) => {
      const options = { compression, pageBytes: 1000, pageVersion }
      await expectSame(gridCase(flat, 400, 'random', 0.1, options), 2)
      await expectSame(gridCase(nested, 200, 'few', 0.1, options), 3)
    })
  }

  it.each([0, 1, 2, 7, 8, 9, 63, 64, 65, 129, 1025])('with %d rows', async (rows) => {
    await expectSame(gridCase(flat, rows, 'rising', 0, {}), 4)
    await expectSame(gridCase(flat, rows, 'random', 0.1, {}), 5)
    await expectSame(gridCase(nested, rows, 'random', 0.1, {}), 6)
  })

  it.each([64, 300, 5000])('with pages of about %d bytes', async (pageBytes) => {
    await expectSame(gridCase([...flat, ...nested], 700, 'rising', 0.1, { pageBytes }), 7)
  })

  describe('in every encoding', () => {
    const pairs = kinds.flatMap((kind) => encodingsOf(kind).map((encoding) => [kind, encoding] as const))
    const fields = pairs.flatMap(([kind], i) => [
      field(2 * i + 1, `f${i}`, kind),
      field(2 * i + 2, `list${i}`, { type: 'list', 'element-id': 1000 + i, element: kind, 'element-required': false }),
    ])
    const encodings = Object.fromEntries(
      pairs.flatMap(([, encoding], i): [string, LeafEncoding][] => [
        [`f${i}`, encoding],
        [`list${i}.list.element`, encoding],
      ]),
    )
    for (const pageVersion of [1, 2] as const) {
      it.each(styles)(`of pages V${pageVersion}, values %s`, async (style) => {
        await expectSame(gridCase(fields, 300, style, 0.1, { encodings, pageVersion, pageBytes: 500 }), 8)
      })
    }
  })
})

const list = (id: number, element: IcebergType, required = false): IcebergType => ({
  type: 'list',
  'element-id': id,
  element,
  'element-required': required,
})
const map = (id: number, key: IcebergType, value: IcebergType, required = false): IcebergType => ({
  type: 'map',
  'key-id': id,
  key,
  'value-id': id + 1,
  value,
  'value-required': required,
})
const struct = (...fields: IcebergField[]): IcebergType => ({ type: 'struct', fields })

const nested: readonly IcebergField[] = [
  field(101, 'list', list(102, 'long')),
  field(103, 'required list', list(104, 'string', true), true),
  field(105, 'struct', struct(field(106, 'a', 'int', true), field(107, 'b', 'string'))),
  field(108, 'map', map(109, 'string', 'double')),
  field(111, 'list of list', list(112, list(113, 'date'))),
  field(114, 'list of struct', list(115, struct(field(116, 'x', 'uuid'), field(117, 'tags', list(118, 'binary'))))),
  field(119, 'map of list', map(120, 'int', list(122, 'boolean'))),
  field(123, 'map of map', map(124, 'date', map(126, 'long', 'decimal(38,10)', true))),
  field(128, 'deep', struct(field(129, 'a', struct(field(130, 'b', list(131, struct(field(132, 'c', 'float')))))))),
  field(133, 'list of required', list(134, struct(field(135, 'c', 'int', true)), true), true),
  field(136, 'required struct', struct(field(137, 'a', list(138, 'int', true), true)), true),
]
