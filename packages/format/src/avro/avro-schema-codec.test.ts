import type { Codec, Column } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bytesOf, errorOf, expectSameByColumns, kinds, throughColumns } from '../codec.test-support.ts'
import { avro, avroFormat } from './avro-codec.ts'

const one = (type: unknown): Codec => avro({ type: 'record', name: 'r', fields: [{ name: 'v', type }] }) as Codec

describe('avro of an Avro schema', () => {
  it('gives our kinds for logical types, and ignores annotations that are not valid', () => {
    const cases: [unknown, string][] = [
      [{ type: 'int', logicalType: 'date' }, 'date'],
      [{ type: 'int', logicalType: 'time-millis' }, 'time native'],
      [{ type: 'long', logicalType: 'time-micros' }, 'time micros'],
      [{ type: 'long', logicalType: 'timestamp-millis' }, 'timestamptz native'],
      [{ type: 'long', logicalType: 'timestamp-micros' }, 'timestamptz micros'],
      [{ type: 'long', logicalType: 'local-timestamp-millis' }, 'timestamp native'],
      [{ type: 'long', logicalType: 'local-timestamp-micros' }, 'timestamp micros'],
      [{ type: 'long', logicalType: 'nonsense' }, 'long'],
      [{ type: 'string', logicalType: 'date' }, 'string'],
      [{ type: 'fixed', name: 'f', size: 16, logicalType: 'uuid' }, 'uuid'],
      [{ type: 'fixed', name: 'f', size: 12, logicalType: 'duration' }, 'fixed'],
      [{ type: 'fixed', name: 'f', size: 4, logicalType: 'decimal', precision: 9 }, 'decimal'],
      [{ type: 'fixed', name: 'f', size: 4, logicalType: 'decimal', precision: 10 }, 'fixed'],
      [{ type: 'bytes', logicalType: 'decimal', precision: 5, scale: 6 }, 'binary'],
      [{ type: 'enum', name: 'e', symbols: ['A'] }, 'string'],
      [['null', { type: 'int', logicalType: 'date' }], 'date?'],
      [['string', 'null'], 'string?'],
    ]
    for (const [type, kind] of cases) expect(kinds(one(type).schema), JSON.stringify(type)).toEqual([`v ${kind}`])
  })

  it('keeps other schemas raw and says why, and still encodes and decodes them', () => {
    const list = {
      type: 'record',
      name: 'node',
      fields: [
        { name: 'next', type: ['null', 'node'] },
        { name: 'n', type: 'int' },
      ],
    }
    const cases: [unknown, unknown, string][] = [
      [{ type: 'array', items: ['int', 'string'] }, { v: [{ int: 1 }] }, 'v.element is a union of 2 branches'],
      [{ type: 'map', values: 'null' }, { v: new Map([['a', null]]) }, 'v.value is always null'],
      [{ type: 'record', name: 'empty', fields: [] }, { v: {} }, 'v is a record of no fields'],
      [['null', 'int', 'string'], { v: { string: 'x' } }, 'union of 3'],
      [list, { v: { next: { next: null, n: 2 }, n: 1 } }, 'v.next is a record node inside itself'],
      ['null', { v: null }, 'null'],
      [{ type: 'bytes', logicalType: 'decimal', precision: 39 }, { v: Uint8Array.of(1) }, '39'],
    ]
    for (const [type, value, reason] of cases) {
      const codec = one(type)
      expect(codec.columnar).toBeUndefined()
      expect(codec.schema.fields).toEqual([])
      expect(codec.reason).toContain(reason)
      expect(codec.decode(codec.encode(value))).toEqual(Object.assign(Object.create(null), withoutPrototypes(value)))
      expect(avroFormat.restore(codec.definition).reason).toBe(codec.reason)
    }
    expect(avro('"string"').decode(Uint8Array.of(2, 97))).toBe('a')
    expect(avro('"string"').reason).toContain('string')
    const reserved = avro({ type: 'record', name: 'r', fields: [{ name: '_kafka_key', type: 'int' }] })
    expect(reserved.reason).toContain('_kafka_key')
  })

  it('reads unions with null in either order', () => {
    for (const [type, some, none] of [
      [['null', 'int'], '0206', '00'],
      [['int', 'null'], '0006', '02'],
    ] as const) {
      const codec = one(type)
      expect([codec.encode({ v: 3 }), codec.encode({})]).toEqual([bytesOf(some), bytesOf(none)])
      expect(throughColumns(codec, [bytesOf(some), bytesOf(none), bytesOf('04')])).toEqual([
        { fidelity: 'canonical', bytes: bytesOf(some) },
        { fidelity: 'canonical', bytes: bytesOf(none) },
        { fidelity: 'unreadable', bytes: undefined },
      ])
    }
  })

  it('checks the symbols of an enum', () => {
    const codec = one({ type: 'enum', name: 'e', symbols: ['RED', 'GREEN'] })
    expect(codec.decode(codec.encode({ v: 'GREEN' }))).toMatchObject({ v: 'GREEN' })
    expect(errorOf(() => codec.encode({ v: 'BLUE' }))).toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('RED, GREEN'),
    })
    const values = ['02', '00', '02', '04', '01'].map(bytesOf)
    expect(throughColumns(codec, values).map((row) => row.fidelity)).toEqual([
      'canonical',
      'canonical',
      'canonical',
      'unreadable',
      'unreadable',
    ])
    expect(throughColumns(codec, values)[2]!.bytes).toEqual(bytesOf('02'))
    const blue: Column = {
      storage: 'bytes',
      length: 1,
      validity: undefined,
      data: Uint8Array.of(66),
      starts: Int32Array.of(0),
      ends: Int32Array.of(1),
    }
    expect(errorOf(() => codec.columnar!.encodeRow([blue], 0, new Uint8Array(9), 0))).toMatchObject({ kind: 'invalid' })
    expectSameByColumns(codec.columnar!, [blue], 1)
  })

  it('tells what it can read but not give back', () => {
    const readable: [unknown, string][] = [
      ['int', '8200'],
      ['int', '0200'],
      ['long', '828000'],
      ['long', '8280808000'],
      ['long', '80808080808080808000'],
      ['string', '820061'],
      ['float', '0100c07f'],
      ['double', '010000000000f87f'],
      [{ type: 'bytes', logicalType: 'decimal', precision: 9 }, '040001'],
      [{ type: 'bytes', logicalType: 'decimal', precision: 30 }, '04ffff'],
      [
        { type: 'string', logicalType: 'uuid' },
        `48${Buffer.from('00112233-4455-6677-8899-AABBCCDDEEFF').toString('hex')}`,
      ],
      [['null', 'int'], '820006'],
    ]
    const unreadable: [unknown, string][] = [
      ['boolean', '02'],
      ['int', '8080808010'],
      ['int', ''],
      ['long', 'ffffffffffffffffff02'],
      ['long', '8080'],
      [{ type: 'long', 'moulin.type': 'int53' }, '8080808080808020'],
      ['string', '02ff'],
      ['string', '0461'],
      ['string', '01'],
      ['float', '000000'],
      [{ type: 'int', logicalType: 'time-millis' }, '01'],
      [{ type: 'long', logicalType: 'timestamp-millis' }, 'ffffffffffffffffff01'],
      [{ type: 'bytes', logicalType: 'decimal', precision: 9 }, '00'],
      [{ type: 'bytes', logicalType: 'decimal', precision: 1 }, '020a'],
      [{ type: 'bytes', logicalType: 'decimal', precision: 1 }, '02f6'],
      [
        { type: 'fixed', name: 'f', size: 16, logicalType: 'decimal', precision: 19 },
        '7fffffffffffffffffffffffffffffff',
      ],
      [{ type: 'string', logicalType: 'uuid' }, '0278'],
    ]
    for (const [expected, cases] of [
      ['readable', readable],
      ['unreadable', unreadable],
    ] as const) {
      for (const [type, hex] of cases) {
        const [row] = throughColumns(one(type), [bytesOf(hex)])
        expect(row!.fidelity, `${JSON.stringify(type)} ${hex}`).toBe(expected)
        expect(errorOf(() => one(type).decode(bytesOf(hex))) === undefined).toBe(expected === 'readable')
      }
    }
  })

  it('refuses to encode a row whose required column is null', () => {
    const codec = one('int')
    const column: Column = { storage: 'int32', length: 1, validity: new Uint8Array(1), values: new Int32Array(1) }
    expect(errorOf(() => codec.columnar!.encodeRow([column], 0, new Uint8Array(9), 0))).toMatchObject({
      kind: 'invalid',
      code: 'COLUMN_NULL',
    })
  })
})

function withoutPrototypes(value: unknown): unknown {
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    value instanceof Map ||
    value instanceof Uint8Array
  )
    return value
  const entries = Object.entries(value).map(([key, member]) => [key, withoutPrototypes(member)] as const)
  return Object.assign(Object.create(null) as object, Object.fromEntries(entries))
}
