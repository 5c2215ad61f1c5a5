import type { Codec, Column, Schema } from '@moulin/core'
import { INT64_MAX, INT64_MIN, schema, t } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { errorOf, every, everyValue, expectSameByColumns, kinds, throughColumns } from '../codec.test-support.ts'
import { json, jsonFormat } from './json-codec.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString()

const finite = everyValue.map((value) => ({
  ...value,
  float: Number.isFinite(value.float) ? value.float + 0 : 1.5,
  double: Number.isFinite(value.double) ? value.double + 0 : -2.5,
}))
const codec = json(every)

describe('json of a schema', () => {
  it('gives back every value, 64-bit exact', () => {
    fc.assert(
      fc.property(finite, (value) => {
        expect({ ...codec.decode(codec.encode(value as never)) }).toEqual(value)
      }),
    )
  })

  it('is JSON that other parsers read', () => {
    fc.assert(
      fc.property(finite, (value) => {
        const parsed = JSON.parse(textOf(codec.encode(value as never))!) as Record<string, unknown>
        for (const key of ['boolean', 'int', 'int53', 'float', 'double', 'string', 'uuid', 'date'] as const)
          expect(parsed[key]).toEqual(value[key])
        expect(parsed['timestamptz']).toBe(value.timestamptz.toISOString())
        expect(parsed['small']).toBe(value.small)
      }),
    )
  })

  it('escapes long text as JSON.stringify does, in place too', () => {
    const one = json(schema({ text: t.string }))
    const unit = fc.constantFrom(...'abcdefgh "\\\n\t\u0000\u001f\u007fé€😀\u2028'.match(/./gsu)!)
    fc.assert(
      fc.property(fc.string({ unit, minLength: 20, maxLength: 60 }), fc.nat(120), (text, room) => {
        const wanted = JSON.stringify({ text })
        expect(textOf(one.encode({ text }))).toBe(wanted)
        const target = new Uint8Array(400).subarray(0, 60 + room)
        const end = one.encodeInto!({ text }, target, 50)
        if (end !== -1) expect(textOf(target.subarray(50, end))).toBe(wanted)
        expect(target.subarray(0, 50).every((byte) => byte === 0)).toBe(true)
      }),
    )
  })

  it('is canonical in columns, and the columns give the same bytes', () => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 1, maxLength: 5 }), (values) => {
        const encoded = values.map((value) => codec.encode(value as never))
        expect(throughColumns(codec, encoded)).toEqual(encoded.map((bytes) => ({ fidelity: 'canonical', bytes })))
      }),
    )
  })

  it('holds “canonical: the same bytes” and throws only our errors for damaged values, and decode agrees', () => {
    const insert = fc.constantFrom(...'{}[]",:\\u0123456789eE+-. ntf\u00e9\u0000', ' null', '""', ',"int":7')
    const mutation = fc.tuple(fc.nat(), insert, fc.constantFrom('set', 'insert', 'delete', 'cut'))
    fc.assert(
      fc.property(finite, fc.array(mutation, { minLength: 1, maxLength: 3 }), (value, mutations) => {
        const good = codec.encode(value as never)
        let bytes = [...good]
        for (const [where, text, how] of mutations) {
          const at = where % (bytes.length + 1)
          if (how === 'cut') bytes = bytes.slice(0, at)
          else bytes.splice(at, how === 'insert' ? 0 : 1, ...(how === 'delete' ? [] : utf8(text)))
        }
        const damaged = Uint8Array.from(bytes)
        const [before, between, after] = throughColumns(codec, [good, damaged, good])
        expect([before!.bytes, after!.bytes]).toEqual([good, good])
        if (between!.fidelity === 'canonical') expect(between!.bytes).toEqual(damaged)
        const error = errorOf(() => codec.decode(damaged))
        expect(error?.kind).toBe(between!.fidelity === 'unreadable' ? 'corrupt' : undefined)
        if (between!.fidelity === 'unreadable') return
        // Whatever was readable is JSON, and its columns say the same.
        JSON.parse(textOf(damaged)!)
        if (between!.fidelity === 'readable') expect(between!.bytes).not.toEqual(damaged)
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
      float: 0.10000000149011612,
      double: 1e-7,
      string: 'é"\\\n\u0001\u007f/',
      binary: Uint8Array.of(1, 2),
      uuid: '00112233-4455-6677-8899-AABBCCDDEEFF',
      fixed: Uint8Array.of(7, 8, 9),
      date: '1969-12-31',
      small: '-1.2',
      large: '0',
      time: 1,
      timeMicros: 86_399_999_999n,
      timestamp: new Date(-1),
      timestampMicros: 1n,
      timestamptz: new Date(64),
      timestamptzMicros: INT64_MAX,
      note: null,
      count: 3n,
    }
    const expected =
      '{"boolean":true,"int":-2,"int53":9007199254740991,"long":-9223372036854775808,"float":0.10000000149011612,' +
      '"double":1e-7,"string":"é\\"\\\\\\n\\u0001\u007f/","binary":"AQI=","uuid":"00112233-4455-6677-8899-aabbccddeeff",' +
      '"fixed":"BwgJ","date":"1969-12-31","small":"-1.20","large":"0.00000","time":"00:00:00.001",' +
      '"timeMicros":"23:59:59.999999","timestamp":"1969-12-31T23:59:59.999","timestampMicros":"1970-01-01T00:00:00.000001",' +
      '"timestamptz":"1970-01-01T00:00:00.064Z","timestamptzMicros":"+294247-01-10T04:00:54.775807Z","count":3}'
    expect(textOf(codec.encode(golden))).toBe(expected)
    expect(throughColumns(codec, [utf8(expected)])[0]!.fidelity).toBe('canonical')
  })

  it('freezes its definition, which restores the same codec', () => {
    const definition =
      '{"fields":[{"name":"id","optional":false,"type":{"kind":"int53"}},{"name":"at","optional":true,"type":{"kind":"time","as":"micros"}}]}'
    const small = json(schema({ id: t.int53, at: t.time.micros.optional() }))
    expect([small.format, small.definition]).toEqual(['json/1', definition])
    expect(kinds(jsonFormat.restore(codec.definition).schema)).toEqual(kinds(every as Schema))
    for (const bad of ['', '{}', '{"fields":[]}', '{"fields":[{"name":"a","type":{"kind":"odd"}}]}'])
      expect(
        errorOf(() => jsonFormat.restore(bad)),
        bad,
      ).toMatchObject({ kind: 'corrupt' })
  })
})

