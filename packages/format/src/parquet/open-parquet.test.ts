import { type FileCaps, type IcebergField, type IcebergType, isKind } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { hyparquetWriter } from '../second-opinion/hyparquet-writer.ts'
import { openParquet } from './open-parquet.ts'
import type { OpenParquetOptions, ParquetFile } from './parquet-file.ts'
import {
  batchFrom,
  decimalBytes,
  field,
  headersType,
  listType,
  rowsOf,
  structType,
  utf8,
} from './parquet.test-columns.ts'
import { bytesRangeReader, type RangeReader } from './range-reader.ts'

const secondWriter = await hyparquetWriter()

type Rows = readonly (readonly unknown[])[]

function write(
  fields: readonly IcebergField[],
  groups: readonly Rows[],
  keyValue: Record<string, string> = {},
): Uint8Array {
  const writer = secondWriter.create({ schema: { type: 'struct', fields }, keyValue })
  for (const rows of groups) writer.writeRowGroup(batchFrom(fields, rows))
  return writer.finish().bytes
}

const open = (bytes: Uint8Array, options?: OpenParquetOptions): Promise<ParquetFile> =>
  openParquet(bytesRangeReader(bytes, 'test.parquet'), options)

function counted(bytes: Uint8Array): RangeReader & { reads: number; fetched: number } {
  const reader = {
    size: bytes.length,
    name: 'counted.parquet',
    reads: 0,
    fetched: 0,
    read(start: number, end: number) {
      reader.reads++
      reader.fetched += end - start
      return Promise.resolve(bytes.subarray(start, end))
    },
  }
  return reader
}

const small = [field(1, 'id', 'long', true), field(2, 'name', 'string')]
const smallRows = [
  [1n, utf8('a')],
  [2n, null],
]

describe('openParquet', () => {
  it('gives fields, row groups and key-value metadata of the footer', async () => {
    const file = await open(
      write(
        [...small, field(7, 'headers', headersType)],
        [
          [[1n, null, []]],
          [
            [2n, null, []],
            [3n, null, []],
          ],
        ],
        { k: 'v' },
      ),
    )
    expect(file.rowCount).toBe(3)
    expect(file.keyValue).toEqual(new Map([['k', 'v']]))
    expect(file.fields).toEqual([
      { id: 1, name: 'id', physicalType: 'INT64' },
      { id: 2, name: 'name', physicalType: 'BYTE_ARRAY' },
      { id: 7, name: 'headers', physicalType: undefined },
    ])
    expect(file.rowGroups.map(({ rowCount, firstRow }) => [rowCount, firstRow])).toEqual([
      [1, 0],
      [2, 1],
    ])
  })

  it('reads a footer longer than its first request', async () => {
    const bytes = write(small, [smallRows], { big: 'x'.repeat(200_000) })
    const reader = counted(bytes)
    const file = await openParquet(reader)
    expect(file.keyValue.get('big')).toHaveLength(200_000)
    expect(reader.reads).toBe(3)
    expect(rowsOf(await file.read({ rowGroup: 0, types: small }))).toEqual(smallRows)
  })

  it('refuses what is not a whole Parquet file', async () => {
    const bytes = write(small, [smallRows])
    const footerLength = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 8).getUint32(0, true)
    const changed = (change: (copy: Uint8Array) => void): Uint8Array => {
      const copy = bytes.slice()
      change(copy)
      return copy
    }
    const setLength = (length: number) => (copy: Uint8Array) =>
      new DataView(copy.buffer).setUint32(copy.length - 8, length, true)
    const cases: [Uint8Array, string][] = [
      [new Uint8Array(0), 'PARQUET_MAGIC'],
      [bytes.slice(0, 8), 'PARQUET_MAGIC'],
      [changed((copy) => copy.set(utf8('PAR2'))), 'PARQUET_MAGIC'],
      [changed((copy) => copy.set(utf8('XXXX'), copy.length - 4)), 'PARQUET_MAGIC'],
      [bytes.slice(0, -1), 'PARQUET_MAGIC'],
      [changed(setLength(0xffffffff)), 'PARQUET_FOOTER'],
      [changed(setLength(bytes.length - 11)), 'PARQUET_FOOTER'],
      [changed(setLength(footerLength - 1)), 'PARQUET_FOOTER'],
      [changed(setLength(0)), 'PARQUET_THRIFT'],
    ]
    for (const [damaged, code] of cases) {
      const error: unknown = await open(damaged).then(
        () => 'opened',
        (reason: unknown) => reason,
      )
      expect(error).toMatchObject({ kind: 'corrupt', code })
      expect(String((error as Error).message)).toContain('test.parquet')
    }
    await expect(open(changed((copy) => copy.set(utf8('PARE'), copy.length - 4)))).rejects.toMatchObject({
      kind: 'unsupported',
      code: 'PARQUET_ENCRYPTED',
    })
  })

  it('keeps each cap, and opens at exactly the cap', async () => {
    const groups = [smallRows, smallRows, smallRows]
    const bytes = write(small, groups)
    const footerBytes = new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 8).getUint32(0, true)
    const exact: Partial<FileCaps> = {
      maxParquetFooterBytes: footerBytes,
      maxParquetColumns: 2,
      maxParquetRowGroups: 3,
      maxParquetRowGroupRows: 2,
    }
    await open(bytes, { caps: exact })
    for (const [name, value] of Object.entries(exact)) {
      const error: unknown = await open(bytes, { caps: { [name]: value - 1 } }).catch((reason: unknown) => reason)
      expect(isKind(error, 'exhausted', 'PARQUET_LIMIT')).toBe(true)
      expect((error as Error).message).toContain(name)
    }
    const tight = await open(bytes, { caps: { maxParquetPageBytes: 4 } })
    await expect(tight.read({ rowGroup: 0, types: small })).rejects.toMatchObject({ kind: 'exhausted' })
  })

  it('does not touch the file once its signal has fired', async () => {
    const reader = counted(write(small, [smallRows]))
    const signal = AbortSignal.abort()
    await expect(openParquet(reader, { signal })).rejects.toMatchObject({ kind: 'aborted' })
    expect(reader.reads).toBe(0)
    const file = await openParquet(reader)
    await expect(file.read({ rowGroup: 0, types: small, signal })).rejects.toMatchObject({ kind: 'aborted' })
    expect(reader.reads).toBe(1)
  })
})

