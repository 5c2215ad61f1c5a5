import type { DataFile, ManifestEntry } from '../manifests/data-file.ts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { and, eq, gt, gte, isIn, isNull, lt, lte, ne, not, notNull, startsWith, type Expression } from '@moulin/core'
import { columnTransformer } from '../partitions/column-transformer.ts'
import { dataFileMetrics } from '../manifests/data-file-metrics.ts'
import { partitionTupleKey, type PartitionValue } from '../values/datum.ts'
import {
  columnFrom,
  columns,
  expressionArbitrary,
  focusArbitrary,
  meaningOf,
  metricsFrom,
  rowsArbitrary,
  specArbitrary,
  testSchema,
  toExpression,
  type Row,
} from './expression.test-support.ts'
import { writeManifest } from '../manifests/manifest.ts'
import { readManifest } from '../manifests/read-manifest.ts'
import { readManifestList, writeManifestList } from '../manifests/manifest-list.ts'
import { bindPartitionSpec, type BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { encodeSingleValue } from '../values/single-value.ts'
import { bindExpression } from './predicate.ts'
import { projectPredicate } from './projection.ts'
import { manifestMightMatch, metricsMightMatch, partitionMightMatch, rowGroupMightMatch } from './pruning.ts'
import { compilePredicate } from './row-predicate.ts'

function fileOf(rows: readonly Row[], spec: BoundPartitionSpec, partition: readonly PartitionValue[]): DataFile {
  return {
    content: 0,
    filePath: 'memory:///t/data/a.parquet',
    fileFormat: 'PARQUET',
    specId: spec.specId,
    partition,
    recordCount: BigInt(rows.length),
    fileSizeBytes: 1n,
    ...dataFileMetrics(testSchema, metricsFrom(rows)),
    splitOffsets: [],
    sortOrderId: undefined,
  }
}

function tuplesOf(rows: readonly Row[], spec: BoundPartitionSpec): PartitionValue[][] {
  const transformed = spec.fields.map(({ transform, sourceId, source }) => {
    const column = columnFrom(rows, sourceId - 1)
    const transformer = columnTransformer(transform, source!.type)
    return rows.map((_, row) => transformer(column, row))
  })
  return rows.map((_, row) => transformed.map((values) => values[row]!))
}

function stored(files: readonly DataFile[], spec: BoundPartitionSpec) {
  const entries = files.map((file): ManifestEntry => {
    return { status: 'added', snapshotId: 1n, sequenceNumber: undefined, fileSequenceNumber: undefined, file }
  })
  const path = 'memory:///t/metadata/m.avro'
  const written = writeManifest({ path, spec, schema: testSchema, entries, snapshotId: 1n, sequenceNumber: 1n })
  const list = writeManifestList({
    manifests: [written.manifest],
    snapshotId: 1n,
    parentSnapshotId: null,
    sequenceNumber: 1n,
  })
  const [manifest] = readManifestList(list, { path: 'memory:///t/metadata/l.avro' })
  return {
    manifest: manifest!,
    files: readManifest(written.bytes, { manifest: manifest!, spec }).map(({ file }) => file),
  }
}

describe('predicates', () => {
  it('pass exactly the rows of which they are true, and pruning drops none of these', () => {
    fc.assert(
      fc.property(
        rowsArbitrary,
        focusArbitrary.chain((focus) =>
          fc.tuple(specArbitrary(focus), fc.array(expressionArbitrary(focus), { minLength: 10, maxLength: 10 })),
        ),
        (rows, [specJson, tests]) => {
          const spec = bindPartitionSpec(specJson, [testSchema])
          const groups = Map.groupBy(
            tuplesOf(rows, spec).map((tuple, at) => ({ tuple, row: rows[at]! })),
            ({ tuple }) => partitionTupleKey(tuple),
          )
          const parts = [...groups.values()].map((members) => {
            const memberRows = members.map(({ row }) => row)
            const file = fileOf(memberRows, spec, members[0]!.tuple)
            return { rows: memberRows, alone: stored([file], spec), file }
          })
          const together = stored(
            parts.map(({ file }) => file),
            spec,
          )

          for (const test of tests) {
            const predicate = bindExpression(toExpression(test), testSchema.fields)
            const projected = projectPredicate(predicate, spec)
            let anyMatch = false
            parts.forEach((part, at) => {
              const passes = compilePredicate(predicate, ({ id }) => columnFrom(part.rows, id - 1))
              const expected = part.rows.map((row) => meaningOf(test, row) === true)
              expect(part.rows.map((_, row) => passes(row))).toEqual(expected)
              if (!expected.includes(true)) return
              anyMatch = true
              const metrics = metricsFrom(part.rows)
              const rowGroup = {
                rowCount: part.rows.length,
                bounds: (id: number) => {
                  const { lower, upper, nullCount } = metrics.get(id)!
                  return {
                    nullCount,
                    ...(lower === undefined ? {} : { min: lower }),
                    ...(upper === undefined ? {} : { max: upper }),
                  }
                },
              }
              expect(rowGroupMightMatch(predicate, rowGroup), 'row group').toBe(true)
              for (const file of [part.alone.files[0]!, together.files[at]!]) {
                expect(metricsMightMatch(predicate, file), 'metrics').toBe(true)
                expect(partitionMightMatch(projected, file.partition), 'partition').toBe(true)
              }
              expect(manifestMightMatch(projected, part.alone.manifest), 'manifest').toBe(true)
            })
            if (anyMatch) expect(manifestMightMatch(projected, together.manifest), 'manifest of all').toBe(true)
          }
        },
      ),
      { numRuns: process.env['MOULIN_LONG'] === undefined ? 150 : 5000 },
    )
  })
})

describe('pruning', () => {
  const at = (name: string): number => columns.findIndex(({ field }) => field.name === name)
  const rowWith = (values: Record<string, Row[number]>): Row =>
    columns.map(({ field }) => (Object.hasOwn(values, field.name) ? values[field.name]! : null))
  const unpartitioned = bindPartitionSpec({ 'spec-id': 0, fields: [] }, [testSchema])
  const file = fileOf(
    [
      rowWith({ i: 1, l: 1n, s: 'abc', x: 0.1, b: true, z: 0n }),
      rowWith({ i: 3, l: 1n, s: 'abd', x: Number.NaN, b: true, z: 3_600_000_000n }),
    ],
    unpartitioned,
    [],
  )
  const might = (where: Expression): boolean => metricsMightMatch(bindExpression(where, testSchema.fields), file)

  it.each<[string, Expression, boolean]>([
    ['eq within', eq('i', 2), true],
    ['eq below', eq('i', 0), false],
    ['eq above', eq('i', 4), false],
    ['lt at the lower bound', lt('i', 1), false],
    ['lte at the lower bound', lte('i', 1), true],
    ['gt at the upper bound', gt('i', 3), false],
    ['gte at the upper bound', gte('i', 3), true],
    ['isIn with none within', isIn('i', [0, 4]), false],
    ['isIn with one within', isIn('i', [0, 2]), true],
    ['ne of the only value', ne('l', 1n), false],
    ['ne of another', ne('l', 2n), true],
    ['not isIn of the only value', not(isIn('l', [1n, 7n])), false],
    ['isNull without nulls', isNull('i'), false],
    ['isNull of nothing but nulls', isNull('d'), true],
    ['notNull of nothing but nulls', notNull('d'), false],
    ['a comparison with nothing but nulls', eq('d', '1970-01-01'), false],
    ['startsWith the prefix of all', startsWith('s', 'ab'), true],
    ['startsWith a prefix above', startsWith('s', 'b'), false],
    ['startsWith a prefix below', startsWith('s', 'aa'), false],
    ['startsWith a longer prefix above', startsWith('s', 'abda'), false],
    ['not startsWith the prefix of all', not(startsWith('s', 'ab')), false],
    ['not startsWith of one', not(startsWith('s', 'abc')), true],
    ['gt where a NaN is', gt('x', 0.5), true],
    ['lt where a NaN is', lt('x', 0), false],
    ['a conjunction with one impossible part', and(eq('i', 2), eq('b', false)), false],
  ])('%s', (_name, where, expected) => {
    expect(might(where)).toBe(expected)
  })

  it('skips the month after an exclusive end', () => {
    const fields = [{ 'source-id': at('z') + 1, 'field-id': 1000, name: 'm', transform: 'month' }]
    const spec = bindPartitionSpec({ 'spec-id': 1, fields }, [testSchema])
    const projected = projectPredicate(
      bindExpression(and(gte('z', new Date('2024-01-01')), lt('z', new Date('2024-02-01'))), testSchema.fields),
      spec,
    )
    const months = [647, 648, 649].map((month) => partitionMightMatch(projected, [month]))
    expect(months).toEqual([false, true, false])
    expect(partitionMightMatch(projected, [null])).toBe(false)
  })

  it.each<[string, Expression, string[]]>([
    ['a prefix within the width', startsWith('s', 'ic'), ['ice', 'ic\u{1f9ca}', 'ic']],
    ['a prefix of the width', startsWith('s', 'ice'), ['ice']],
    ['a prefix beyond the width', startsWith('s', 'iceberg'), ['ice']],
    ['without a prefix within the width', not(startsWith('s', 'ic')), ['', 'i']],
    ['without a prefix beyond the width', not(startsWith('s', 'iceberg')), ['', 'i', 'ic', 'ic\u{1f9ca}', 'ice']],
  ])('%s finds the truncations that may match', (_name, where, expected) => {
    const fields = [{ 'source-id': at('s') + 1, 'field-id': 1000, name: 'start', transform: 'truncate[3]' }]
    const spec = bindPartitionSpec({ 'spec-id': 1, fields }, [testSchema])
    const projected = projectPredicate(bindExpression(where, testSchema.fields), spec)
    const values = ['', 'i', 'ic', 'ic\u{1f9ca}', 'ice']
    expect(new Set(values.filter((value) => partitionMightMatch(projected, [value])))).toEqual(new Set(expected))
  })

  it.each<[string, Expression, number[]]>([
    ['gt', gt('i', 1), [0, 3]],
    ['gt before a multiple', gt('i', 2), [3]],
    ['gte', gte('i', 3), [3]],
    ['lt', lt('i', 1), [-3, 0]],
    ['lt a multiple', lt('i', 0), [-3]],
    ['lte', lte('i', 0), [-3, 0]],
  ])('%s finds the multiples whose numbers may match, and no more', (_name, where, expected) => {
    const fields = [{ 'source-id': at('i') + 1, 'field-id': 1000, name: 'threes', transform: 'truncate[3]' }]
    const spec = bindPartitionSpec({ 'spec-id': 1, fields }, [testSchema])
    const projected = projectPredicate(bindExpression(where, testSchema.fields), spec)
    expect([-3, 0, 3].filter((value) => partitionMightMatch(projected, [value]))).toEqual(expected)
  })

  it('finds the one bucket of an equality', () => {
    const fields = [{ 'source-id': at('s') + 1, 'field-id': 1000, name: 'bucket', transform: 'bucket[16]' }]
    const spec = bindPartitionSpec({ 'spec-id': 1, fields }, [testSchema])
    const projected = projectPredicate(bindExpression(eq('s', 'iceberg'), testSchema.fields), spec)
    const matching = Array.from({ length: 16 }, (_, bucket) => bucket).filter((bucket) =>
      partitionMightMatch(projected, [bucket]),
    )
    expect(matching).toEqual([1210000089 % 16])
  })

  it('skips a manifest without live files', () => {
    const { manifest } = stored([file], unpartitioned)
    expect(manifestMightMatch({ op: 'true' }, manifest)).toBe(true)
    expect(manifestMightMatch({ op: 'true' }, { ...manifest, addedFiles: 0 })).toBe(false)
    expect(manifestMightMatch({ op: 'true' }, { ...manifest, addedFiles: undefined })).toBe(true)
  })

  it('believes no bound that is NaN, and nothing that is not stated', () => {
    const nan = new Uint8Array(new Float64Array([Number.NaN]).buffer)
    const bare = {
      ...file,
      valueCounts: new Map(),
      nullValueCounts: new Map(),
      nanValueCounts: new Map(),
      lowerBounds: new Map([[at('x') + 1, nan]]),
      upperBounds: new Map([[at('x') + 1, nan]]),
    }
    for (const where of [eq('x', 5), lt('x', 5), gt('x', 5), isNull('x'), eq('i', 9), notNull('d')]) {
      expect(metricsMightMatch(bindExpression(where, testSchema.fields), bare)).toBe(true)
    }
  })
})

it('believes no bounds that contradict each other, and no count of more nulls than values', () => {
  const none = { valueCounts: new Map(), nullValueCounts: new Map(), nanValueCounts: new Map() }
  const file = { ...fileOf([], bindPartitionSpec({ 'spec-id': 0, fields: [] }, []), []), ...none }
  const fields = [{ id: 1, name: 'n', required: false, type: 'int' }] as const
  const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer)
  const where = (expression: Expression, metrics: Partial<DataFile>): boolean =>
    metricsMightMatch(bindExpression(expression, fields), { ...file, recordCount: 3n, ...metrics })
  const bounded = (lower: number, upper: number): Partial<DataFile> => ({
    lowerBounds: new Map([[1, int(lower)]]),
    upperBounds: new Map([[1, int(upper)]]),
  })
  for (const expression of [eq('n', 5), gt('n', 8), lt('n', 2), ne('n', 4)]) {
    expect(where(expression, bounded(9, 1))).toBe(true)
    expect(where(eq('n', 0), bounded(1, 9))).toBe(false)
  }
  const nulls = (count: bigint): Partial<DataFile> => ({ nullValueCounts: new Map([[1, count]]) })
  expect(where(eq('n', 5), nulls(3n))).toBe(false)
  expect(where(isNull('n'), nulls(0n))).toBe(false)
  for (const count of [4n, -1n])
    expect([where(eq('n', 5), nulls(count)), where(isNull('n'), nulls(count))]).toEqual([true, true])
})

