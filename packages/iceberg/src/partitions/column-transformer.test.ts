import { Arena, builderFor, isKind, t, type Column, type Type } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bigIntBytes } from '@moulin/format'
import { columnRuns } from './column-runs.ts'
import { columnTransformer } from './column-transformer.ts'
import { type PartitionValue } from '../values/datum.ts'
import { parseTransform, valueTransform } from './transform.ts'

function columnOf(type: Type, values: readonly PartitionValue[]): Column {
  const builder = builderFor(type, new Arena())
  for (const value of values) {
    if (value === null) builder.appendNull()
    else if (builder.storage === 'fixed' && typeof value === 'bigint') builder.append(bigIntBytes(value, builder.width))
    else builder.append((typeof value === 'string' ? new TextEncoder().encode(value) : value) as never)
  }
  return builder.finish()
}

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const bytes = fc.uint8Array({ maxLength: 12 })
const cases: { iceberg: string; type: Type; values: fc.Arbitrary<PartitionValue>; transforms: string[] }[] = [
  { iceberg: 'boolean', type: t.boolean, values: fc.boolean(), transforms: ['identity'] },
  { iceberg: 'int', type: t.int, values: fc.integer(), transforms: ['identity', 'bucket[7]', 'truncate[10]'] },
  {
    iceberg: 'date',
    type: t.date,
    values: fc.integer(),
    transforms: ['identity', 'bucket[7]', 'year', 'month', 'day'],
  },
  { iceberg: 'long', type: t.long, values: int64, transforms: ['identity', 'bucket[7]', 'truncate[10]'] },
  { iceberg: 'time', type: t.time, values: int64, transforms: ['identity', 'bucket[7]'] },
  {
    iceberg: 'timestamptz',
    type: t.timestamptz,
    values: int64,
    transforms: ['identity', 'bucket[7]', 'year', 'month', 'day', 'hour'],
  },
  { iceberg: 'double', type: t.double, values: fc.double(), transforms: ['identity'] },
  {
    iceberg: 'decimal(18,2)',
    type: t.decimal(18, 2),
    values: fc.bigInt({ min: -(10n ** 18n) + 1n, max: 10n ** 18n - 1n }),
    transforms: ['identity', 'bucket[7]', 'truncate[10]'],
  },
  {
    iceberg: 'decimal(38,2)',
    type: t.decimal(38, 2),
    values: fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }),
    transforms: ['identity', 'bucket[7]', 'truncate[10]'],
  },
  {
    iceberg: 'string',
    type: t.string,
    values: fc.string({ unit: 'grapheme', maxLength: 8 }),
    transforms: ['identity', 'bucket[7]', 'truncate[3]'],
  },
  { iceberg: 'binary', type: t.binary, values: bytes, transforms: ['identity', 'bucket[7]', 'truncate[3]'] },
  {
    iceberg: 'uuid',
    type: t.uuid,
    values: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    transforms: ['identity', 'bucket[7]'],
  },
  {
    iceberg: 'fixed[5]',
    type: t.fixed(5),
    values: fc.uint8Array({ minLength: 5, maxLength: 5 }),
    transforms: ['identity', 'bucket[7]'],
  },
]

describe('columnTransformer', () => {
  it.each(cases)('gives for each row of $iceberg what the transform gives for its value', (example) => {
    // Few values, so that runs of equal ones occur; two columns, so that nothing is remembered across them.
    const rows = fc.array(fc.oneof(fc.constant(null), example.values), { minLength: 1, maxLength: 6 })
    const picks = fc.array(fc.nat(5), { maxLength: 30 })
    fc.assert(
      fc.property(rows, picks, rows, (pool, picked, other) => {
        const first = picked.map((pick) => pool[pick % pool.length]!)
        for (const name of [...example.transforms, 'void']) {
          const transform = parseTransform(name)
          const single = valueTransform(transform, example.iceberg)
          const transformer = columnTransformer(transform, example.iceberg)
          for (const values of [first, other]) {
            const column = columnOf(example.type, values)
            const results = values.map((_, row) => transformer(column, row))
            expect(results).toEqual(values.map(single))
            const runs = columnRuns(transform, example.iceberg)
            for (let row = 0; row < values.length; row++) {
              const end = runs(column, row)
              expect(end).toBeGreaterThan(row)
              expect(end).toBeLessThanOrEqual(values.length)
              for (let other = row; other < end; other++) expect(results[other]).toEqual(results[row])
              if (row === 0 || values[row] !== values[row - 1]) continue
              // Equal rows are one run.
              expect(runs(column, row - 1)).toBe(end)
            }
          }
        }
      }),
      { numRuns: 50 },
    )
  })

  it('reads a column that is a view into a larger buffer', () => {
    const values = new BigInt64Array([9n, 3_600_000_000n, -1n]).subarray(1)
    const column: Column = { storage: 'int64', length: 2, validity: undefined, values }
    const transformer = columnTransformer(parseTransform('hour'), 'timestamp')
    expect([transformer(column, 0), transformer(column, 1)]).toEqual([1, -1])
  })

  it('remembers a value, not where it lay: the bytes may be used anew', () => {
    const data = Buffer.from('ab')
    const positions = { starts: new Int32Array([0, 1]), ends: new Int32Array([1, 2]) }
    const column: Column = { storage: 'bytes', length: 2, validity: undefined, data, ...positions }
    for (const name of ['identity', 'truncate[4]']) {
      data.write('ab')
      const transformer = columnTransformer(parseTransform(name), 'binary')
      const first = transformer(column, 0)
      data.write('cb')
      expect([first, transformer(column, 0)]).toEqual([new Uint8Array([0x61]), new Uint8Array([0x63])])
    }
  })

  it('refuses a string that is not UTF-8', () => {
    const column = columnOf(t.string, [new Uint8Array([0xff])])
    const transformer = columnTransformer(parseTransform('identity'), 'string')
    expect(() => transformer(column, 0)).toThrow(
      expect.toSatisfy((error) => isKind(error, 'invalid', 'PARTITION_VALUE')),
    )
  })

  it('refuses a column of another storage', () => {
    const int = columnOf(t.int, [1])
    const long = columnOf(t.long, [1n])
    expect(() => columnTransformer(parseTransform('identity'), 'int')(long, 0)).toThrow(/stored as int64/)
    expect(() => columnTransformer(parseTransform('hour'), 'timestamp')(int, 0)).toThrow(/stored as int32/)
    expect(() => columnTransformer(parseTransform('bucket[4]'), 'string')(int, 0)).toThrow(/stored as int32/)
  })
})

describe('columnRuns', () => {
  it('takes all rows of one span of time for one run, on both sides of 1970', () => {
    const hour = 3_600_000_000n
    const rows = [0n, hour - 1n, 5n, hour, -1n, -hour, -hour - 1n, null, null, 2n ** 62n, 2n ** 62n]
    const column = columnOf(t.timestamptz, rows)
    const ends = (name: string): number[] => {
      const runs = columnRuns(parseTransform(name), 'timestamptz')
      return rows.map((_, row) => runs(column, row))
    }
    expect(ends('hour').slice(0, 9)).toEqual([3, 3, 3, 4, 6, 6, 7, 9, 9])
    expect(ends('day').slice(0, 9)).toEqual([4, 4, 4, 4, 7, 7, 7, 9, 9])
    expect(ends('void')).toEqual(rows.map(() => rows.length))
    expect(ends('identity')[9]).toBe(11)
  })
})