describe('ParquetFile.read', () => {
  it('gives the wanted fields under their present names, by id, and nulls for those that the file lacks', async () => {
    const file = await open(write(small, [smallRows]))
    const types = [
      field(9, 'added', listType(10, 'int')),
      field(2, 'renamed', 'string'),
      field(11, 'uid', 'uuid'),
      field(1, 'id', 'long'),
      field(12, 's', structType(field(13, 'x', 'decimal(30,1)'))),
    ]
    const batch = await file.read({ rowGroup: 0, types })
    expect(batch.columns.map(({ name }) => name)).toEqual(['added', 'renamed', 'uid', 'id', 's'])
    expect(rowsOf(batch)).toEqual([
      [null, utf8('a'), null, 1n, null],
      [null, null, null, 2n, null],
    ])
    const one = await file.read({ rowGroup: 0, types, fieldIds: [1], rows: { start: 1, end: 2 } })
    expect(one.columns.map(({ name }) => name)).toEqual(['id'])
    expect(rowsOf(one)).toEqual([[2n]])
    expect(await file.read({ rowGroup: 0, types: [] })).toEqual({ length: 2, columns: [] })
  })

  it('fetches a small share of a large file for a hundred rows', async () => {
    const fields = [
      field(1, '_kafka_partition', 'int'),
      field(2, '_kafka_offset', 'long'),
      field(6, '_kafka_key', 'binary'),
      field(7, '_kafka_headers', headersType),
      field(11, '_kafka_crc', 'int'),
      field(13, '_kafka_value', 'binary'),
    ]
    const rows = Array.from({ length: 200_000 }, (_, i) => [
      3,
      BigInt(i),
      utf8(`key ${i % 500}`),
      [],
      Math.imul(i, 0x9e3779b1),
      utf8(`{"id":${i},"mixed":"${Math.imul(i, 0x85ebca6b)}"}`),
    ])
    const reader = counted(write(fields, [rows]))
    const file = await openParquet(reader)
    const footer = reader.fetched
    const needle = { start: 123_456, end: 123_556 }
    expect(rowsOf(await file.read({ rowGroup: 0, types: fields, rows: needle }))).toEqual(
      rows.slice(needle.start, needle.end),
    )
    expect(reader.fetched - footer).toBeLessThan(reader.size / 12)
    const [first, reads] = [reader.fetched, reader.reads]
    const told: number[] = []
    const fetched = (bytes: number): void => void told.push(bytes)
    await file.read({ rowGroup: 0, types: fields, rows: { start: 20, end: 21 }, fetched })
    expect(told).toEqual([reader.fetched - first])
    // The offset indexes are there already, and what lies near each other comes in one request.
    expect(reader.reads - reads).toBeLessThanOrEqual(fields.length + 1)
    expect(reader.fetched - first).toBeLessThan(reader.size / 12)
  })

  it('lets a type grow as Iceberg does: int to long, float to double, a decimal to more digits', async () => {
    const fields = [
      field(1, 'i', 'int'),
      field(2, 'f', 'float'),
      field(3, 'd', 'decimal(9,2)'),
      field(4, 'e', 'decimal(18,3)'),
    ]
    const file = await open(
      write(fields, [
        [
          [-5, 1.5, -7n, 10n ** 17n],
          [null, null, null, null],
        ],
      ]),
    )
    const types = [
      field(1, 'i', 'long'),
      field(2, 'f', 'double'),
      field(3, 'd', 'decimal(18,2)'),
      field(4, 'e', 'decimal(38,3)'),
    ]
    expect(rowsOf(await file.read({ rowGroup: 0, types }))).toEqual([
      [-5n, 1.5, -7n, decimalBytes(10n ** 17n, 38)],
      [null, null, null, null],
    ])
  })

  it('refuses any other change of type, naming both', async () => {
    const fields = [
      field(1, 'l', 'long'),
      field(2, 'd', 'decimal(9,2)'),
      field(3, 's', 'string'),
      field(4, 'h', headersType),
    ]
    const file = await open(write(fields, [[[1n, 1n, utf8('x'), []]]]))
    const cases: [number, IcebergType][] = [
      [1, 'int'],
      [1, 'timestamp'],
      [2, 'decimal(8,2)'],
      [2, 'decimal(9,3)'],
      [3, 'uuid'],
      [3, listType(9, 'int')],
      [4, 'string'],
      [4, structType(field(9, 'x', 'int'))],
      [1, 'timestamp_ns'],
    ]
    for (const [id, type] of cases)
      await expect(file.read({ rowGroup: 0, types: [field(id, 'x', type)] })).rejects.toMatchObject({
        kind: 'unsupported',
      })
  })

  it('refuses rows and row groups that are not there', async () => {
    const file = await open(write(small, [smallRows]))
    for (const request of [
      { rowGroup: 1 },
      { rowGroup: 0, rows: { start: 0, end: 3 } },
      { rowGroup: 0, rows: { start: 2, end: 1 } },
    ])
      await expect(file.read({ ...request, types: small })).rejects.toMatchObject({
        kind: 'invalid',
        code: 'PARQUET_ROWS',
      })
    await expect(file.read({ rowGroup: -1, types: small })).rejects.toMatchObject({ kind: 'invalid', code: 'OPTION' })
  })

  it('says where it was when pages are damaged', async () => {
    const bytes = write(small, [smallRows])
    bytes.fill(0xff, 4, 40)
    const file = await open(bytes)
    const error: unknown = await file.read({ rowGroup: 0, types: small }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ kind: 'corrupt', context: { file: 'test.parquet', rowGroup: 0, column: 'id' } })
  })
})

