import type { Schema } from '@moulin/core'
import { INT64_MIN, schema, t } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOf, errorOf, every, everyValue, kinds, throughColumns } from '../codec.test-support.ts'
import { avro, avroFormat } from './avro-codec.ts'

describe('avro of our schema', () => {
  const codec = avro(every)

  it('gives back every value, 64-bit exact', () => {
    fc.assert(
      fc.property(everyValue, (value) => {
        expect({ ...codec.decode(codec.encode(value as never)) }).toEqual(value)
      }),
    )
  })

  it('is canonical in columns, and the columns give the same bytes', () => {
    fc.assert(
      fc.property(fc.array(everyValue, { minLength: 1, maxLength: 5 }), (values) => {
        const encoded = values.map((value) => codec.encode(value as never))
        const expected = encoded.map((bytes) => ({ fidelity: 'canonical', bytes }))
        expect(throughColumns(codec, encoded)).toEqual(expected)
      }),
    )
  })

  it('holds “canonical: the same bytes” and throws only our errors for damaged values, and decode agrees', () => {
    const mutation = fc.tuple(
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom('set', 'insert', 'delete', 'cut'),
    )
    fc.assert(
      fc.property(everyValue, fc.array(mutation, { minLength: 1, maxLength: 3 }), (value, mutations) => {
        const good = codec.encode(value as never)
        let bytes = [...good]
        for (const [where, byte, how] of mutations) {
          const at = where % (bytes.length + 1)
          if (how === 'set') bytes[at % bytes.length] = byte
          else if (how === 'insert') bytes.splice(at, 0, byte)
          else if (how === 'delete') bytes.splice(at, 1)
          else bytes = bytes.slice(0, at)
        }
        const damaged = Uint8Array.from(bytes)
        // A good row on either side must not notice.
        const [before, between, after] = throughColumns(codec, [good, damaged, good])
        expect([before, after]).toEqual([
          { fidelity: 'canonical', bytes: good },
          { fidelity: 'canonical', bytes: good },
        ])
        if (between!.fidelity === 'canonical') expect(between!.bytes).toEqual(damaged)
        const error = errorOf(() => codec.decode(damaged))
        expect(error === undefined).toBe(between!.fidelity !== 'unreadable')
        if (error !== undefined) expect(error.kind).toBe('corrupt')
        else if (between!.fidelity === 'readable') {
          expect(between!.bytes).not.toEqual(damaged)
          expect({ ...codec.decode(between!.bytes!) }).toEqual({ ...codec.decode(damaged) })
        }
      }),
      { numRuns: 1500 },
    )
  })

  it('freezes its bytes', () => {
    const golden = {
      boolean: true,
      int: -2,
      int53: 2 ** 53 - 1,
      long: INT64_MIN,
      float: 1.5,
      double: NaN,
      string: 'é',
      binary: Uint8Array.of(1, 2),
      uuid: '00112233-4455-6677-8899-AABBCCDDEEFF',
      fixed: Uint8Array.of(7, 8, 9),
      date: '1969-12-31',
      small: '-1.28',
      large: '1.28',
      time: 1,
      timeMicros: 64n,
      timestamp: new Date(-1),
      timestampMicros: 1n,
      timestamptz: new Date(64),
      timestamptzMicros: -1n,
      note: null,
      count: 3n,
    }
    const expected = bytesOf(`
      01  03  feffffffffffff1f  ffffffffffffffffff01  0000c03f  000000000000f87f  04c3a9  040102
      48 30303131323233332d343435352d363637372d383839392d616162626363646465656666
      070809  01  0280  0601f400  02  8001  01  02  8001  01  00  0206
    `)
    expect(codec.encode(golden)).toEqual(expected)
    const { note: _note, ...absent } = golden
    expect(codec.encode({ ...absent, note: undefined })).toEqual(expected)
    expect(throughColumns(codec, [expected])).toEqual([{ fidelity: 'canonical', bytes: expected }])
  })

  it('freezes its definition, which restores the same codec, int53 included', () => {
    const small = avro(schema({ id: t.int53, amount: t.decimal(9, 2), at: t.timestamptz, raw: t.fixed(2).optional() }))
    expect(small.format).toBe('avro/1')
    expect(small.definition).toBe(
      '{"type":"record","name":"Value","fields":[{"name":"id","type":{"type":"long","moulin.type":"int53"}},' +
        '{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},' +
        '{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},' +
        '{"name":"raw","type":["null",{"type":"fixed","name":"raw_fixed","size":2}],"default":null}]}',
    )
    const restored = avroFormat.restore(codec.definition)
    expect(restored.definition).toBe(codec.definition)
    expect(kinds(restored.schema)).toEqual(kinds(every as Schema))
    expect(errorOf(() => avroFormat.restore('{}'))).toMatchObject({ kind: 'corrupt' })
  })
})

