import { type IcebergField, isKind } from '@moulin/core'
import { parquetMetadata } from 'hyparquet'
import { describe, expect, it } from 'vitest'
import { parquetWriter } from './encode/parquet-writer.ts'
import type { FileWriterOptions, WrittenFile } from './file-writer.ts'
import { hyparquetWriter } from '../second-opinion/hyparquet-writer.ts'
import {
  batchFrom,
  columnFrom,
  decimalBytes,
  field,
  headersType,
  listType,
  structType,
  utf8,
} from './parquet.test-columns.ts'

type Rows = readonly (readonly unknown[])[]

function thrown(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}

// What every FileWriter does; each has a test file for what it alone does.
describe.each([parquetWriter, await hyparquetWriter()])('The FileWriter $name', (factory) => {
  function write(
    fields: readonly IcebergField[],
    groups: readonly Rows[],
    options: Partial<FileWriterOptions> = {},
  ): WrittenFile {
    const writer = factory.create({ schema: { type: 'struct', fields }, ...options })
    for (const rows of groups) writer.writeRowGroup(batchFrom(fields, rows))
    return writer.finish()
  }

  it('writes exactly the row groups that it is given, and none for an empty batch', () => {
    const file = write([field(1, 'a', 'int')], [[[1], [2]], [], [[3]]])
    expect(file.rowCount).toBe(3)
    expect(file.rowGroups.map(({ rowCount }) => rowCount)).toEqual([2, 1])
    expect(file.rowGroups[0]!.offset).toBe(4)
    expect(file.rowGroups[1]!.offset).toBe(4 + file.rowGroups[0]!.sizeBytes)
    expect(parquetMetadata(file.bytes.slice().buffer).row_groups.map((group) => Number(group.num_rows))).toEqual([2, 1])
  })

  it('counts and bounds every leaf exactly, over all row groups', () => {
    const fields = [
      field(1, 'i', 'int'),
      field(2, 'l', 'long'),
      field(3, 'd', 'double'),
      field(4, 's', 'string'),
      field(5, 'dec', 'decimal(38,2)'),
      field(6, 'b', 'boolean'),
      field(7, 'headers', headersType),
      field(11, 'u', 'uuid'),
      field(12, 'none', 'binary'),
      field(13, 'small', 'decimal(5,2)'),
    ]
    const long = 'é'.repeat(400)
    const uuid = (first: number): Uint8Array => new Uint8Array(16).fill(first, 0, 1)
    const file = write(fields, [
      [
        [5, 2n ** 40n, 1.5, utf8('b'), decimalBytes(-3n, 38), true, [[utf8('k'), null]], uuid(0x80), null, -5n],
        [-7, -(2n ** 63n), NaN, null, decimalBytes(2n, 38), null, [], uuid(0x7f), null, 3n],
      ],
      [
        [null, 1n, -0, utf8(long), null, true, null, null, null, null],
        [
          9,
          2n ** 63n - 1n,
          NaN,
          utf8(''),
          decimalBytes(-(10n ** 37n), 38),
          false,
          [
            [utf8('a'), utf8('v')],
            [utf8('z'), null],
          ],
          null,
          null,
          99999n,
        ],
      ],
    ])
    const metrics = [...file.metrics].map(([id, { sizeBytes, ...rest }]) => {
      expect(sizeBytes).toBeGreaterThan(0)
      return [id, rest]
    })
    expect(metrics).toEqual([
      [1, { valueCount: 4, nullCount: 1, lower: -7, upper: 9 }],
      [2, { valueCount: 4, nullCount: 0, lower: -(2n ** 63n), upper: 2n ** 63n - 1n }],
      [3, { valueCount: 4, nullCount: 0, nanCount: 2, lower: -0, upper: 1.5 }],
      [4, { valueCount: 4, nullCount: 1, lower: utf8(''), upper: utf8(long) }],
      [5, { valueCount: 4, nullCount: 1, lower: -(10n ** 37n), upper: 2n }],
      [6, { valueCount: 4, nullCount: 1, lower: false, upper: true }],
      [9, { valueCount: 5, nullCount: 2 }],
      [10, { valueCount: 5, nullCount: 4 }],
      [11, { valueCount: 4, nullCount: 2, lower: uuid(0x7f), upper: uuid(0x80), topBits: 7 }],
      [12, { valueCount: 4, nullCount: 4 }],
      [13, { valueCount: 4, nullCount: 1, lower: -5n, upper: 99999n }],
    ])
  })

  it('gives the sizes that the file has', () => {
    const fields = [field(1, 'a', 'long'), field(7, 'headers', headersType)]
    const rows = Array.from({ length: 2000 }, (_, i) => [BigInt(i * i), [[utf8(`k${i % 3}`), utf8(String(i))]]])
    const file = write(fields, [rows, rows])
    const sizes = new Map<number, number>([
      [1, 0],
      [9, 0],
      [10, 0],
    ])
    for (const { columns } of parquetMetadata(file.bytes.slice().buffer).row_groups) {
      for (const [i, id] of [1, 9, 10].entries())
        sizes.set(id, sizes.get(id)! + Number(columns[i]!.meta_data!.total_compressed_size))
    }
    expect(new Map([...file.metrics].map(([id, { sizeBytes }]) => [id, sizeBytes]))).toEqual(sizes)
  })

  it('states names, field ids, nullability and logical types', () => {
    const fields = [
      field(1, 'key', 'string', true),
      field(2, 'at', 'timestamptz'),
      field(3, 'local', 'timestamp'),
      field(4, 'clock', 'time'),
      field(5, 'raw', 'binary'),
      field(6, 'id', 'uuid'),
      field(7, 'headers', headersType),
      field(11, 'price', 'decimal(9,2)'),
      field(12, 'sum', 'decimal(20,2)'),
      field(13, 'day', 'date'),
    ]
    const { schema, key_value_metadata } = parquetMetadata(
      write(fields, [], { keyValue: { 'moulin.commit': '42' } }).bytes.slice().buffer,
    )
    const told = schema.map((element) => JSON.parse(JSON.stringify(element)) as unknown)
    const optional = { repetition_type: 'OPTIONAL' }
    expect(told).toEqual([
      { name: 'table', num_children: 10 },
      {
        name: 'key',
        field_id: 1,
        repetition_type: 'REQUIRED',
        type: 'BYTE_ARRAY',
        converted_type: 'UTF8',
        logical_type: { type: 'STRING' },
      },
      {
        name: 'at',
        field_id: 2,
        ...optional,
        type: 'INT64',
        converted_type: 'TIMESTAMP_MICROS',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' },
      },
      {
        name: 'local',
        field_id: 3,
        ...optional,
        type: 'INT64',
        logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' },
      },
      {
        name: 'clock',
        field_id: 4,
        ...optional,
        type: 'INT64',
        logical_type: { type: 'TIME', isAdjustedToUTC: false, unit: 'MICROS' },
      },
      { name: 'raw', field_id: 5, ...optional, type: 'BYTE_ARRAY' },
      {
        name: 'id',
        field_id: 6,
        ...optional,
        type: 'FIXED_LEN_BYTE_ARRAY',
        type_length: 16,
        logical_type: { type: 'UUID' },
      },
      {
        name: 'headers',
        field_id: 7,
        ...optional,
        num_children: 1,
        converted_type: 'LIST',
        logical_type: { type: 'LIST' },
      },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', field_id: 8, repetition_type: 'REQUIRED', num_children: 2 },
      {
        name: 'key',
        field_id: 9,
        repetition_type: 'REQUIRED',
        type: 'BYTE_ARRAY',
        converted_type: 'UTF8',
        logical_type: { type: 'STRING' },
      },
      { name: 'value', field_id: 10, ...optional, type: 'BYTE_ARRAY' },
      {
        name: 'price',
        field_id: 11,
        ...optional,
        type: 'INT32',
        converted_type: 'DECIMAL',
        precision: 9,
        scale: 2,
        logical_type: { type: 'DECIMAL', precision: 9, scale: 2 },
      },
      {
        name: 'sum',
        field_id: 12,
        ...optional,
        type: 'FIXED_LEN_BYTE_ARRAY',
        type_length: 9,
        converted_type: 'DECIMAL',
        precision: 20,
        scale: 2,
        logical_type: { type: 'DECIMAL', precision: 20, scale: 2 },
      },
      { name: 'day', field_id: 13, ...optional, type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } },
    ])
    expect(key_value_metadata).toEqual([{ key: 'moulin.commit', value: '42' }])
  })

  it('writes an offset index for every column with more than one page, and a column index where it is asked to', () => {
    const fields = [field(1, '_kafka_offset', 'long'), field(2, 'text', 'string'), field(7, 'headers', headersType)]
    const rows = Array.from({ length: 40_000 }, (_, i) => [BigInt(i), utf8(`row ${i}`), [[utf8('name'), utf8(`${i}`)]]])
    const indexes = (options?: Partial<FileWriterOptions>): boolean[][] =>
      parquetMetadata(write(fields, [rows], options).bytes.slice().buffer).row_groups[0]!.columns.map((column) => [
        column.offset_index_length !== undefined,
        column.column_index_length !== undefined,
      ])
    expect(indexes()).toEqual([
      [true, true],
      [true, false],
      [true, false],
      [true, false],
    ])
    expect(indexes({ columnIndexes: ['text', 'gone'] })).toEqual([
      [true, false],
      [true, true],
      [true, false],
      [true, false],
    ])
  })

  it('takes a missing column as null, and sees what a null struct or list hides as absent', () => {
    const fields = [
      field(1, 'a', 'int'),
      field(2, 's', structType(field(3, 'x', 'int'))),
      field(4, 'l', listType(5, 'int')),
    ]
    const writer = factory.create({ schema: { type: 'struct', fields } })
    const hidden = columnFrom('int', [1, 2])
    const validity = Uint8Array.of(0b10)
    writer.writeRowGroup({
      length: 2,
      columns: [
        { name: 's', column: { storage: 'struct', length: 2, validity, fields: [{ name: 'x', column: hidden }] } },
        {
          name: 'l',
          column: { storage: 'list', length: 2, validity, offsets: Int32Array.of(0, 1, 2), element: hidden },
        },
      ],
    })
    const { metrics } = writer.finish()
    expect(metrics.get(1)).toMatchObject({ valueCount: 2, nullCount: 2 })
    expect(metrics.get(3)).toMatchObject({ valueCount: 2, nullCount: 1, lower: 2, upper: 2 })
    expect(metrics.get(5)).toMatchObject({ valueCount: 2, nullCount: 1 })
  })

  it('refuses what does not fit the schema, naming the column', () => {
    const fields = [field(1, 'a', 'int', true), field(2, 'dec', 'decimal(5,2)')]
    const writer = () => factory.create({ schema: { type: 'struct', fields } })
    const batch = (columns: Record<string, ReturnType<typeof columnFrom>>) => ({
      length: 1,
      columns: Object.entries(columns).map(([name, column]) => ({ name, column })),
    })
    const one = columnFrom('int', [1])
    const cases: [Record<string, ReturnType<typeof columnFrom>>, string][] = [
      [{}, 'REQUIRED_NULL'],
      [{ a: columnFrom('int', [null]) }, 'REQUIRED_NULL'],
      [{ a: columnFrom('long', [1n]) }, 'COLUMN_STORAGE'],
      [{ a: columnFrom('int', [1, 2]) }, 'COLUMN_LENGTH'],
      [{ a: one, b: one }, 'COLUMN_UNKNOWN'],
      [{ a: one, dec: columnFrom('decimal(5,2)', [100000n]) }, 'DECIMAL_PRECISION'],
    ]
    for (const [columns, code] of cases)
      expect(thrown(() => writer().writeRowGroup(batch(columns)))).toMatchObject({ kind: 'invalid', code })
    const twice = {
      length: 1,
      columns: [
        { name: 'a', column: one },
        { name: 'a', column: one },
      ],
    }
    expect(thrown(() => writer().writeRowGroup(twice))).toMatchObject({ kind: 'invalid', code: 'COLUMN_REPEATED' })
  })

  it('refuses unknown types and codecs by name', () => {
    const create = (type: IcebergField['type'], options: object = {}) =>
      thrown(() => factory.create({ schema: { type: 'struct', fields: [field(1, 'm', type)] }, ...options }))
    expect(isKind(create('variant'), 'unsupported', 'ICEBERG_TYPE')).toBe(true)
    expect(isKind(create('int', { compression: 'lz4' }), 'unsupported', 'PARQUET_CODEC')).toBe(true)
    expect(isKind(create('decimal(39,2)'), 'invalid')).toBe(true)
  })
})
