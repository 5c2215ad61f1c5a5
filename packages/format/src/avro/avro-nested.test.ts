import type { Codec, Schema } from '@moulin/core'
import { Arena, schema, schemaToJson, t } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bytesOf,
  entriesOf,
  errorOf,
  expectDamageHeld,
  mutated,
  mutations,
  nestedValues,
  throughColumns,
} from '../codec.test-support.ts'
import { avro, avroFormat } from './avro-codec.ts'

const isLong = process.env['MOULIN_LONG'] === '1'

const Order = schema({
  id: t.int,
  tags: t.list(t.string.optional()),
  at: t.struct({ x: t.double, code: t.fixed(2), label: t.string.optional() }).optional(),
  lines: t.list(t.struct({ sku: t.string, prices: t.map(t.string, t.decimal(9, 2).optional()) })),
  counts: t.map(t.int, t.list(t.int53)),
})
const order = avro(Order)

const fidelityOf = (codec: Codec, hex: string): string => throughColumns(codec, [bytesOf(hex)])[0]!.fidelity
const one = (type: unknown): Codec => avro({ type: 'record', name: 'r', fields: [{ name: 'v', type }] }) as Codec

describe('avro of nested values', () => {
  it('gives back every value of every schema, is canonical in columns, and they give the same bytes', () => {
    fc.assert(
      fc.property(nestedValues(4, false), ({ schema: of, values }) => {
        const codec = avro(of)
        const encoded = values.map((value) => codec.encode(value))
        expect(encoded.map((bytes) => entriesOf(codec.decode(bytes)))).toEqual(values.map(entriesOf))
        expect(throughColumns(codec, encoded)).toEqual(encoded.map((bytes) => ({ fidelity: 'canonical', bytes })))
      }),
      { numRuns: isLong ? 10_000 : 200 },
    )
  })

  it('restores the same schema from its definition', () => {
    fc.assert(
      fc.property(nestedValues(4, false), ({ schema: of }) => {
        const codec = avro(of)
        const restored = avroFormat.restore(codec.definition)
        expect(restored.definition).toBe(codec.definition)
        expect(schemaToJson(restored.schema)).toEqual(schemaToJson(of))
      }),
    )
  })

  it('holds damage: columns, bytes and values agree, and other rows do not notice', () => {
    fc.assert(
      fc.property(nestedValues(3, false), mutations, ({ schema: of, values }, changes) => {
        const codec = avro(of)
        const good = codec.encode(values[0])
        expectDamageHeld(codec, good, mutated(good, changes))
      }),
      { numRuns: isLong ? 10_000 : 1500 },
    )
  })

  it('freezes its bytes', () => {
    const value = {
      id: 1,
      tags: ['a', null],
      at: { x: 1.5, code: Uint8Array.of(7, 8) },
      lines: [
        {
          sku: 's',
          prices: new Map([
            ['eur', '1.00'],
            ['usd', null],
          ]),
        },
      ],
      counts: new Map([
        [7, [1, -1]],
        [-2, []],
      ]),
    }
    const expected = bytesOf(`
      02  04 02 0261 00 00  02 000000000000f83f 0708 00
      02 0273 04 06657572 02 0264 06757364 00 00 00
      04 0e 04 02 01 00 03 00 00
    `)
    expect(order.encode(value)).toEqual(expected)
    expect(throughColumns(order as Codec, [expected])).toEqual([{ fidelity: 'canonical', bytes: expected }])
    const empty = { id: 0, tags: [], at: null, lines: [], counts: new Map() }
    expect(order.encode(empty)).toEqual(bytesOf('00 00 00 00 00'))
    expect(entriesOf(order.decode(bytesOf('00 00 00 00 00')))).toEqual(entriesOf(empty))
  })

  it('freezes its definition, each named type under a name of its own', () => {
    expect(order.definition).toBe(
      '{"type":"record","name":"Value","fields":[{"name":"id","type":"int"},' +
        '{"name":"tags","type":{"type":"array","items":["null","string"]}},' +
        '{"name":"at","type":["null",{"type":"record","name":"at_record","fields":[{"name":"x","type":"double"},' +
        '{"name":"code","type":{"type":"fixed","name":"at_code_fixed","size":2}},' +
        '{"name":"label","type":["null","string"],"default":null}]}],"default":null},' +
        '{"name":"lines","type":{"type":"array","items":{"type":"record","name":"lines_element_record","fields":[' +
        '{"name":"sku","type":"string"},{"name":"prices","type":{"type":"map","values":' +
        '["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}]}}]}}},' +
        '{"name":"counts","type":{"type":"array","logicalType":"map","items":{"type":"record","name":"counts_entry",' +
        '"fields":[{"name":"key","type":"int"},{"name":"value","type":{"type":"array","items":' +
        '{"type":"long","moulin.type":"int53"}}}]}}}]}',
    )
    const clash = avro(schema({ a: t.struct({ b: t.fixed(1) }), a_b: t.fixed(2), a_b_fixed: t.fixed(3) }))
    expect([...clash.definition.matchAll(/"name":"(\w+_fixed\w*)","size"/g)].map(([, name]) => name)).toEqual([
      'a_b_fixed',
      'a_b_fixed_2',
      'a_b_fixed_fixed',
    ])
  })
})

