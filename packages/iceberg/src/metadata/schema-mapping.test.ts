import { isKind, schema, schemaToJson, t } from '@moulin/core'
import type { IcebergType, Type } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { allFields, icebergFields, lastColumnId, typeOfIceberg } from './schema-mapping.ts'

describe('icebergFields', () => {
  it('gives each kind its column type, all of them optional', () => {
    const fields = icebergFields(
      schema({
        b: t.boolean,
        i: t.int,
        safe: t.int53,
        l: t.long,
        f: t.float,
        d: t.double,
        dec: t.decimal(9, 2),
        s: t.string.optional(),
        bin: t.binary,
        u: t.uuid,
        fix: t.fixed(16),
        day: t.date,
        time: t.time,
        ts: t.timestamp.micros,
        tz: t.timestamptz,
      }),
      1001,
    )
    expect(fields.map(({ type }) => type)).toEqual(
      ['boolean', 'int', 'long', 'long', 'float', 'double', 'decimal(9, 2)', 'string', 'binary', 'uuid'].concat([
        'fixed[16]',
        'date',
        'time',
        'timestamp',
        'timestamptz',
      ]),
    )
    expect(fields.map(({ id }) => id)).toEqual(Array.from({ length: 15 }, (_, i) => 1001 + i))
    expect(fields.every(({ required }) => !required)).toBe(true)
  })

  it('numbers nested fields right after their parent and requires none of them', () => {
    const fields = icebergFields(
      schema({
        tags: t.list(t.string),
        at: t.struct({ x: t.double, label: t.string.optional() }),
        by: t.map(t.string, t.list(t.int)),
        last: t.int,
      }),
      1001,
    )
    expect(fields).toEqual([
      {
        id: 1001,
        name: 'tags',
        required: false,
        type: { type: 'list', 'element-id': 1002, element: 'string', 'element-required': false },
      },
      {
        id: 1003,
        name: 'at',
        required: false,
        type: {
          type: 'struct',
          fields: [
            { id: 1004, name: 'x', required: false, type: 'double' },
            { id: 1005, name: 'label', required: false, type: 'string' },
          ],
        },
      },
      {
        id: 1006,
        name: 'by',
        required: false,
        type: {
          type: 'map',
          'key-id': 1007,
          key: 'string',
          'value-id': 1008,
          value: { type: 'list', 'element-id': 1009, element: 'int', 'element-required': false },
          'value-required': false,
        },
      },
      { id: 1010, name: 'last', required: false, type: 'int' },
    ])
    expect([...allFields(fields)].map(({ id }) => id)).toEqual([
      1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010,
    ])
    expect(lastColumnId({ fields })).toBe(1010)
  })
})

describe('typeOfIceberg', () => {
  const json = (type: Type): unknown => schemaToJson(schema({ field: type }))

  it.each<[IcebergType, Type]>([
    ['long', t.long],
    ['timestamptz', t.timestamptz.micros],
    ['time', t.time.micros],
    ['decimal(38,10)', t.decimal(38, 10)],
    ['decimal(9, 2)', t.decimal(9, 2)],
    ['fixed[3]', t.fixed(3)],
    [{ type: 'list', 'element-id': 2, element: 'uuid', 'element-required': false }, t.list(t.uuid.optional())],
    [
      { type: 'map', 'key-id': 2, key: 'int', 'value-id': 3, value: 'date', 'value-required': true },
      t.map(t.int, t.date),
    ],
    [
      { type: 'struct', fields: [{ id: 2, name: 'x', required: false, type: 'float' }] },
      t.struct({ x: t.float.optional() }),
    ],
  ])('reads %j exactly', (type, wanted) => {
    expect(json(typeOfIceberg(type))).toEqual(json(wanted))
  })

  it('gives the unknown one a kind of its own', () => {
    expect(typeOfIceberg('unknown').spec).toEqual({ kind: 'unknown' })
    expect(typeOfIceberg('unknown').optional()).toMatchObject({ spec: { kind: 'unknown' }, isOptional: true })
  })

  it.each(['variant', 'geometry', 'decimal(40, 2)'])('refuses %s by name', (type) => {
    expect(() => typeOfIceberg(type)).toThrow(type)
    try {
      typeOfIceberg(type)
    } catch (error) {
      expect(isKind(error, 'unsupported')).toBe(true)
    }
  })

  it('keeps columns in their places that are called __proto__ or a number', () => {
    const names = ['2', '__proto__', '1']
    const fields = names.map((name, at) => ({ id: 2 + at, name, required: true, type: 'int' as const }))
    const type = typeOfIceberg({ type: 'struct', fields })
    expect(json(type)).toMatchObject({ fields: [{ type: { fields: names.map((name) => ({ name })) } }] })
  })
})
