/** Pruning over files of our own writer: indexes, dictionaries and bloom filters as they are in a file. */
import { Arena, builderFor, columnsOf, t } from '@moulin/core'
import type { Column, Expression, IcebergField, IcebergSchema, Type } from '@moulin/core'
import { bytesRangeReader, openParquet, parquetWriter } from '@moulin/format'
import type { ParquetFile } from '@moulin/format'
import { bindExpression, compilePredicate } from '@moulin/iceberg'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { passingRows } from './passing-rows.ts'
import { rowsToRead } from './prune-row-group.ts'
import type { RowRange } from './row-ranges.ts'

const ROWS = 4000
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

interface TestColumn {
  readonly field: IcebergField
  readonly type: Type
  /** The stored value of a row. */
  readonly at: (row: number) => number | bigint | Uint8Array | null
  readonly literals: fc.Arbitrary<number | bigint | string>
}

const column = (
  id: number,
  name: string,
  iceberg: IcebergField['type'],
  type: Type,
  rest: Pick<TestColumn, 'at' | 'literals'>,
): TestColumn => ({
  field: { id, name, required: false, type: iceberg },
  type,
  ...rest,
})

const columns: readonly TestColumn[] = [
  column(1, 'rising', 'long', t.long, {
    at: (row) => BigInt(row) * 10n - 5000n,
    literals: fc.bigInt({ min: -6000n, max: 36_000n }),
  }),
  column(2, 'few', 'string', t.string, {
    at: (row) => (row % 7 === 0 ? null : utf8(`city ${(row >> 9) * 2}`)),
    literals: fc.nat(18).map((n) => `city ${n}`),
  }),
  column(3, 'noise', 'double', t.double, {
    at: (row) => [NaN, -0, 0, row / 3, -row][Math.imul(row, 2654435761) >>> 30] ?? null,
    literals: fc.constantFrom(NaN, 0, -0, 1, 2, 1000 / 3, -17, 1e9),
  }),
  column(4, 'steps', 'int', t.int, {
    at: (row) => (row < 2000 ? null : row >> 6),
    literals: fc.integer({ min: 0, max: 80 }),
  }),
  column(5, 'id', 'string', t.string, {
    at: (row) => utf8(`id-${Math.imul(row, 2654435761) >>> 0}`),
    literals: fc.nat(ROWS * 2).map((row) => `id-${Math.imul(row, 2654435761) >>> 0}`),
  }),
]
const fields = columns.map(({ field }) => field)
const schema: IcebergSchema = { type: 'struct', 'schema-id': 0, fields }

const whole: Column[] = columns.map(({ type, at }) => {
  const builder = builderFor(type, new Arena())
  for (let row = 0; row < ROWS; row++) {
    const value = at(row)
    if (value === null) builder.appendNull()
    else builder.append(value as never)
  }
  return builder.finish()
})

const expression: fc.Arbitrary<Expression> = fc.letrec<{ node: Expression }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(...columns).chain(({ field, literals }) => {
      const op = fc.constantFrom('eq', 'eq', 'ne', 'lt', 'lte', 'gt', 'gte' as const)
      return fc.oneof(
        { weight: 4, arbitrary: fc.record({ op, column: fc.constant(field.name), value: literals }) },
        fc.record({
          op: fc.constant('isIn' as const),
          column: fc.constant(field.name),
          values: fc.array(literals, { maxLength: 3 }),
        }),
        fc.record({ op: fc.constantFrom('isNull', 'notNull' as const), column: fc.constant(field.name) }),
      ) as fc.Arbitrary<Expression>
    }),
    fc.record({ op: fc.constantFrom('and', 'or' as const), args: fc.array(tie('node'), { maxLength: 3 }) }),
    fc.record({ op: fc.constant('not' as const), arg: tie('node') }),
  ),
})).node

let file: ParquetFile

beforeAll(async () => {
  const writer = parquetWriter.create({
    schema,
    pageBytes: 1024,
    columnIndexes: 'all',
    bloomFilters: { id: {}, noise: {} },
  })
  const batch = { length: ROWS, columns: columns.map(({ field }, at) => ({ name: field.name, column: whole[at]! })) }
  writer.writeRowGroup(batch)
  file = await openParquet(bytesRangeReader(writer.finish().bytes, 'test'))
})

const ranges = (where: Expression): Promise<readonly RowRange[]> =>
  rowsToRead({
    file,
    rowGroup: 0,
    predicate: bindExpression(where, fields),
    fieldOf: ({ id }) => fields[id - 1],
    smallBytes: 0,
    gapRows: 0,
  })
const rowsOf = (list: readonly RowRange[]): number => list.reduce((sum, { start, end }) => sum + end - start, 0)

describe('a file of ours, pruned', () => {
  it('gives the rows that it gives unpruned', async () => {
    await fc.assert(
      fc.asyncProperty(expression, async (where) => {
        const predicate = bindExpression(where, fields)
        const passes = compilePredicate(predicate, ({ id }) => whole[id - 1])
        const expected = Array.from({ length: ROWS }, (_, row) => row).filter((row) => passes(row))
        const found: number[] = []
        const types = fields.filter(({ name }) => columnsOf(where).has(name))
        for (const rows of await ranges(where)) {
          const batch = await file.read({ rowGroup: 0, types, rows })
          const passing = passingRows(predicate, batch.length, ({ name }) => {
            return batch.columns.find((entry) => entry.name === name)?.column
          })
          for (let at = 0; at < (passing?.length ?? batch.length); at++) found.push(rows.start + (passing?.[at] ?? at))
        }
        expect(found).toEqual(expected)
      }),
      { numRuns: 100 },
    )
  })

  it('leaves out what pages, dictionary and bloom filter exclude', async () => {
    const eq = (name: string, value: number | bigint | string): Expression => ({ op: 'eq', column: name, value })
    expect(rowsOf(await ranges(eq('rising', 15_000n)))).toBeLessThan(ROWS / 4)
    expect(rowsOf(await ranges(eq('steps', 40)))).toBeLessThan(ROWS / 4)
    expect(rowsOf(await ranges({ op: 'isNull', column: 'steps' }))).toBeLessThan(ROWS)
    // Within the bounds, so it takes the dictionary to know.
    expect(rowsOf(await ranges(eq('few', 'city 3')))).toBe(0)
    expect(rowsOf(await ranges(eq('few', 'city 4')))).toBeGreaterThan(0)
    // Of no dictionary, so it takes the bloom filter.
    expect(await file.dictionary({ rowGroup: 0, field: fields[4]! })).toBeUndefined()
    expect(rowsOf(await ranges(eq('id', 'id-1')))).toBe(0)
    expect(rowsOf(await ranges(eq('id', 'id-0')))).toBeGreaterThan(0)
  })
})
