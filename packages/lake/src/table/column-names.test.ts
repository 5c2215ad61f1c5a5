import { bucket, byValue, isKind, schemaOf, structOf, t, truncate } from '@moulin/core'
import type { PartitionFieldOf, Type } from '@moulin/core'
import { json } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { checkColumnNames, nameFault, tableWarnings } from './column-names.ts'
import { tableLayout } from './table-layout.ts'
import type { TableLayout } from './table-layout.ts'

type Members = readonly (string | readonly [string, Type])[]

const fieldsOf = (members: Members): { name: string; type: Type }[] =>
  members.map((member) =>
    typeof member === 'string' ? { name: member, type: t.int } : { name: member[0], type: member[1] },
  )

const struct = (...members: Members): Type => structOf(fieldsOf(members))

function layoutOf(members: Members, partitionBy: readonly PartitionFieldOf[] = []): TableLayout {
  const valueCodec = json(schemaOf(fieldsOf(members)))
  return tableLayout({ name: 'names', table: 'lake.names', valueMode: 'columns', partitionBy, valueCodec })
}

describe('a name that some engine cannot take is refused', () => {
  it.each<[why: string, members: Members, column: string]>([
    ['upper and lower case', ['city', 'City'], 'City'],
    ['upper and lower case beyond ASCII', ['größe', 'GRÖßE'], 'GRÖßE'],
    ['the sign for Kelvin', ['Kurs', '\u212aurs'], '\u212aurs'],
    ['the long s', ['los', 'lo\u017f'], 'lo\u017f'],
    ['the last sigma of a word', ['όρος', 'όροσ'], 'όροσ'],
    ['a dotted capital I', ['ilk', 'İlk'], 'İlk'],
    ['a dotless i', ['IRAK', 'ırak'], 'ırak'],
    ['the capital sharp s', ['maß', 'maẞ'], 'maẞ'],
    ['case in a struct', [['leg', struct('via', 'VIA')]], 'leg.VIA'],
    ['case in a struct in a list', [['legs', t.list(struct('a', 'A'))]], 'legs.element.A'],
    ['case in a struct in a map', [['legs', t.map(t.string, struct('a', 'A'))]], 'legs.value.A'],
    ['a system column in capitals', ['_KAFKA_KEY'], '_KAFKA_KEY'],
    ['what may become a system column', ['_Kafka_producer'], '_Kafka_producer'],
    ['a path of a struct', [['geo', struct('lat')], 'geo.lat'], 'geo.lat'],
    ['a path of a struct, the other way round', ['geo.lat', ['geo', struct('lat')]], 'geo.lat'],
    [
      'a path below a dotted struct',
      [
        ['x', struct('y.z')],
        ['x.y', struct('z')],
      ],
      'x.y.z',
    ],
    ['two paths within a struct', [['p', struct('q.r', ['q', struct('r')])]], 'p.q.r'],
    ['the element of a list', [['tags', t.list(t.string)], 'tags.element'], 'tags.element'],
    ['what is in the element of a list', [['legs', t.list(struct('a'))], 'legs.element.a'], 'legs.element.a'],
    ['the key of a map', [['tags', t.map(t.string, t.int)], 'tags.key'], 'tags.key'],
    ['the value of a map', [['tags', t.map(t.string, t.int)], 'tags.value'], 'tags.value'],
    ['NUL', ['a\0b'], 'a\0b'],
    ['NUL further in', [['deep', t.list(struct('\0'))]], 'deep.element.\0'],
    ['half a surrogate pair', ['\udc00'], '\udc00'],
    ...['_file', '_pos', '_deleted', '_spec_id', '_partition', '_row_id', '_last_updated_sequence_number'].map(
      (name): [string, Members, string] => ['a metadata column of Iceberg', ['id', name], name],
    ),
  ])('%s: %j', (_, members, column) => {
    const layout = layoutOf(members)
    expect(nameFault(layout)?.column).toBe(column)
    expect(() => checkColumnNames(layout, 'orders')).toThrow(
      expect.toSatisfy(
        (error: Error) =>
          isKind(error, 'invalid', 'COLUMN_NAME') &&
          error.message.includes(JSON.stringify(column)) &&
          /orders.*[Rr]ename it.*valueMode 'raw'/.test(error.message),
      ),
    )
  })

  it('that of a partition field too, which manifests hold', () => {
    const spec: PartitionFieldOf = { source: 'n', transform: 'bucket[4]', name: 'n\0' }
    expect(nameFault(layoutOf(['n'], [spec]))?.column).toBe('n\0')
  })

  it('and cut short in the message', () => {
    const name = `${'x'.repeat(3000)}\0`
    expect(() => checkColumnNames(layoutOf([name]), 'orders')).toThrow(
      expect.toSatisfy((error: Error) => error.message.includes('xxx…') && error.message.length < 400),
    )
  })
})

it.each<[Members]>([
  [['maß', 'mass', 'MASSE']],
  [['é', 'e\u0301']],
  [['two words', '1st', 'a"b', "a'b", 'a`b', 'a;b', 'a\nb', '*', '%', ' ']],
  [
    [
      'select',
      'pos',
      'row',
      'file_path',
      '_FILE',
      'rowid',
      'element',
      'key',
      'value',
      '__proto__',
      'kafka_x',
      '_kafka',
    ],
  ],
  [['x'.repeat(70_000)]],
  [['a.b', ['a', struct('c')], ['l', t.list(struct('x'))], 'l.x']],
  [[['s', struct('_file', '_kafka_key', '_KAFKA_x', 'element')]]],
])('%j are columns like others', (members) => {
  expect(nameFault(layoutOf(members))).toBeUndefined()
})

describe('a warning goes', () => {
  it.each<[Members, PartitionFieldOf[], RegExp[]]>([
    [['n', 'm'], [bucket(4, 'n'), byValue('m')], []],
    [
      [
        ['at', t.time],
        ['s', t.list(struct(['open', t.time]))],
      ],
      [],
      [/"at".*Spark/, /"s\.element\.open".*Spark/],
    ],
    [['v1.2'], [], [/"v1\.2".*PyIceberg/]],
    [['n'], [truncate(25, 'n')], [/"n_trunc".*within 25 of the least int/]],
    [['n'], [truncate(2 ** 30, 'n')], [/within 1073741824 of the least int/]],
    [['n'], [truncate(2 ** 30 + 1, 'n')], [/may miss rows,/]],
    [[['n', t.long]], [truncate(2 ** 30 + 1, 'n')], [/least long/]],
    [[['n', t.decimal(9, 2)]], [truncate(5, 'n')], [/least decimal\(9, 2\)/]],
    [[['text', t.string]], [truncate(5, 'text')], []],
  ])('with %j by %j', (members, partitionBy, expected) => {
    const warnings = tableWarnings(layoutOf(members, partitionBy))
    expect(warnings).toEqual(expected.map((pattern) => expect.stringMatching(pattern) as string))
  })
})