describe('a bound of a file', () => {
  const bounded = (type: string, lower: Uint8Array, upper: Uint8Array): ((where: Expression) => boolean) => {
    const spec = bindPartitionSpec({ 'spec-id': 0, fields: [] }, [])
    const file = {
      ...fileOf([], spec, []),
      recordCount: 9n,
      valueCounts: new Map(),
      nullValueCounts: new Map([[1, 0n]]),
      lowerBounds: new Map([[1, lower]]),
      upperBounds: new Map([[1, upper]]),
    }
    const field = { id: 1, name: 'c', required: false, type }
    return (where) => metricsMightMatch(bindExpression(where, [field]), file)
  }
  const days = (count: number): Uint8Array => new Uint8Array(new Int32Array([count]).buffer)

  it('that is no value of the column says nothing, and the other one what it says', () => {
    const might = bounded('long', new Uint8Array(3), encodeSingleValue('long', 50n))
    expect([might(lt('c', 0n)), might(gt('c', 50n)), might(gte('c', 50n))]).toEqual([true, false, true])
  })

  it('that was written before the column was promoted is read as what it was', () => {
    const day = 86_400_000_000n
    for (const [type, unit] of [
      ['timestamp', day],
      ['timestamp_ns', day * 1000n],
    ] as const) {
      const might = bounded(type, days(-1), days(2))
      expect([
        might(eq('c', -unit - 1n)),
        might(eq('c', -unit)),
        might(eq('c', 2n * unit)),
        might(eq('c', 2n * unit + 1n)),
      ]).toEqual([false, true, true, false])
    }
  })
})

