/** What a file has that was written before the table's columns became what they are. */
import type { IcebergField, IcebergType, JsonValue } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { parquetWriter } from '../encode/parquet-writer.ts'
import { openParquet } from '../open-parquet.ts'
import type { ParquetFile } from '../parquet-file.ts'
import { batchFrom, decimalBytes, field, listType, mapType, rowsOf, structType, utf8 } from '../parquet.test-columns.ts'
import { bytesRangeReader } from '../range-reader.ts'
import { defaultColumn } from './default-column.ts'

async function fileOf(
  fields: readonly IcebergField[],
  rows: readonly (readonly unknown[])[],
  bloom = false,
): Promise<ParquetFile> {
  const bloomFilters = bloom ? Object.fromEntries(fields.map(({ name }) => [name, {}])) : {}
  const writer = parquetWriter.create({ schema: { type: 'struct', fields }, bloomFilters })
  writer.writeRowGroup(batchFrom(fields, rows))
  return openParquet(bytesRangeReader(writer.finish().bytes, 'test.parquet'))
}

const withDefault = (id: number, type: IcebergType, value: JsonValue): IcebergField => ({
  ...field(id, `f${id}`, type),
  'initial-default': value,
})

const values: readonly (readonly [type: string, json: JsonValue, stored: unknown])[] = [
  ['boolean', true, true],
  ['int', -7, -7],
  ['long', 9_007_199_254_740_993n, 9_007_199_254_740_993n],
  ['long', 5, 5n],
  ['float', 0.5, 0.5],
  ['double', -0.1, -0.1],
  ['decimal(9,2)', '14.20', 1420n],
  ['decimal(30,2)', '-14.20', decimalBytes(-1420n, 30)],
  ['date', '1969-12-30', -2],
  ['time', '22:31:08.123456', 81_068_123_456n],
  ['timestamp', '1969-12-31T23:59:59.999999', -1n],
  ['timestamp', '2017-11-16T22:31', 1_510_871_460_000_000n],
  ['timestamptz', '2017-11-16T22:31:08+00:00', 1_510_871_468_000_000n],
  ['timestamptz', '2017-11-16T22:31:08.5-01:30', 1_510_876_868_500_000n],
  ['timestamp_ns', '1970-01-01T00:00:00.000000007', 7n],
  ['timestamptz_ns', '1970-01-01T00:00:00.000000007+00:00', 7n],
  ['string', 'grüezi', utf8('grüezi')],
  [
    'uuid',
    'F79C3E09-677C-4BBD-A479-3F349CB785E7',
    Uint8Array.from(Buffer.from('f79c3e09677c4bbda4793f349cb785e7', 'hex')),
  ],
  ['fixed[3]', '00aBff', Uint8Array.of(0, 0xab, 0xff)],
  ['binary', '', new Uint8Array(0)],
]

