import { type IcebergField, type IcebergType, INT64_MAX, INT64_MIN, plainPrimitives } from '@moulin/core'
import fc from 'fast-check'
import { parquetReadObjects } from 'hyparquet'
import { describe, expect, it } from 'vitest'
import type { Compression } from '../bytes/compression.ts'
import { parquetWriter } from './encode/parquet-writer.ts'
import type { FileWriterFactory, WrittenFile } from './file-writer.ts'
import { hyparquetWriter } from '../second-opinion/hyparquet-writer.ts'
import { openParquet } from './open-parquet.ts'
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
import { bytesRangeReader } from './range-reader.ts'

type Rows = readonly (readonly unknown[])[]

type Write = (fields: readonly IcebergField[], groups: readonly Rows[], compression?: Compression) => WrittenFile

function writeWith(factory: FileWriterFactory): Write {
  return (fields, groups, compression) => {
    const options = { schema: { type: 'struct', fields } as const, pageBytes: 256 }
    const writer = factory.create({ ...options, ...(compression === undefined ? {} : { compression }) })
    for (const rows of groups) writer.writeRowGroup(batchFrom(fields, rows))
    return writer.finish()
  }
}

async function readBack(fields: readonly IcebergField[], { bytes }: WrittenFile): Promise<unknown[][][]> {
  const file = await openParquet(bytesRangeReader(bytes, 'test.parquet'))
  const groups: unknown[][][] = []
  for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++)
    groups.push(rowsOf(await file.read({ rowGroup, types: fields })))
  return groups
}

const bytes = (size?: number): fc.Arbitrary<Uint8Array> =>
  size === undefined ? fc.uint8Array({ maxLength: 40 }) : fc.uint8Array({ minLength: size, maxLength: size })
const int32 = fc.integer({ min: -0x80000000, max: 0x7fffffff })
const int64 = fc.oneof(fc.bigInt({ min: INT64_MIN, max: INT64_MAX }), fc.constantFrom(INT64_MIN, INT64_MAX, 0n, -1n))
const decimal = (precision: number): fc.Arbitrary<bigint> =>
  fc.bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n })
const text = fc.oneof(fc.string({ maxLength: 12 }), fc.constantFrom('', 'typed', 'naïve', '日本', '😀'))

const plain: Readonly<Record<(typeof plainPrimitives)[number], fc.Arbitrary<unknown>>> = {
  boolean: fc.boolean(),
  int: int32,
  long: int64,
  float: fc.float(),
  double: fc.double(),
  date: int32,
  time: fc.bigInt({ min: 0n, max: 86_399_999_999n }),
  timestamp: int64,
  timestamptz: int64,
  timestamp_ns: int64,
  timestamptz_ns: int64,
  string: text.map(utf8),
  binary: bytes(),
  uuid: bytes(16),
}
const primitives: readonly (readonly [IcebergType, fc.Arbitrary<unknown>])[] = [
  ...plainPrimitives.map((type) => [type, plain[type]] as const),
  ['fixed[5]', bytes(5)],
  ['decimal(9,2)', decimal(9)],
  ['decimal(18,4)', decimal(18)],
  ['decimal(38,10)', decimal(38).map((value) => decimalBytes(value, 38))],
]
const headers = fc.array(fc.tuple(text.map(utf8), fc.option(bytes(), { nil: null })), { maxLength: 4 })

