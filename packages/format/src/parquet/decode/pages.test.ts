import { brotliCompressSync, constants } from 'node:zlib'
import type { Column, IcebergType } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { compress } from '../../bytes/compression.ts'
import { openParquet } from '../open-parquet.ts'
import {
  concat,
  levelsV1,
  packedLevels,
  pageFile,
  plainBytes,
  plainInt32,
  plainInt64,
  type TestChunk,
  type TestElement,
} from '../page-file.test-support.ts'
import type { OpenParquetOptions } from '../parquet-file.ts'
import { decimalBytes, field, rowsOf, utf8 } from '../parquet.test-columns.ts'
import { bytesRangeReader } from '../range-reader.ts'
import { optional, readColumn, readRows, required, testChunk, testPage } from '../read-pages.test-support.ts'

// At its best Brotli takes half a minute of a busy machine.
const quick = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }
const [dictionary, rle, bitPacked, rleDictionary] = [2, 3, 4, 8]
const indexes = (...values: readonly number[]): Uint8Array => concat(Uint8Array.of(2), packedLevels(values, 3))

const textsOf = (column: Column): string[] => {
  if (column.storage !== 'bytes') return []
  const data = Buffer.from(column.data.buffer, column.data.byteOffset, column.data.length)
  return Array.from(column.starts, (start, row) => data.toString('utf8', start, column.ends[row]))
}

