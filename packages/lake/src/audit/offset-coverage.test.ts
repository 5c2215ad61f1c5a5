import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OffsetCoverage } from './offset-coverage.ts'

describe('OffsetCoverage', () => {
  it('tells the same gaps as a set of offsets, in whatever order they come', () => {
    const offsets = fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 200 })
    fc.assert(
      fc.property(offsets, fc.integer({ min: 1, max: 200_000 }), (given, size) => {
        const start = 2n ** 60n
        const coverage = new OffsetCoverage(start, start + BigInt(size))
        const seen = new Set<number>()
        for (const offset of given) {
          coverage.add(start + BigInt(offset))
          if (offset < size) seen.add(offset)
        }
        expect(coverage.covered).toBe(BigInt(seen.size))
        expect(coverage.rows).toBe(BigInt(given.length))
        expect(coverage.strays).toBe(BigInt(given.length - seen.size))
        const sorted = [...seen].sort((a, b) => a - b)
        const gaps = [-1, ...sorted].flatMap((last, at) => {
          const next = sorted[at] ?? size
          return next > last + 1 ? [{ from: start + BigInt(last + 1), to: start + BigInt(next) }] : []
        })
        expect([...coverage.gaps()]).toEqual(gaps)
      }),
    )
  })

  it('needs no bitmap for whole chunks', () => {
    const coverage = new OffsetCoverage(0n, 200_000n)
    for (let offset = 0n; offset < 200_000n; offset++) coverage.add(offset)
    expect([...coverage.gaps()]).toEqual([])
    coverage.add(7n)
    expect(coverage.strays).toBe(1n)
    expect(coverage.covered).toBe(200_000n)
  })

  it('has one gap when it is empty, and none without a range', () => {
    expect([...new OffsetCoverage(3n, 70_000n).gaps()]).toEqual([{ from: 3n, to: 70_000n }])
    expect([...new OffsetCoverage(3n, 3n).gaps()]).toEqual([])
  })
})
