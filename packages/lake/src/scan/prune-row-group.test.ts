import { and, eq, gt, isIn, isNull, lt, lte, ne, not, notNull, or, startsWith, t } from '@moulin/core'
import type { Column, Expression, IcebergField, Type } from '@moulin/core'
import { bindExpression, compareDatum, compilePredicate } from '@moulin/iceberg'
import type { Datum, Predicate } from '@moulin/iceberg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { columnFrom } from './arrow/arrow.test-support.ts'
import { passingRows } from './passing-rows.ts'
import { rowsToRead } from './prune-row-group.ts'
import type { PrunableFile } from './prune-row-group.ts'
import type { PageBounds, RowRange } from './row-ranges.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Each column has few values, so that predicates meet them, and an odd one that is in no file. */
const columns: readonly { field: IcebergField; type: Type; values: readonly Datum[]; literals: readonly Datum[] }[] = [
  { field: { id: 1, name: 'i', required: false, type: 'int' }, type: t.int, values: [-3, 0, 1, 5], literals: [2, 9] },
  {
    field: { id: 2, name: 'l', required: false, type: 'long' },
    type: t.long,
    values: [-(2n ** 63n), 0n, 7n, 2n ** 63n - 1n],
    literals: [6n],
  },
  {
    field: { id: 3, name: 's', required: false, type: 'string' },
    type: t.string,
    values: ['', 'a', 'ab', 'b', '\uffff'].map(utf8),
    literals: ['aa', 'c'].map(utf8),
  },
  {
    field: { id: 4, name: 'x', required: false, type: 'double' },
    type: t.double,
    values: [NaN, -0, 0, 1.5, -Infinity],
    literals: [2],
  },
]
const fields = columns.map(({ field }) => field)
type Rows = readonly (readonly (Datum | null)[])[]

const rowArbitrary = fc.tuple(...columns.map(({ values }) => fc.option(fc.constantFrom(...values), { freq: 5 })))

const leaf: fc.Arbitrary<Expression> = fc.constantFrom(...columns).chain(({ field: { name }, values, literals }) => {
  const literal = fc
    .constantFrom(...values, ...literals)
    .map((value) => (value instanceof Uint8Array ? text(value) : value))
  return fc.oneof(
    { weight: 3, arbitrary: literal.map((value) => eq(name, value)) },
    literal.map((value) => ne(name, value)),
    literal.map((value) => lt(name, value)),
    literal.map((value) => lte(name, value)),
    literal.map((value) => gt(name, value)),
    fc.array(literal, { maxLength: 3 }).map((list) => isIn(name, list)),
    fc.constant(isNull(name)),
    fc.constant(notNull(name)),
    ...(name === 's' ? [literal.map((value) => startsWith(name, value as string))] : []),
  ) as fc.Arbitrary<Expression>
})
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

const expression = fc.letrec<{ node: Expression }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('node'), { maxLength: 3 }).map((args) => and(...args) as Expression),
    fc.array(tie('node'), { maxLength: 3 }).map((args) => or(...args) as Expression),
    tie('node').map((arg) => not(arg)),
  ),
})).node

/** A row group of these rows that says as much about each column as `knows` says. */
function fileOf(
  rows: Rows,
  knows: { pages: boolean; dictionary: boolean; bloom: boolean },
  cuts: readonly number[],
): PrunableFile {
  const at = (fieldId: number): (Datum | null)[] => rows.map((row) => row[fieldId - 1]!)
  return {
    fields: [],
    rowGroups: [{ rowCount: rows.length, firstRow: 0, sizeBytes: 1000, bounds: (id) => boundsOf(at(id)) }],
    pageBounds: async ({ fieldId }) => (knows.pages ? pagesOf(at(fieldId), cuts) : undefined),
    dictionary: async ({ field }) => (knows.dictionary ? dictionaryOf(field.id, at(field.id)) : undefined),
    mightContain: async ({ fieldId, value }) => !knows.bloom || at(fieldId).some((each) => sameBits(each, value)),
  }
}

