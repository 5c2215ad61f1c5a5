import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countOnes, type LevelSpan, readLevels, sliceBits, ValidityBits } from './levels.ts'

const bitsOf = (bits: Uint8Array | undefined, length: number): boolean[] =>
  Array.from({ length }, (_, i) => bits === undefined || ((bits[i >> 3]! >> (i & 7)) & 1) === 1)

const packed = (values: readonly boolean[], isBigEndian: boolean): Uint8Array => {
  const bytes = new Uint8Array(Math.ceil(values.length / 8))
  for (const [i, value] of values.entries()) if (value) bytes[i >> 3]! |= isBigEndian ? 0x80 >> (i & 7) : 1 << (i & 7)
  return bytes
}

/** One page of definition levels: a run for what repeats, packed groups, or the deprecated packing. */
function span(values: readonly boolean[], how: 'run' | 'groups' | 'big-endian'): LevelSpan | undefined {
  if (how === 'big-endian') {
    const bytes = packed(values, true)
    return { bytes, start: 0, end: bytes.length, isBitPacked: true }
  }
  const groups = Math.ceil(values.length / 8)
  const bytes =
    how === 'run'
      ? Uint8Array.of(((values.length << 1) & 0x7f) | 0x80, (values.length << 1) >> 7, values[0] === true ? 1 : 0)
      : Uint8Array.of(((groups << 1) & 0x7f) | 0x81, groups >> 6, ...packed(values, false))
  return { bytes, start: 0, end: bytes.length, isBitPacked: false }
}

const page = fc.oneof(
  fc
    .tuple(fc.boolean(), fc.nat(70))
    .map(([value, count]) => ({ how: 'run' as const, values: Array<boolean>(count).fill(value) })),
  fc.record({
    how: fc.constantFrom('groups' as const, 'big-endian' as const),
    values: fc.array(fc.boolean(), { maxLength: 70 }),
  }),
  fc.nat(40).map((count) => ({ how: 'groups' as const, values: Array<boolean>(count).fill(true) })),
)

describe('ValidityBits', () => {
  it('puts the levels of pages together', () => {
    fc.assert(
      fc.property(fc.array(page, { maxLength: 6 }), (pages) => {
        const all = pages.flatMap(({ values }) => values)
        const validity = new ValidityBits(all.length)
        for (const { how, values } of pages)
          expect(validity.append(span(values, how), values.length)).toBe(values.filter(Boolean).length)
        expect(bitsOf(validity.bits, all.length)).toEqual(all)
        expect(validity.bits === undefined).toBe(!all.includes(false))
      }),
      { numRuns: 500 },
    )
  })

  it('refuses levels above 1 and levels that end early', () => {
    const at = (...bytes: number[]): LevelSpan => ({
      bytes: Uint8Array.from(bytes),
      start: 0,
      end: bytes.length,
      isBitPacked: false,
    })
    expect(() => new ValidityBits(8).append(at(16, 2), 8)).toThrow('level above 1')
    expect(() => new ValidityBits(20).append(at(3, 0xff), 20)).toThrow('end before')
  })
})

describe('levels', () => {
  it('are unpacked from the most significant bit in old files', () => {
    const levels = fc.integer({ min: 1, max: 12 }).chain((max) => fc.tuple(fc.constant(max), fc.array(fc.nat(max))))
    fc.assert(
      fc.property(levels, ([max, values]) => {
        const width = max.toString(2).length
        const text = values.map((value) => value.toString(2).padStart(width, '0')).join('')
        const bytes = Uint8Array.from(
          (text.match(/.{1,8}/g) ?? []).map((bits) => Number.parseInt(bits.padEnd(8, '0'), 2)),
        )
        const out = new Uint8Array(values.length)
        readLevels({ bytes, start: 0, end: bytes.length, isBitPacked: true }, max, values.length, out, 0)
        expect([...out]).toEqual(values)
      }),
      { numRuns: 300 },
    )
  })

  it('are refused above the highest that the schema has', () => {
    const out = new Uint8Array(4)
    const of = (...bytes: number[]): LevelSpan => ({
      bytes: Uint8Array.from(bytes),
      start: 0,
      end: bytes.length,
      isBitPacked: false,
    })
    readLevels(of(8, 2), 2, 4, out, 0)
    expect([...out]).toEqual([2, 2, 2, 2])
    expect(() => readLevels(of(8, 3), 2, 4, out, 0)).toThrow('level above 2')
  })
})

describe('bits', () => {
  it('are counted and cut at any place', () => {
    const input = fc
      .array(fc.boolean(), { minLength: 1, maxLength: 90 })
      .chain((values) => fc.tuple(fc.constant(values), fc.nat(values.length), fc.nat(values.length)))
    fc.assert(
      fc.property(input, ([values, a, b]) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)]
        const bits = packed(values, false)
        const wanted = values.slice(start, end)
        expect(countOnes(bits, start, end)).toBe(wanted.filter(Boolean).length)
        const cut = sliceBits(bits, start, end)
        expect(cut).toEqual(packed(wanted, false))
      }),
    )
  })
})
