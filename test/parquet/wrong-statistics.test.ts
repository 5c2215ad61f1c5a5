/** Statistics are optional: a file whose statistics are wrong is read like one without, row for row, and a log says so. */
import { silentLogger } from '@moulin/core'
import { bytesRangeReader, openParquet, parquetWriter } from '@moulin/format'
import type { OpenParquetOptions, ParquetFile } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { batchFrom, rowsOf, utf8 } from '../../packages/format/src/parquet/parquet.test-columns.ts'
import { footerNumber, inFooter, withFooterNumber, withNumber } from './edited-footer.ts'
import { field } from './types.ts'

const fields = [field(1, 'id', 'long', true), field(2, 'city', 'string'), field(3, 'n', 'int')]
const rows = Array.from({ length: 600 }, (_, i) => [
  BigInt(i),
  i % 3 === 0 ? null : utf8(`city ${i % 50}`),
  i < 300 ? i : null,
])

function sound(): Uint8Array {
  const writer = parquetWriter.create({
    schema: { type: 'struct', fields },
    pageBytes: 400,
    columnIndexes: 'all',
    bloomFilters: { city: {} },
  })
  writer.writeRowGroup(batchFrom(fields, rows))
  return writer.finish().bytes.slice()
}

const bytes = sound()
const at = (path: readonly number[]): number => footerNumber(bytes, path)
const [id, city, n] = [0, 1, 2]

interface Told {
  readonly statistic: string
  readonly column: string
}

async function open(
  content: Uint8Array,
  options: OpenParquetOptions = {},
): Promise<{ file: ParquetFile; told: Told[] }> {
  const told: Told[] = []
  const logger = { ...silentLogger, warn: (fields: object) => void told.push(fields as Told) }
  const file = await openParquet(bytesRangeReader(content, 'edited.parquet'), { runtime: { logger }, ...options })
  return { file, told }
}

/** All that a scan may ask of a file, whole and in part. */
async function expectRows({ file }: { readonly file: ParquetFile }): Promise<void> {
  expect(rowsOf(await file.read({ rowGroup: 0, types: fields }))).toEqual(rows)
  for (const [start, end] of [
    [0, 1],
    [250, 350],
    [599, 600],
  ] as const)
    expect(rowsOf(await file.read({ rowGroup: 0, types: fields, rows: { start, end } }))).toEqual(
      rows.slice(start, end),
    )
  for (const { id: fieldId, type } of fields) {
    const pages = await file.pageBounds({ rowGroup: 0, fieldId, type })
    for (const { start, end, min, max } of pages ?? []) {
      const values = rows.slice(start, end).flatMap((row) => row[fieldId - 1] ?? [])
      if (fieldId !== 1 || min === undefined || max === undefined) continue
      expect(
        values.every((value) => (value as bigint) >= (min as bigint) && (value as bigint) <= (max as bigint)),
      ).toBe(true)
    }
  }
  expect(await file.mightContain({ rowGroup: 0, fieldId: 2, value: utf8('city 7') })).toBe(true)
}

describe('a footer', () => {
  it('that is sound says all, and nothing is told', async () => {
    const { file, told } = await open(bytes)
    await expectRows({ file })
    expect(file.rowGroups[0]!.bounds(1)).toEqual({ min: 0n, max: 599n, nullCount: 0 })
    expect(file.rowGroups[0]!.bounds(2).nullCount).toBe(200)
    expect(await file.mightContain({ rowGroup: 0, fieldId: 2, value: utf8('nowhere') })).toBe(false)
    expect(told).toEqual([])
  })

  const counts: readonly (readonly [string, number, bigint])[] = [
    ['below none', id, -1n],
    ['below none, of a column that has some', city, -200n],
    ['of more than there are', city, 601n],
    ['in a column that may have none', id, 1n],
  ]
  it.each(counts)('with a null count %s says nothing of nulls', async (_, column, count) => {
    const opened = await open(withFooterNumber(bytes, inFooter.nullCount(0, column), count))
    const bounds = opened.file.rowGroups[0]!.bounds(column + 1)
    expect(bounds.nullCount).toBeUndefined()
    expect(bounds.min).toEqual(column === id ? 0n : utf8('city 0'))
    await expectRows(opened)
    expect(opened.told).toMatchObject([{ statistic: 'null count' }])
  })

  it('that counts only nulls, and has bounds of values, says nothing of either', async () => {
    const opened = await open(withFooterNumber(bytes, inFooter.nullCount(0, n), 600n))
    expect(opened.file.rowGroups[0]!.bounds(3)).toEqual({})
    // Believed, the count alone would make all values null.
    await expectRows(opened)
    expect(opened.told).toMatchObject([{ statistic: 'null count', column: 'n' }])
  })

  it.each([
    ['offset index', inFooter.offsetIndex(0, id)],
    ['column index', inFooter.columnIndex(0, id)],
    ['bloom filter', inFooter.bloomFilter(0, city)],
  ])('that places the %s outside the file has none', async (statistic, path) => {
    for (const place of [BigInt(bytes.length - 9), 1n, -5n]) {
      const opened = await open(withFooterNumber(bytes, path, place))
      await expectRows(opened)
      if (statistic === 'bloom filter')
        expect(await opened.file.mightContain({ rowGroup: 0, fieldId: 2, value: utf8('nowhere') })).toBe(true)
      else expect(await opened.file.pageBounds({ rowGroup: 0, fieldId: 1 })).toBeUndefined()
      if (place > 0n) expect(opened.told).toMatchObject([{ statistic }])
    }
  })
})