it('prunes nothing by a list, struct or map, of which no metrics tell', () => {
  const tags = { type: 'list', 'element-id': 2, element: 'string', 'element-required': true } as const
  const fields = [{ id: 1, name: 'tags', required: false, type: tags }]
  // As a footer says that has no leaf of that id: all rows null.
  const rowGroup = { rowCount: 3, bounds: () => ({ nullCount: 3 }) }
  for (const where of [notNull('tags'), isNull('tags'), not(isNull('tags')), not(notNull('tags'))]) {
    expect(rowGroupMightMatch(bindExpression(where, fields), rowGroup)).toBe(true)
  }
  for (const where of [startsWith('tags', 'a'), eq('tags', 'a')]) {
    expect(() => bindExpression(where, fields)).toThrow(/column; tags is of type list|column tags of type list/)
  }
})

describe('bounds of UUIDs', () => {
  const uuid = (first: number, version = 4): Uint8Array =>
    Uint8Array.of(first, 1, 2, 3, 4, 5, version << 4, 7, 0x80, 9, 10, 11, 12, 13, 14, 15)
  const text = (bytes: Uint8Array): string =>
    Buffer.from(bytes)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
  const field = { id: 1, name: 'id', required: false, type: 'uuid' } as const
  const mightHold = (wanted: Uint8Array, lower: Uint8Array, upper: Uint8Array, splitOffsets: readonly bigint[]) => {
    const bounded = { lowerBounds: new Map([[1, lower]]), upperBounds: new Map([[1, upper]]) }
    const file = { ...fileOf([], bindPartitionSpec({ 'spec-id': 0, fields: [] }, []), []), ...bounded, splitOffsets }
    const counts = { recordCount: 9n, valueCounts: new Map([[1, 9n]]), nullValueCounts: new Map([[1, 0n]]) }
    return metricsMightMatch(bindExpression(eq('id', text(wanted)), [field]), { ...file, ...counts })
  }

  it('are not believed where signed halves may have been compared between row groups', () => {
    // Java's bounds of two row groups with 00 to 50 and 50 to a0: the least and the greatest as signed numbers.
    expect(mightHold(uuid(0x90), uuid(0), uuid(0x50), [4n, 900n])).toBe(true)
    expect(mightHold(uuid(0x90), uuid(0), uuid(0x50), [])).toBe(true)
    // And of a0 to ff behind 00 to a0.
    expect(mightHold(uuid(0x10), uuid(0xa0), uuid(0xff), [4n, 900n])).toBe(true)
  })

  it('are believed within one row group, and of time-ordered ones', () => {
    expect(mightHold(uuid(0x60), uuid(0), uuid(0x50), [4n])).toBe(false)
    expect(mightHold(uuid(0x60, 7), uuid(0, 7), uuid(0x50, 7), [4n, 900n])).toBe(false)
    expect(mightHold(uuid(0x40, 7), uuid(0, 7), uuid(0x50, 7), [4n, 900n])).toBe(true)
    expect(mightHold(uuid(0x40), uuid(0), uuid(0xf0), [4n])).toBe(true)
  })
})

it('knows of an unknown column that it is null, whatever a manifest says', () => {
  const column = { id: 2, name: 'nothing', type: 'unknown' }
  const spec = bindPartitionSpec({ 'spec-id': 0, fields: [] }, [])
  const file = {
    ...fileOf([columns.map(({ pairs }) => pairs[0]!.stored)], spec, []),
    nullValueCounts: new Map([[2, 0n]]),
  }
  expect(metricsMightMatch({ op: 'isNull', column, values: [] }, file)).toBe(true)
  expect(metricsMightMatch({ op: 'notNull', column, values: [] }, file)).toBe(false)
})