describe('ParquetRowGroup.bounds', () => {
  it('gives exact physical values with null counts, a cut string as a bound of it', async () => {
    const fields = [
      field(1, 'i', 'int'),
      field(2, 'l', 'long'),
      field(3, 'd', 'double'),
      field(4, 's', 'string'),
      field(5, 'dec', 'decimal(38,2)'),
      field(6, 'small', 'decimal(9,2)'),
      field(7, 'at', 'timestamptz'),
      field(8, 'u', 'uuid'),
      field(9, 'none', 'int'),
      field(10, 'day', 'date'),
      field(11, 'flag', 'boolean'),
    ]
    const uuid = new Uint8Array(16).fill(0xfe)
    const rows = [
      [5, 2n ** 62n + 1n, 0, utf8('z'.repeat(100)), decimalBytes(-1n, 38), -5n, 2n ** 61n + 1n, uuid, null, -3, false],
      [-5, null, NaN, utf8('a'), decimalBytes(10n ** 37n, 38), 7n, 1n, uuid, null, 4, true],
    ]
    const { rowGroups } = await open(write(fields, [rows]))
    const bounds = (id: number, type?: IcebergType) => rowGroups[0]!.bounds(id, type)
    expect(bounds(1)).toEqual({ min: -5, max: 5, nullCount: 0 })
    expect(bounds(1, 'long')).toEqual({ min: -5n, max: 5n, nullCount: 0 })
    expect(bounds(2)).toEqual({ min: 2n ** 62n + 1n, max: 2n ** 62n + 1n, nullCount: 1 })
    expect(bounds(3)).toEqual({ min: -0, max: 0, nullCount: 0 })
    const text = bounds(4)
    expect(text.min).toEqual(utf8('a'))
    expect(Buffer.compare(text.max as Uint8Array, utf8('z'.repeat(100)))).toBeGreaterThanOrEqual(0)
    expect(bounds(5)).toEqual({ min: -1n, max: 10n ** 37n, nullCount: 0 })
    expect(bounds(6)).toEqual({ min: -5n, max: 7n, nullCount: 0 })
    expect(bounds(7)).toEqual({ min: 1n, max: 2n ** 61n + 1n, nullCount: 0 })
    expect(bounds(8)).toEqual({ min: uuid, max: uuid, nullCount: 0 })
    expect(bounds(9)).toEqual({ nullCount: 2 })
    expect(bounds(10)).toEqual({ min: -3, max: 4, nullCount: 0 })
    expect(bounds(11)).toEqual({ min: false, max: true, nullCount: 0 })
    expect(bounds(99)).toEqual({ nullCount: 2 })
  })
})
