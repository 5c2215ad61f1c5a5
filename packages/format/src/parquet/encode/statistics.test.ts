import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { field, listType, utf8 } from '../parquet.test-columns.ts'
import { ThriftReader } from '../thrift-reader.ts'
import { footer, open, write } from './encode.test-support.ts'

describe('Indexes and statistics of parquetWriter', () => {
  it('says what its own reader then finds: bounds of pages, dictionaries, bloom filters', async () => {
    const fields = [field(1, 'n', 'long'), field(2, 's', 'string'), field(3, 'd', 'double')]
    const rows = Array.from({ length: 50_000 }, (_, i) => [
      i >= 2000 && i < 40_000 ? null : BigInt(i),
      utf8(`value ${i % 40}`),
      i % 10 === 0 ? NaN : i % 2 === 0 ? -0 : 0,
    ])
    const written = write(fields, [rows], {
      pageBytes: 8000,
      columnIndexes: 'all',
      encodings: { n: 'plain', d: 'plain' },
      bloomFilters: { n: {}, s: { fpp: 0.001 } },
    })
    const file = await open(written)
    const pages = await file.pageBounds({ rowGroup: 0, fieldId: 1 })
    // Nulls take no bytes: a page of them ends at its rows.
    const thousands = new Array<number>(8).fill(1000)
    expect(pages!.map(({ start, end }) => end - start)).toEqual([1000, 1000, 20_000, 19_000, 1000, ...thousands])
    expect(pages![0]).toEqual({ start: 0, end: 1000, min: 0n, max: 999n, nullCount: 0 })
    expect(pages![2]).toEqual({ start: 2000, end: 22_000, nullCount: 20_000 })
    const zeros = await file.pageBounds({ rowGroup: 0, fieldId: 3 })
    expect(zeros!.every(({ min, max }) => Object.is(min, -0) && Object.is(max, 0))).toBe(true)
    expect(written.metrics.get(3)).toMatchObject({ nanCount: 5000, lower: -0, upper: 0 })
    const dictionary = await file.dictionary({ rowGroup: 0, field: fields[1]! })
    expect(dictionary!.length).toBe(40)
    const has = (fieldId: number, value: bigint | Uint8Array) => file.mightContain({ rowGroup: 0, fieldId, value })
    for (let i = 0; i < 40; i++) expect(await has(2, utf8(`value ${i}`))).toBe(true)
    for (const i of [0n, 1999n, 40_000n, 49_999n]) expect(await has(1, i)).toBe(true)
    let wrong = 0
    for (let i = 0; i < 1000; i++) if (await has(1, BigInt(i + 60_000))) wrong++
    expect(wrong).toBeLessThan(40)
    const { bloom_filter_length } = footer(written).row_groups[0]!.columns[0]!.meta_data!
    // 12 000 values at 1 %: 10 bits each, rounded up to a power of two.
    expect(bloom_filter_length).toBeGreaterThan(16_384)
    expect(bloom_filter_length).toBeLessThan(16_384 + 32)
  })

  it('has no column index where a page has nothing but NaNs', async () => {
    const fields = [field(1, 'd', 'double')]
    const column = (values: number[]) => write(fields, [values.map((value) => [value])], { columnIndexes: 'all' })
    const only = await open(column([NaN, NaN]))
    expect(await only.pageBounds({ rowGroup: 0, fieldId: 1 })).toBe(undefined)
    expect(only.rowGroups[0]!.bounds(1)).toEqual({ nullCount: 0 })
    const some = await open(column([NaN, 2]))
    expect(await some.pageBounds({ rowGroup: 0, fieldId: 1 })).toEqual([
      { start: 0, end: 2, min: 2, max: 2, nullCount: 0 },
    ])
  })

  it('orders pages as their bounds are ordered', () => {
    const orderOf = (values: (number | null)[]): number => {
      const fields = [field(1, 'n', 'int')]
      const rows = values.flatMap((value) => new Array<[number | null]>(8).fill([value]))
      const written = write(fields, [rows], { pageBytes: 32, columnIndexes: 'all', encodings: { n: 'plain' } })
      const { column_index_offset } = footer(written).row_groups[0]!.columns[0]!
      const reader = new ThriftReader(written.bytes, Number(column_index_offset), written.bytes.length, 'index')
      let order = -1
      reader.struct((id) => {
        if (id !== 4) return false
        order = reader.i32()
        return true
      })
      return order
    }
    expect(orderOf([1, 2, 2, 3])).toBe(1)
    expect(orderOf([3, null, 2, 2])).toBe(2)
    expect(orderOf([3, 1, 2])).toBe(0)
    expect(orderOf([null, null])).toBe(1)
  })

  it('counts levels and bytes for readers that plan memory', () => {
    const fields = [field(1, 's', 'string'), field(2, 'l', listType(3, 'string'))]
    const rows = [
      [utf8('abc'), [utf8('x'), null, utf8('yz')]],
      [null, null],
      [utf8(''), []],
      [utf8('de'), [utf8('w')]],
    ]
    const { columns } = footer(write(fields, [rows])).row_groups[0]!
    expect(columns[0]!.meta_data!.size_statistics).toEqual({
      unencoded_byte_array_data_bytes: 5n,
      definition_level_histogram: [1n, 3n],
    })
    expect(columns[1]!.meta_data!.size_statistics).toEqual({
      unencoded_byte_array_data_bytes: 4n,
      repetition_level_histogram: [4n, 2n],
      // Null, empty, a null element, a value.
      definition_level_histogram: [1n, 1n, 1n, 3n],
    })
  })

  it('keeps bounds exact in metrics and cut in the footer', () => {
    const fields = [field(1, 's', 'string'), field(2, 'u', 'uuid')]
    const long = utf8('é'.repeat(100))
    const uuid = (first: number): Uint8Array => new Uint8Array(16).fill(first)
    const group = (fill: number) => Array.from({ length: 600 }, (_, i) => [i % 2 === 0 ? long : utf8('z'), uuid(fill)])
    // Two row groups: what the first one's dictionary held must not be written over.
    const written = write(fields, [group(9), group(3)], { boundBytes: 9 })
    expect(written.metrics.get(1)).toMatchObject({ lower: utf8('z'), upper: long })
    expect(written.metrics.get(2)).toMatchObject({ lower: uuid(3), upper: uuid(9) })
    const { statistics } = footer(written).row_groups[0]!.columns[0]!.meta_data!
    expect(statistics).toMatchObject({
      null_count: 0n,
      min_value: 'z',
      max_value: 'éééê',
      is_min_value_exact: true,
      is_max_value_exact: false,
    })
  })

  it('leaves out a bound that is long and cannot be cut, and states the other one', async () => {
    const highest = new Uint8Array(100_000).fill(0xff)
    const fields = [field(1, 'b', 'binary'), field(2, 'f', 'fixed[300]')]
    const wide = new Uint8Array(300).fill(7)
    const written = write(fields, [Array.from({ length: 3 }, () => [highest, wide])], { columnIndexes: 'all' })
    const file = await open(written)
    expect(file.rowGroups[0]!.bounds(1)).toEqual({ min: highest.subarray(0, 64), nullCount: 0 })
    expect(file.rowGroups[0]!.bounds(2)).toEqual({ nullCount: 0 })
    expect(await file.pageBounds({ rowGroup: 0, fieldId: 1 })).toBeUndefined()
    expect(written.metrics.get(1)).toMatchObject({ lower: highest, upper: highest })
    const { bytes } = written
    const footerBytes = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 8, 4).getUint32(0, true)
    expect(footerBytes).toBeLessThan(1000)
  })

  it('bounds what any rows have, whatever pages and dictionaries they went through', async () => {
    const fields = [field(1, 'n', 'long'), field(2, 's', 'string')]
    const row = fc.tuple(
      fc.option(fc.oneof(fc.bigInt({ min: -5n, max: 5n }), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), {
        nil: null,
      }),
      fc.option(fc.oneof(fc.constantFrom('a', 'b'), fc.string({ maxLength: 12 })).map(utf8), { nil: null }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 200 }), fc.boolean(), async (rows, isAll) => {
        const options = { pageBytes: 64, columnIndexes: isAll ? ('all' as const) : [] }
        const { metrics } = write(fields, [rows], options)
        const longs = rows.flatMap(([n]) => (n === null ? [] : [n])).toSorted((a, b) => (a < b ? -1 : 1))
        const texts = rows.flatMap(([, s]) => (s === null ? [] : [s])).toSorted((a, b) => Buffer.compare(a, b))
        expect([metrics.get(1)!.lower, metrics.get(1)!.upper]).toEqual([longs[0], longs.at(-1)])
        expect([metrics.get(2)!.lower, metrics.get(2)!.upper]).toEqual([texts[0], texts.at(-1)])
      }),
      { numRuns: 100 },
    )
  })
})