describe('an index', () => {
  const columnIndex = at(inFooter.columnIndex(0, id))
  const offsetIndex = at(inFooter.offsetIndex(0, id))
  const filter = at(inFooter.bloomFilter(0, city))
  const filled = (start: number, length: number): Uint8Array => bytes.slice().fill(0xff, start, start + length)

  it.each([
    ['of nonsense', filled(columnIndex, 12)],
    ['with a null count below none', withNumber(bytes, columnIndex, [5, 1], -1n)],
    ['with more nulls than the footer', withNumber(bytes, columnIndex, [5, 1], 1n)],
    ['with more nulls than rows', withNumber(bytes, columnIndex, [5, 1], 63n)],
  ])('of columns %s says nothing', async (_, content) => {
    const opened = await open(content)
    await expectRows(opened)
    expect(await opened.file.pageBounds({ rowGroup: 0, fieldId: 1 })).toBeUndefined()
    expect(opened.told).toMatchObject([{ statistic: 'column index', column: 'id' }])
  })

  it('of columns whose least values are above the greatest says nothing', async () => {
    // The first page's least value comes right behind the flags of null pages and a list's head.
    const pages = (await (await open(bytes)).file.pageBounds({ rowGroup: 0, fieldId: 1 }))!
    const least = new Uint8Array(BigInt64Array.of(pages[1]!.min as bigint).buffer)
    const place = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(least, columnIndex)
    expect(place).toBeGreaterThan(columnIndex)
    const content = bytes.slice()
    content.set(new Uint8Array(BigInt64Array.of(1_000_000n).buffer), place)
    const opened = await open(content)
    await expectRows(opened)
    expect(await opened.file.pageBounds({ rowGroup: 0, fieldId: 1 })).toBeUndefined()
    expect(opened.told).toMatchObject([{ statistic: 'column index', column: 'id' }])
  })

  it.each([
    ['of nonsense', filled(offsetIndex, 12)],
    ['of a page that begins nowhere', withNumber(bytes, offsetIndex, [1, 1, 1], 4n)],
    ['of a page of no bytes', withNumber(bytes, offsetIndex, [1, 1, 2], 0n)],
    ['that begins at another row', withNumber(bytes, offsetIndex, [1, 0, 3], 1n)],
  ])('of pages %s is passed over', async (_, content) => {
    const opened = await open(content)
    await expectRows(opened)
    expect(await opened.file.pageBounds({ rowGroup: 0, fieldId: 1 })).toBeUndefined()
    expect(opened.told).toMatchObject([{ statistic: 'offset index', column: 'id' }])
  })

  it('of pages that counts their rows wrong is passed over once they are read', async () => {
    const second = withNumber(bytes, offsetIndex, [1, 1, 3], 3n)
    const opened = await open(second)
    await expectRows(opened)
    expect(opened.told).toMatchObject([{ statistic: 'offset index', column: 'id' }])
  })

  it('of pages that counts their rows wrong is passed over by all that read at once', async () => {
    const opened = await open(withNumber(bytes, offsetIndex, [1, 1, 3], 3n))
    const read = (start: number, end: number): Promise<unknown[][]> =>
      opened.file.read({ rowGroup: 0, types: fields, rows: { start, end } }).then(rowsOf)
    const spans = [0, 50, 60, 70].map((start) => [start, start + 100] as const)
    const found = await Promise.all(spans.map((span) => read(...span)))
    expect(found).toEqual(spans.map((span) => rows.slice(...span)))
    expect(opened.told).toMatchObject([{ statistic: 'offset index', column: 'id' }])
  })

  it('of pages is no excuse for damaged pages', async () => {
    const content = bytes.slice()
    content.fill(0xff, 4, 300)
    const { file, told } = await open(content)
    const read = file.read({ rowGroup: 0, types: fields, rows: { start: 0, end: 10 } })
    await expect(read).rejects.toMatchObject({ kind: 'corrupt', context: { column: 'id' } })
    expect(told).toEqual([])
    // The pages behind them are read as before.
    const behind = await file.read({ rowGroup: 0, types: fields.slice(0, 1), rows: { start: 590, end: 600 } })
    expect(rowsOf(behind)).toEqual(rows.slice(590).map((row) => row.slice(0, 1)))
  })

  it('of values that is nonsense lets every value be there', async () => {
    const opened = await open(filled(filter, 16))
    await expectRows(opened)
    expect(await opened.file.mightContain({ rowGroup: 0, fieldId: 2, value: utf8('nowhere') })).toBe(true)
    expect(opened.told).toMatchObject([{ statistic: 'bloom filter', column: 'city' }])
  })

  it('is told once of each kind, however often it is asked for', async () => {
    const { file, told } = await open(filled(columnIndex, 12))
    for (let i = 0; i < 3; i++) await file.pageBounds({ rowGroup: 0, fieldId: 1 })
    expect(told).toHaveLength(1)
  })
})