const one = (type: Schema['fields'][number]['type']): Codec => json(schema({ v: type })) as Codec
const fidelityOf = (of: Codec, text: string): string => throughColumns(of, [utf8(text)])[0]!.fidelity
const canonicalText = (of: Codec, text: string): string | undefined =>
  textOf(throughColumns(of, [utf8(text)])[0]!.bytes)

describe('json encode', () => {
  it('names a missing, unknown or unfit field', () => {
    const small = json(schema({ id: t.int, name: t.string, note: t.double.optional() }))
    const cases: [unknown, string][] = [
      [{ id: 1 }, 'name'],
      [{ id: 1, name: null }, 'name'],
      [{ id: 1, name: 'a', other: 1 }, 'other'],
      [{ id: 1.5, name: 'a' }, 'id'],
      [{ id: 1, name: 'a', note: NaN }, 'note'],
      [{ id: 1, name: 'a', note: -Infinity }, 'note'],
      [{ id: 1, name: '\udc00' }, 'name'],
      [7, 'object'],
    ]
    for (const [value, named] of cases)
      expect(errorOf(() => small.encode(value as never))).toMatchObject({
        kind: 'invalid',
        message: expect.stringContaining(named),
      })
    expect(textOf(small.encode({ id: -0, name: '', note: -0 }))).toBe('{"id":0,"name":"","note":0}')
    expect(textOf((one(t.int.optional()) as Codec).encode({}))).toBe('{}')
  })

  it('refuses a row whose required column is null, or holds a number that JSON has not', () => {
    const column = (value: number, validity?: Uint8Array): Column => ({
      storage: 'float64',
      length: 1,
      validity,
      values: Float64Array.of(value),
    })
    const encode = (of: Column) => errorOf(() => one(t.double).columnar!.encodeRow([of], 0, new Uint8Array(99), 0))
    expect(encode(column(1, new Uint8Array(1)))).toMatchObject({ kind: 'invalid', code: 'COLUMN_NULL' })
    expect(encode(column(NaN))).toMatchObject({ kind: 'invalid', code: 'COLUMN_NUMBER' })
    const some: Column = { storage: 'float64', length: 3, validity: undefined, values: Float64Array.of(1, NaN, -2.5) }
    expectSameByColumns(one(t.double).columnar!, [some], 3)
  })
})

