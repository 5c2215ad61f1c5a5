import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bigIntBytes,
  bigIntOf,
  bigIntWidth,
  civilDate,
  dateText,
  daysOf,
  decimalText,
  parseDate,
  parseDecimal,
  parseUuid,
  writeUuid,
} from './scalars.ts'

describe('dates', () => {
  it('are of the calendar that Date has', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000_000, max: 100_000_000 }), (day) => {
        const date = new Date(day * 86_400_000)
        const civil = { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() }
        expect(civilDate(day)).toEqual(civil)
        expect(daysOf(civil.year, civil.month, civil.day)).toBe(day)
      }),
    )
    expect(daysOf(2023, 2, 29)).toBeUndefined()
    expect(daysOf(2023, 13, 1)).toBeUndefined()
  })

  it('are those of the calendar, over all that a Date knows', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e8, max: 1e8 }), (days) => {
        expect(dateText(days)).toBe(new Date(days * 86_400_000).toISOString().slice(0, -14))
        expect(parseDate(dateText(days))).toBe(days)
      }),
    )
  })

  it('come back over every int32', () => {
    fc.assert(
      fc.property(fc.integer(), (days) => {
        expect(parseDate(dateText(days))).toBe(days)
      }),
    )
    for (const days of [-(2 ** 31), 2 ** 31 - 1]) expect(parseDate(dateText(days))).toBe(days)
  })

  it('refuse days that do not exist and other spellings', () => {
    for (const text of [
      '2023-02-29',
      '2024-13-01',
      '2024-00-01',
      '2024-01-32',
      '24-01-01',
      '+002024-01-01',
      '-000000-01-01',
      '2024-1-1',
      '9999999-01-01',
      '+9999999-01-01',
    ])
      expect(parseDate(text), text).toBeUndefined()
    expect(parseDate('2024-02-29')).toBe(19782)
  })
})

describe('decimals', () => {
  it('come back with their scale, and refuse more digits than the type has', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), fc.nat(38), (unscaled, scale) => {
        expect(parseDecimal(decimalText(unscaled, scale), 38, scale)).toBe(unscaled)
        const width = bigIntWidth(unscaled)
        expect(bigIntOf(bigIntBytes(unscaled, width), 0, width)).toBe(unscaled)
        if (width > 1) expect(bigIntOf(bigIntBytes(unscaled, width - 1), 0, width - 1)).not.toBe(unscaled)
      }),
    )
    expect(decimalText(-5n, 2)).toBe('-0.05')
    expect(parseDecimal('-12.3', 5, 2)).toBe(-1230n)
    for (const text of ['1000', '1.234', '', '.5', '5.', '1e3', ' 1', '+1', 'NaN'])
      expect(parseDecimal(text, 5, 2), text).toBeUndefined()
  })
})

describe('UUIDs', () => {
  it('come back in lower case, and refuse what is none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const text = new Uint8Array(36)
        writeUuid(bytes, 0, text, 0)
        const back = new Uint8Array(16)
        expect(parseUuid(text, 0, back)).toBe(1)
        expect(back).toEqual(bytes)
      }),
    )
    const of = (text: string): number => parseUuid(new TextEncoder().encode(text), 0, new Uint8Array(16))
    expect(of('123E4567-e89b-12d3-a456-426614174000')).toBe(0)
    expect(of('123e4567-e89b-12d3-a456-426614174000')).toBe(1)
    for (const text of [
      '123e4567ee89b-12d3-a456-426614174000',
      '123e4567-e89b-12d3-a456-42661417400g',
      '123e4567-e89b-12d3-a456-42661417400é',
    ])
      expect(of(text)).toBe(-1)
  })
})
