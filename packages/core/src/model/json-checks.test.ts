import { describe, expect, it } from 'vitest'
import { jsonChecks } from './json-checks.ts'
import type { JsonCheck, JsonChecks } from './json-checks.ts'

const checks = jsonChecks('PARCEL')

const cases: [keyof Omit<JsonChecks, 'fault'>, unknown[], unknown[]][] = [
  ['object', [{}], [undefined, null, [], 'a']],
  ['array', [[], [1]], [undefined, null, {}, 'a']],
  ['string', ['', 'a'], [undefined, null, 1]],
  ['strings', [[], ['a', '']], [undefined, null, 'a', ['a', 1], [['a']]]],
  ['boolean', [true, false], [undefined, 0, 'true']],
  ['int', [0, -(2 ** 31), 2 ** 31 - 1], [undefined, 2 ** 31, 1.5, NaN, '1', 1n]],
  ['count', [0, Number.MAX_SAFE_INTEGER], [undefined, -1, 0.5, 2 ** 53, '1', 1n]],
]

describe('checks of JSON', () => {
  it.each(cases)('%s gives back what it takes, and names the place of what it refuses', (name, good, bad) => {
    const check = checks[name] as JsonCheck<unknown>
    for (const value of good) expect(check(value, 'the parcel')).toBe(value)
    for (const value of bad) {
      expect(() => check(value, 'the parcel', 'weight')).toThrow(
        expect.objectContaining({ kind: 'corrupt', code: 'PARCEL', context: { field: 'weight' } }) as Error,
      )
      expect(() => check(value, 'the parcel', 'weight')).toThrow(/^the parcel: weight must be an? .*; it is .*\.$/)
    }
  })

  it('int64 takes literals of 64 bits', () => {
    expect([checks.int64(7, 'x'), checks.int64(2n ** 63n - 1n, 'x')]).toEqual([7n, 2n ** 63n - 1n])
    expect(() => checks.int64('7', 'x')).toThrow('x must be a 64-bit integer; it is "7".')
    expect(() => checks.int64(2n ** 63n, 'x')).toThrow('x must be a 64-bit integer')
  })

  it('say what is there, and that nothing is', () => {
    expect(() => checks.string(undefined, 'the parcel', 'name')).toThrow(
      'the parcel: name must be a string; it is missing.',
    )
    expect(checks.fault('crate', 'the parcel', '"box"').message).toBe('the parcel must be "box"; it is "crate".')
  })
})
