import type { Codec, Schema } from '@moulin/core'
import { Arena, schema, schemaToJson, t } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  entriesOf,
  errorOf,
  expectDamageHeld,
  mutated,
  mutations,
  nestedValues,
  throughColumns,
} from '../codec.test-support.ts'
import { json, jsonFormat } from './json-codec.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString()

const order = json(
  schema({
    id: t.int,
    tags: t.list(t.string.optional()),
    at: t.struct({ x: t.double, label: t.string.optional() }).optional(),
    lines: t.list(t.struct({ sku: t.string, prices: t.map(t.string, t.decimal(9, 2).optional()) })),
    counts: t.map(t.int, t.list(t.int53)),
  }),
)
const one = (type: Schema['fields'][number]['type']): Codec => json(schema({ v: type })) as Codec

describe('json of nested values', () => {
  it('gives back every value of every schema, is canonical in columns, and they give the same bytes', () => {
    fc.assert(
      fc.property(nestedValues(4, true), ({ schema: of, values }) => {
        const codec = json(of)
        const encoded = values.map((value) => codec.encode(value))
        for (const bytes of encoded) JSON.parse(textOf(bytes)!)
        expect(encoded.map((bytes) => entriesOf(codec.decode(bytes)))).toEqual(values.map(entriesOf))
        expect(throughColumns(codec, encoded)).toEqual(encoded.map((bytes) => ({ fidelity: 'canonical', bytes })))
        expect(schemaToJson(jsonFormat.restore(codec.definition).schema)).toEqual(schemaToJson(of))
      }),
      { numRuns: 200 },
    )
  })

  it('holds damage: columns, bytes and values agree, and other rows do not notice', () => {
    // Bytes that mean something in JSON find more than any bytes.
    const byte = fc.constantFrom(...'{}[]",:\\u0129eE+-. nt'.split('')).map((text) => text.charCodeAt(0))
    const change = fc.tuple(fc.nat(), byte, fc.constantFrom('set', 'insert', 'delete', 'cut'))
    const changes = fc.oneof(mutations, fc.array(change, { minLength: 1, maxLength: 3 }))
    fc.assert(
      fc.property(nestedValues(3, true), changes, ({ schema: of, values }, damage) => {
        const codec = json(of)
        const good = codec.encode(values[0])
        expectDamageHeld(codec, good, mutated(good, damage))
      }),
      { numRuns: 1000 },
    )
  })

  it('reads space and other orders at every level, as readable', () => {
    fc.assert(
      fc.property(nestedValues(4, true), ({ schema: of, values }) => {
        const codec = json(of)
        const bytes = codec.encode(values[0])
        const parsed = JSON.parse(textOf(bytes)!) as object
        const spaced = utf8(JSON.stringify(Object.fromEntries(Object.entries(parsed).reverse()), undefined, 2))
        // JSON.parse rounds numbers and sorts some keys: only what it kept is ours to compare.
        fc.pre(JSON.stringify(parsed) === textOf(bytes))
        expectDamageHeld(codec, bytes, spaced)
        expect(codec.encode(codec.decode(spaced))).toEqual(bytes)
      }),
    )
  })

  it('freezes its bytes', () => {
    const value = {
      id: 1,
      tags: ['a', null],
      at: { x: 1.5 },
      lines: [
        {
          sku: 's"',
          prices: new Map([
            ['eur', '1.00'],
            ['', null],
          ]),
        },
      ],
      counts: new Map([
        [7, [1, -1]],
        [-2, []],
      ]),
    }
    const expected =
      '{"id":1,"tags":["a",null],"at":{"x":1.5},"lines":[{"sku":"s\\"","prices":{"eur":"1.00","":null}}],' +
      '"counts":[[7,[1,-1]],[-2,[]]]}'
    expect(textOf(order.encode(value))).toBe(expected)
    expect(throughColumns(order as Codec, [utf8(expected)])).toEqual([{ fidelity: 'canonical', bytes: utf8(expected) }])
    const empty = '{"id":0,"tags":[],"lines":[],"counts":[]}'
    expect(textOf(order.encode({ id: 0, tags: [], at: null, lines: [], counts: new Map() }))).toBe(empty)
    expect(throughColumns(order as Codec, [utf8(empty)])[0]!.fidelity).toBe('canonical')
    expect(textOf(one(t.struct({ a: t.int.optional() })).encode({ v: {} }))).toBe('{"v":{}}')
  })

  it('knows the other spellings of each kind', () => {
    const list = one(t.list(t.int.optional()))
    const point = one(t.struct({ x: t.int, y: t.int.optional() }))
    const byText = one(t.map(t.string, t.int.optional()))
    const byInt = one(t.map(t.int, t.string))
    const byTime = one(t.map(t.timestamptz, t.int))
    const cases: [Codec, string, string | undefined][] = [
      [list, ' [ 1 , null ] ', '[1,null]'],
      [list, '[\n]', '[]'],
      [list, '[1.0]', '[1]'],
      [list, '[1,]', undefined],
      [list, '[,1]', undefined],
      [list, '[1 2]', undefined],
      [list, '[1', undefined],
      [list, '{}', undefined],
      [list, 'null', undefined],
      [list, '["1"]', undefined],
      [point, '{"y":2,"x":1}', '{"x":1,"y":2}'],
      [point, '{"x":1,"y":null}', '{"x":1}'],
      [point, '{"x":1,"z":[{}]}', '{"x":1}'],
      [point, '{"x":1,"x":2}', '{"x":2}'],
      [point, '{"x":1,"y":5,"y":null}', '{"x":1}'],
      [point, '{"y":2}', undefined],
      [point, '[1,2]', undefined],
      [byText, '{"a" : 1 , "b":null}', '{"a":1,"b":null}'],
      [byText, '{"a":1,"b":2,"a":3}', '{"a":3,"b":2}'],
      [byText, '{"a":1,"\\u0061":2}', '{"a":2}'],
      [byText, '{"2":1,"1":2,"__proto__":3} ', '{"2":1,"1":2,"__proto__":3}'],
      [byText, '{"a"}', undefined],
      [byText, '{a:1}', undefined],
      [byText, '[["a",1]]', undefined],
      [byInt, '[ [ 1 , "a" ] , [ 2,"b"] ]', '[[1,"a"],[2,"b"]]'],
      [byInt, '[[1,"a"],[1,"b"]]', '[[1,"b"]]'],
      [byInt, '[[1,"a"],[1.0,"b"]]', '[[1,"b"]]'],
      [byInt, '{"1":"a"}', undefined],
      [byInt, '[[1]]', undefined],
      [byInt, '[[1,"a","b"]]', undefined],
      [byInt, '[[null,"a"]]', undefined],
      [byInt, '[{"key":1,"value":"a"}]', undefined],
      [
        byTime,
        '[["2026-01-31T00:00:00.000Z",1],["2026-01-31T01:00:00.000+01:00",2]]',
        '[["2026-01-31T00:00:00.000Z",2]]',
      ],
    ]
    for (const [codec, value, canonical] of cases) {
      const bytes = utf8(`{"v":${value}}`)
      const [row] = throughColumns(codec, [bytes])
      expect(row!.fidelity, value).toBe(canonical === undefined ? 'unreadable' : 'readable')
      expect(textOf(row!.bytes)).toBe(canonical && `{"v":${canonical}}`)
      const error = errorOf(() => codec.decode(bytes))
      expect(error?.code).toBe(canonical === undefined ? 'JSON_VALUE' : undefined)
      if (canonical !== undefined) expect(codec.encode(codec.decode(bytes))).toEqual(row!.bytes)
    }
    expect(throughColumns(byText, [utf8('{"v":{"2":1,"1":2,"__proto__":3}}')])[0]!.fidelity).toBe('canonical')
  })

  it('reads a deep value that is wrong at its bottom in no more than two readings', () => {
    const deep = (levels: number): Schema['fields'][number]['type'] =>
      levels === 0 ? t.int : t.struct({ a: deep(levels - 1) })
    const codec = one(deep(32))
    const text = `{"v":${'{"a":'.repeat(32)}"x"${'}'.repeat(32)}}`
    expect(throughColumns(codec, [utf8(text), utf8(text.replace('"x"', ' 7'))]).map((row) => row.fidelity)).toEqual([
      'unreadable',
      'readable',
    ])
  })

  it('takes a half-read row back whole', () => {
    const codec = order as Codec
    const good = utf8(
      '{"id":1,"tags":["a"],"at":{"x":1},"lines":[{"sku":"s","prices":{"e":"1.00"}}],"counts":[[1,[2]]]}',
    )
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

describe('json encode of nested values', () => {
  it('names the place of what does not fit', () => {
    const line = { sku: 's', prices: new Map() }
    const valid = { id: 1, tags: [], at: null, lines: [], counts: new Map() }
    const cases: [object, string][] = [
      [{ tags: {} }, 'tags'],
      [{ tags: ['a', 1] }, 'tags[1]'],
      [{ at: { x: NaN } }, 'at.x'],
      [{ at: {} }, 'at.x'],
      [{ lines: [line, undefined] }, 'lines[1]'],
      [{ lines: [line, line, { ...line, sku: 2 }] }, 'lines[2].sku'],
      [{ lines: [{ ...line, prices: new Map([['eur', 1]]) }] }, 'lines[0].prices["eur"]'],
      [{ counts: { 1: [] } }, 'counts'],
      [{ counts: new Map([['5', []]]) }, 'counts.key'],
    ]
    for (const [change, field] of cases) {
      expect(
        errorOf(() => order.encode({ ...valid, ...change })),
        field,
      ).toMatchObject({
        kind: 'invalid',
        context: { field },
        message: expect.stringContaining(field),
      })
    }
  })

  it('refuses a map with two keys that encode the same, and at creation what no value has', () => {
    const byDate = one(t.map(t.timestamptz, t.int))
    const two = new Map([
      [new Date(1), 1],
      [new Date(1), 2],
    ])
    expect(errorOf(() => byDate.encode({ v: two }))).toMatchObject({ kind: 'invalid', context: { field: 'v' } })
    expect(errorOf(() => one(t.list(t.struct({}))))).toMatchObject({ kind: 'unsupported' })
    expect(errorOf(() => one(t.map(t.double, t.int)))).toMatchObject({ kind: 'unsupported' })
  })

  it('refuses to encode a row whose required part is null', () => {
    const [strict, loose] = [t.int, t.int.optional()].map((item) => one(t.list(item)))
    const arena = new Arena()
    const builders = loose!.columnar!.builders(arena)
    const start = arena.append(utf8('{"v":[1,null]}'))
    loose!.columnar!.decodeRow(arena, start, arena.length, builders)
    const columns = builders.map((builder) => builder.finish())
    expect(errorOf(() => strict!.columnar!.encodeRow(columns, 0, new Uint8Array(99), 0))).toMatchObject({
      kind: 'invalid',
      code: 'COLUMN_NULL',
      message: expect.stringContaining('v.element'),
    })
  })
})
