import { describe, expect, it } from 'vitest'
import { hasOffset, rangesWithin } from './offset-range.ts'
import type { OffsetRange } from './offset-range.ts'

const range = (from: bigint, to: bigint): OffsetRange => ({ from, to })
const ranges = [range(2n, 4n), range(4n, 5n), range(9n, 12n)]

describe('rising ranges of offsets', () => {
  it('have what lies in one of them', () => {
    const has = (all: readonly OffsetRange[]): bigint[] =>
      Array.from({ length: 15 }, (_, at) => BigInt(at)).filter((offset) => hasOffset(all, offset))
    expect(has(ranges)).toEqual([2n, 3n, 4n, 9n, 10n, 11n])
    expect(has([])).toEqual([])
    expect(has([range(0n, 1n)])).toEqual([0n])
  })

  it('are cut to another range', () => {
    for (let from = 0n; from < 14n; from++) {
      for (let to = from; to < 14n; to++) {
        const expected = ranges
          .map((one) => range(one.from > from ? one.from : from, one.to < to ? one.to : to))
          .filter((one) => one.from < one.to)
        expect(rangesWithin(ranges, { from, to })).toEqual(expected)
      }
    }
  })

  it('are not gone through for each question', () => {
    let reads = 0
    const many = Array.from({ length: 1 << 14 }, (_, at) => range(BigInt(at * 3), BigInt(at * 3 + 1)))
    const counted = new Proxy(many, {
      get(of, name) {
        if (typeof name === 'string' && /^[0-9]+$/.test(name)) reads++
        return Reflect.get(of, name) as unknown
      },
    })
    expect(hasOffset(counted, 30_000n)).toBe(true)
    expect(hasOffset(counted, 40_000n)).toBe(false)
    expect(rangesWithin(counted, { from: 30_001n, to: 30_004n })).toEqual([range(30_003n, 30_004n)])
    expect(reads).toBeLessThan(60)
  })
})