describe('a field that a file lacks', () => {
  it.each(values)('has its initial default in every row: %s %s', async (type, json, stored) => {
    const file = await fileOf([field(1, 'n', 'int')], [[1], [null], [3]])
    const types = [withDefault(2, type, json), field(1, 'n', 'int')]
    expect(rowsOf(await file.read({ rowGroup: 0, types }))).toEqual([
      [stored, 1],
      [stored, null],
      [stored, 3],
    ])
    expect(rowsOf(await file.read({ rowGroup: 0, types, rows: { start: 1, end: 2 } }))).toEqual([[stored, null]])
  })

  it.each<readonly [type: IcebergType, json: JsonValue]>([
    ['boolean', 1],
    ['int', 2 ** 31],
    ['int', '1'],
    ['long', 1.5],
    ['long', 2n ** 63n],
    ['decimal(3,2)', '14.20'],
    ['decimal(9,2)', 14.2],
    ['date', '2023-02-29'],
    ['time', '24:00:00'],
    ['time', '2017-11-16T22:31:08'],
    ['timestamp', '2017-11-16T22:31:08+00:00'],
    ['timestamptz', '2017-11-16T22:31:08'],
    ['timestamp', '2017-11-16T22:31:08.0000001'],
    ['timestamp_ns', '3017-11-16T22:31:08'],
    ['uuid', 'f79c3e09677c4bbda4793f349cb785e7'],
    ['fixed[3]', '00ab'],
    ['binary', 'abc'],
    ['string', '\ud800'],
    [structType(field(8, 'a', 'int')), []],
    [listType(8, 'int'), {}],
    [structType(field(8, 'a', 'int')), { 8: 1 }],
    [listType(8, 'int'), ['a']],
    [listType(8, structType(field(9, 'a', 'int'))), [{ 9: 'a' }]],
    [listType(8, structType(withDefault(9, structType(field(10, 'b', 'int')), { 10: 1 }))), [{}]],
    [{ type: 'list', 'element-id': 8, element: 'int', 'element-required': true }, [1, null]],
    [mapType(8, 'int', 'int'), { keys: [null], values: [1] }],
    [mapType(8, 'int', 'int'), [1]],
    ['unknown', 1],
    [listType(8, 'unknown'), [null, 1]],
    [mapType(8, 'int', 'int'), { keys: [], values: [1] }],
  ])('has none that is no value of its type: %s %s', (type, json) => {
    expect(() => defaultColumn(withDefault(7, type, json), 2)).toThrow(/initial-default of field f[79]/)
  })

  it('has its default in a struct, wherever that lies and is not null', async () => {
    const inner = (...more: IcebergField[]): IcebergType => structType(field(11, 'a', 'int'), ...more)
    const fields = [field(1, 's', inner()), field(2, 'l', listType(20, structType(field(21, 'b', 'int'))))]
    const file = await fileOf(fields, [
      [[1], [[5], null, [6]]],
      [null, []],
      [[null], null],
    ])
    const added = withDefault(12, 'string', 'new')
    const empty = withDefault(13, structType(withDefault(14, 'int', 4), field(15, 'none', 'int')), {})
    const types = [
      field(1, 's', inner(added, empty, field(16, 'void', 'int'))),
      field(2, 'l', listType(20, structType(withDefault(22, 'long', 9), field(21, 'b', 'int')))),
      withDefault(3, listType(30, 'int'), []),
      withDefault(4, mapType(40, 'string', 'int'), { keys: [], values: [] }),
    ]
    expect(rowsOf(await file.read({ rowGroup: 0, types }))).toEqual([
      [[1, utf8('new'), [4, null], null], [[9n, 5], null, [9n, 6]], [], []],
      [null, [], [], []],
      [[null, utf8('new'), [4, null], null], null, [], []],
    ])
  })

  it('has lists and maps with what is in them', async () => {
    const file = await fileOf([field(1, 'n', 'int')], [[1], [2]])
    const inner = structType(
      field(21, 'a', 'int'),
      withDefault(22, 'string', 'late'),
      withDefault(23, structType(withDefault(24, 'int', 4)), {}),
    )
    const types = [
      withDefault(2, listType(10, 'decimal(30,2)'), ['1.50', null]),
      withDefault(3, listType(11, listType(12, 'string')), [['a', 'bc'], [], null, ['']]),
      withDefault(4, mapType(13, 'string', 'long'), { keys: ['x', 'y'], values: [1, null] }),
      withDefault(5, listType(20, inner), [{ 21: 1, 22: 'own' }, null, {}, { 21: 2, 22: null, 99: 'dropped' }]),
      withDefault(6, listType(30, 'unknown'), [null, null]),
    ]
    const row = [
      [decimalBytes(150n, 30), null],
      [[utf8('a'), utf8('bc')], [], null, [utf8('')]],
      [
        [utf8('x'), 1n],
        [utf8('y'), null],
      ],
      [[1, utf8('own'), [4]], null, [null, utf8('late'), [4]], [2, null, [4]]],
      [null, null],
    ]
    expect(rowsOf(await file.read({ rowGroup: 0, types }))).toEqual([row, row])
  })

  it('has no list that is too long to be there in each row', () => {
    const long = withDefault(
      1,
      listType(2, 'int'),
      Array.from({ length: 1000 }, (_, at) => at),
    )
    expect(defaultColumn(long, 3).length).toBe(3)
    expect(() => defaultColumn(long, 65_536)).toThrow(
      expect.objectContaining({ kind: 'exhausted', code: 'DEFAULT_VALUE', message: expect.stringContaining('f1') }),
    )
  })

  it('is another one than one that the file has and that is null throughout', async () => {
    const file = await fileOf(
      [field(1, 'n', 'int'), field(2, 'm', 'int')],
      [
        [1, null],
        [2, null],
      ],
    )
    expect(
      rowsOf(await file.read({ rowGroup: 0, types: [withDefault(2, 'int', 7), withDefault(3, 'int', 8)] })),
    ).toEqual([
      [null, 8],
      [null, 8],
    ])
  })
})