describe('json decode', () => {
  const pair = json(schema({ a: t.int, 'b"': t.string.optional() })) as Codec

  it('reads any order, space, nulls, repeated keys and unknown fields, as readable', () => {
    const cases: [string, string][] = [
      ['{"b\\"":"x","a":1}', '{"a":1,"b\\"":"x"}'],
      [' { "a" : 1 , "b\\"" : "x" } \n', '{"a":1,"b\\"":"x"}'],
      ['{"a":1,"b\\"":null}', '{"a":1}'],
      ['{"a":1,"a":2}', '{"a":2}'],
      ['{"b\\"":"x","b\\"":null,"a":3}', '{"a":3}'],
      ['{"a":1,"c":{"d":[1,{"e":[]},"]}"],"f":{}},"g":-1.5e-3,"h":true}', '{"a":1}'],
      ['{"\\u0061":1}', '{"a":1}'],
      ['{"a":1.0}', '{"a":1}'],
      ['{"a":10e-1,"b\\"":"\\u0078\\/\\ud83d\\ude00"}', '{"a":1,"b\\"":"x/😀"}'],
      ['{"a":1,"b\\"":"\\/"}', '{"a":1,"b\\"":"/"}'],
      ['{"a":-0}', '{"a":0}'],
      ['{"a":1,"b\\"":"\\u000A"}', '{"a":1,"b\\"":"\\n"}'],
      ['{"a":1,"b\\"":"\\u001F"}', '{"a":1,"b\\"":"\\u001f"}'],
    ]
    for (const [text, canonical] of cases) {
      expect(fidelityOf(pair, text), text).toBe('readable')
      expect(canonicalText(pair, text)).toBe(canonical)
      expect(pair.decode(utf8(text))).toEqual(pair.decode(utf8(canonical)))
    }
    expect(fidelityOf(pair, '{"a":1,"b\\"":"\\u001f\\n\\"\\\\"}')).toBe('canonical')
  })

  it('does not read what is no JSON, or not of the schema', () => {
    const cases = [
      '',
      '{',
      '{}',
      '[]',
      'null',
      '{"a":1',
      '{"a":1}}',
      '{"a":1,}',
      '{"a" 1}',
      '{a:1}',
      '{"a":01}',
      '{"a":+1}',
      '{"a":.5}',
      '{"a":1.}',
      '{"a":1e}',
      '{"a":--1}',
      '{"a":"1"}',
      '{"a":null}',
      '{"a":2147483648}',
      '{"a":1.5}',
      '{"a":1,"b\\"":"\u0001"}',
      '{"a":1,"b\\"":"\\ud800"}',
      '{"a":1,"b\\"":"\\ud800\\u0061"}',
      '{"a":1,"b\\"":"\\x"}',
      '{"a":1,"b\\"":"\\u00g0"}',
      '{"a":1,"b\\"":7}',
      '{"a":1,"c":}',
      '{"a":1,"c":[1 2]}',
      '{"a":1,"c":{"x"}}',
      '{"a":1,"c":nul}',
      '\ufeff{"a":1}',
      `{"a":1,"c":${'['.repeat(600)}${']'.repeat(600)}}`,
    ]
    for (const text of cases) {
      expect(fidelityOf(pair, text), text).toBe('unreadable')
      expect(errorOf(() => pair.decode(utf8(text)))).toMatchObject({ kind: 'corrupt', code: 'JSON_VALUE' })
    }
    const broken = Uint8Array.from([...utf8('{"a":1,"b\\"":"'), 0xff, ...utf8('"}')])
    expect(throughColumns(pair, [broken])[0]!.fidelity).toBe('unreadable')
  })

  it('reads integers of 64 bits exactly, and no further', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n }), (value) => {
        const text = `{"v":${value}}`
        const fits = value >= INT64_MIN && value <= INT64_MAX
        expect(fidelityOf(one(t.long), text)).toBe(fits ? 'canonical' : 'unreadable')
        if (fits) expect(one(t.long).decode(utf8(text))).toMatchObject({ v: value })
      }),
    )
    for (const v of [
      INT64_MIN,
      INT64_MAX,
      INT64_MIN + 1n,
      2n ** 32n,
      -(2n ** 32n),
      10n ** 10n,
      -(10n ** 10n),
      99_999_999_999n,
    ])
      expect(one(t.long).decode(utf8(`{"v":${v}}`))).toMatchObject({ v })
    for (const v of [INT64_MIN - 1n, INT64_MAX + 1n, 10n ** 19n])
      expect(fidelityOf(one(t.long), `{"v":${v}}`)).toBe('unreadable')
    expect(fidelityOf(one(t.int53), `{"v":${2n ** 53n}}`)).toBe('unreadable')
    expect(fidelityOf(one(t.long), '{"v":9007199254740993.0}')).toBe('unreadable')
    expect(canonicalText(one(t.long), '{"v":1e3}')).toBe('{"v":1000}')
  })

  it('reads doubles as JSON.parse does, canonical where JSON.stringify writes the same', () => {
    const digits = fc.stringMatching(/^\d{1,18}$/)
    const text = fc
      .tuple(fc.constantFrom('', '-'), digits, fc.option(digits), fc.constantFrom('', '', '', 'e5', 'E-7', 'e+300'))
      .map(([sign, whole, part, exponent]) => {
        const integer = whole.replace(/^0+(?=.)/, '')
        return `${sign}${integer}${part === null ? '' : `.${part}`}${exponent}`
      })
    const small = fc.tuple(fc.nat(9), digits).map(([zeros, part]) => `0.${'0'.repeat(zeros)}${part}`)
    fc.assert(
      fc.property(fc.oneof(text, small, fc.double({ noNaN: true, noDefaultInfinity: true }).map(String)), (number) => {
        const value = JSON.parse(number) as number
        const object = `{"v":${number}}`
        const canonical = JSON.stringify(value) === number ? 'canonical' : 'readable'
        expect(fidelityOf(one(t.double), object)).toBe(Number.isFinite(value) ? canonical : 'unreadable')
        if (Number.isFinite(value)) expect((one(t.double).decode(utf8(object)) as { v: number }).v).toBe(value)
      }),
      { numRuns: 2000 },
    )
  })

  it('knows each kind’s other spellings', () => {
    const cases: [Schema['fields'][number]['type'], string, string | undefined][] = [
      [t.double, '1.50', '1.5'],
      [t.double, '1E2', '100'],
      [t.double, '1e400', undefined],
      [t.float, '0.1', '0.10000000149011612'],
      [t.float, '1e39', undefined],
      [t.binary, '"AQI"', undefined],
      [t.binary, '"AQJ="', undefined],
      [t.binary, '"_w=="', undefined],
      [t.fixed(1), '"AQI="', undefined],
      [t.uuid, '"00112233-4455-6677-8899-AABBCCDDEEFF"', '"00112233-4455-6677-8899-aabbccddeeff"'],
      [t.uuid, '"0011"', undefined],
      [t.date, '"2023-02-29"', undefined],
      [t.decimal(5, 2), '12.3', '"12.30"'],
      [t.decimal(5, 2), '"12.3"', '"12.30"'],
      [t.decimal(5, 2), '1e1', undefined],
      [t.decimal(5, 2), '"1234.00"', undefined],
      [t.time, '"12:34"', '"12:34:00.000"'],
      [t.time, '"24:00:00.000"', undefined],
      [t.time, '"23:59:60.000"', undefined],
      [t.timestamptz, '"2026-01-31T12:34:56Z"', '"2026-01-31T12:34:56.000Z"'],
      [t.timestamptz, '"2026-01-31T12:34:56.789123Z"', '"2026-01-31T12:34:56.789Z"'],
      [t.timestamptz, '"2026-01-31T00:30:00.000+01:00"', '"2026-01-30T23:30:00.000Z"'],
      [t.timestamptz, '"2026-01-31T23:30:00.000-00:30"', '"2026-02-01T00:00:00.000Z"'],
      [t.timestamptz, '"+002026-01-31T00:00:00.000Z"', '"2026-01-31T00:00:00.000Z"'],
      [t.timestamptz, '"2026-01-31T12:34:56.789"', undefined],
      [t.timestamptz, '"2026-01-31 12:34:56.789Z"', undefined],
      [t.timestamptz, '"2026-02-30T12:34:56.789Z"', undefined],
      [t.timestamptz, '"+275760-09-13T00:00:00.001Z"', undefined],
      [t.timestamptz, '1769862896789', undefined],
      [t.timestamptz.micros, '"2026-01-31T12:34:56.789Z"', '"2026-01-31T12:34:56.789000Z"'],
      [t.timestamptz.micros, '"2026-01-31T12:34:56.7890001Z"', undefined],
      [t.timestamptz.micros, '"+294247-01-10T04:00:54.775808Z"', undefined],
      [t.timestamp, '"2026-01-31T12:34:56.789Z"', '"2026-01-31T12:34:56.789"'],
      [t.timestamp, '"2026-01-31T12:34:56.789+01:00"', undefined],
      [t.boolean, '1', undefined],
      [t.boolean, 'null', undefined],
      [t.string, 'true', undefined],
    ]
    for (const [type, value, canonical] of cases) {
      const text = `{"v":${value}}`
      expect(fidelityOf(one(type), text), text).toBe(canonical === undefined ? 'unreadable' : 'readable')
      if (canonical !== undefined) expect(canonicalText(one(type), text)).toBe(`{"v":${canonical}}`)
    }
  })

  it('takes fields with the names of what every object has', () => {
    const odd = json(schema({ constructor: t.int, toString: t.int.optional() })) as Codec
    expect(odd.encode({ constructor: 1 })).toEqual(utf8('{"constructor":1}'))
    expect(odd.decode(utf8('{"__proto__":5,"constructor":2}'))).toMatchObject({ constructor: 2, toString: null })
    expect(errorOf(() => odd.encode({} as never))).toMatchObject({ kind: 'invalid' })
  })
})