// As a footer says it: no NaN in the bounds.
function boundsOf(values: readonly (Datum | null)[]): { min?: Datum; max?: Datum; nullCount: number } {
  const nullCount = values.filter((value) => value === null).length
  const sorted = values
    .filter((value) => value !== null && !Number.isNaN(value))
    .toSorted((a, b) => compareDatum(a!, b!))
  return sorted.length === 0 ? { nullCount } : { min: sorted[0]!, max: sorted.at(-1)!, nullCount }
}

function pagesOf(values: readonly (Datum | null)[], cuts: readonly number[]): PageBounds[] {
  const ends = [...new Set([...cuts.map((cut) => cut % values.length), values.length])].sort((a, b) => a - b)
  return ends.flatMap((end, page) => {
    const start = page === 0 ? 0 : ends[page - 1]!
    return start === end ? [] : [{ start, end, ...boundsOf(values.slice(start, end)) }]
  })
}

function dictionaryOf(fieldId: number, values: readonly (Datum | null)[]): Column {
  return columnFrom(
    columns[fieldId - 1]!.type,
    values.filter((value) => value !== null),
  )
}

function sameBits(a: Datum | null, b: Datum): boolean {
  return a instanceof Uint8Array ? Buffer.compare(a, b as Uint8Array) === 0 : Object.is(a, b)
}

const matching = (predicate: Predicate, rows: Rows): number[] => {
  const passes = compilePredicate(predicate, ({ id }) =>
    columnFrom(
      columns[id - 1]!.type,
      rows.map((row) => row[id - 1]!),
    ),
  )
  return rows.flatMap((_, row) => (passes(row) ? [row] : []))
}
const isIncluded = (ranges: readonly RowRange[], row: number): boolean =>
  ranges.some(({ start, end }) => start <= row && row < end)
const read = (file: PrunableFile, predicate: Predicate): Promise<readonly RowRange[]> =>
  rowsToRead({
    file,
    rowGroup: 0,
    predicate,
    fieldOf: ({ id }) => fields[id - 1],
    smallBytes: 0,
    gapRows: 0,
  })

