import { rm, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { IcebergField } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { parquetWriter } from './encode/parquet-writer.ts'
import type { FileWriterOptions } from './file-writer.ts'
import { openParquet } from './open-parquet.ts'
import type { ParquetFile } from './parquet-file.ts'
import { batchFrom, decimalBytes, field, rowsOf, utf8, valuesOf } from './parquet.test-columns.ts'
import { bytesRangeReader, type RangeReader } from './range-reader.ts'

const fields: readonly IcebergField[] = [
  field(1, 'id', 'long'),
  field(2, 'city', 'string'),
  field(3, 'n', 'int'),
  field(4, 'x', 'double'),
  field(5, 'price', 'decimal(38,2)'),
  field(6, 'at', 'timestamptz'),
]
const cities = ['ams', 'cdg', 'lhr']
const rows = Array.from({ length: 400 }, (_, i) => [
  BigInt(i) * 3n,
  i % 7 === 0 ? null : utf8(cities[i % 3]!),
  i >= 200 ? null : i % 5,
  i === 150 ? NaN : i / 4,
  decimalBytes(BigInt(i % 4), 38),
  BigInt(i % 4) * 1000n,
])

function write(options: Partial<FileWriterOptions> = {}): Uint8Array {
  const writer = parquetWriter.create({ schema: { type: 'struct', fields }, pageBytes: 800, ...options })
  writer.writeRowGroup(batchFrom(fields, rows))
  return writer.finish().bytes.slice()
}

function open(bytes: Uint8Array): Promise<ParquetFile> & { readonly fetches: number[] } {
  const fetches: number[] = []
  const { read, ...rest } = bytesRangeReader(bytes, 'indexed.parquet')
  const reader: RangeReader = {
    ...rest,
    read(start, end) {
      fetches.push(end - start)
      return read(start, end)
    },
  }
  return Object.assign(openParquet(reader), { fetches })
}

describe('ParquetFile.pageBounds', () => {
  it('gives bounds that hold, page by page, over all rows', async () => {
    const file = await open(write({ columnIndexes: 'all' }))
    const pages = (await file.pageBounds({ rowGroup: 0, fieldId: 1 }))!
    expect(pages.length).toBeGreaterThan(1)
    expect(pages[0]!.start).toBe(0)
    expect(pages.at(-1)!.end).toBe(400)
    for (const [i, { start, end, min, max, nullCount }] of pages.entries()) {
      expect(start).toBe(pages[i - 1]?.end ?? 0)
      expect([min, max, nullCount]).toEqual([BigInt(start) * 3n, BigInt(end - 1) * 3n, 0])
    }
    const numbers = (await file.pageBounds({ rowGroup: 0, fieldId: 3, type: 'long' }))!
    for (const { start, end, min, nullCount } of numbers) {
      expect(nullCount).toBe(Math.max(0, end - Math.max(start, 200)))
      expect(typeof min).toBe(start < 200 ? 'bigint' : 'undefined')
    }
  })

  it('are undefined without a column index and for a field that the file lacks', async () => {
    const file = await open(write({ columnIndexes: ['id'] }))
    expect(await file.pageBounds({ rowGroup: 0, fieldId: 1 })).toBeDefined()
    expect(await file.pageBounds({ rowGroup: 0, fieldId: 2 })).toBeUndefined()
    expect(await file.pageBounds({ rowGroup: 0, fieldId: 99 })).toBeUndefined()
    await expect(file.pageBounds({ rowGroup: 1, fieldId: 1 })).rejects.toMatchObject({ kind: 'invalid' })
  })

  it('do not fetch an index that came with the footer', async () => {
    const opening = open(write({ columnIndexes: 'all' }))
    const file = await opening
    const before = opening.fetches.length
    await file.pageBounds({ rowGroup: 0, fieldId: 1 })
    // The column index only.
    expect(opening.fetches.length - before).toBe(1)
    await file.read({ rowGroup: 0, types: fields.slice(0, 1), rows: { start: 10, end: 12 } })
    expect(opening.fetches.length - before).toBe(2)
  })
})

describe('ParquetFile.dictionary', () => {
  it('gives the values of a column whose pages are all indexes of it, as the wanted type', async () => {
    const file = await open(write({ encodings: { city: 'dictionary', n: 'dictionary', id: 'plain' } }))
    const valuesIn = async (wanted: IcebergField): Promise<unknown[] | undefined> => {
      const column = await file.dictionary({ rowGroup: 0, field: wanted })
      return column === undefined ? undefined : valuesOf(column)
    }
    const found = (await valuesIn(field(2, 'city', 'string')))!
    expect(found.map((each) => Buffer.from(each as Uint8Array).toString()).sort()).toEqual(cities)
    expect((await valuesIn(field(3, 'n', 'long')))!.sort()).toEqual([0n, 1n, 2n, 3n, 4n])
    expect(await valuesIn(field(1, 'id', 'long'))).toBeUndefined()
    expect(await valuesIn(field(99, 'new', 'int'))).toBeUndefined()
  })
})

describe('ParquetFile.mightContain', () => {
  const bloomFilters = { id: {}, city: {}, n: {}, x: {}, price: {}, at: {} }

  it('lets every value through that is there, and few that are not', async () => {
    const file = await open(write({ bloomFilters }))
    const ask = (fieldId: number, value: bigint | number | Uint8Array): Promise<boolean> =>
      file.mightContain({ rowGroup: 0, fieldId, value })
    let wrong = 0
    for (let i = 0; i < 400; i++) {
      expect(await ask(1, BigInt(i) * 3n)).toBe(true)
      expect(await ask(4, i === 150 ? NaN : i / 4)).toBe(true)
      if (await ask(1, BigInt(i) * 3n + 1n)) wrong++
    }
    expect(wrong).toBeLessThan(40)
    for (const city of cities) expect(await ask(2, utf8(city))).toBe(true)
    expect(await ask(2, utf8('nowhere'))).toBe(false)
    expect([await ask(3, 4), await ask(3, 4n), await ask(3, 77n), await ask(3, 2n ** 40n)]).toEqual([
      true,
      true,
      false,
      true,
    ])
    expect([await ask(5, 3n), await ask(5, -9n), await ask(6, 2000n), await ask(6, 2001n)]).toEqual([
      true,
      false,
      true,
      false,
    ])
    expect(await ask(99, 1)).toBe(true)
  })

  it('is true without a filter, and fetches of a large one what it needs', async () => {
    expect(await (await open(write())).mightContain({ rowGroup: 0, fieldId: 2, value: utf8('nowhere') })).toBe(true)
    const many = Array.from({ length: 50_000 }, (_, i) => [BigInt(i)])
    const schema = { type: 'struct', fields: fields.slice(0, 1) } as const
    const writer = parquetWriter.create({ schema, bloomFilters: { id: {} } })
    writer.writeRowGroup(batchFrom(schema.fields, many))
    const opening = open(writer.finish().bytes.slice())
    const file = await opening
    const before = opening.fetches.length
    expect(await file.mightContain({ rowGroup: 0, fieldId: 1, value: 31_000n })).toBe(true)
    expect(opening.fetches.slice(before).reduce((sum, each) => sum + each, 0)).toBeLessThan(128)
  })

  it('reads the filters of DuckDB', async () => {
    const path = join(tmpdir(), `moulin-bloom-${process.pid}.parquet`)
    const instance = await DuckDBInstance.create()
    const connection = await instance.connect()
    try {
      await connection.run(
        `copy (select (i % 40 * 7)::bigint as id, 'city ' || (i % 40) as city from range(4000) t(i)) to '${path}' (format parquet)`,
      )
      const nameMapping = ['id', 'city'].map((name, i) => ({ 'field-id': i + 1, names: [name] }))
      const file = await openParquet(bytesRangeReader(new Uint8Array(await readFile(path)), 'duck'), { nameMapping })
      let excluded = 0
      for (let i = 0; i < 280; i++) {
        const [hasId, hasCity] = await Promise.all([
          file.mightContain({ rowGroup: 0, fieldId: 1, value: BigInt(i) }),
          file.mightContain({ rowGroup: 0, fieldId: 2, value: utf8(`city ${i}`) }),
        ])
        if (i % 7 === 0) expect(hasId).toBe(true)
        if (i < 40) expect(hasCity).toBe(true)
        excluded += Number(!hasId) + Number(!hasCity)
      }
      expect(excluded).toBeGreaterThan(400)
    } finally {
      connection.closeSync()
      instance.closeSync()
      await rm(path, { force: true })
    }
  })
})

describe('a dictionary that some pages do without', () => {
  it('is fetched only for pages that need it', async () => {
    // Values that repeat at first and later never: `auto` begins with a dictionary and gives it up.
    const texts = Array.from({ length: 60_000 }, (_, i) => [
      utf8(`text ${i < 30_000 ? i % 4000 : i} ${'x'.repeat(40)}`),
    ])
    const schema = { type: 'struct', fields: [field(1, 'text', 'string')] } as const
    const writer = parquetWriter.create({ schema, pageBytes: 8192, compression: 'none' })
    for (let start = 0; start < 60_000; start += 5000)
      writer.write(batchFrom(schema.fields, texts.slice(start, start + 5000)))
    writer.endRowGroup()
    const opening = open(writer.finish().bytes.slice())
    const file = await opening
    for (const start of [100, 29_990, 59_000]) {
      const wanted = { start, end: start + 20 }
      const before = opening.fetches.length
      const batch = await file.read({ rowGroup: 0, types: schema.fields, rows: wanted })
      expect(rowsOf(batch)).toEqual(texts.slice(start, start + 20))
      const fetched = opening.fetches.slice(before).reduce((sum, each) => sum + each, 0)
      if (start === 59_000) expect(fetched).toBeLessThan(50_000)
    }
  })
})
