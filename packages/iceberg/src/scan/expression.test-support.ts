import {
  Arena,
  builderFor,
  t,
  type Column,
  type ColumnBuilder,
  type Expression,
  type IcebergField,
  type IcebergSchema,
  type Literal,
  type PartitionSpec,
  type Type,
} from '@moulin/core'
import type { FieldMetrics } from '@moulin/format'
import fc from 'fast-check'
import { bigIntBytes } from '@moulin/format'

/**
 * A table of every type with few, nasty values, and a second, naive meaning of expressions over it: three-valued, on
 * plain values, sharing nothing with the code under test.
 */

/** The same value as a caller writes it and as a file stores it. */
export interface Pair {
  readonly literal: Literal
  readonly stored: Stored
}
export type Stored = boolean | number | bigint | string | Buffer
export type Row = (Stored | null)[]

export interface TestColumn {
  readonly field: IcebergField
  readonly type: Type
  readonly pairs: readonly Pair[]
  readonly transforms: readonly string[]
}

const same = (...values: (boolean | number | string)[]): Pair[] =>
  values.map((value) => ({ literal: value, stored: value }))
const bytes = (...texts: string[]): Pair[] =>
  texts.map((text) => {
    const stored = Buffer.from(text, 'hex')
    return { literal: new Uint8Array(stored), stored }
  })
const longs = (...values: bigint[]): Pair[] => values.map((value) => ({ literal: value, stored: value }))
const micros = (...dates: string[]): Pair[] =>
  dates.map((date) => ({ literal: new Date(date), stored: BigInt(Date.parse(date)) * 1000n }))
const day = (text: string): Pair => ({ literal: text, stored: Date.parse(text) / 86_400_000 })
const decimal = (literal: string, stored: bigint): Pair => ({ literal, stored })
const uuid = (text: string): Pair => ({ literal: text, stored: Buffer.from(text.replaceAll('-', ''), 'hex') })

const times = ['identity', 'bucket[3]', 'year', 'month', 'day', 'hour', 'void']
const whole = ['identity', 'bucket[3]', 'truncate[3]', 'void']
const extremes = [-(2n ** 63n), -4n, -1n, 0n, 1n, 2n, 3n, 2n ** 53n + 1n, 2n ** 63n - 1n]
const long = 'a'.repeat(15)

export const columns: readonly TestColumn[] = (
  [
    ['b', 'boolean', t.boolean, same(false, true), ['identity']],
    ['i', 'int', t.int, same(-2147483648, -4, -1, 0, 1, 2, 3, 2147483647), whole],
    ['l', 'long', t.long, longs(...extremes), whole],
    ['f', 'float', t.float, same(NaN, -Infinity, -0.5, -0, 0, 0.5, 1, Infinity), ['identity', 'void']],
    ['x', 'double', t.double, same(NaN, -Infinity, -0.1, -0, 0, 0.1, 1e300, Infinity), ['identity', 'void']],
    [
      'p',
      'decimal(4,2)',
      t.decimal(4, 2),
      [
        ['-99.99', -9999n],
        ['-0.01', -1n],
        ['0', 0n],
        ['1.50', 150n],
        ['99.99', 9999n],
      ].map(([text, value]) => decimal(text as string, value as bigint)),
      whole,
    ],
    [
      'q',
      'decimal(38,1)',
      t.decimal(38, 1),
      [
        decimal('-1' + '0'.repeat(36), -(10n ** 37n)),
        decimal('-0.1', -1n),
        decimal('0.3', 3n),
        decimal('1' + '0'.repeat(36), 10n ** 37n),
      ],
      whole,
    ],
    [
      'd',
      'date',
      t.date,
      ['1968-12-31', '1969-12-31', '1970-01-01', '1970-01-31', '1970-02-01', '2024-02-29'].map(day),
      ['identity', 'bucket[3]', 'year', 'month', 'day'],
    ],
    [
      'm',
      'time',
      t.time,
      [{ literal: 0, stored: 0n }, { literal: 1, stored: 1000n }, ...longs(1n, 86_399_999_999n)],
      ['identity', 'bucket[3]'],
    ],
    ['o', 'timestamp', t.timestamp, longs(...extremes), times],
    [
      'z',
      'timestamptz',
      t.timestamptz,
      micros(
        '1969-12-31T23:59:59.999Z',
        '1970-01-01',
        '1970-01-01T00:59:59Z',
        '1970-01-01T01:00:00Z',
        '2024-02-29T12:00:00Z',
        '2024-03-01',
      ),
      times,
    ],
    [
      's',
      'string',
      t.string,
      same(
        '',
        'a',
        'ab',
        'abc',
        'abd',
        '\uffff',
        '\u{1f9ca}',
        '\u{1f9ca}x',
        long + 'aab',
        long + 'aac',
        long + '\u{10ffff}z',
        '\u{10ffff}'.repeat(17),
      ),
      whole,
    ],
    [
      'u',
      'uuid',
      t.uuid,
      [
        uuid('00000000-0000-0000-0000-000000000000'),
        uuid('7fffffff-ffff-ffff-ffff-ffffffffffff'),
        uuid('80000000-0000-0000-0000-000000000001'),
      ],
      ['identity', 'bucket[3]'],
    ],
    ['y', 'fixed[3]', t.fixed(3), bytes('000000', '7fffff', '800000', 'ffffff'), ['identity', 'bucket[3]']],
    [
      'n',
      'binary',
      t.binary,
      bytes('', '00', '7f', '80', 'ff', 'ff'.repeat(17), 'ff'.repeat(15) + '0011', 'ff'.repeat(15) + '0012'),
      whole,
    ],
  ] as [string, string, Type, Pair[], string[]][]
).map(([name, iceberg, type, pairs, transforms], at) => {
  return { field: { id: at + 1, name, required: false, type: iceberg }, type, pairs, transforms }
})