describe('avro of nested Avro schemas', () => {
  const kindOf = (type: unknown): unknown => {
    const codec = one(type)
    return codec.reason ?? (schemaToJson(codec.schema) as { fields: unknown[] }).fields[0]
  }
  const field = (type: Schema['fields'][number]['type']): unknown =>
    (schemaToJson(schema({ v: type })) as { fields: unknown[] }).fields[0]

  it('gives our kinds for arrays, maps, records and unions with null at any level', () => {
    const point = {
      type: 'record',
      name: 'point',
      fields: [
        { name: '1', type: 'int' },
        { name: '0', type: ['int', 'null'] },
      ],
    }
    const entry = (key: unknown, names = ['key', 'value']): unknown => ({
      type: 'array',
      logicalType: 'map',
      items: {
        type: 'record',
        name: 'e',
        fields: [
          { name: names[0], type: key },
          { name: names[1], type: ['null', 'int'] },
        ],
      },
    })
    expect(kindOf({ type: 'array', items: ['null', 'long'] })).toEqual(field(t.list(t.long.optional())))
    expect(kindOf(['null', { type: 'map', values: { type: 'array', items: 'int' } }])).toEqual(
      field(t.map(t.string, t.list(t.int)).optional()),
    )
    const pointType = (kindOf(point) as { type: { fields: { name: string }[] } }).type
    expect(pointType.fields.map(({ name }) => name)).toEqual(['1', '0'])
    expect(kindOf(entry('int'))).toEqual(field(t.map(t.int, t.int.optional())))
    expect(kindOf(entry({ type: 'enum', name: 'k', symbols: ['A'] }))).toEqual(field(t.map(t.string, t.int.optional())))
    // Where the annotation does not hold, it is an array as any other.
    expect(kindOf(entry('double'))).toEqual(field(t.list(t.struct({ key: t.double, value: t.int.optional() }))))
    expect(kindOf(entry(['null', 'int']))).toEqual(
      field(t.list(t.struct({ key: t.int.optional(), value: t.int.optional() }))),
    )
    expect(kindOf(entry('int', ['k', 'v']))).toEqual(field(t.list(t.struct({ k: t.int, v: t.int.optional() }))))
  })

  it('says why a schema is too deep, too wide, or without an end', () => {
    const deep = (levels: number): unknown =>
      levels === 0 ? 'int' : { type: 'array', items: ['null', deep(levels - 1)] }
    expect(one(deep(32)).reason).toBeUndefined()
    expect(one(deep(33)).reason).toContain('32 levels')
    // Each record holds the last one twice: a few lines, and 2^20 columns.
    let fields: unknown[] = [{ name: 'a', type: 'int' }]
    for (let level = 0; level < 20; level++) {
      const record = { type: 'record', name: `r${level}`, fields }
      fields = [
        { name: 'a', type: record },
        { name: 'b', type: `r${level}` },
      ]
    }
    expect(avro({ type: 'record', name: 'r', fields }).reason).toContain('10000 fields')
    const self = { type: 'record', name: 'r', fields: [{ name: 'v', type: { type: 'array', items: 'r' } }] }
    expect(avro(self).reason).toContain('v.element is a record r inside itself')
  })

  it('gives bytes back for columns of symbols in a list', () => {
    const codec = one({ type: 'array', items: { type: 'enum', name: 'e', symbols: ['RED', 'GREEN'] } })
    const values = ['04 02 00 00', '00', '02 04 00', '06 02 02 00 00'].map(bytesOf)
    expect(throughColumns(codec, values).map((row) => row.fidelity)).toEqual([
      'canonical',
      'canonical',
      'unreadable',
      'canonical',
    ])
  })
})

