import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isKind } from './errors.ts'
import { jsonBytes, jsonInt64, parseJson, stringifyJson } from './json.ts'

describe('parseJson', () => {
  it('keeps every 64-bit integer exact', () => {
    fc.assert(
      fc.property(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (id) => {
        const parsed = parseJson(`{"id":${id}}`, 'test') as { id: number | bigint }
        expect(BigInt(parsed.id)).toBe(id)
        expect(stringifyJson(parsed)).toBe(`{"id":${id}}`)
      }),
    )
  })

  it('leaves fractions and exponents numbers', () => {
    expect(parseJson('[1.5, 1e300, -0]', 'test')).toEqual([1.5, 1e300, -0])
  })

  it('keeps a member called __proto__ as data', () => {
    const parsed = parseJson('{"__proto__":{"a":1}}', 'test') as object
    expect(Object.keys(parsed)).toEqual(['__proto__'])
    expect(({} as { a?: number }).a).toBeUndefined()
  })

  it('names what is malformed, also bytes that are not UTF-8', () => {
    expect(() => parseJson('{', 'v3.metadata.json')).toThrow('v3.metadata.json')
    expect(catching(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22), 'x'))).toSatisfy((e) =>
      isKind(e, 'corrupt', 'JSON_MALFORMED'),
    )
  })

  it('says so in one line, whatever it quotes', () => {
    const error = catching(() => parseJson('{ "id":\r\n\t\u001b[31m no }', 'moulin.json')) as Error
    expect(error.message).toMatch(/^moulin\.json is not valid JSON: [^\p{Cc}]+\.$/u)
    expect(error.message).toContain('[31m no')
  })

  it('refuses more bytes than its limit', () => {
    expect(parseJson('[1]', 'x', 3)).toEqual([1])
    expect(catching(() => parseJson('[12]', 'x', 3))).toSatisfy((e) => isKind(e, 'exhausted', 'JSON_TOO_LARGE'))
  })
})

describe('jsonInt64', () => {
  it('takes literals and decimal strings, and nothing beyond 64 bits', () => {
    expect(jsonInt64(7, 'x')).toBe(7n)
    expect(jsonInt64('-9223372036854775808', 'x')).toBe(-(2n ** 63n))
    for (const bad of ['9223372036854775808', '1.5', 1.5, null, {}])
      expect(() => jsonInt64(bad, 'the id')).toThrow('the id')
  })

  it('names what is no integer, also an object with members of its own in place of methods', () => {
    expect(() => jsonInt64({ toString: 0 }, 'it')).toThrow('not {"toString":0}')
  })
})

describe('jsonBytes', () => {
  it('is UTF-8 with bigints as literals', () => {
    expect(new TextDecoder().decode(jsonBytes({ a: 2n ** 60n, b: 'ü' }))).toBe('{"a":1152921504606846976,"b":"ü"}')
  })
})

function catching(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}
