import { describe, expect, it } from 'vitest'
import { pageFile, type TestElement } from '../parquet/page-file.test-support.ts'
import { bytesRangeReader } from '../parquet/range-reader.ts'
import { compareReaders, type FileVerdict, verifyFile } from './verify-file.ts'

const reader = (bytes: Uint8Array) => bytesRangeReader(bytes, 'foreign.parquet')
const required = (type: TestElement['type'], more: Partial<TestElement> = {}): TestElement => ({
  name: 'v',
  repetition: 'REQUIRED',
  ...(type === undefined ? {} : { type }),
  ...more,
})
const fileOf = (element: TestElement, values: number, body: Uint8Array): Uint8Array =>
  pageFile([element], values, [{ valueCount: values, pages: [{ values, body }] }])
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const int32 = (...values: number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer)
const int64 = (...values: bigint[]): Uint8Array => new Uint8Array(BigInt64Array.from(values).buffer)
/** Nanoseconds of the day and days since 1970. */
const int96 = (nanos: bigint, days: number): Uint8Array => {
  const value = new DataView(new ArrayBuffer(12))
  value.setBigInt64(0, nanos, true)
  value.setInt32(8, days + 2_440_588, true)
  return new Uint8Array(value.buffer)
}

// Of parquet.thrift's ConvertedType.
const [decimal, timeMillis, timestampMillis, uint16, uint32, uint64] = [5, 7, 9, 12, 13, 14]
const shapes: readonly (readonly [string, TestElement, Uint8Array, Uint8Array, string, string])[] = [
  ['INT96, to the microsecond', required('INT96'), int96(1999n, -1), int96(2000n, -1), '-86399999999', '-86399999998'],
  ['unsigned 16', required('INT32', { converted: uint16 }), int32(65535), int32(65534), '65535', '65534'],
  ['unsigned 32', required('INT32', { converted: uint32 }), int32(-1), int32(-2), '4294967295', '4294967294'],
  ['unsigned 64', required('INT64', { converted: uint64 }), int64(2n ** 62n), int64(1n), String(2n ** 62n), '1'],
  ['time in milliseconds', required('INT32', { converted: timeMillis }), int32(5), int32(6), '5000', '6000'],
  ['milliseconds', required('INT64', { converted: timestampMillis }), int64(-7n), int64(7n), '-7000', '7000'],
  [
    'a decimal in bytes',
    required('BYTE_ARRAY', { converted: decimal, precision: 10, scale: 2 }),
    bytes(2, 0, 0, 0, 0xff, 0x00),
    bytes(1, 0, 0, 0, 0x7f),
    '-256',
    '127',
  ],
  [
    'a wide decimal',
    required('FIXED_LEN_BYTE_ARRAY', { typeLength: 9, converted: decimal, precision: 20, scale: 0 }),
    bytes(0xff, 0, 0, 0, 0, 0, 0, 0, 0),
    bytes(0, 0, 0, 0, 0, 0, 0, 0, 1),
    String(-(2n ** 64n)),
    '1',
  ],
]

describe('verifyFile on types that only others write', () => {
  it.each(shapes)('%s', async (_, element, one, other, ours, theirs) => {
    const [first, second] = [fileOf(element, 1, one), fileOf(element, 1, other)]
    expect(await verifyFile(reader(first))).toMatchObject({ values: 1, differences: [], unread: [] })
    const { differences } = await compareReaders(reader(first), reader(second), {})
    expect(differences).toMatchObject([{ what: 'value', column: 'v', row: 0, ours, theirs }])
  })

  const list = (...children: TestElement[]): TestElement => required(undefined, { converted: 3, children })
  const repeated = (name: string, children?: TestElement[], fieldId?: number): TestElement => ({
    name,
    repetition: 'REPEATED',
    ...(children === undefined ? { type: 'INT32' as const } : { children }),
    ...(fieldId === undefined ? {} : { fieldId }),
  })
  const one: TestElement = { name: 'x', repetition: 'REQUIRED', type: 'INT32' }
  // Levels of two rows, [5, 6] and []: repetition 0 1 0, definition 1 1 0, each in a run of bit-packed ones.
  const levels = bytes(2, 0, 0, 0, 3, 0b010, 2, 0, 0, 0, 3, 0b011)
  const lists = Uint8Array.from([...levels, ...int32(5, 6)])
  const filled = (element: TestElement): Uint8Array =>
    pageFile([element], 2, [{ valueCount: 3, pages: [{ values: 3, body: lists }] }])

  it.each<readonly [string, TestElement]>([
    ['a repeated field', repeated('v')],
    ['a repeated group', repeated('v', [one])],
    ['two levels', list(repeated('array'))],
    ['three levels', list(repeated('list', [one]))],
    ['a tuple', list(repeated('v_tuple', [one]))],
  ])('a list as %s', async (_, element) => {
    expect(await verifyFile(reader(filled(element)))).toMatchObject({ rows: 2, values: 2, differences: [], unread: [] })
  })

  it('takes field ids as they are, and says which column has none', async () => {
    const verdictOf = (...elements: TestElement[]): Promise<FileVerdict> => {
      const chunks = elements.map(() => ({ valueCount: 1, pages: [{ values: 1, body: int32(1) }] }))
      return verifyFile(reader(pageFile(elements, 1, chunks)))
    }
    const [a, b] = [required('INT32', { name: 'a', fieldId: 7 }), required('INT32', { name: 'b' })]
    expect(await verdictOf(a, { ...b, fieldId: 3 })).toMatchObject({ values: 2, unread: [] })
    expect(await verdictOf(a, b)).toMatchObject({
      values: 1,
      unread: [{ reader: 'moulin', column: 'b', message: expect.stringMatching('no field id') as string }],
    })
  })
})