describe('text and times in JSON', () => {
  const texts = json(schema({ s: t.string }))

  it('is what JSON.stringify makes of it, however long, and wherever it has to be escaped', () => {
    const unit = fc.constantFrom(...'ab"\\/\u0000\u001f\u007f\u0080\u07ff\u2028\uffff', '\n', '日', '😀')
    const plain = fc.string({ unit: fc.constantFrom('a', '~', ' ', '\u007f'), maxLength: 60, size: 'max' })
    fc.assert(
      fc.property(plain, fc.string({ unit, maxLength: 3 }), plain, fc.nat(3), (before, odd, after, room) => {
        const value = { s: before + odd + after }
        const expected = new Uint8Array(Buffer.from(JSON.stringify(value)))
        expect(texts.encode(value)).toEqual(expected)
        const target = new Uint8Array(5 + expected.length * (room + 1)).fill(0xee)
        const end = texts.encodeInto!(value, target, 5)
        if (end === -1) expect(room).toBeLessThan(3)
        else expect(target.slice(5, end)).toEqual(expected)
        expect(target.slice(0, 5)).toEqual(new Uint8Array(5).fill(0xee))
      }),
      { numRuns: 400 },
    )
  })

  it('has the date of a time whatever others came before', () => {
    const times = json(schema({ ms: t.timestamptz, micros: t.timestamp.micros }))
    const far = 8_640_000_000_000_000
    const day = fc.oneof(fc.integer({ min: -70, max: 70 }), fc.integer({ min: -100_000_000, max: 99_999_999 }))
    fc.assert(
      fc.property(fc.array(day, { minLength: 2, maxLength: 60 }), fc.nat(86_399_999), (days, within) => {
        for (const each of days) {
          const ms = Math.max(-far, Math.min(far, each * 86_400_000 + within))
          const text = new Date(ms).toISOString()
          const parsed = JSON.parse(textOf(times.encode({ ms: new Date(ms), micros: BigInt(ms) * 1000n } as never))!)
          expect(parsed).toEqual({ ms: text, micros: text.replace('Z', '000') })
        }
      }),
    )
  })
})
