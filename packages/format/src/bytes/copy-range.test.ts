import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { copyRange, ViewOf } from './copy-range.ts'

describe('copyRange', () => {
  it('copies the range and leaves all else as it was, whatever the bits', () => {
    const bits = fc.oneof(fc.nat(255), fc.constantFrom(0xff, 0xf0, 0x7f, 0xf7))
    const bytes = fc.array(bits, { maxLength: 300 }).map((values) => Uint8Array.from(values))
    const views = [new ViewOf(), new ViewOf()] as const
    fc.assert(
      fc.property(bytes, fc.nat(300), fc.nat(300), fc.nat(20), (source, a, b, position) => {
        const start = Math.min(a, b, source.length)
        const end = Math.min(Math.max(a, b), source.length)
        const expected = new Uint8Array(330).fill(0xaa)
        const target = expected.slice()
        expected.set(source.subarray(start, end), position)
        copyRange(target, views[0].of(target), position, source, views[1].of(source), start, end)
        expect(Buffer.compare(target, expected)).toBe(0)
      }),
      { numRuns: 1000 },
    )
  })
})
