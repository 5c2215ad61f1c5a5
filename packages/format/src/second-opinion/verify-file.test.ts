import { type IcebergField, type IcebergType, unavailable } from '@moulin/core'
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer'
import { describe, expect, it } from 'vitest'
import { parquetWriter } from '../parquet/encode/parquet-writer.ts'
import {
  batchFrom,
  decimalBytes,
  field,
  headersType,
  listType,
  mapType,
  structType,
  utf8,
} from '../parquet/parquet.test-columns.ts'
import { bytesRangeReader, type RangeReader } from '../parquet/range-reader.ts'
import { opinionOf } from './second-reader.ts'
import { compareReaders, type FileVerdict, verifyFile, type VerifyFileOptions } from './verify-file.ts'

type Rows = readonly (readonly unknown[])[]

function write(fields: readonly IcebergField[], ...groups: readonly Rows[]): Uint8Array {
  const writer = parquetWriter.create({ schema: { type: 'struct', fields }, compression: 'none' })
  for (const rows of groups) writer.writeRowGroup(batchFrom(fields, rows))
  return writer.finish().bytes
}

const reader = (bytes: Uint8Array): RangeReader => bytesRangeReader(bytes, 'two.parquet')

/** As if one file were read so differently: ours sees the one, hyparquet the other. */
const compared = (ours: Uint8Array, theirs: Uint8Array, options: VerifyFileOptions = {}): Promise<FileVerdict> =>
  compareReaders(reader(ours), reader(theirs), options)

/** One value of a type against another. */
async function differenceOf(type: IcebergType, ours: unknown, theirs: unknown): Promise<object[]> {
  const fields = [field(1, 'v', type)]
  const { differences, values } = await compared(write(fields, [[ours]]), write(fields, [[theirs]]))
  expect(values).toBe(1)
  return differences.map(({ column, ours: mine, theirs: its }) => ({ column, ours: mine, theirs: its }))
}