describe('pages', () => {
  it('of indexes, under either name, and of plain values after them share one dictionary', async () => {
    const pages = [
      testPage(2, plainBytes('ab', 'c'), { kind: 'dictionary', encoding: dictionary }),
      testPage(4, concat(levelsV1([1, 0, 1, 1], 1), indexes(1, 0, 1)), { encoding: dictionary }),
      testPage(3, concat(levelsV1([1, 1, 0], 1), plainBytes('', 'plain'))),
      testPage(1, concat(levelsV1([1], 1), indexes(0)), { encoding: rleDictionary }),
    ]
    const values = await readColumn(optional('BYTE_ARRAY'), testChunk(...pages), 8, 'string')
    expect(values).toEqual(
      ['c', null, 'ab', 'c', '', 'plain', null, 'ab']
        .map((text) => text && utf8(text))
        .map((v, i) => (i === 4 ? utf8('') : v)),
    )
    const numbers = [
      testPage(3, plainInt64(7n, -1n, 2n ** 62n), { kind: 'dictionary' }),
      testPage(4, indexes(2, 1, 0, 2), { encoding: rleDictionary }),
      testPage(1, plainInt64(5n)),
    ]
    expect(await readColumn(required('INT64'), testChunk(...numbers), 5, 'long')).toEqual([
      2n ** 62n,
      -1n,
      7n,
      2n ** 62n,
      5n,
    ])
  })

  it('of version 2 may lie beside those of version 1', async () => {
    const levels = packedLevels([0, 1, 1], 1)
    const pages = [
      testPage(3, concat(levels, plainInt32(1, 2)), { kind: 'data-v2', definitionBytes: levels.length }),
      testPage(2, concat(levelsV1([1, 0], 1), plainInt32(3))),
    ]
    expect(await readColumn(optional('INT32'), testChunk(...pages), 5, 'int')).toEqual([null, 1, 2, 3, null])
  })

  it('of version 2 may be stored without the codec, and their bytes stay those of the file', async () => {
    const SNAPPY = 1
    const text = Array.from({ length: 50 }, (_, i) => `${i} `.repeat(60))
    const body = plainBytes(...text)
    const pages = [testPage(text.length, body, { kind: 'data-v2', isCompressed: false })]
    const bytes = pageFile([required('BYTE_ARRAY', { fieldId: 1 })], text.length, [
      { ...testChunk(...pages), codec: SNAPPY },
    ])
    const file = await openParquet(bytesRangeReader(bytes, 'stored.parquet'))
    const batch = await file.read({ rowGroup: 0, types: [field(1, 'c', 'string')] })
    bytes.fill(0)
    expect(rowsOf(batch)).toEqual(text.map((value) => [utf8(value)]))
  })

  it.each([
    ['UNCOMPRESSED', 0, (raw: Uint8Array) => raw],
    ['SNAPPY', 1, (raw: Uint8Array) => compress('snappy', raw)],
    ['GZIP', 2, (raw: Uint8Array) => compress('gzip', raw)],
    ['BROTLI', 4, (raw: Uint8Array) => brotliCompressSync(raw, quick)],
    ['ZSTD', 6, (raw: Uint8Array) => compress('zstd', raw)],
  ] as const)('in %s leave the file alone, large or small, one or many', async (_, codec, packed) => {
    for (const size of [1, 40, 3000, 60_000]) {
      const texts = [0, 1, 2].map((part) => Array.from({ length: size }, (__, i) => `${part} ${i * i}`))
      for (const parts of [texts.slice(0, 1), texts]) {
        const pages = parts.map((values) => {
          const raw = plainBytes(...values)
          return testPage(values.length, packed(raw), { uncompressedBytes: raw.length })
        })
        const all = parts.flat()
        const bytes = pageFile([required('BYTE_ARRAY', { fieldId: 1 })], all.length, [
          { ...testChunk(...pages), codec },
        ])
        const file = await openParquet(bytesRangeReader(bytes, 'codec.parquet'))
        const [first, second] = [0, 1].map(() => file.read({ rowGroup: 0, types: [field(1, 'c', 'string')] }))
        const wanted = textsOf((await first!).columns[0]!.column)
        expect(wanted).toEqual(all)
        await second
        bytes.fill(0)
        expect(textsOf((await second!).columns[0]!.column)).toEqual(all)
      }
    }
  })

  it('of old writers have levels packed from the most significant bit', async () => {
    const body = concat(Uint8Array.of(0b1011_0000, 0b0100_0000), plainInt32(1, 2, 3, 4))
    const values = await readColumn(
      optional('INT32'),
      testChunk(testPage(10, body, { levelEncoding: bitPacked })),
      10,
      'int',
    )
    expect(values).toEqual([1, null, 2, 3, null, null, null, null, null, 4])
  })

  it('of booleans are bits, or runs after their length', async () => {
    const runs = concat(Uint8Array.of(4, 0, 0, 0), Uint8Array.of(6, 1, 3, 0b0100))
    const pages = [testPage(9, Uint8Array.of(0b1010_0001, 1)), testPage(6, runs, { encoding: rle })]
    const values = await readColumn(required('BOOLEAN'), testChunk(...pages), 15, 'boolean')
    expect(values.map(Number)).toEqual([1, 0, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1])
  })

  it('may all be null, without a byte of values', async () => {
    const pages = [testPage(3, levelsV1([0, 0, 0], 1), { encoding: rleDictionary })]
    expect(await readColumn(optional('DOUBLE'), testChunk(...pages), 3, 'double')).toEqual([null, null, null])
  })

  it('are told apart by rows where the footer has no index', async () => {
    const pages = [[0, 1], [2, 3, 4], [5]].map((values) => testPage(values.length, plainInt32(...values)))
    const damaged = pages.map((each) => ({ ...each, crc: 1 }))
    for (const [start, end] of [
      [0, 6],
      [1, 2],
      [2, 5],
      [3, 6],
      [5, 6],
      [1, 4],
    ] as const) {
      const holds = (first: number, last: number): boolean => first < end && last > start
      // Pages without a wanted row are not even looked into.
      const used = [holds(0, 2), holds(2, 5), holds(5, 6)].map((isUsed, i) => (isUsed ? pages[i]! : damaged[i]!))
      const bytes = pageFile([required('INT32', { fieldId: 1 })], 6, [testChunk(...used)])
      const rows = await readRows(bytes, [field(1, 'c', 'int')], { rows: { start, end } })
      expect(rows).toEqual([[0], [1], [2], [3], [4], [5]].slice(start, end))
    }
  })

  it('are checked by their CRC', async () => {
    const good = testPage(2, plainInt32(1, 2), { crc: 'right' })
    expect(await readColumn(required('INT32'), testChunk(good), 2, 'int')).toEqual([1, 2])
    const bad = readColumn(required('INT32'), testChunk({ ...good, crc: 12 }), 2, 'int')
    await expect(bad).rejects.toMatchObject({ kind: 'corrupt', code: 'PARQUET_CRC', context: { column: 'c' } })
  })

  it('are corrupt when they hold less or other than they state', async () => {
    const entries = testPage(2, plainInt32(1, 2), { kind: 'dictionary' })
    const cases: [TestElement, TestChunk][] = [
      [required('INT32'), testChunk(testPage(3, plainInt32(1, 2)))],
      [required('INT64'), testChunk(testPage(3, plainInt32(1, 2, 3)))],
      [required('BOOLEAN'), testChunk(testPage(9, Uint8Array.of(1)))],
      [required('BYTE_ARRAY'), testChunk(testPage(3, plainBytes('a', 'b')))],
      [required('BYTE_ARRAY'), testChunk(testPage(1, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1)))],
      [required('BYTE_ARRAY'), testChunk(testPage(2, Uint8Array.of(1, 0, 0, 0, 7, 5, 0, 0, 0, 1)))],
      [optional('INT32'), testChunk(testPage(3, plainInt32(1, 2, 3)))],
      [optional('INT32'), testChunk(testPage(3, concat(levelsV1([1, 1, 1], 1), plainInt32(1))))],
      [required('INT32'), testChunk(testPage(3, indexes(0, 1, 1), { encoding: rleDictionary }))],
      [required('INT32'), testChunk(entries, testPage(3, indexes(0, 2, 1), { encoding: rleDictionary }))],
      [required('INT32'), testChunk(entries, testPage(3, Uint8Array.of(33, 2, 0), { encoding: rleDictionary }))],
      [required('INT32'), testChunk(entries, testPage(3, new Uint8Array(0), { encoding: rleDictionary }))],
      [
        required('INT32'),
        testChunk({ ...entries, values: 3 }, testPage(3, indexes(0, 1, 2), { encoding: rleDictionary })),
      ],
      [required('INT32'), testChunk(testPage(2, plainInt32(1, 2)), { ...entries })],
      [required('INT32'), { ...testChunk(testPage(2, plainInt32(1, 2))), valueCount: 3 }],
      [required('INT32'), { ...testChunk(testPage(4, plainInt32(1, 2, 3, 4))), valueCount: 3 }],
    ]
    for (const [element, given] of cases) {
      const result = await readColumn(
        element,
        given,
        3,
        element.type === 'BYTE_ARRAY'
          ? 'string'
          : element.type === 'INT64'
            ? 'long'
            : element.type === 'BOOLEAN'
              ? 'boolean'
              : 'int',
      ).catch((error: unknown) => error)
      expect(result, JSON.stringify([element, given])).toMatchObject({ kind: 'corrupt' })
    }
  })

  it('are refused by the name of an encoding that their type does not have', async () => {
    for (const [type, wanted, encoding, name] of [
      ['INT32', 'int', rle, 'RLE'],
      ['INT32', 'int', 1, 'GROUP_VAR_INT'],
      ['DOUBLE', 'double', 5, 'DELTA_BINARY_PACKED'],
      ['INT32', 'int', 6, 'DELTA_LENGTH_BYTE_ARRAY'],
      ['INT64', 'long', 7, 'DELTA_BYTE_ARRAY'],
      ['BYTE_ARRAY', 'binary', 9, 'BYTE_STREAM_SPLIT'],
      ['BYTE_ARRAY', 'binary', 77, 'encoding 77'],
    ] as const) {
      const result = readColumn(required(type), testChunk(testPage(1, new Uint8Array(20), { encoding })), 1, wanted)
      await expect(result).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_ENCODING' })
      await expect(result).rejects.toThrow(name)
    }
  })
})