describe('rowsToRead', () => {
  it('leaves no row out that matches', async () => {
    const knowledge = fc.record({ pages: fc.boolean(), dictionary: fc.boolean(), bloom: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(
        fc.array(rowArbitrary, { minLength: 1, maxLength: 30 }),
        expression,
        knowledge,
        fc.array(fc.nat(29), { maxLength: 6 }),
        async (rows, where, knows, cuts) => {
          const predicate = bindExpression(where, fields)
          const ranges = await read(fileOf(rows, knows, cuts), predicate)
          const found = matching(predicate, rows)
          expect(found.filter((row) => !isIncluded(ranges, row))).toEqual([])
          expect(ranges.every(({ start, end }) => 0 <= start && start < end && end <= rows.length)).toBe(true)
        },
      ),
      { numRuns: 1500 },
    )
  })

  const sorted: Rows = Array.from({ length: 100 }, (_, row) => [row, BigInt(row % 10) * 10n, utf8(`k${row % 3}`), null])
  const cuts = [10, 20, 30, 40, 50, 60, 70, 80, 90]
  const all = { pages: true, dictionary: true, bloom: true }
  const some = async (where: Expression, knows: Partial<typeof all>): Promise<readonly RowRange[]> =>
    read(
      fileOf(sorted, { pages: false, dictionary: false, bloom: false, ...knows }, cuts),
      bindExpression(where, fields),
    )

  it('reads the pages that might match', async () => {
    expect(await some(eq('i', 34), { pages: true })).toEqual([{ start: 30, end: 40 }])
    expect(await some(or(eq('i', 34), gt('i', 79)), { pages: true })).toEqual([
      { start: 30, end: 40 },
      { start: 80, end: 100 },
    ])
    expect(await some(and(gt('i', 34), lt('i', 51), eq('l', 30n)), { pages: true })).toEqual([{ start: 30, end: 60 }])
    expect(await some(notNull('x'), { pages: true })).toEqual([])
  })

  it('skips a row group whose dictionary or bloom filter lacks the value', async () => {
    const whole = [{ start: 0, end: 100 }]
    expect(await some(eq('l', 35n), {})).toEqual(whole)
    expect(await some(eq('l', 35n), { dictionary: true })).toEqual([])
    expect(await some(eq('l', 35n), { bloom: true })).toEqual([])
    expect(await some(isIn('l', [35n, 36n]), { dictionary: true })).toEqual([])
    expect(await some(isIn('l', [35n, 30n]), { dictionary: true })).toEqual(whole)
    expect(await some(startsWith('s', 'k11'), { dictionary: true })).toEqual([])
    expect(await some(or(eq('l', 35n), eq('s', 'k1')), { bloom: true })).toEqual(whole)
  })

  it('asks nothing where the footer or the size of the row group says it all', async () => {
    const refuse = (): never => expect.unreachable('asked')
    const file: PrunableFile = {
      ...fileOf(sorted, all, cuts),
      pageBounds: refuse,
      dictionary: refuse,
      mightContain: refuse,
    }
    expect(await read(file, bindExpression(eq('i', 100), fields))).toEqual([])
    expect(await read(file, bindExpression(undefined, fields))).toEqual([{ start: 0, end: 100 }])
    const predicate = bindExpression(eq('i', 34), fields)
    const request = { file, rowGroup: 0, predicate, fieldOf: () => fields[0] }
    expect(await rowsToRead(request)).toEqual([{ start: 0, end: 100 }])
  })

  it('takes a column that the file lacks for null only where it has no initial default', async () => {
    const file = fileOf(sorted, all, cuts)
    const lacking = { ...file, rowGroups: [{ ...file.rowGroups[0]!, bounds: () => ({ nullCount: 100 }) }] }
    const added = { ...fields[0]!, id: 9 }
    const rowsOf = (value: number | null | undefined, known: PrunableFile): Promise<readonly RowRange[]> => {
      const field = value === undefined ? added : { ...added, 'initial-default': value }
      const predicate = bindExpression(eq('i', 7), [added])
      return rowsToRead({ file: known, rowGroup: 0, predicate, fieldOf: () => field })
    }
    expect(await rowsOf(7, lacking)).toEqual([{ start: 0, end: 100 }])
    expect(await rowsOf(null, lacking)).toEqual([])
    expect(await rowsOf(undefined, lacking)).toEqual([])
    // All null in a file that has it is another thing.
    expect(await rowsOf(7, { ...lacking, fields: [{ id: 9, name: 'i', physicalType: 'INT32' }] })).toEqual([])
  })

  it('takes no word for a column that the table has no more', async () => {
    const file = fileOf(sorted, all, cuts)
    const predicate = bindExpression(isNull('i'), [{ ...fields[0]!, id: 9 }])
    const gone = { ...file, rowGroups: [{ ...file.rowGroups[0]!, bounds: () => ({ nullCount: 100 }) }] }
    const request = { file: gone, rowGroup: 0, predicate, fieldOf: () => undefined, smallBytes: 0, gapRows: 0 }
    expect(await rowsToRead(request)).toEqual([{ start: 0, end: 100 }])
  })
})

describe('passingRows', () => {
  it('are the rows for which the predicate holds, or undefined for all', () => {
    fc.assert(
      fc.property(fc.array(rowArbitrary, { maxLength: 20 }), expression, (rows, where) => {
        const predicate = bindExpression(where, fields)
        const column = (id: number): Column =>
          columnFrom(
            columns[id - 1]!.type,
            rows.map((row) => row[id - 1]!),
          )
        const passing = passingRows(predicate, rows.length, ({ id }) => column(id))
        const all = Array.from(rows, (_, row) => row)
        expect([...(passing ?? all)]).toEqual(matching(predicate, rows))
        if (rows.length > 0 && passing?.length === rows.length) expect.unreachable('all rows, but a list of them')
      }),
      { numRuns: 500 },
    )
  })
})