describe('a field of type unknown', () => {
  it('is null in every row, wherever it lies and whatever the file has', async () => {
    const fields = [
      field(1, 'n', 'int'),
      field(2, 's', structType(field(3, 'a', 'int'), field(4, 'b', 'int'))),
      field(5, 'l', listType(6, 'int')),
    ]
    const file = await fileOf(fields, [
      [1, [1, 2], [1, 2]],
      [2, null, []],
    ])
    const types = [
      field(1, 'n', 'unknown'),
      field(2, 's', structType(field(4, 'b', 'unknown'), field(7, 'c', 'unknown'), field(3, 'a', 'int'))),
      field(5, 'l', listType(6, 'unknown')),
      field(8, 'gone', 'unknown'),
      field(9, 'm', mapType(10, 'string', 'unknown')),
    ]
    expect(rowsOf(await file.read({ rowGroup: 0, types }))).toEqual([
      [null, [null, null, 1], [null, null], null, null],
      [null, null, [], null, null],
    ])
    expect(file.rowGroups[0]!.bounds(1, 'unknown')).toEqual({ nullCount: 2 })
  })
})

describe('a date that became a timestamp', () => {
  const days = [-719_162, -1, null, 0, 19_782, 106_751_991]
  const fields = [field(1, 'd', 'date'), field(2, 'list', listType(3, 'date'))]
  const rows = days.map((day) => [day, [day]])

  it('is its midnight, in values, bounds and filters', async () => {
    const file = await fileOf(fields, rows, false)
    const types = [field(1, 'd', 'timestamp'), field(2, 'list', listType(3, 'timestamp'))]
    const micros = days.map((day) => (day === null ? null : BigInt(day) * 86_400_000_000n))
    expect(rowsOf(await file.read({ rowGroup: 0, types }))).toEqual(micros.map((time) => [time, [time]]))
    const [group] = file.rowGroups
    expect(group!.bounds(1, 'timestamp')).toEqual({ min: micros[0], max: micros.at(-1), nullCount: 1 })
    expect(group!.bounds(1, 'date')).toEqual({ min: days[0], max: days.at(-1), nullCount: 1 })
    const filtered = await fileOf(fields.slice(0, 1), rows, true)
    for (const value of micros) {
      if (value !== null) expect(await filtered.mightContain({ rowGroup: 0, fieldId: 1, value })).toBe(true)
    }
    expect(await filtered.mightContain({ rowGroup: 0, fieldId: 1, value: 1234 })).toBe(false)
  })

  it('is told where no timestamp is that large', async () => {
    const file = await fileOf(fields, [[106_751_992, [0]]])
    await expect(file.read({ rowGroup: 0, types: [field(1, 'd', 'timestamp')] })).rejects.toMatchObject({
      kind: 'corrupt',
    })
    const nanos = await fileOf(fields, [[106_751, [0]]])
    expect(rowsOf(await nanos.read({ rowGroup: 0, types: [field(1, 'd', 'timestamp_ns')] }))).toEqual([
      [9_223_286_400_000_000_000n],
    ])
    await expect(file.read({ rowGroup: 0, types: [field(1, 'd', 'timestamp_ns')] })).rejects.toMatchObject({
      kind: 'corrupt',
    })
    // A zone is nothing that a date has.
    await expect(file.read({ rowGroup: 0, types: [field(1, 'd', 'timestamptz')] })).rejects.toMatchObject({
      code: 'PARQUET_TYPE',
    })
  })
})