describe('avro blocks', () => {
  const list = one({ type: 'array', items: 'int' })
  const map = one({ type: 'map', values: 'int' })

  it('reads other blockings, which are not canonical', () => {
    const cases: [Codec, string, unknown, string][] = [
      [list, '02 02 02 04 00', [1, 2], '04 02 04 00'],
      [list, '03 04 02 04 00', [1, 2], '04 02 04 00'],
      [list, '01 02 02 02 04 00', [1, 2], '04 02 04 00'],
      [list, '8200 02 00', [1], '02 02 00'],
      [map, '02 0261 02 01 06 0262 04 00', new Map(Object.entries({ a: 1, b: 2 })), '04 0261 02 0262 04 00'],
    ]
    for (const [codec, hex, v, canonical] of cases) {
      const bytes = bytesOf(hex)
      expect(throughColumns(codec, [bytes]), hex).toEqual([{ fidelity: 'readable', bytes: bytesOf(canonical) }])
      expect(entriesOf(codec.decode(bytes))).toEqual(entriesOf({ v }))
    }
    expect(fidelityOf(list, '04 02 04 00 00')).toBe('readable')
  })

  it('never believes a count that does not fit what is left', () => {
    const huge = 'fe ff ff ff 0f'
    const hugeBlock = '01 00'
    for (const hex of [
      `${huge}`,
      `${huge} 02 02`,
      'ffffffff0f 00',
      'feffffffffffffffff01',
      '06 02 02',
      '03',
      '03 01',
      hugeBlock,
    ]) {
      for (const codec of [list, map]) {
        expect(fidelityOf(codec, hex), hex).toBe('unreadable')
        expect(errorOf(() => codec.decode(bytesOf(hex)))).toMatchObject({ kind: 'corrupt' })
      }
    }
  })

  it('gives the last value to a key that comes twice, and keeps no such row as canonical', () => {
    const byInt = avro(schema({ v: t.map(t.int, t.string) })) as Codec
    const byBytes = avro(schema({ v: t.map(t.binary, t.list(t.map(t.string, t.int))) })) as Codec
    const cases: [Codec, string, string][] = [
      [map, '06 0261 02 0262 04 0261 06 00', '04 0261 06 0262 04 00'],
      // The same key, once not minimal.
      [byInt, '04 02 0261 8200 0262 00', '02 02 0262 00'],
      [byBytes, '04 0201 00 0201 00 00', '02 0201 00 00'],
      [byBytes, '02 0201 02 04 0261 02 0261 04 00 00 00', '02 0201 02 02 0261 04 00 00 00'],
    ]
    for (const [codec, hex, canonical] of cases) {
      const good = codec.encode({ v: new Map() })
      const rows = throughColumns(codec, [good, bytesOf(hex), good])
      expect(rows.map((row) => row.fidelity)).toEqual(['canonical', 'readable', 'canonical'])
      expect(rows[1]!.bytes, hex).toEqual(bytesOf(canonical))
      expect(codec.encode(codec.decode(bytesOf(hex)))).toEqual(bytesOf(canonical))
    }
    const many = (keys: number[]): Uint8Array => {
      const entries = keys.map((key) => [0x04, 0x30 + (key % 10), 0x30 + Math.floor(key / 10), 0x02]).flat()
      return Uint8Array.from([...bytesOf((keys.length * 2).toString(16).padStart(2, '0')), ...entries, 0])
    }
    const keys = Array.from({ length: 40 }, (_, at) => at)
    expect(throughColumns(map, [many(keys)])[0]!.fidelity).toBe('canonical')
    expect(throughColumns(map, [many([...keys.slice(1), 7])])[0]!.fidelity).toBe('readable')
  })

  it('takes a half-read row back whole', () => {
    const codec = order as Codec
    const good = order.encode({
      id: 1,
      tags: ['a'],
      lines: [{ sku: 's', prices: new Map() }],
      counts: new Map([[1, [2]]]),
    })
    const arena = new Arena()
    const builders = codec.columnar!.builders(arena)
    for (let size = 0; size <= good.length; size++) {
      const start = arena.append(good.subarray(0, size))
      const fidelity = codec.columnar!.decodeRow(arena, start, start + size, builders)
      expect(fidelity).toBe(size === good.length ? 'canonical' : 'unreadable')
      expect(builders.map(({ length }) => length)).toEqual([1, 1, 1, 1, 1].map(() => size + 1))
    }
  })
})

