import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parquetSchema } from '../parquet-schema.ts'
import { field, utf8 } from '../parquet.test-columns.ts'
import { encodedLower, encodedUpper } from './encoded-bound.ts'

const leafOf = (type: string) => parquetSchema({ type: 'struct', fields: [field(1, 'a', type)] }).leaves[0]!

const characters = fc.constantFrom('a', 'z', '\x7f', 'é', '߿', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}')
const texts = fc.array(characters, { maxLength: 12 }).map((list) => utf8(list.join('')))

describe('A bound that is cut', () => {
  it('is text that lies on its side of the value, and no longer than allowed', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 20 }), (value, maxBytes) => {
        const lower = encodedLower(value, leafOf('string'), maxBytes)!
        const upper = encodedUpper(value, leafOf('string'), maxBytes)!
        expect(lower.isExact).toBe(value.length <= maxBytes)
        expect(Buffer.compare(lower.bytes, value)).toBe(lower.isExact ? 0 : -1)
        expect(lower.bytes.length).toBeLessThanOrEqual(maxBytes)
        expect(isUtf8(lower.bytes)).toBe(true)
        expect(Buffer.compare(upper.bytes, value)).toBe(upper.isExact ? 0 : 1)
        if (!upper.isExact) expect(upper.bytes.length).toBeLessThanOrEqual(maxBytes)
        expect(isUtf8(upper.bytes)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('does so for any bytes, text or not', () => {
    const bytes = fc
      .array(fc.constantFrom(0, 1, 0x7f, 0xfe, 0xff), { maxLength: 12 })
      .map((list) => Uint8Array.from(list))
    fc.assert(
      fc.property(
        bytes,
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom('binary', 'string'),
        (value, maxBytes, type) => {
          const lower = encodedLower(value, leafOf(type), maxBytes)!
          const upper = encodedUpper(value, leafOf(type), maxBytes)!
          expect(Buffer.compare(lower.bytes, value)).toBe(lower.isExact ? 0 : -1)
          expect(Buffer.compare(upper.bytes, value)).toBe(upper.isExact ? 0 : 1)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('is raised by a character, over those that are none, or is the whole value', () => {
    const upper = (text: string, maxBytes: number) => encodedUpper(utf8(text), leafOf('string'), maxBytes)
    expect(upper('abcd', 3)).toEqual({ bytes: utf8('abd'), isExact: false })
    expect(upper('aéz', 2)).toEqual({ bytes: utf8('b'), isExact: false })
    expect(upper('\ud7ffa', 3)).toEqual({ bytes: utf8('\ue000'), isExact: false })
    // U+0080 has a byte more than U+007F.
    expect(upper('a\x7fb', 2)).toEqual({ bytes: utf8('b'), isExact: false })
    expect(upper('\u{10ffff}a', 4)).toEqual({ bytes: utf8('\u{10ffff}a'), isExact: true })
    const bytes = Uint8Array.of(1, 0xff, 0xff, 3)
    expect(encodedUpper(bytes, leafOf('binary'), 3)).toEqual({ bytes: Uint8Array.of(2), isExact: false })
    expect(encodedUpper(bytes.fill(0xff), leafOf('binary'), 3)).toEqual({ bytes, isExact: true })
    // Too much for a footer.
    expect(encodedUpper(new Uint8Array(256).fill(0xff), leafOf('binary'), 3)?.bytes).toHaveLength(256)
    expect(encodedUpper(new Uint8Array(257).fill(0xff), leafOf('binary'), 3)).toBeUndefined()
  })

  it('is never made of a value of fixed width, which is stated whole or not at all', () => {
    const value = new Uint8Array(100).fill(7)
    expect(encodedLower(value, leafOf('fixed[100]'), 8)).toEqual({ bytes: value, isExact: true })
    expect(encodedUpper(value, leafOf('fixed[100]'), 8)).toEqual({ bytes: value, isExact: true })
    for (const [width, isStated] of [
      [256, true],
      [257, false],
    ] as const) {
      const wide = new Uint8Array(width).fill(7)
      for (const bound of [encodedLower, encodedUpper])
        expect(bound(wide, leafOf(`fixed[${width}]`), 64) !== undefined).toBe(isStated)
    }
  })
})

describe('A bound', () => {
  it('of zero stands for both zeros', () => {
    const sign = (bytes: Uint8Array): number => bytes.at(-1)! >> 7
    for (const type of ['float', 'double']) {
      for (const zero of [0, -0]) {
        expect(sign(encodedLower(zero, leafOf(type), 64)!.bytes)).toBe(1)
        expect(sign(encodedUpper(zero, leafOf(type), 64)!.bytes)).toBe(0)
      }
    }
  })

  it('is stored as a value of its physical type', () => {
    const bytes = (type: string, value: boolean | number | bigint) => [...encodedLower(value, leafOf(type), 64)!.bytes]
    expect(bytes('boolean', true)).toEqual([1])
    expect(bytes('int', -2)).toEqual([0xfe, 0xff, 0xff, 0xff])
    expect(bytes('long', -2n)).toEqual([0xfe, ...new Array<number>(7).fill(0xff)])
    expect(bytes('decimal(9,2)', 258n)).toEqual([2, 1, 0, 0])
    expect(bytes('decimal(20,2)', -2n)).toEqual([...new Array<number>(8).fill(0xff), 0xfe])
  })
})
