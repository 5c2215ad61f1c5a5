import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PositionSetBuilder } from './position-set-builder.ts'
import { roaring64 } from './roaring.test-support.ts'
import { readRoaring64 } from './roaring64.ts'

describe('PositionSetBuilder', () => {
  it('makes what a bitmap of the same positions reads as, whatever their order', () => {
    const dense = fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 9000, size: 'max' })
    const positions = fc.oneof(fc.array(fc.maxSafeNat(), { maxLength: 40 }), dense)
    fc.assert(
      fc.property(positions, fc.boolean(), fc.maxSafeNat(), fc.maxSafeNat(), (some, asRuns, a, b) => {
        const builder = new PositionSetBuilder()
        for (const position of some) builder.add(position)
        const [built, read] = [builder.finish(), readRoaring64(roaring64(some, asRuns), 'x')]
        const expected = [...new Set(some)].sort((x, y) => x - y)
        const [start, end] = [Math.min(a, b) % 250_000, Math.max(a, b)]
        for (const set of [built, read]) {
          const seen: number[] = []
          set.runsIn(0, Number.MAX_SAFE_INTEGER, (from, to) => {
            for (let position = from; position < to; position++) seen.push(position)
          })
          // The largest number is where a range ends, not in it.
          expect(seen).toEqual(expected.filter((position) => position < Number.MAX_SAFE_INTEGER))
          expect(set.size).toBe(expected.length)
          expect(set.countIn(start, end)).toBe(expected.filter((each) => each >= start && each < end).length)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('takes as long for one that comes again and again beside many others', () => {
    const begun = performance.now()
    const builder = new PositionSetBuilder()
    for (let place = 4094; place >= 0; place--) builder.add(place * 2)
    for (let again = 0; again < 65_536; again++) builder.add(0)
    const set = builder.finish()
    expect(set.size).toBe(4095)
    expect(set.sizeBytes).toBeLessThan(8800)
    // Were the list sorted for each of them, a minute.
    expect(performance.now() - begun).toBeLessThan(2_000)
  })

  it('takes a bit a position at most, and says what it takes', () => {
    const builder = new PositionSetBuilder()
    for (let position = 0; position < 1_000_000; position++) builder.add(position ^ 1)
    expect(builder.sizeBytes).toBeGreaterThan(125_000)
    expect(builder.sizeBytes).toBeLessThan(150_000)
    const set = builder.finish()
    expect(set.size).toBe(1_000_000)
    expect(set.sizeBytes).toBeLessThan(140_000)
  })
})