describe('avro encode of nested values', () => {
  const valid = { id: 1, tags: [], at: null, lines: [], counts: new Map() }
  const encode = (change: object) => () => order.encode({ ...valid, ...change })

  it('names the place of what does not fit', () => {
    const line = { sku: 's', prices: new Map() }
    const cases: [object, string][] = [
      [{ tags: 'a' }, 'tags'],
      [{ tags: new Set() }, 'tags'],
      [{ tags: ['a', 1] }, 'tags[1]'],
      [{ at: { x: 1 } }, 'at.code'],
      [{ at: [] }, 'at'],
      [{ at: { x: 1, code: new Uint8Array(2), y: 2 } }, 'at.y'],
      [{ lines: [line, null] }, 'lines[1]'],
      [{ lines: [line, line, { ...line, sku: 2 }] }, 'lines[2].sku'],
      [{ lines: [line, { ...line, prices: {} }] }, 'lines[1].prices'],
      [{ lines: [line, { ...line, prices: new Map([['eur', '1.234']]) }] }, 'lines[1].prices["eur"]'],
      [{ lines: [{ ...line, prices: new Map([[1, null]]) }] }, 'lines[0].prices.key'],
      [{ lines: [{ ...line, prices: new Map([[undefined, null]]) }] }, 'lines[0].prices.key'],
      [{ counts: new Map([[5, [1, 2, 0.5]]]) }, 'counts[5][2]'],
    ]
    for (const [change, field] of cases) {
      const error = errorOf(encode(change))
      expect(error, field).toMatchObject({ kind: 'invalid', context: { field } })
      expect(error!.message).toContain(field === 'at.y' ? 'The field at has a field "y"' : field)
    }
    expect(
      errorOf(encode({ tags: [undefined], lines: [{ ...line, prices: new Map([['a', undefined]]) }] })),
    ).toBeUndefined()
  })

  it('refuses a map with two keys that encode the same', () => {
    const id = '00112233-4455-6677-8899-aabbccddeeff'
    const cases: [Schema['fields'][number]['type'], [unknown, unknown]][] = [
      [t.map(t.timestamptz, t.int), [new Date(1), new Date(1)]],
      [t.map(t.timestamp, t.int), [new Date(1), new Date(1)]],
      [t.map(t.binary, t.int), [Uint8Array.of(1), Uint8Array.of(1)]],
      [t.map(t.fixed(1), t.int), [Uint8Array.of(1), Uint8Array.of(1)]],
      [t.map(t.uuid, t.int), [id, id.toUpperCase()]],
      [t.map(t.decimal(4, 2), t.int), ['1.0', '1.00']],
    ]
    for (const [type, [a, b]] of cases) {
      const codec = avro(schema({ v: type })) as Codec
      const two = new Map([
        [a, 1],
        [b, 2],
      ])
      expect(errorOf(() => codec.encode({ v: two }))).toMatchObject({ kind: 'invalid', context: { field: 'v' } })
      expect(codec.encode({ v: new Map([[a, 1]]) })).toEqual(codec.encode({ v: new Map([[b, 1]]) }))
    }
  })

  it('refuses at creation what no value has', () => {
    const deep = (levels: number): Schema['fields'][number]['type'] => (levels === 0 ? t.int : t.list(deep(levels - 1)))
    const cases: [Schema['fields'][number]['type'], string][] = [
      [t.struct({}), 'v is a struct of no fields'],
      [t.list(t.map(t.double, t.int)), 'v.element is a map whose keys are of kind double'],
      [t.map(t.list(t.int), t.int), 'keys are of kind list'],
      [t.map(t.string.optional() as never, t.int), 'keys are of kind string'],
      [deep(33), '32 levels'],
    ]
    for (const [type, message] of cases) {
      expect(errorOf(() => avro(schema({ v: type })))).toMatchObject({
        kind: 'unsupported',
        message: expect.stringContaining(message),
      })
    }
    expect(errorOf(() => avro(schema({ v: deep(32) })))).toBeUndefined()
    expect(errorOf(() => avro(schema({ v: t.list(t.struct({ 'a-b': t.int })) })))).toMatchObject({ kind: 'invalid' })
  })

  it('refuses to encode a row whose required part is null', () => {
    const codec = avro(schema({ v: t.list(t.struct({ a: t.int })) })) as Codec
    const loose = avro(schema({ v: t.list(t.struct({ a: t.int.optional() })) })) as Codec
    const arena = new Arena()
    const builders = loose.columnar!.builders(arena)
    const bytes = loose.encode({ v: [{ a: 1 }, { a: null }] })
    loose.columnar!.decodeRow(arena, arena.append(bytes), arena.length, builders)
    const columns = builders.map((builder) => builder.finish())
    expect(errorOf(() => codec.columnar!.encodeRow(columns, 0, new Uint8Array(99), 0))).toMatchObject({
      kind: 'invalid',
      code: 'COLUMN_NULL',
      message: expect.stringContaining('v.element.a'),
    })
  })
})
