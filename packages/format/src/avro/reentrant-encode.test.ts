import { schema, t, type Codec } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { errorOf } from '../codec.test-support.ts'
import { json } from '../json/json-codec.ts'
import { avro } from './avro-codec.ts'

const Tree = schema({
  name: t.string,
  list: t.list(t.struct({ a: t.string })),
  map: t.map(t.string, t.struct({ b: t.long })),
})

// No columns: a record that names itself.
const generic = avro({
  type: 'record',
  name: 'Node',
  fields: [
    { name: 'name', type: 'string' },
    {
      name: 'list',
      type: { type: 'array', items: { type: 'record', name: 'A', fields: [{ name: 'a', type: 'string' }] } },
    },
    {
      name: 'map',
      type: { type: 'map', values: { type: 'record', name: 'B', fields: [{ name: 'b', type: 'long' }] } },
    },
    { name: 'next', type: ['null', 'Node'] },
  ],
})

const codecs: { readonly name: string; readonly codec: Codec<never> }[] = [
  { name: 'avro', codec: avro(Tree) as Codec<never> },
  { name: 'avro without columns', codec: generic as Codec<never> },
  { name: 'json', codec: json(Tree) as Codec<never> },
]

const plain = (tag: string, size = 3): Record<string, unknown> => ({
  name: tag,
  list: [{ a: tag.repeat(size) }, { a: `${tag}!` }],
  map: new Map([['k', { b: BigInt(size) }]]),
})

describe.each(codecs)('a value that has another one encoded while it is ($name)', ({ codec }) => {
  const encode = (value: unknown): Uint8Array => codec.encode(value as never)

  it('is itself, and so is the other, at whatever depth and size', () => {
    for (const place of ['name', 'list', 'map'] as const) {
      for (const size of [1, 5_000]) {
        const inner: Uint8Array[] = []
        const asking = <T>(value: T): T => {
          inner.push(encode(plain('in', size)))
          return value
        }
        const value = plain('out')
        const outer = { ...value }
        if (place === 'name') Object.defineProperty(outer, 'name', { get: () => asking('out'), enumerable: true })
        if (place === 'list')
          outer['list'] = [
            { a: 'outoutout' },
            {
              get a() {
                return asking('out!')
              },
            },
          ]
        if (place === 'map')
          outer['map'] = new Map([
            [
              'k',
              {
                get b() {
                  return asking(3n)
                },
              },
            ],
          ])
        expect(encode(outer), place).toEqual(encode(value))
        expect(inner).toHaveLength(1)
        expect(inner[0]).toEqual(encode(plain('in', size)))
      }
    }
  })

  it('leaves nothing behind where the inner or the outer one fails', () => {
    const good = encode(plain('a'))
    const bad = {
      get name() {
        expect(errorOf(() => encode({ ...plain('b'), list: [{ a: 7 }] }))).toMatchObject({ kind: 'invalid' })
        return 5
      },
      list: [],
      map: new Map(),
    }
    expect(errorOf(() => encode(bad))).toMatchObject({ kind: 'invalid' })
    expect(encode(plain('a'))).toEqual(good)
  })

  it('is refused, or what its entries are, where a list or a map says something else of its size', () => {
    const odd = (length: unknown): unknown =>
      new Proxy([{ a: 'x' }, { a: 'y' }, { a: 'z' }], {
        get: (list, name) => (name === 'length' ? length : (Reflect.get(list, name) as unknown)),
      })
    for (const length of [1.5, -1, NaN, 2]) {
      const value = { ...plain('a'), list: odd(length) }
      let bytes: Uint8Array | undefined
      const error = errorOf(() => void (bytes = encode(value)))
      if (error === undefined)
        expect((codec.decode(bytes!) as { list: unknown }).list, String(length)).toHaveLength(
          Math.ceil(Math.max(0, Number(length)) || 0),
        )
      else expect(error.kind).toBe('invalid')
    }
    class Odd extends Map<string, unknown> {
      override get size(): number {
        return 4
      }
      override [Symbol.iterator](): MapIterator<[string, unknown]> {
        return new Map([['none', { b: 1n }]]).entries()
      }
    }
    const given = codec.decode(encode({ ...plain('a'), map: new Odd([['k', { b: 3n }]]) })) as {
      map: Map<string, unknown>
    }
    expect(new Map(given.map)).toEqual(new Map([['k', { b: 3n }]]))
    const growing = new Map<string, unknown>()
    growing.set('k', {
      get b() {
        growing.set('l', { b: 1n })
        return 3n
      },
    })
    const grown = codec.decode(encode({ ...plain('a'), map: growing })) as { map: Map<string, unknown> }
    expect(grown.map.get('k')).toEqual({ b: 3n })
  })
})
