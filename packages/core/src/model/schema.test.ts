import { describe, expect, expectTypeOf, it } from 'vitest'
import { and, columnsOf, eq, gt, isNull } from './expression.ts'
import type { Comparable, Where } from './expression.ts'
import { parseJson, stringifyJson } from './json.ts'
import { day } from './partition-spec.ts'
import { schema, schemaFromJson, schemaOf, schemaToJson, structOf, t } from './schema.ts'
import type { Infer } from './schema.ts'
import type { Topic, TopicConfig } from '../doors/topic.ts'

const Order = schema({
  id: t.int53,
  city: t.string,
  note: t.string.optional(),
  placed_at: t.timestamptz,
  exact: t.timestamp.micros.optional(),
  total: t.decimal(9, 2),
})
type Order = Infer<typeof Order>

describe('schema', () => {
  it('gives the type of its values', () => {
    expectTypeOf<Order>().toEqualTypeOf<{
      id: number
      city: string
      placed_at: Date
      total: string
      note?: string | null | undefined
      exact?: bigint | null | undefined
    }>()
  })

  it('survives its JSON, every kind', () => {
    const every = schema({
      a: t.boolean,
      b: t.int,
      c: t.long,
      d: t.float.optional(),
      e: t.double,
      f: t.binary,
      g: t.uuid,
      h: t.fixed(3),
      i: t.date,
      j: t.time.micros,
      k: t.list(t.string.optional()),
      l: t.map(t.string, t.int.optional()),
      m: t.struct({ x: t.timestamp }),
    })
    for (const original of [Order, every]) {
      const json = schemaToJson(original)
      expect(schemaToJson(schemaFromJson(parseJson(stringifyJson(json), 'schema')))).toEqual(json)
    }
  })

  it('keeps the fields of a struct from a list in their places, whatever their names', () => {
    const names = ['2', '__proto__', '1']
    const of = schemaOf([{ name: 'v', type: structOf(names.map((name) => ({ name, type: t.int }))) }])
    const { spec } = schemaFromJson(schemaToJson(of)).fields[0]!.type
    expect(spec.kind === 'struct' && spec.fields.map(({ name }) => name)).toEqual(names)
    expect(() => structOf([1, 2].map(() => ({ name: 'a', type: t.int })))).toThrow('repeated')
  })

  it('gives the type of nested values', () => {
    const Nested = schema({
      tags: t.list(t.string.optional()),
      at: t.struct({ x: t.double, label: t.string.optional() }).optional(),
      by: t.map(t.string, t.list(t.long).optional()),
    })
    expectTypeOf<Infer<typeof Nested>>().toEqualTypeOf<{
      tags: (string | null)[]
      at?: { x: number; label?: string | null | undefined } | null | undefined
      by: Map<string, bigint[] | null>
    }>()
  })

  it('refuses reserved, empty and repeated names, and bad sizes', () => {
    expect(() => schema({ _kafka_offset: t.long })).toThrow('_kafka_offset')
    expect(() => schema({})).toThrow('at least one field')
    expect(() => schemaOf([{ name: '', type: t.int }])).toThrow('empty or repeated')
    expect(() =>
      schemaOf([
        { name: 'a', type: t.int },
        { name: 'a', type: t.int },
      ]),
    ).toThrow('empty or repeated')
    expect(() => t.decimal(39, 0)).toThrow('precision 39')
    expect(() => t.decimal(5, 6)).toThrow('scale 6')
    expect(() => t.fixed(0)).toThrow('length 0')
  })

  it('takes a field called __proto__ from a list', () => {
    expect(schemaOf([{ name: '__proto__', type: t.int }]).fields[0]!.name).toBe('__proto__')
  })
})

describe('predicates and partition fields', () => {
  it('know their columns', () => {
    expect(columnsOf(and(eq('a', 1), isNull('b')))).toEqual(new Set(['a', 'b']))
  })

  it('compile only for columns of the row, with their types', () => {
    type Fits = Where<Comparable<Order>>
    expectTypeOf(eq('city', 'ams')).toExtend<Fits>()
    expectTypeOf(and(eq('city', 'ams'), gt('id', 5), isNull('note'))).toExtend<Fits>()
    expectTypeOf(eq('note', 'x')).toExtend<Fits>()
    expectTypeOf(eq('town', 'ams')).not.toExtend<Fits>()
    expectTypeOf(eq('city', 5)).not.toExtend<Fits>()
  })

  it('a topic takes only its own columns', () => {
    const config: TopicConfig<Order> = { partitionBy: [day('placed_at'), day('_kafka_timestamp')] }
    // @ts-expect-error -- no such column
    const wrong: TopicConfig<Order> = { partitionBy: [day('placed')] }
    const scan = (topic: Topic<Order>): unknown =>
      topic.scan({ columns: ['city', '_kafka_offset'], where: eq('city', 'ams') })
    // @ts-expect-error -- no such column
    const wrongScan = (topic: Topic<Order>): unknown => topic.scan({ columns: ['town'] })
    // @ts-expect-error -- no such column
    const wrongWhere = (topic: Topic<Order>): unknown => topic.scan({ where: eq('town', 'ams') })
    expect([config, wrong, scan, wrongScan, wrongWhere]).toHaveLength(5)
  })
})
