import { FixedBuilder, takeRows } from '@moulin/core'
import type { IcebergSchema } from '@moulin/core'
import { parquetWriter } from '@moulin/format'
import type { FieldMetrics } from '@moulin/format'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dataFileMetrics } from './data-file-metrics.ts'
import { compareBytes } from '../values/datum.ts'
import { decodeSingleValue } from '../values/single-value.ts'

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
  field(10, 'id', 'uuid'),
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

  it('gives bounds of UUIDs only where signed halves order them as their bytes do', () => {
    const uuid = (hex: string): Uint8Array => Buffer.from(hex.replaceAll('-', ''), 'hex')
    const sorted = [
      '0192f0c1-0000-7000-8000-000000000000',
      '0192f0c1-0000-7000-a000-000000000001',
      '7fffffff-ffff-7fff-bfff-ffffffffffff',
    ].map(uuid)
    const ofValues = (values: readonly Uint8Array[]): Map<number, FieldMetrics> => {
      const builder = new FixedBuilder(16)
      for (const value of values) builder.append(value)
      const writer = parquetWriter.create({ schema })
      const halfway = values.length >> 1
      // Two batches and two row groups: what one of them has counts for the file.
      for (const [from, to] of [
        [0, halfway],
        [halfway, values.length],
      ] as const) {
        const rows = Int32Array.from({ length: to - from }, (_, at) => from + at)
        writer.writeRowGroup({ length: to - from, columns: [{ name: 'id', column: takeRows(builder.finish(), rows) }] })
      }
      return new Map(writer.finish().metrics)
    }
    const boundsOf = (...values: readonly Uint8Array[]): unknown[] => {
      const { lowerBounds, upperBounds } = dataFileMetrics(schema, ofValues(values))
      return [lowerBounds.get(10), upperBounds.get(10)].map((bound) => bound && Buffer.from(bound).toString('hex'))
    }
    const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex')
    expect(boundsOf(...sorted)).toEqual([hex(sorted[0]!), hex(sorted[2]!)])
    const none = [undefined, undefined]
    // First half with and without its top bit; then the second, also where only a value between the bounds has it.
    expect(boundsOf(...sorted, uuid('80000000-0000-4000-8000-000000000000'))).toEqual(none)
    expect(boundsOf(...sorted, uuid('0192f0c1-0000-7000-7000-000000000000'))).toEqual(none)
    const ends = [uuid('11111111-1111-1111-1000-000000000000'), uuid('22222222-2222-2222-2000-000000000000')]
    expect(boundsOf(...ends)).toEqual(ends.map(hex))
    expect(boundsOf(ends[0]!, uuid('11111111-1111-1111-9000-000000000000'), ends[1]!)).toEqual(none)
    // Metrics of a writer that does not tell.
    const silent = dataFileMetrics(schema, bounds(10, sorted[0], sorted[2]))
    expect(silent.lowerBounds.size + silent.upperBounds.size).toBe(0)
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
