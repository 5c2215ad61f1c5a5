import { crc32c as native } from '@node-rs/crc32'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c, crc32cBefore, crc32cOf, crc32cOfByte, crc32cOfInt64 } from './crc32c.ts'
import { crc32cRanges } from './crc32c-ranges.ts'

describe('crc32c', () => {
  it('gives the test values of RFC 3720 appendix B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array(0))).toBe(0)
  })

  it('equals the native implementation for short and long input, at any offset, in any pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1500 }), fc.nat(1500), (bytes, cut) => {
        const at = Math.min(cut, bytes.length)
        expect(crc32c(bytes)).toBe(native(bytes))
        expect(crc32cOf(bytes, at, bytes.length)).toBe(native(bytes.subarray(at)))
        expect(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at)))).toBe(native(bytes))
        expect(crc32cBefore(bytes, at, bytes.length, native(bytes))).toBe(native(bytes.subarray(0, at)))
      }),
    )
  })

  it('takes a 64-bit number as its eight bytes, first the highest', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.integer(), (number, previous) => {
        const bytes = Buffer.alloc(8)
        bytes.writeBigInt64BE(number)
        expect(crc32cOfInt64(bytes.readInt32BE(0), bytes.readInt32BE(4), previous)).toBe(
          native(bytes, previous >>> 0) | 0,
        )
        expect(crc32cOfByte(bytes[0]!, previous)).toBe(native(bytes.subarray(0, 1), previous >>> 0) | 0)
      }),
    )
  })
})

describe('crc32cRanges', () => {
  it('continues any sums as the native implementation does, over any ranges: empty, long, many, out of order', () => {
    const bytes = Uint8Array.from({ length: 400_000 }, (_, at) => (at * 2654435761) >>> 11)
    const length = fc.oneof(
      { weight: 8, arbitrary: fc.nat(300) },
      fc.integer({ min: 900, max: 3000 }),
      fc.constantFrom(0, 300_000),
    )
    const start = fc.oneof({ weight: 8, arbitrary: fc.nat(2000) }, fc.nat(100_000))
    fc.assert(
      fc.property(fc.array(fc.tuple(start, length), { maxLength: 40 }), fc.constantFrom(1, 60), (pairs, times) => {
        const all = Array.from({ length: times }, () => pairs).flat()
        const starts = Int32Array.from(all, ([from]) => from)
        const ends = Int32Array.from(all, ([from, size]) => from + size)
        const sums = Int32Array.from({ length: all.length + 1 }, (_, at) => at * 1640531527)
        const before = [...sums]
        crc32cRanges(bytes, starts, ends, all.length, sums)
        const expected = all.map(([from, size], at) => native(bytes.subarray(from, from + size), before[at]! >>> 0) | 0)
        expect([...sums]).toEqual([...expected, before.at(-1)])
      }),
    )
  })
})
