import { describe, expect, it } from 'vitest'
import { parseJson } from './json.ts'
import { shown } from './shown.ts'

describe('shown', () => {
  it('asks nothing of what it shows', () => {
    const trap = new Proxy({}, { get: () => expect.fail('a member was asked for') })
    const hostile = [
      '{"toString":""}',
      '{"toJSON":1,"valueOf":null}',
      '{"__proto__":{"toString":null}}',
      '{"constructor":{}}',
    ]
    for (const value of [trap, ...hostile.map((text) => parseJson(text, 'it')), Object.create(null)]) {
      expect(shown(value)).toBe('an object')
    }
    expect(shown(parseJson('[{"toString":""}]', 'it'))).toBe('an array')
    expect(shown(Object.assign(new Error(), { message: { toString: '' } }))).toBe('an error')
    expect([Symbol.iterator, () => 1].map(shown)).toEqual(['a symbol', 'a function'])
  })

  it('says what a plain value is, in short', () => {
    expect([null, undefined, true, -0.5, NaN, 2n ** 64n, 'a"b'].map(shown)).toEqual([
      'null',
      'undefined',
      'true',
      '-0.5',
      'NaN',
      '18446744073709551616',
      '"a\\"b"',
    ])
    expect(shown('x'.repeat(1_000_000)).length).toBeLessThan(130)
    expect(shown(new TypeError('no such thing'))).toBe('no such thing')
  })
})
