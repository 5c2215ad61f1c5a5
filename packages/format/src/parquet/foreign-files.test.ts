import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer'
import { describe, expect, it } from 'vitest'
import { openParquet } from './open-parquet.ts'
import type { OpenParquetOptions, ParquetFile } from './parquet-file.ts'
import { concat, levelsV1, pageFile, plainInt32, type TestChunk, type TestElement } from './page-file.test-support.ts'
import { field, listType, rowsOf, structType, utf8 } from './parquet.test-columns.ts'
import { bytesRangeReader } from './range-reader.ts'

const open = (bytes: Uint8Array, options?: OpenParquetOptions): Promise<ParquetFile> =>
  openParquet(bytesRangeReader(bytes, 'test.parquet'), options)

describe('files of other writers', () => {
  const columnData: ColumnSource[] = [
    { name: 'n', data: [1, 2, 3], type: 'INT32' },
    { name: 'word', data: ['x', null, 'y'], type: 'STRING' },
    { name: 'at', data: [new Date(5), null, new Date(-7)], type: 'TIMESTAMP' },
  ]
  const foreign = (extra: ColumnSource[] = []): Uint8Array =>
    new Uint8Array(parquetWriteBuffer({ columnData: [...columnData, ...extra] }))
  const nameMapping = [
    { 'field-id': 4, names: ['at'] },
    { 'field-id': 1, names: ['old', 'n'] },
    { 'field-id': 2, names: ['word'] },
  ]

  it('are refused without field ids, unless a name mapping tells the columns', async () => {
    await expect(open(foreign())).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_FIELD_IDS' })
    const file = await open(foreign(), { nameMapping })
    const types = [field(1, 'n', 'long'), field(2, 'word', 'string'), field(4, 'at', 'timestamptz')]
    expect(rowsOf(await file.read({ rowGroup: 0, types }))).toEqual([
      [1n, utf8('x'), 5_000n],
      [2n, null, null],
      [3n, utf8('y'), -7_000n],
    ])
    expect(file.rowGroups[0]!.bounds(4)).toEqual({ min: -7_000n, max: 5_000n, nullCount: 1 })
  })

  it('may leave columns out of the mapping', async () => {
    const file = await open(foreign(), { nameMapping: nameMapping.slice(1, 2) })
    expect(file.fields.map(({ id }) => id)).toEqual([1])
    expect(rowsOf(await file.read({ rowGroup: 0, types: [field(2, 'word', 'string')] }))).toEqual([
      [null],
      [null],
      [null],
    ])
  })

  describe('with repeated groups that no list is around', () => {
    const group = (name: string, children: TestElement[], repetition: TestElement['repetition']): TestElement => ({
      name,
      repetition,
      children,
    })
    const leaf = (name: string): TestElement => ({ name, repetition: 'REQUIRED', type: 'INT32' })
    const members = [
      { 'field-id': 3, names: ['sku'] },
      { 'field-id': 4, names: ['qty', 'element'] },
    ]
    const values = (...numbers: number[]): TestChunk => ({
      valueCount: 4,
      // The second row has no entry, the first one two.
      pages: [
        { values: 4, body: concat(levelsV1([0, 1, 0, 0], 1), levelsV1([1, 1, 0, 1], 1), plainInt32(...numbers)) },
      ],
    })
    const items = listType(2, structType(field(3, 'sku', 'int'), field(4, 'qty', 'int')))
    const rows = [
      [
        [
          [1, 10],
          [2, 20],
        ],
      ],
      [[]],
      [[[3, 30]]],
    ]

    it.each([
      [
        'as a list, as a table has it',
        [{ 'field-id': 1, names: ['items'], fields: [{ 'field-id': 2, names: ['element'], fields: members }] }],
      ],
      ['by their members, as it may be written by hand', [{ 'field-id': 1, names: ['items'], fields: members }]],
    ])('follow the name mapping %s', async (_, nameMapping) => {
      const repeated = group('items', [leaf('sku'), leaf('qty')], 'REPEATED')
      const bytes = pageFile([repeated], 3, [values(1, 2, 3), values(10, 20, 30)])
      const file = await open(bytes, { nameMapping })
      expect(rowsOf(await file.read({ rowGroup: 0, types: [field(1, 'items', items)] }))).toEqual(rows)
    })

    it('are not taken for a list again where they are the elements of one', async () => {
      // Rule 4 of LogicalTypes: of two members, so the repeated group is the element.
      const list = {
        ...group('items', [group('array', [leaf('sku'), leaf('element')], 'REPEATED')], 'REQUIRED'),
        converted: 3,
      }
      const bytes = pageFile([list], 3, [values(1, 2, 3), values(10, 20, 30)])
      const nameMapping = [
        { 'field-id': 1, names: ['items'], fields: [{ 'field-id': 2, names: ['element'], fields: members }] },
      ]
      const file = await open(bytes, { nameMapping })
      expect(rowsOf(await file.read({ rowGroup: 0, types: [field(1, 'items', items)] }))).toEqual(rows)
    })

    it('of one number are lists of it', async () => {
      const bytes = pageFile([{ ...leaf('n'), repetition: 'REPEATED' }], 3, [values(1, 2, 3)])
      const nameMapping = [{ 'field-id': 1, names: ['n'], fields: [{ 'field-id': 2, names: ['element'] }] }]
      const file = await open(bytes, { nameMapping })
      expect(rowsOf(await file.read({ rowGroup: 0, types: [field(1, 'n', listType(2, 'int'))] }))).toEqual([
        [[1, 2]],
        [[]],
        [[3]],
      ])
    })
  })

  it('are refused for a column that is a member of another in the file', async () => {
    const place = {
      name: 'place',
      repetition: 'REQUIRED',
      fieldId: 1,
      children: [{ name: 'x', repetition: 'REQUIRED', type: 'INT32', fieldId: 2 }],
    } as const
    const file = await open(pageFile([place], 1, [{ valueCount: 1, pages: [{ values: 1, body: plainInt32(5) }] }]))
    const read = file.read({ rowGroup: 0, types: [field(2, 'x', 'int')] })
    await expect(read).rejects.toMatchObject({ kind: 'unsupported', context: { column: 'place.x' } })
    // Of a group itself a footer says nothing: not that it is null.
    expect(file.rowGroups[0]!.bounds(1)).toEqual({})
  })

  it('are read in every encoding that hyparquet knows', async () => {
    const n = 300
    const numbers = Array.from({ length: n }, (_, i) => (i * i) % 1000)
    const words = numbers.map((i) => utf8(`word ${i}`))
    const encoded: ColumnSource[] = [
      { name: 'delta', data: numbers.map(BigInt), type: 'INT64', encoding: 'DELTA_BINARY_PACKED' },
      { name: 'length', data: words, type: 'BYTE_ARRAY', encoding: 'DELTA_LENGTH_BYTE_ARRAY' },
      { name: 'prefix', data: words, type: 'BYTE_ARRAY', encoding: 'DELTA_BYTE_ARRAY' },
      { name: 'split', data: numbers, type: 'DOUBLE', encoding: 'BYTE_STREAM_SPLIT' },
      { name: 'dictionary', data: words, type: 'BYTE_ARRAY', encoding: 'RLE_DICTIONARY' },
      { name: 'flags', data: numbers.map((i) => i % 2 === 0), type: 'BOOLEAN' },
    ]
    const mapping = encoded.map(({ name }, i) => ({ 'field-id': i + 1, names: [name] }))
    const file = await open(new Uint8Array(parquetWriteBuffer({ columnData: encoded })), { nameMapping: mapping })
    const kinds = ['long', 'binary', 'binary', 'double', 'binary', 'boolean']
    const types = kinds.map((type, i) => field(i + 1, `f${i}`, type))
    expect(rowsOf(await file.read({ rowGroup: 0, types }))).toEqual(
      numbers.map((i, row) => [BigInt(i), words[row], words[row], i, words[row], i % 2 === 0]),
    )
  })

  it('are refused by the name of a codec that we do not have', async () => {
    const compressors = { LZO: (bytes: Uint8Array) => bytes }
    const bytes = new Uint8Array(parquetWriteBuffer({ columnData, codec: 'LZO', compressors }))
    const file = await open(bytes, { nameMapping })
    const read = file.read({ rowGroup: 0, types: [field(1, 'n', 'int')] })
    await expect(read).rejects.toMatchObject({ kind: 'unsupported', code: 'PARQUET_CODEC' })
    await expect(read).rejects.toThrow('LZO')
  })

  it('are refused by the name of a type that no Iceberg type is stored as', async () => {
    const file = await open(foreign([{ name: 'doc', data: [{}, {}, {}], type: 'JSON' }]), {
      nameMapping: [{ 'field-id': 9, names: ['doc'] }],
    })
    await expect(file.read({ rowGroup: 0, types: [field(9, 'doc', 'string')] })).rejects.toMatchObject({
      kind: 'unsupported',
      code: 'PARQUET_TYPE',
    })
  })
})
