import { describe, expect, it } from 'vitest'
import { parseJson } from './json.ts'
import { messageOf, shown } from './shown.ts'

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
    expect(shown(parseJson('[{"toString":""}]', 'it'))).toBe('an array of 1')
    const error = Object.assign(new Error(), { message: { toString: '' } })
    expect([shown(error), messageOf(error), messageOf({ message: { toString: '' } })]).toEqual([
      'an Error',
      'an Error',
      'an object',
    ])
    expect([Symbol.iterator, () => 1].map(shown)).toEqual(['a symbol', 'a function'])
  })

  it('says what a plain value is, in short', () => {
    expect([null, undefined, true, -0.5, -0, NaN, 2n ** 64n, 'a"b\n'].map(shown)).toEqual([
      'null',
      'undefined',
      'true',
      '-0.5',
      '-0',
      'NaN',
      '18446744073709551616n',
      '"a\\"b\\n"',
    ])
    expect(shown('x'.repeat(1_000_000))).toBe(`"${'x'.repeat(120)}…"`)
    expect(shown(10n ** 1000n).length).toBeLessThan(130)
  })

  it('says what kind of object it is', () => {
    const named = [new Date(0), new URL('a:b'), new Map(), new Set(), /a/, Promise.resolve(), new TypeError('no')]
    expect(named.map(shown)).toEqual(['a Date', 'a URL', 'a Map', 'a Set', 'a RegExp', 'a Promise', 'an Error'])
    expect([[1, 2], new Uint8Array(3), Buffer.alloc(2)].map(shown)).toEqual([
      'an array of 2',
      'a Uint8Array of 3',
      'a Uint8Array of 2',
    ])
  })
})

describe('messageOf', () => {
  it('is the message, whole, or what was thrown instead of an error', () => {
    expect(messageOf(new TypeError('no such thing'))).toBe('no such thing')
    expect(messageOf(new Error('x'.repeat(1000)))).toHaveLength(1000)
    expect(['no', 5, undefined].map(messageOf)).toEqual(['"no"', '5', 'undefined'])
  })
})