describe('verifyFile', () => {
  it('finds two readers of one mind about every type', async () => {
    const types: readonly (readonly [IcebergType, unknown])[] = [
      ['boolean', true],
      ['int', -5],
      ['long', -(2n ** 63n)],
      ['float', NaN],
      ['double', -0],
      ['date', -1],
      ['time', 86_399_999_999n],
      ['timestamptz', 2n ** 62n + 1n],
      ['timestamp_ns', -(2n ** 62n) - 1n],
      ['string', utf8('naïve')],
      ['binary', Uint8Array.of(0, 255)],
      ['uuid', new Uint8Array(16).fill(0x80)],
      ['fixed[3]', Uint8Array.of(1, 2, 3)],
      ['decimal(9,2)', -123n],
      ['decimal(18,2)', -(10n ** 17n)],
      ['decimal(38,2)', decimalBytes(-(10n ** 37n), 38)],
      [headersType, [[utf8('k'), null]]],
      [mapType(900, 'string', 'long'), [[utf8('a'), 1n]]],
      [structType(field(910, '__proto__', 'int'), field(911, 'list', listType(912, 'double'))), [null, [NaN, null]]],
    ]
    const fields = types.map(([type], index) => field(100 + index, `f${index}`, type))
    const row = types.map(([, value]) => value)
    const nulls = types.map(() => null)
    const verdict = await verifyFile(reader(write(fields, [row, nulls], [nulls, row, row])))
    expect(verdict).toEqual({
      file: 'two.parquet',
      reader: 'hyparquet',
      rows: 5,
      values: 5 * types.length,
      differenceCount: 0,
      differences: [],
      unread: [],
    })
  })

  it.each<readonly [IcebergType, unknown, unknown, string, string]>([
    ['double', 0, -0, '0', '-0'],
    ['float', NaN, 1, 'NaN', '1'],
    ['timestamptz', 1_700_000_000_000_001n, 1_700_000_000_000_002n, '1700000000000001', '1700000000000002'],
    ['timestamp_ns', 2n ** 60n, 2n ** 60n + 1n, '1152921504606846976', '1152921504606846977'],
    ['decimal(38,1)', decimalBytes(-1n, 38), decimalBytes(255n, 38), '-1', '255'],
    ['string', utf8('a'), utf8('a\u0000'), '"a"', '"a\\u0000"'],
    ['string', utf8(''), null, '""', 'null'],
    ['binary', Uint8Array.of(255), Uint8Array.of(254), '0xff', '0xfe'],
    ['boolean', false, null, 'false', 'null'],
  ])('tells %s %s from %s', async (type, mine, its, ours, theirs) => {
    expect(await differenceOf(type, mine, its)).toEqual([{ column: 'v', ours, theirs }])
  })

  it('shows long bytes where they part', async () => {
    const [one, two] = [utf8(`${'x'.repeat(5000)}1${'y'.repeat(50)}`), utf8(`${'x'.repeat(5000)}2${'y'.repeat(50)}`)]
    const around = (digit: string): string => `"xxxxxxxx${digit}${'y'.repeat(23)}" (from byte 4992 of 5051)`
    expect(await differenceOf('string', one, two)).toEqual([{ column: 'v', ours: around('1'), theirs: around('2') }])
  })

  it('says where in a nested value', async () => {
    const header = (value: Uint8Array | null): unknown => [utf8('k'), value]
    expect(await differenceOf(headersType, [header(null), header(utf8('v'))], [header(null), header(null)])).toEqual([
      { column: 'v[1].value', ours: '0x76', theirs: 'null' },
    ])
    expect(await differenceOf(listType(2, 'int'), [], null)).toEqual([{ column: 'v', ours: 'a value', theirs: 'null' }])
    expect(await differenceOf(mapType(2, 'int', 'int'), [[1, 2]], [])).toEqual([
      { column: 'v', ours: '1 entries', theirs: '0 entries' },
    ])
    const place = structType(field(2, 'inner', structType(field(3, 'y', 'long'))))
    expect(await differenceOf(place, [[1n]], [[null]])).toEqual([{ column: 'v.inner.y', ours: '1', theirs: 'null' }])
    expect(await differenceOf(listType(4, listType(5, 'date')), [[1], [2, 3]], [[1], [2, 4]])).toEqual([
      { column: 'v[1][1]', ours: '3', theirs: '4' },
    ])
  })

  it('counts all differences, tells the first, and names file, row group and row', async () => {
    const fields = [field(1, 'a', 'int'), field(2, 'b', 'long')]
    const rows = (from: number, change: number): Rows =>
      Array.from({ length: 10 }, (_, i) => [from + i, BigInt(i % 3 === 0 ? i + change : i)])
    const verdict = await compared(write(fields, rows(0, 0), rows(10, 0)), write(fields, rows(0, 0), rows(10, 7)), {
      maxDifferences: 2,
    })
    expect(verdict).toMatchObject({ file: 'two.parquet', rows: 20, values: 40, differenceCount: 4 })
    expect(verdict.differences).toEqual([
      { what: 'value', rowGroup: 1, column: 'b', row: 10, ours: '0', theirs: '7' },
      { what: 'value', rowGroup: 1, column: 'b', row: 13, ours: '3', theirs: '10' },
    ])
  })

  it('compares counts of rows', async () => {
    const fields = [field(1, 'a', 'int')]
    const { differences, values } = await compared(write(fields, [[1], [2]], [[3]]), write(fields, [[1]]))
    expect(values).toBe(1)
    expect(differences.map(({ what, rowGroup, ours, theirs }) => [what, rowGroup, ours, theirs])).toEqual([
      ['rows', null, '3 rows', '1 rows'],
      ['rows', 0, '2 rows', '1 rows'],
      ['rows', 1, '1 rows', 'no such row group'],
      ['rows', 0, '2 rows', '1 rows'],
    ])
  })

  it.each<readonly [string, IcebergField, IcebergField]>([
    ['a name', field(1, 'a', 'int'), field(1, 'b', 'int')],
    ['a field id', field(1, 'a', 'int'), field(2, 'a', 'int')],
    ['what is required', field(1, 'a', 'int'), field(1, 'a', 'int', true)],
    ['a type', field(1, 'a', 'int'), field(1, 'a', 'long')],
    ['a unit', field(1, 'a', 'timestamp'), field(1, 'a', 'timestamp_ns')],
    ['a scale', field(1, 'a', 'decimal(9,2)'), field(1, 'a', 'decimal(9,3)')],
    ['a width', field(1, 'a', 'fixed[2]'), field(1, 'a', 'fixed[3]')],
    ['the count of columns', field(1, 'a', 'int'), field(1, 'a', listType(2, 'int'))],
  ])('compares schemas: %s', async (_, mine, its) => {
    const { differences, differenceCount, values } = await compared(write([mine]), write([its]))
    expect({ differenceCount, values }).toEqual({ differenceCount: 1, values: 0 })
    expect(differences[0]).toMatchObject({ what: 'schema', rowGroup: null, row: null })
    expect(differences[0]!.ours).not.toBe(differences[0]!.theirs)
  })

  it('reads files without field ids, with the types of others', async () => {
    const columnData: ColumnSource[] = [
      { name: 'n', data: [1, null, 3], type: 'INT32' },
      { name: 'ms', data: [new Date(5), null, new Date(-7)], type: 'TIMESTAMP' },
      { name: 'word', data: ['x', null, 'y'], type: 'STRING' },
    ]
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData }))
    expect(await verifyFile(reader(bytes))).toMatchObject({ rows: 3, values: 9, differences: [], unread: [] })
  })

  it('says what one of them does not read, and compares the rest', async () => {
    const columnData: ColumnSource[] = [
      { name: 'doc', data: [{ a: 1 }], type: 'JSON' },
      { name: 'n', data: [1], type: 'INT32' },
    ]
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData }))
    const { values, unread, differenceCount } = await verifyFile(reader(bytes))
    expect({ values, differenceCount }).toEqual({ values: 1, differenceCount: 0 })
    expect(unread).toEqual([
      { reader: 'moulin', rowGroup: null, column: 'doc', message: expect.stringMatching('no type') as string },
    ])
  })

  it('takes a checksum that does not fit for unread', async () => {
    const bytes = write([field(1, 'a', 'long', true), field(2, 'b', 'int', true)], [[2n ** 40n, 1]]).slice()
    const at = Buffer.from(bytes).indexOf(Buffer.from([0, 0, 0, 0, 0, 1, 0, 0]))
    expect(at).toBeGreaterThan(0)
    bytes[at]! ^= 1
    const { values, unread } = await verifyFile(reader(bytes))
    expect(values).toBe(1)
    expect(unread).toMatchObject([{ reader: 'moulin', rowGroup: 0, column: 'a' }])
  })

  it('refuses what is no Parquet file, and passes on what the store says', async () => {
    await expect(verifyFile(reader(utf8('a text that is no file of columns')))).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'PARQUET_MAGIC',
    })
    const bytes = write([field(1, 'a', 'int')], [[1]])
    let reads = 0
    const failing: RangeReader = {
      ...reader(bytes),
      read: (start, end) =>
        ++reads > 3 ? Promise.reject(unavailable('DOWN', 'The store is down.')) : reader(bytes).read(start, end),
    }
    await expect(verifyFile(failing)).rejects.toMatchObject({ kind: 'unavailable', code: 'DOWN' })
  })

  it('names hyparquet where it is missing', async () => {
    const missing = (): Promise<never> =>
      Promise.reject(Object.assign(new Error('none'), { code: 'ERR_MODULE_NOT_FOUND' }))
    await expect(opinionOf(reader(new Uint8Array(0)), missing)).rejects.toMatchObject({
      code: 'PACKAGE_MISSING',
      message: expect.stringContaining('npm install hyparquet.') as string,
    })
  })
})
