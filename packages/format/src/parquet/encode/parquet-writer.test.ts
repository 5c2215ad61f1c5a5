import { crc32 } from 'node:zlib'
import { type ColumnBatch, type IcebergField, isMoulinError } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import type { LeafEncoding, WrittenFile } from '../file-writer.ts'
import {
  batchFrom,
  columnFrom,
  decimalBytes,
  field,
  headersType,
  listType,
  mapType,
  structType,
  utf8,
} from '../parquet.test-columns.ts'
import { footer, lcg, pagesOf, readBack, write, writer } from './encode.test-support.ts'

const errorOf = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return isMoulinError(error) ? `${error.kind} ${error.code}` : error
  }
  return undefined
}

describe('parquetWriter', () => {
  const next = lcg(1)
  const maybe = <T>(value: T): T | null => (next(6) === 0 ? null : value)
  const bytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, () => next(256))
  const fields = [
    field(1, 'bool', 'boolean'),
    field(2, 'int', 'int'),
    field(3, 'long', 'long'),
    field(4, 'float', 'float'),
    field(5, 'double', 'double'),
    field(6, 'ns', 'timestamp_ns'),
    field(73, 'text', 'string'),
    field(70, 'raw', 'binary'),
    field(71, 'uuid', 'uuid'),
    field(72, 'small', 'decimal(9,2)'),
    field(11, 'wide', 'decimal(38,2)'),
    field(7, 'headers', headersType),
    field(20, 'matrix', listType(21, listType(22, 'long'))),
    field(30, 'inner', structType(field(31, 'x', 'int'), field(32, 'tags', listType(33, 'string')))),
    field(40, 'map', mapType(41, 'string', listType(43, 'double'))),
    field(50, 'zoned', 'timestamptz_ns', true),
  ]
  const list = <T>(most: number, make: () => T): T[] => Array.from({ length: next(most) }, make)
  const rows = Array.from({ length: 5000 }, (_, i) => [
    maybe(next(2) === 1),
    maybe(next(500) - 100),
    maybe(BigInt(i) * 1000n - (i % 9 === 0 ? 2n ** 62n : 0n)),
    maybe(Math.fround(next(100) / 7)),
    maybe(next(2 ** 20) / 64),
    maybe(1_700_000_000_000_000_000n + BigInt(i)),
    maybe(utf8(`word ${next(50)}`)),
    maybe(bytes(next(40))),
    maybe(bytes(16)),
    maybe(BigInt(next(1_000_000_000)) * (next(2) === 0 ? 1n : -1n)),
    maybe(decimalBytes(BigInt(next(1 << 30)) * -(10n ** 20n), 38)),
    maybe(list(4, () => [utf8(`k${next(3)}`), maybe(bytes(3))])),
    maybe(list(4, () => maybe(list(3, () => maybe(BigInt(next(9))))))),
    maybe([maybe(next(9)), maybe(list(3, () => maybe(utf8(`t${next(4)}`))))]),
    maybe(list(3, () => [utf8(`m${next(9)}`), maybe(list(3, () => maybe(next(9) / 2)))])),
    BigInt(i),
  ])

  for (const compression of ['zstd', 'snappy', 'gzip', 'none'] as const) {
    for (const pageVersion of [1, 2] as const) {
      it(`gives back every type, nested and null, in ${compression} pages of version ${pageVersion}`, async () => {
        const written = write(fields, [rows.slice(0, 4000), rows.slice(4000)], {
          compression,
          pageVersion,
          pageBytes: 2048,
          columnIndexes: 'all',
        })
        expect(await readBack(fields, written)).toEqual(rows)
      })
    }
  }

  it('gives the same rows and metrics when they come in many small batches, with and without a sink', async () => {
    const parts: Uint8Array[] = []
    const files = [undefined, (part: Uint8Array) => void parts.push(part.slice())].map((sink) => {
      const file = writer(fields, { pageBytes: 4096, ...(sink && { sink }) })
      for (let i = 0; i < rows.length; i += 333) file.write(batchFrom(fields, rows.slice(i, i + 333)))
      return file.finish()
    })
    const [whole, sunk] = files
    expect(await readBack(fields, whole!)).toEqual(rows)
    expect(Buffer.concat(parts).equals(whole!.bytes)).toBe(true)
    expect(sunk!.bytes.length).toBe(0)
    expect(sunk!.sizeBytes).toBe(whole!.bytes.length)
    const { metrics } = write(fields, [rows])
    const withoutSizes = (all: WrittenFile['metrics']) => [...all].map(([id, { sizeBytes: _, ...rest }]) => [id, rest])
    expect(withoutSizes(whole!.metrics)).toEqual(withoutSizes(metrics))
  })

  it('closes an open row group once it has the bytes, and counts them before', async () => {
    const one = [field(1, 'raw', 'binary')]
    const file = writer(one, { rowGroupBytes: 10_000, compression: 'none' })
    const batch = (): unknown[][] => Array.from({ length: 100 }, () => [bytes(36)])
    const sizes: number[] = []
    for (let i = 0; i < 6; i++) {
      file.write(batchFrom(one, batch()))
      sizes.push(file.sizeBytes)
    }
    file.endRowGroup()
    file.endRowGroup()
    file.write(batchFrom(one, batch().slice(0, 5)))
    file.writeRowGroup(batchFrom(one, batch().slice(0, 7)))
    const { rowGroups } = file.finish()
    expect(rowGroups.map(({ rowCount }) => rowCount)).toEqual([300, 300, 5, 7])
    for (const [i, size] of sizes.entries()) expect(size).toBeGreaterThan((i + 1) * 4000)
  })

  it('hands pages to the sink while a row group is written', () => {
    const one = [field(1, 'raw', 'binary')]
    let calls = 0
    const file = writer(one, { compression: 'none', sink: () => calls++ })
    const value = bytes(1 << 20)
    file.writeRowGroup(
      batchFrom(
        one,
        Array.from({ length: 8 }, () => [value]),
      ),
    )
    expect(calls).toBeGreaterThanOrEqual(8)
  })

  it('may be used by a sink of another file', async () => {
    const one = [field(1, 'a', 'string'), field(2, 'l', listType(3, 'int'))]
    const data = Array.from({ length: 3000 }, (_, i) => [utf8(`${i % 7} ${'x'.repeat(i % 900)}`), [i, null]])
    const inner: WrittenFile[] = []
    const parts: Uint8Array[] = []
    const sink = (part: Uint8Array): void => {
      parts.push(part.slice())
      inner.push(write(one, [data.slice(0, 100)]))
    }
    const outer = write(one, [data], { sink, compression: 'none' })
    expect(inner.length).toBeGreaterThan(1)
    expect(await readBack(one, { ...outer, bytes: Buffer.concat(parts) })).toEqual(data)
    for (const file of inner) expect(await readBack(one, file)).toEqual(data.slice(0, 100))
  })

  it('cuts pages at their bytes and at 20 000 rows, never within a row', () => {
    const one = [
      field(1, 'n', 'long', true),
      field(2, 's', 'string', true),
      field(3, 'l', listType(4, 'int', true), true),
    ]
    const data = Array.from({ length: 50_000 }, (_, i) => [
      BigInt(i),
      utf8('x'.repeat(96)),
      i % 2 === 0 ? [1, 2, 3] : [],
    ])
    const plain: LeafEncoding = 'plain'
    const encodings = { n: 'delta-binary-packed', s: plain, 'l.list.element': plain } as const
    const written = write(one, [data], { encodings, pageVersion: 2, compression: 'none', pageBytes: 65_536 })
    const rowsOfPages = (column: number) => pagesOf(written, column).map(({ rows }) => rows!)
    expect(rowsOfPages(0)).toEqual([20_000, 20_000, 10_000])
    // 100 bytes a row: as many as it takes to reach the limit.
    expect(
      rowsOfPages(1)
        .slice(0, -1)
        .every((count) => count === 656),
    ).toBe(true)
    const lists = rowsOfPages(2)
    expect(lists.reduce((sum, count) => sum + count, 0)).toBe(50_000)
    expect(lists.length).toBeGreaterThan(4)
    for (const { uncompressedBytes } of pagesOf(written, 2)) expect(uncompressedBytes).toBeLessThan(65_536 * 1.2)
  })

  it('puts the CRC of what is stored in each page header, unless told otherwise', () => {
    for (const pageVersion of [1, 2] as const) {
      const written = write(fields, [rows], { pageVersion })
      for (let column = 0; column < 19; column++) {
        for (const { crc, body } of pagesOf(written, column)) expect(crc).toBe(crc32(body) | 0)
      }
    }
    for (const { crc } of pagesOf(write(fields, [rows], { pageChecksums: false }))) expect(crc).toBe(undefined)
  })

  it('leaves a chunk uncompressed that hardly shrinks, and says so', () => {
    const two = [field(1, 'random', 'binary'), field(2, 'text', 'binary')]
    const data = Array.from({ length: 1000 }, (_, i) => [bytes(40), utf8(`text that repeats, number ${i}`)])
    const codecs = (compression: 'snappy' | 'zstd') =>
      footer(
        write(two, [data], { compression, encodings: { random: 'plain', text: 'plain' } }),
      ).row_groups[0]!.columns.map(({ meta_data }) => meta_data!.codec)
    expect(codecs('snappy')).toEqual(['UNCOMPRESSED', 'SNAPPY'])
    expect(codecs('zstd')).toEqual(['UNCOMPRESSED', 'ZSTD'])
  })

  it('describes itself in the footer', () => {
    const two = [field(1, 'a', 'long'), field(2, 'b', 'string')]
    const data = Array.from({ length: 100 }, (_, i) => [BigInt(i), utf8(`${i % 3}`)])
    const written = write(two, [data, data], {
      keyValue: { a: 'ä', '': '' },
      sortingColumns: [
        { path: 'b', descending: true },
        { path: 'a', nullsFirst: true },
      ],
      encodings: { a: 'plain' },
      compression: 'snappy',
    })
    const metadata = footer(written)
    expect(metadata).toMatchObject({
      version: 2,
      num_rows: 200n,
      created_by: 'moulin version 0.1.0',
      key_value_metadata: [
        { key: 'a', value: 'ä' },
        { key: '', value: '' },
      ],
    })
    const offsets = written.rowGroups.map(({ offset }) => BigInt(offset))
    for (const [ordinal, group] of metadata.row_groups.entries()) {
      const sum = (of: 'total_compressed_size' | 'total_uncompressed_size') =>
        group.columns.reduce((total, { meta_data }) => total + meta_data![of], 0n)
      expect(group).toMatchObject({
        ordinal,
        file_offset: offsets[ordinal],
        total_compressed_size: sum('total_compressed_size'),
        total_byte_size: sum('total_uncompressed_size'),
        sorting_columns: [
          { column_idx: 1, descending: true, nulls_first: false },
          { column_idx: 0, descending: false, nulls_first: true },
        ],
      })
      expect(group.columns.map(({ meta_data }) => [meta_data!.encodings, meta_data!.encoding_stats])).toEqual([
        [['PLAIN', 'RLE'], [{ page_type: 'DATA_PAGE', encoding: 'PLAIN', count: 1 }]],
        [
          ['RLE_DICTIONARY', 'PLAIN', 'RLE'],
          [
            { page_type: 'DICTIONARY_PAGE', encoding: 'PLAIN', count: 1 },
            { page_type: 'DATA_PAGE', encoding: 'RLE_DICTIONARY', count: 1 },
          ],
        ],
      ])
    }
  })

  it('writes integers with deltas only when it is told to', () => {
    const two = [field(1, 'n', 'int'), field(2, 'l', 'long'), field(3, 'd', 'int')]
    const data = Array.from({ length: 5000 }, (_, i) => [i, BigInt(i) * 7n, i % 3])
    const encodings = (options: object): unknown[] =>
      footer(write(two, [data], options)).row_groups[0]!.columns.map(({ meta_data }) => meta_data!.encodings)
    const dictionary = ['RLE_DICTIONARY', 'PLAIN', 'RLE']
    const plain = [['PLAIN', 'RLE'], ['PLAIN', 'RLE'], dictionary]
    expect(encodings({})).toEqual(plain)
    expect(encodings({ deltas: false })).toEqual(plain)
    const deltas = [['DELTA_BINARY_PACKED', 'RLE'], ['DELTA_BINARY_PACKED', 'RLE'], dictionary]
    expect(encodings({ deltas: true })).toEqual(deltas)
  })

  it('refuses options that it cannot follow', () => {
    const two = [field(1, 'n', 'int'), field(2, 'l', listType(3, 'string')), field(4, 'b', 'boolean')]
    const refused = (options: object): unknown => errorOf(() => writer(two, options))
    expect(refused({ encodings: { n: 'delta-byte-array' } })).toBe('unsupported PARQUET_ENCODING')
    expect(refused({ encodings: { l: 'plain' } })).toBe('invalid PARQUET_OPTION')
    expect(refused({ encodings: { b: 'dictionary' } })).toBe('unsupported PARQUET_ENCODING')
    expect(refused({ bloomFilters: { gone: {} } })).toBe('invalid PARQUET_OPTION')
    expect(refused({ bloomFilters: { n: { fpp: 1 } } })).toBe('invalid OPTION')
    expect(refused({ bloomFilters: { b: {} } })).toBe('unsupported PARQUET_OPTION')
    expect(refused({ sortingColumns: [{ path: 'l' }] })).toBe('invalid PARQUET_OPTION')
    expect(refused({ pageVersion: 3 })).toBe('invalid OPTION')
    expect(refused({ pageBytes: 0 })).toBe('invalid OPTION')
    expect(refused({ encodings: { 'l.list.element': 'dictionary' }, columnIndexes: ['gone'] })).toBe(undefined)
  })

  it('refuses columns whose parts do not fit together', () => {
    const map = [field(1, 'm', mapType(2, 'string', 'int'))]
    const list = [field(1, 'l', listType(2, 'int'))]
    const text = [field(1, 's', 'string')]
    const whole = { length: 1, validity: undefined }
    const batch = (column: ColumnBatch['columns'][number]['column'], name: string): ColumnBatch => ({
      length: 1,
      columns: [{ name, column }],
    })
    const ints = columnFrom('int', [1])
    const refused = (of: IcebergField[], column: Parameters<typeof batch>[0]): unknown =>
      errorOf(() => writer(of).write(batch(column, of[0]!.name)))
    const offsets = (...values: number[]) => Int32Array.from(values)
    expect(refused(list, { storage: 'list', ...whole, offsets: offsets(0, 2), element: ints })).toBe(
      'invalid COLUMN_LENGTH',
    )
    expect(refused(list, { storage: 'list', ...whole, offsets: offsets(1, 0), element: ints })).toBe(
      'invalid COLUMN_LENGTH',
    )
    expect(refused(list, { storage: 'list', ...whole, offsets: offsets(0), element: ints })).toBe(
      'invalid COLUMN_LENGTH',
    )
    expect(refused(map, { storage: 'list', ...whole, offsets: offsets(0, 1), element: ints })).toBe(
      'invalid COLUMN_STORAGE',
    )
    const bytesAt = (start: number, end: number) => ({
      storage: 'bytes' as const,
      ...whole,
      data: new Uint8Array(4),
      starts: offsets(start),
      ends: offsets(end),
    })
    expect(refused(text, bytesAt(0, 5))).toBe('invalid COLUMN_POSITIONS')
    expect(refused(text, bytesAt(3, 2))).toBe('invalid COLUMN_POSITIONS')
    expect(refused(text, bytesAt(-1, 2))).toBe('invalid COLUMN_POSITIONS')
    const entry = (key: string | null) => batchFrom(map, [[[[key === null ? null : utf8(key), 1]]]])
    expect(errorOf(() => writer(map).write(entry(null)))).toBe('invalid REQUIRED_NULL')
    expect(errorOf(() => writer(map).write(entry('k')))).toBe(undefined)
  })

  it('writes a file without rows, and one without columns in a batch', async () => {
    expect(await readBack(fields, write(fields, []))).toEqual([])
    const optional = fields.filter(({ required }) => !required)
    const file = writer(optional)
    file.write({ length: 3, columns: [] })
    const rows = await readBack(optional, file.finish())
    expect(rows).toEqual([0, 1, 2].map(() => optional.map(() => null)))
  })
})
