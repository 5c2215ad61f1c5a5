import { type BytesColumn, INT64_MAX, INT64_MIN } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesDictionary } from '../second-opinion/bytes-dictionary.ts'
import { boundsOf, compareMetricValues, mergeBounds } from './leaf-bounds.ts'
import { columnFrom, decimalBytes, utf8 } from './parquet.test-columns.ts'
import { primitiveType } from './primitive-type.ts'

const nullable = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<(T | null)[]> =>
  fc.array(fc.option(value, { nil: null }), { maxLength: 50 })

function bounds(type: string, values: readonly unknown[]): ReturnType<typeof boundsOf> {
  return boundsOf(columnFrom(type, values), primitiveType(type))
}

describe('boundsOf', () => {
  it('finds the extremes of 64-bit integers without a loss', () => {
    const near = fc.constantFrom(INT64_MIN, INT64_MAX, 0n, -1n, 2n ** 32n, 2n ** 31n, -(2n ** 32n), 2n ** 53n + 1n)
    const value = fc.oneof(near, fc.bigInt({ min: INT64_MIN, max: INT64_MAX }))
    fc.assert(
      fc.property(nullable(value), (values) => {
        const sorted = values.filter((one) => one !== null).toSorted((a, b) => (a < b ? -1 : 1))
        const expected = sorted.length === 0 ? {} : { lower: sorted[0], upper: sorted.at(-1) }
        expect(bounds('long', values)).toEqual(expected)
      }),
    )
  })

  it('orders bytes as unsigned and a prefix first', () => {
    fc.assert(
      fc.property(nullable(fc.uint8Array({ maxLength: 4 })), (values) => {
        const sorted = values.filter((one) => one !== null).toSorted((a, b) => Buffer.compare(a, b))
        const expected = sorted.length === 0 ? {} : { lower: sorted[0], upper: sorted.at(-1) }
        expect(bounds('binary', values)).toEqual(expected)
      }),
    )
  })

  it('orders wide decimals as signed', () => {
    const value = fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n })
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), (values) => {
        const sorted = values.toSorted((a, b) => (a < b ? -1 : 1))
        const wide = values.map((one) => decimalBytes(one, 38))
        expect(bounds('decimal(38,2)', wide)).toEqual({ lower: sorted[0], upper: sorted.at(-1) })
      }),
    )
  })

  it('leaves NaN out, counts it, and puts −0 below 0', () => {
    expect(bounds('double', [NaN, null, NaN])).toEqual({ nanCount: 2 })
    expect(bounds('float', [0, -0, NaN])).toEqual({ lower: -0, upper: 0, nanCount: 1 })
    expect(bounds('double', [-0])).toEqual({ lower: -0, upper: -0, nanCount: 0 })
  })

  it('does not see the slots of nulls', () => {
    expect(bounds('int', [null, 7, null])).toEqual({ lower: 7, upper: 7 })
    expect(bounds('boolean', [null, true])).toEqual({ lower: true, upper: true })
    expect(bounds('string', [null])).toEqual({})
  })
})

describe('mergeBounds', () => {
  it('is the bounds of both, whichever has none', () => {
    expect(mergeBounds({}, { lower: 1, upper: 2 })).toEqual({ lower: 1, upper: 2 })
    expect(mergeBounds({ lower: 1, upper: 2 }, {})).toEqual({ lower: 1, upper: 2 })
    expect(mergeBounds({ lower: -1n, upper: 2n }, { lower: 0n, upper: 9n })).toEqual({ lower: -1n, upper: 9n })
    expect(mergeBounds({ lower: 0, upper: -0, nanCount: 1 }, { lower: -0, upper: 0, nanCount: 2 })).toEqual({
      lower: -0,
      upper: 0,
      nanCount: 3,
    })
    expect(compareMetricValues(utf8('a'), utf8('ab'))).toBeLessThan(0)
  })
})

describe('bytesDictionary', () => {
  const column = (values: readonly (Uint8Array | null)[]): BytesColumn => columnFrom('binary', values) as BytesColumn

  it('gives every row its own value back', () => {
    const pool = fc.array(fc.uint8Array({ maxLength: 90 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(pool, fc.array(fc.nat(), { minLength: 200, maxLength: 400 }), (distinct, picks) => {
        const values = picks.map((pick) => (pick % 7 === 0 ? null : distinct[pick % distinct.length]!))
        const dictionary = bytesDictionary(column(values))
        if (dictionary === undefined) return
        const { entries, indexes } = dictionary
        expect(values.map((value, row) => (value === null ? null : entries[indexes[row]!]))).toEqual(values)
      }),
    )
  })

  it('is there for values that repeat, and not for values that do not', () => {
    const repeating = Array.from({ length: 5000 }, (_, i) => utf8(`airport ${i % 1500}`))
    expect(bytesDictionary(column([...repeating, ...repeating]))?.entries).toHaveLength(1500)
    expect(bytesDictionary(column(Array.from({ length: 20_000 }, (_, i) => utf8(`row ${i}`))))).toBeUndefined()
  })

  it('gives up on values that were made to collide, rather than search for ever', () => {
    // Only the middle differs, which the hash does not see.
    const values = Array.from({ length: 3000 }, (_, i) => {
      const value = new Uint8Array(200)
      new DataView(value.buffer).setUint32(100, i % 600)
      return value
    })
    expect(bytesDictionary(column(values))).toBeUndefined()
  })
})
