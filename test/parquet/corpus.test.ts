/** Files of a kind that only others write, small ones. fixtures/make_corpus.py says how pyarrow wrote those of fixtures/corpus. */
import { readFileSync } from 'node:fs'
import type { IcebergField } from '@moulin/core'
import { silentLogger } from '@moulin/core'
import { bytesRangeReader, openParquet } from '@moulin/format'
import type { OpenParquetOptions, ParquetFile } from '@moulin/format'
import { verifyFile } from '@moulin/format/second-opinion'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { rowsOf, utf8 } from '../../packages/format/src/parquet/parquet.test-columns.ts'
import { rewriteWithDuckDb, rewriteWithRust } from './foreign-writers.ts'
import { closeDuckDb } from './read-with-duckdb.ts'
import { oracles, ourTable } from './readers.ts'
import { field, list, struct } from './types.ts'

vi.setConfig({ testTimeout: 300_000 })
afterAll(closeDuckDb)

const corpus = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`./fixtures/corpus/${name}.parquet`, import.meta.url)))
const open = (bytes: Uint8Array, options: OpenParquetOptions = {}): Promise<ParquetFile> =>
  openParquet(bytesRangeReader(bytes, 'foreign.parquet'), { runtime: { logger: silentLogger }, ...options })

async function allRows(file: ParquetFile, types: readonly IcebergField[]): Promise<unknown[][]> {
  const rows: unknown[][] = []
  for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++)
    rows.push(...rowsOf(await file.read({ rowGroup, types })))
  return rows
}

const plain = [field(1, 'id', 'long', true), field(2, 'name', 'string')]

describe('row groups without rows, of pyarrow', () => {
  const rows = [
    [1n, utf8('one')],
    [2n, null],
    [3n, utf8('three')],
    [4n, utf8('four')],
  ]

  it('are read beside others, wherever they say that their pages lie', async () => {
    const file = await open(corpus('pyarrow-empty-row-groups'))
    expect(file.rowGroups.map(({ rowCount, firstRow }) => [rowCount, firstRow])).toEqual([
      [0, 0],
      [3, 0],
      [0, 3],
      [1, 3],
      [0, 4],
    ])
    expect(await allRows(file, plain)).toEqual(rows)
    for (const rowGroup of [0, 2, 4]) {
      const empty = { rowGroup, fieldId: 1 }
      expect(file.rowGroups[rowGroup]!.bounds(1).min).toBeUndefined()
      expect((await file.pageBounds(empty)) ?? []).toEqual([])
      expect(await file.dictionary({ rowGroup, field: plain[1]! })).toBeUndefined()
      expect(await file.mightContain({ ...empty, value: 1n })).toBe(true)
    }
  })

  it('are all that some files have', async () => {
    const file = await open(corpus('pyarrow-no-rows'))
    expect([file.rowCount, file.rowGroups.length]).toEqual([0, 1])
    expect(await allRows(file, plain)).toEqual([])
  })
})

describe('columns of nothing, of pyarrow', () => {
  const bytes = corpus('pyarrow-null-columns')

  it('are null, as whatever type the table has, alone and in lists', async () => {
    const file = await open(bytes)
    const types = [field(1, 'id', 'long'), field(2, 'void', 'string'), field(3, 'voids', list(4, 'decimal(38,2)'))]
    expect(await allRows(file, types)).toEqual([
      [1n, null, [null, null]],
      [2n, null, null],
      [3n, null, []],
    ])
    expect(await allRows(file, [field(2, 'void', struct(field(9, 'x', 'int')))])).toEqual([[null], [null], [null]])
    expect(file.rowGroups[0]!.bounds(2, 'string')).toEqual({})
  })

  it('are null whatever default the column has by now, for the file has it', async () => {
    const [value] = await allRows(await open(bytes), [{ ...field(2, 'void', 'int'), 'initial-default': 7 }])
    expect(value).toEqual([null])
  })
})

describe('INT96, of pyarrow', () => {
  it('is a timestamp to the microsecond', async () => {
    const bytes = corpus('pyarrow-int96')
    const file = await open(bytes, { int96: 'timestamp' })
    const micros = (text: string): bigint =>
      BigInt(Date.parse(`${text.slice(0, 23)}Z`)) * 1000n + BigInt(text.slice(23))
    const times = ['1969-12-31T23:59:59.999999', null, '1678-01-01T00:00:00.000000', '2261-12-31T23:59:59.123456']
    expect(await allRows(file, [field(2, 'at', 'timestamp')])).toEqual(
      times.map((text) => [text === null ? null : micros(text)]),
    )
    expect(file.rowGroups[0]!.bounds(2, 'timestamp').min).toBeUndefined()
    expect(await verifyFile(bytesRangeReader(bytes, 'int96.parquet'))).toMatchObject({ differences: [], unread: [] })
  })
})

describe('field ids that two columns have', () => {
  it.each([
    ['pyarrow-repeated-ids', /a and b both have the field id 7/],
    ['pyarrow-repeated-nested-ids', /place and place\.x both have the field id 1/],
  ])('are refused by name: %s', async (name, message) => {
    const opening = open(corpus(name))
    await expect(opening).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_FIELD_IDS' })
    await expect(opening).rejects.toThrow(message)
  })

  it('are none where a name mapping tells the columns', async () => {
    const nameMapping = [
      { 'field-id': 1, names: ['b'] },
      { 'field-id': 8, names: ['a'] },
    ]
    const file = await open(corpus('pyarrow-repeated-ids'), { nameMapping })
    const types = [field(1, 'b', 'long'), field(8, 'a', 'long'), field(7, 'x', 'long')]
    expect(await allRows(file, types)).toEqual([
      [30n, 1n, null],
      [40n, 2n, null],
    ])
    expect(file.rowGroups[0]!.bounds(8)).toEqual({ min: 1n, max: 2n, nullCount: 0 })
    expect(file.rowGroups[0]!.bounds(7)).toEqual({ nullCount: 2 })
  })

  it('are refused where the mapping itself gives one twice', async () => {
    const nameMapping = [{ 'field-id': 1, names: ['a', 'b'] }]
    await expect(open(corpus('pyarrow-repeated-ids'), { nameMapping })).rejects.toThrow(
      /a and b both have the field id 1/,
    )
  })
})

describe('the corpus', () => {
  const files: readonly (readonly [string, readonly IcebergField[]])[] = [
    ['pyarrow-empty-row-groups', plain],
    ['pyarrow-no-rows', plain],
  ]

  it.each(files)('%s is read as others read it, and as DuckDB and parquet-rs write it anew', async (name, fields) => {
    const bytes = corpus(name)
    const ours = await ourTable(bytes, fields)
    expect(ours).toEqual(await oracles['parquet-wasm'](bytes, fields))
    const nameMapping = fields.map((each) => ({ 'field-id': each.id, names: [each.name] }))
    const again = [
      rewriteWithRust(bytes, { version: 2, codec: 'ZSTD', dictionary: true, rowGroupRows: 2 }),
      await rewriteWithDuckDb(bytes, fields, 'compression snappy'),
    ]
    for (const copy of again) expect(await ourTable(copy, fields, { nameMapping })).toEqual(ours)
  })
})