export const testSchema: IcebergSchema = { type: 'struct', 'schema-id': 0, fields: columns.map(({ field }) => field) }

/** Rows with nulls; a few columns of a set of rows are drawn from only two values, so that bounds are tight. */
export const rowsArbitrary: fc.Arbitrary<Row[]> = fc
  .tuple(
    ...columns.map(({ pairs }) =>
      fc.subarray(
        pairs.map(({ stored }) => stored),
        { minLength: 1, maxLength: Math.min(3, pairs.length) },
      ),
    ),
  )
  .chain((pools) =>
    fc.array(fc.tuple(...pools.map((pool) => fc.option(fc.constantFrom(...pool), { freq: 4 }))), {
      minLength: 1,
      maxLength: 12,
    }),
  )

export const specArbitrary = (focus: readonly TestColumn[]): fc.Arbitrary<PartitionSpec> =>
  fc
    .array(
      fc
        .constantFrom(...focus)
        .chain(({ field, transforms }) => fc.constantFrom(...transforms).map((transform) => ({ field, transform }))),
      { maxLength: 3 },
    )
    .map((fields) => ({
      'spec-id': 1,
      fields: fields.map(({ field, transform }, at) => {
        return { 'source-id': field.id, 'field-id': 1000 + at, name: `${field.name} ${transform} ${at}`, transform }
      }),
    }))

/** Few columns at a time, so that predicates and partition fields meet. */
export const focusArbitrary: fc.Arbitrary<TestColumn[]> = fc.subarray([...columns], { minLength: 1, maxLength: 2 })

/** An expression that remembers what its literals are as stored values. */
export type TestExpression =
  | {
      readonly op: 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte' | 'startsWith'
      readonly column: number
      readonly pair: Pair
    }
  | { readonly op: 'isIn'; readonly column: number; readonly pairs: readonly Pair[] }
  | { readonly op: 'isNull' | 'notNull'; readonly column: number }
  | { readonly op: 'and' | 'or'; readonly args: readonly TestExpression[] }
  | { readonly op: 'not'; readonly arg: TestExpression }

const leaf = (focus: readonly TestColumn[]): fc.Arbitrary<TestExpression> =>
  fc.constantFrom(...focus.map((each) => columns.indexOf(each))).chain((column) => {
    const { pairs, type } = columns[column]!
    const pair = fc.constantFrom(...pairs)
    const comparison = fc.constantFrom('eq', 'ne', 'lt', 'lte', 'gt', 'gte' as const)
    return fc.oneof(
      { weight: 6, arbitrary: fc.record({ op: comparison, column: fc.constant(column), pair }) },
      {
        weight: 2,
        arbitrary: fc.record({
          op: fc.constant('isIn' as const),
          column: fc.constant(column),
          pairs: fc.array(pair, { maxLength: 3 }),
        }),
      },
      fc.record({ op: fc.constantFrom('isNull', 'notNull' as const), column: fc.constant(column) }),
      ...(type.spec.kind === 'string'
        ? [
            {
              weight: 4,
              arbitrary: fc.record({ op: fc.constant('startsWith' as const), column: fc.constant(column), pair }),
            },
          ]
        : []),
    )
  })

