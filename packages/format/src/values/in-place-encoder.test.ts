import type { Codec } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { avro } from '../avro/avro-codec.ts'
import { errorOf, every, everyValue } from '../codec.test-support.ts'
import { json } from '../json/json-codec.ts'

const generic = avro({
  type: 'record',
  name: 'Node',
  fields: [
    { name: 'name', type: 'string' },
    { name: 'next', type: ['null', 'Node'] },
  ],
}) as Codec
const chain = fc.array(fc.string({ unit: 'grapheme', maxLength: 40 }), { minLength: 1, maxLength: 4 }).map((names) => {
  let value: object | null = null
  for (const name of names) value = { name, next: value }
  return value
})

// Which has no number for some doubles.
const ofJson = json(every) as Codec

const codecs: { readonly name: string; readonly codec: Codec; readonly values: fc.Arbitrary<unknown> }[] = [
  { name: 'avro', codec: avro(every) as Codec, values: everyValue },
  { name: 'avro without columns', codec: generic, values: chain },
  {
    name: 'json',
    codec: ofJson,
    values: everyValue.filter((value) => errorOf(() => ofJson.encode(value)) === undefined),
  },
]

describe.each(codecs)('encodeInto ($name)', ({ codec, values }) => {
  const into = codec.encodeInto!.bind(codec)

  it('writes what encode gives, wherever it is asked to, and nothing before', () => {
    fc.assert(
      fc.property(values, fc.nat(200), (value, position) => {
        const bytes = codec.encode(value)
        const before = new Uint8Array(position).fill(0xee)
        // Memory of a Buffer's pool, and plain.
        for (const target of [
          Buffer.alloc(position + bytes.length * 4 + 200, 0xee),
          new Uint8Array(70_000).fill(0xee),
        ]) {
          const end = into(value, target, position)
          expect(end).toBe(position + bytes.length)
          expect(new Uint8Array(target.subarray(position, end))).toEqual(bytes)
          expect(new Uint8Array(target.subarray(0, position))).toEqual(before)
        }
      }),
      { numRuns: 100 },
    )
  })

  it('says so where there is no room, and has touched nothing before', () => {
    fc.assert(
      fc.property(
        values,
        fc.nat(30),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (value, position, part) => {
          const { length } = codec.encode(value)
          const target = new Uint8Array(position + Math.floor(length * part)).fill(0xee)
          expect(into(value, target, position)).toBe(-1)
          expect(target.subarray(0, position).every((byte) => byte === 0xee)).toBe(true)
        },
      ),
      { numRuns: 100 },
    )
  })

  it('goes on elsewhere at once after it had no room', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(into(value, new Uint8Array(0), 0)).toBe(-1)
        const target = new Uint8Array(70_000)
        const end = into(value, target, 9)
        expect(target.slice(9, end)).toEqual(codec.encode(value))
      }),
      { numRuns: 20 },
    )
  })

  it('throws what encode throws', () => {
    for (const value of [null, 1, 'x', { unknown: 1 }]) {
      const [placed, copied] = [() => into(value, new Uint8Array(100), 0), () => codec.encode(value)].map(errorOf)
      expect(copied).toBeDefined()
      expect(placed).toMatchObject({ code: copied!.code, message: copied!.message })
    }
  })
})

describe('a value whose own code encodes another', () => {
  it('is itself, and so is the other', () => {
    const target = Buffer.alloc(1_000)
    let inner: Uint8Array | undefined
    const value = {
      get name() {
        const end = generic.encodeInto!({ name: 'inner', next: null }, target, 500)
        inner = new Uint8Array(target.subarray(500, end))
        return 'outer'
      },
      next: null,
    }
    const end = generic.encodeInto!(value, target, 0)
    expect(new Uint8Array(target.subarray(0, end))).toEqual(generic.encode({ name: 'outer', next: null }))
    expect(inner).toEqual(generic.encode({ name: 'inner', next: null }))
  })
})