describe('physical types', () => {
  const plain = (
    element: TestElement,
    body: Uint8Array,
    count: number,
    type: IcebergType,
    options?: OpenParquetOptions,
  ): Promise<unknown[]> => readColumn(element, testChunk(testPage(count, body)), count, type, options)

  it('INT96 is refused, unless it is to be a timestamp', async () => {
    const at = (day: number, nanos: bigint): Uint8Array => concat(plainInt64(nanos), plainInt32(day))
    const body = concat(at(2_440_588, 1_234_567n), at(2_440_587, 86_399_999_999_999n), at(2_460_000, 0n))
    const refused = plain(required('INT96'), body, 3, 'timestamptz')
    await expect(refused).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_INT96' })
    await expect(refused).rejects.toThrow("int96: 'timestamp'")
    const int96 = 'timestamp' as const
    const days = (2_460_000n - 2_440_588n) * 86_400_000_000n
    expect(await plain(required('INT96'), body, 3, 'timestamp', { int96 })).toEqual([1234n, -1n, days])
    expect(await plain(required('INT96'), body, 3, 'timestamptz_ns', { int96 })).toEqual([
      1_234_567n,
      -1n,
      days * 1000n,
    ])
    const far = plain(required('INT96'), at(0x7fffffff, 0n), 1, 'timestamp', { int96 })
    await expect(far).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_INT96' })
  })

  it('INT96 is exact as far as 64 bits hold it, whatever time of the day it states', async () => {
    const day = 86_400_000_000n
    const [most, least] = [2n ** 63n - 1n, -(2n ** 63n)]
    const at = (days: bigint, nanos: bigint): Uint8Array =>
      concat(plainInt64(nanos), plainInt32(Number(days) + 2_440_588))
    const of = (micros: bigint): Uint8Array => {
      const time = ((micros % day) + day) % day
      return at((micros - time) / day, time * 1000n + 999n)
    }
    const exact = [most, least, 20_000_000n * day + 1n, -20_000_000n * day - 1n, 0n]
    const int96 = 'timestamp' as const
    expect(await plain(required('INT96'), concat(...exact.map(of)), 5, 'timestamp', { int96 })).toEqual(exact)
    // No writer should, but what it means is plain.
    const odd = concat(at(0n, -1n), at(0n, -1000n), at(1n, 2n ** 62n), at(-3n, -(2n ** 63n)))
    const micros = [-1n, -1n, day + 2n ** 62n / 1000n, -3n * day - 2n ** 63n / 1000n - 1n]
    expect(await plain(required('INT96'), odd, 4, 'timestamptz', { int96 })).toEqual(micros)
    for (const beyond of [of(most + 1n), of(least - 1n)]) {
      const refused = plain(required('INT96'), concat(of(0n), beyond), 2, 'timestamp', { int96 })
      await expect(refused).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_INT96' })
    }
    const years = plain(required('INT96'), of(2n ** 62n), 1, 'timestamp_ns', { int96 })
    await expect(years).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_INT96' })
  })

  it('INT96 beyond 64 bits refuses its column and no other of the file', async () => {
    const far = concat(plainInt64(0n), plainInt32(0x7fffffff))
    const elements = [required('INT96', { fieldId: 1 }), { ...required('INT32', { fieldId: 2 }), name: 'n' }]
    const bytes = pageFile(elements, 1, [testChunk(testPage(1, far)), testChunk(testPage(1, plainInt32(5)))])
    expect(await readRows(bytes, [field(2, 'n', 'int')], { int96: 'timestamp' })).toEqual([[5]])
  })

  it('unsigned integers are read where they fit', async () => {
    const [uint8, uint16, uint32, uint64] = [11, 12, 13, 14].map((converted) => ({ converted }))
    expect(await plain(required('INT32', uint8), plainInt32(255), 1, 'int')).toEqual([255])
    expect(await plain(required('INT32', uint16), plainInt32(65535), 1, 'long')).toEqual([65535n])
    expect(await plain(required('INT32', uint32), plainInt32(-1), 1, 'long')).toEqual([2n ** 32n - 1n])
    expect(await plain(required('INT64', uint64), plainInt64(5n), 1, 'long')).toEqual([5n])
    for (const result of [
      plain(required('INT32', uint32), plainInt32(1), 1, 'int'),
      plain(required('INT64', uint64), plainInt64(-1n), 1, 'long'),
    ])
      await expect(result).rejects.toMatchObject({ kind: 'unsupported' })
  })

  it('times in milliseconds become microseconds', async () => {
    const wide = [-(2n ** 63n) / 1000n, 2n ** 63n / 1000n, -1n, 0n, 4_294_967_297n]
    const timestamps = plainInt64(...wide)
    expect(await plain(required('INT64', { converted: 9 }), timestamps, 5, 'timestamptz')).toEqual(
      wide.map((ms) => ms * 1000n),
    )
    expect(await plain(required('INT32', { converted: 7 }), plainInt32(86_399_999, 0), 2, 'time')).toEqual([
      86_399_999_000n,
      0n,
    ])
    const beyond = plain(required('INT64', { converted: 9 }), plainInt64(2n ** 63n / 1000n + 1n), 1, 'timestamptz')
    await expect(beyond).rejects.toMatchObject({ kind: 'corrupt' })
  })

  it('decimals come from any of them', async () => {
    const marks = { converted: 5, precision: 5, scale: 2 }
    const [small, large]: IcebergType[] = ['decimal(18,2)', 'decimal(38,2)']
    const values = [-12345n, 0n, 99n]
    const wide = values.map((value) => decimalBytes(value, 38))
    const fixed = (width: number): Uint8Array => concat(...wide.map((bytes) => bytes.slice(16 - width)))
    const long = (width: number): Uint8Array =>
      concat(...wide.map((bytes) => concat(new Uint8Array(width - 16).fill(bytes[0]!), bytes)))
    const chars = concat(
      ...[3, 0, 1].map((width, i) => concat(Uint8Array.of(width, 0, 0, 0), wide[i]!.slice(16 - width))),
    )
    const cases: [TestElement, Uint8Array][] = [
      [required('INT32', marks), plainInt32(...values.map(Number))],
      [required('INT64', marks), plainInt64(...values)],
      [required('FIXED_LEN_BYTE_ARRAY', { ...marks, typeLength: 3 }), fixed(3)],
      [required('FIXED_LEN_BYTE_ARRAY', { ...marks, typeLength: 16 }), fixed(16)],
      [required('FIXED_LEN_BYTE_ARRAY', { ...marks, typeLength: 20 }), long(20)],
      [required('BYTE_ARRAY', marks), chars],
    ]
    for (const [element, body] of cases) {
      expect(await plain(element, body, 3, small!)).toEqual(values)
      expect(await plain(element, body, 3, large!)).toEqual(wide)
    }
    const beyond = concat(Uint8Array.of(1), new Uint8Array(19))
    for (const type of [small!, large!])
      await expect(
        plain(required('FIXED_LEN_BYTE_ARRAY', { ...marks, typeLength: 20 }), beyond, 1, type),
      ).rejects.toMatchObject({ kind: 'corrupt' })
  })
})