describe.each([parquetWriter, await hyparquetWriter()])('Parquet written by $name and read back', (factory) => {
  const write = writeWith(factory)

  for (const compression of ['zstd', 'snappy', 'gzip', 'none'] as const) {
    it(`gives the same rows for every type, with nulls, in ${compression}`, async () => {
      const fields = [
        ...primitives.map(([type], i) => field(1001 + i, `f${i}`, type)),
        field(7, 'headers', headersType),
      ]
      const values = [...primitives.map(([, arbitrary]) => arbitrary), headers]
      const row = fc.tuple(...values.map((value) => fc.option(value, { nil: null })))
      const groups = fc.array(fc.array(row, { minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 3 })
      await fc.assert(
        fc.asyncProperty(groups, async (rows) => {
          expect(await readBack(fields, write(fields, rows, compression))).toEqual(rows)
        }),
        { numRuns: 40 },
      )
    })
  }

  it('gives the same rows where nothing is null and values repeat', async () => {
    const fields = primitives.map(([type], i) => field(i + 1, `f${i}`, type, true))
    const rows = fc
      .tuple(...primitives.map(([, arbitrary]) => fc.array(arbitrary, { minLength: 1, maxLength: 3 })))
      .map((pools) => Array.from({ length: 500 }, (_, i) => pools.map((pool) => pool[(i * i) % pool.length])))
    await fc.assert(
      fc.asyncProperty(rows, async (group) => {
        expect(await readBack(fields, write(fields, [group]))).toEqual([group])
      }),
      { numRuns: 20 },
    )
  })

  it('gives the same nested values, null and empty told apart', async () => {
    const types: readonly (readonly [IcebergType, fc.Arbitrary<unknown>])[] = [
      [listType(101, 'int'), fc.array(fc.option(int32, { nil: null }), { maxLength: 4 })],
      [listType(102, 'string', true), fc.array(text.map(utf8), { maxLength: 4 })],
      [
        structType(field(103, 'a', 'long'), field(104, '__proto__', 'string', true)),
        fc.tuple(fc.option(int64, { nil: null }), text.map(utf8)),
      ],
      [headersType, headers],
      [
        listType(105, listType(106, 'int')),
        fc.array(fc.option(fc.array(fc.option(int32, { nil: null }), { maxLength: 3 }), { nil: null }), {
          maxLength: 3,
        }),
      ],
      [
        structType(field(107, 'inner', structType(field(108, 'x', 'int'))), field(109, 'list', listType(110, 'long'))),
        fc.tuple(
          fc.option(fc.tuple(fc.option(int32, { nil: null })), { nil: null }),
          fc.option(fc.array(fc.option(int64, { nil: null }), { maxLength: 3 }), { nil: null }),
        ),
      ],
      [
        listType(111, structType(field(112, 'x', 'int'), field(113, 'tags', listType(114, 'string')))),
        fc.array(
          fc.option(
            fc.tuple(
              fc.option(int32, { nil: null }),
              fc.option(fc.array(fc.option(text.map(utf8), { nil: null }), { maxLength: 3 }), { nil: null }),
            ),
            { nil: null },
          ),
          { maxLength: 3 },
        ),
      ],
    ]
    for (const [type, arbitrary] of types) {
      const fields = [field(1, 'nested', type)]
      const rows = fc.array(fc.tuple(fc.option(arbitrary, { nil: null })), { minLength: 1, maxLength: 60 })
      await fc.assert(
        fc.asyncProperty(rows, async (group) => {
          expect(await readBack(fields, write(fields, [group]))).toEqual([group])
        }),
        { numRuns: 40 },
      )
    }
  })

  it('keeps every slice of rows, whatever pages it spans', async () => {
    const fields = [field(1, 'offset', 'long'), field(2, 'note', 'string'), field(7, 'headers', headersType)]
    const rows = Array.from({ length: 3000 }, (_, i) => [
      BigInt(i) * 7n,
      i % 5 === 0 ? null : utf8(`note ${i % 40}`.repeat(i % 3)),
      i % 11 === 0 ? [[utf8('trace'), i % 2 === 0 ? null : utf8(String(i))]] : [],
    ])
    const file = await openParquet(bytesRangeReader(write(fields, [rows]).bytes, 'slices.parquet'))
    const slice = fc.tuple(fc.nat(3000), fc.nat(3000)).map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }))
    await fc.assert(
      fc.asyncProperty(slice, async (range) => {
        const batch = await file.read({ rowGroup: 0, types: fields, rows: range })
        expect(rowsOf(batch)).toEqual(rows.slice(range.start, range.end))
      }),
      { numRuns: 60, examples: [[{ start: 0, end: 3000 }], [{ start: 2999, end: 3000 }], [{ start: 5, end: 5 }]] },
    )
  })

  it('keeps −0, NaN and infinities, also where values repeat', async () => {
    const fields = [field(1, 'f', 'float'), field(2, 'd', 'double')]
    const values = [0, -0, NaN, Infinity, -Infinity, 1.5]
    const rows = Array.from({ length: 600 }, (_, i) => [values[i % 6], values[(i + 1) % 6]])
    const [group] = await readBack(fields, write(fields, [rows]))
    for (const [i, row] of group!.entries()) {
      expect(Object.is(row[0], rows[i]![0])).toBe(true)
      expect(Object.is(row[1], rows[i]![1])).toBe(true)
    }
  })

  it('is read by hyparquet with its own defaults, by the same names', async () => {
    const fields = [
      field(1, 'id', 'long'),
      field(2, 'city', 'string'),
      field(3, 'day', 'date'),
      field(4, 'price', 'decimal(9,2)'),
      field(5, 'at', 'timestamptz'),
      field(6, 'clock', 'time'),
      field(7, 'headers', headersType),
      field(11, 'uid', 'uuid'),
    ]
    const rows = [
      [
        1n,
        utf8('ams'),
        19_000,
        1234n,
        1_700_000_000_123_000n,
        5n,
        [[utf8('k'), utf8('v')]],
        new Uint8Array(16).fill(1),
      ],
      [2n, null, null, null, null, null, [], null],
    ]
    const { bytes: file } = write(fields, [rows], 'snappy')
    const read = await parquetReadObjects({ file: file.slice().buffer })
    expect(read).toEqual([
      {
        id: 1n,
        city: 'ams',
        day: new Date(19_000 * 86_400_000),
        price: 12.34,
        at: new Date(1_700_000_000_123),
        clock: 5n,
        headers: [{ key: 'k', value: 'v' }],
        uid: '01010101-0101-0101-0101-010101010101',
      },
      { id: 2n, city: null, day: null, price: null, at: null, clock: null, headers: [], uid: null },
    ])
  })
})