describe('avro encode', () => {
  const codec = avro(schema({ id: t.int, name: t.string, note: t.string.optional(), constructor: t.string.optional() }))
  const encode = (value: unknown) => () => codec.encode(value as never)

  it('names a missing, unknown or unfit field', () => {
    const cases: [unknown, string][] = [
      [{ id: 1 }, 'name'],
      [{ id: 1, name: undefined }, 'name'],
      [{ id: 1, name: null }, 'name'],
      [{ id: 1, name: 'a', nmae: 'b' }, 'nmae'],
      [{ id: 1, name: 'a', extra: undefined }, 'extra'],
      [{ id: 2 ** 31, name: 'a' }, 'id'],
      [{ id: 1, name: '\ud800' }, 'name'],
      [null, 'object'],
      [[], 'object'],
      ['x', 'object'],
    ]
    for (const [value, named] of cases)
      expect(errorOf(encode(value))).toMatchObject({ kind: 'invalid', message: expect.stringContaining(named) })
    expect(errorOf(encode({ id: 1, name: 'a' }))).toBeUndefined()
    expect(errorOf(encode({ id: 1, name: 'a', note: undefined }))).toBeUndefined()
  })

  it('refuses a value of the wrong kind for every kind', () => {
    const wrong: [Schema, unknown[]][] = [
      [schema({ v: t.boolean }), [1, 'true', null]],
      [schema({ v: t.int53 }), [2 ** 53, 1.5, 1n]],
      [schema({ v: t.long }), [1, 2n ** 63n, -(2n ** 63n) - 1n]],
      [schema({ v: t.float }), ['1', 1e300, 1n]],
      [schema({ v: t.double }), ['1', 1n]],
      [schema({ v: t.binary }), ['a', [1], new Uint16Array(1)]],
      [schema({ v: t.fixed(2) }), [new Uint8Array(1), new Uint8Array(3)]],
      [schema({ v: t.uuid }), ['x', '00112233-4455-6677-8899-aabbccddeef']],
      [schema({ v: t.date }), ['2023-02-29', new Date(), 1]],
      [schema({ v: t.decimal(4, 2) }), ['100.00', '1.234', 1.5, '1e2']],
      [schema({ v: t.time }), [-1, 86_400_000, 1.5]],
      [schema({ v: t.time.micros }), [1, -1n, 86_400_000_000n]],
      [schema({ v: t.timestamptz }), [new Date(NaN), 1, '2024-01-01']],
      [schema({ v: t.timestamp.micros }), [new Date(), 2n ** 63n]],
    ]
    for (const [of, values] of wrong) {
      const one = avro(of as Schema<{ v: unknown }>)
      for (const v of values)
        expect(
          errorOf(() => one.encode({ v })),
          String(v),
        ).toMatchObject({ kind: 'invalid', context: { field: 'v' } })
    }
  })

  it('refuses at creation what it cannot hold', () => {
    expect(errorOf(() => avro(schema({ 'a-b': t.int })))).toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('a-b'),
    })
    for (const bad of ['{', '{}', '"int64"', '{"type":"record","name":"r"}', '["int","int"]'])
      expect(
        errorOf(() => avro(bad)),
        bad,
      ).toMatchObject({ kind: 'invalid' })
  })
})
