import type { IcebergSchema } from '@moulin/core'
import type { FieldMetrics } from '@moulin/format'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dataFileMetrics } from './data-file-metrics.ts'
import { compareBytes } from './datum.ts'
import { decodeSingleValue } from './single-value.ts'

const struct = (fields: IcebergSchema['fields']) => ({ type: 'struct', fields }) as const
const field = (id: number, name: string, type: IcebergSchema['fields'][number]['type']) => {
  return { id, name, required: false, type }
}
const schema: IcebergSchema = struct([
  field(1, '_kafka_offset', 'long'),
  field(2, 'text', 'string'),
  field(3, 'whole', 'string'),
  field(4, 'raw', 'binary'),
  field(5, 'x', 'double'),
  field(6, 'nested', struct([field(7, 'inner', 'int')])),
  field(8, 'tags', { type: 'list', 'element-id': 9, element: 'string', 'element-required': false }),
])
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const counts = { sizeBytes: 7, valueCount: 5, nullCount: 1 }
const bounds = (id: number, lower: FieldMetrics['lower'], upper: FieldMetrics['upper'] = lower) =>
  new Map([[id, { ...counts, ...(lower === undefined ? {} : { lower }), ...(upper === undefined ? {} : { upper }) }]])
const upperOf = (id: number, value: Uint8Array): Uint8Array | undefined =>
  dataFileMetrics(schema, bounds(id, value)).upperBounds.get(id)

describe('dataFileMetrics', () => {
  it('gives sizes and counts of every leaf, exactly', () => {
    const { columnSizes, valueCounts, nullValueCounts, nanValueCounts } = dataFileMetrics(
      schema,
      new Map<number, FieldMetrics>([
        [5, { ...counts, nanCount: 2 }],
        [9, counts],
      ]),
    )
    expect([...columnSizes]).toEqual([
      [5, 7n],
      [9, 7n],
    ])
    expect(valueCounts.get(9)).toBe(5n)
    expect(nullValueCounts.get(5)).toBe(1n)
    expect([...nanValueCounts]).toEqual([[5, 2n]])
  })

  it('serializes bounds, below structs too, but not below lists', () => {
    const { lowerBounds, upperBounds } = dataFileMetrics(
      schema,
      new Map<number, FieldMetrics>([
        [1, { ...counts, lower: -(2n ** 63n), upper: 2n ** 53n + 1n }],
        [7, { ...counts, lower: 1, upper: 2 }],
        [9, { ...counts, lower: utf8('a'), upper: utf8('b') }],
      ]),
    )
    expect(decodeSingleValue('long', lowerBounds.get(1)!)).toBe(-(2n ** 63n))
    expect(decodeSingleValue('long', upperBounds.get(1)!)).toBe(2n ** 53n + 1n)
    expect(decodeSingleValue('int', upperBounds.get(7)!)).toBe(2)
    expect(lowerBounds.has(9) || upperBounds.has(9)).toBe(false)
  })

  it('keeps 16 characters, the last of an upper bound raised', () => {
    const text = 'abcdefghijklmnopqrs'
    const { lowerBounds, upperBounds } = dataFileMetrics(schema, bounds(2, utf8(text)))
    expect(lowerBounds.get(2)).toEqual(utf8('abcdefghijklmnop'))
    expect(upperBounds.get(2)).toEqual(utf8('abcdefghijklmnoq'))
    expect(upperOf(2, utf8('abcdefghijklmnop'))).toEqual(utf8('abcdefghijklmnop'))
    expect(upperOf(2, utf8('\u{1f9ca}'.repeat(17)))).toEqual(utf8('\u{1f9ca}'.repeat(15) + '\u{1f9cb}'))
  })

  it('raises an earlier character where the last cannot be, skips the surrogates, drops what cannot be raised', () => {
    expect(upperOf(2, utf8('a'.repeat(14) + 'b\u{10ffff}z'))).toEqual(utf8('a'.repeat(14) + 'c'))
    expect(upperOf(2, utf8('a'.repeat(15) + '\ud7ffz'))).toEqual(utf8('a'.repeat(15) + '\ue000'))
    expect(upperOf(2, utf8('\u{10ffff}'.repeat(17)))).toBeUndefined()
    expect(upperOf(4, new Uint8Array(17).fill(0xff))).toBeUndefined()
    expect(upperOf(4, new Uint8Array([...Array(14).fill(1), 2, 0xff, 0]))).toEqual(
      new Uint8Array([...Array(14).fill(1), 3]),
    )
    expect(upperOf(2, new Uint8Array(20).fill(0xff))).toBeUndefined()
  })

  it('keeps columns whole that are named', () => {
    const long = utf8('x'.repeat(40))
    const { lowerBounds, upperBounds } = dataFileMetrics(schema, bounds(3, long), { full: ['whole'] })
    expect(lowerBounds.get(3)).toEqual(long)
    expect(upperBounds.get(3)).toEqual(long)
  })

  it('never gives a NaN, and zeros with the sign that holds both', () => {
    const nan = dataFileMetrics(schema, bounds(5, Number.NaN))
    expect(nan.lowerBounds.size + nan.upperBounds.size).toBe(0)
    const zero = dataFileMetrics(schema, bounds(5, 0, -0))
    expect(decodeSingleValue('double', zero.lowerBounds.get(5)!)).toBe(-0)
    expect(decodeSingleValue('double', zero.upperBounds.get(5)!)).toBe(0)
  })

  it('bounds every text and binary from both sides, leaving the value alone', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }).map(utf8), fc.uint8Array({ maxLength: 40 })),
        fc.constantFrom(2, 4),
        (bytes, id) => {
          const value = Buffer.from(bytes)
          const { lowerBounds, upperBounds } = dataFileMetrics(schema, bounds(id, value))
          expect(compareBytes(lowerBounds.get(id)!, bytes)).toBeLessThanOrEqual(0)
          const upper = upperBounds.get(id)
          if (upper !== undefined) expect(compareBytes(upper, bytes)).toBeGreaterThanOrEqual(0)
          expect(value.equals(bytes)).toBe(true)
        },
      ),
    )
  })
})