export const expressionArbitrary = (focus: readonly TestColumn[]): fc.Arbitrary<TestExpression> =>
  fc.letrec<{ node: TestExpression }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf(focus),
      fc.record({ op: fc.constantFrom('and', 'or' as const), args: fc.array(tie('node'), { maxLength: 3 }) }),
      fc.record({ op: fc.constant('not' as const), arg: tie('node') }),
    ),
  })).node

export function toExpression(test: TestExpression): Expression {
  switch (test.op) {
    case 'and':
    case 'or':
      return { op: test.op, args: test.args.map(toExpression) }
    case 'not':
      return { op: 'not', arg: toExpression(test.arg) }
    case 'isNull':
    case 'notNull':
      return { op: test.op, column: columns[test.column]!.field.name }
    case 'isIn':
      return { op: 'isIn', column: columns[test.column]!.field.name, values: test.pairs.map(({ literal }) => literal) }
    default:
      return { op: test.op, column: columns[test.column]!.field.name, value: test.pair.literal } as Expression
  }
}

/** True, false, or undefined for unknown. */
export function meaningOf(test: TestExpression, row: Row): boolean | undefined {
  switch (test.op) {
    case 'not': {
      const inner = meaningOf(test.arg, row)
      return inner === undefined ? undefined : !inner
    }
    case 'and': {
      const args = test.args.map((arg) => meaningOf(arg, row))
      return args.includes(false) ? false : args.includes(undefined) ? undefined : true
    }
    case 'or': {
      const args = test.args.map((arg) => meaningOf(arg, row))
      return args.includes(true) ? true : args.includes(undefined) ? undefined : false
    }
    case 'isNull':
      return row[test.column] === null
    case 'notNull':
      return row[test.column] !== null
    case 'isIn':
      return meaningOf({ op: 'or', args: test.pairs.map((pair) => ({ op: 'eq', column: test.column, pair })) }, row)
    default: {
      const value = row[test.column]!
      if (value === null) return undefined
      if (test.op === 'startsWith') return (value as string).startsWith(test.pair.stored as string)
      const sign = order(value, test.pair.stored)
      return { eq: sign === 0, ne: sign !== 0, lt: sign < 0, lte: sign <= 0, gt: sign > 0, gte: sign >= 0 }[test.op]
    }
  }
}

export function order(a: Stored, b: Stored): number {
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  if (typeof a === 'object') return Buffer.compare(a, b as Buffer)
  if (typeof a === 'number' && (Number.isNaN(a) || Number.isNaN(b)))
    return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return a === b ? 0 : a < (b as typeof a) ? -1 : 1
}

export function columnFrom(rows: readonly Row[], at: number): Column {
  const builder: ColumnBuilder = builderFor(columns[at]!.type, new Arena())
  for (const row of rows) {
    const value = row[at]!
    if (value === null) builder.appendNull()
    else if (builder.storage === 'fixed' && typeof value === 'bigint') builder.append(bigIntBytes(value, builder.width))
    else builder.append((typeof value === 'string' ? Buffer.from(value) : value) as never)
  }
  return builder.finish()
}

export function metricsFrom(rows: readonly Row[]): Map<number, FieldMetrics> {
  return new Map(
    columns.map(({ field, type }, at) => {
      const present = rows.map((row) => row[at]!).filter((value) => value !== null)
      const isFloat = type.spec.kind === 'float' || type.spec.kind === 'double'
      const ordered = present.filter((value) => !Number.isNaN(value)).toSorted(order)
      const bound = (value: Stored | undefined): Exclude<Stored, string> | undefined =>
        typeof value === 'string' ? Buffer.from(value) : value
      const lower = bound(ordered[0])
      const upper = bound(ordered.at(-1))
      const metrics: FieldMetrics = {
        sizeBytes: 10,
        valueCount: rows.length,
        nullCount: rows.length - present.length,
        ...(isFloat ? { nanCount: present.filter((value) => Number.isNaN(value)).length } : {}),
        ...(lower === undefined ? {} : { lower }),
        ...(upper === undefined ? {} : { upper }),
      }
      return [field.id, metrics]
    }),
  )
}
