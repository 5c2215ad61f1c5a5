import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { intersection, joined } from './row-ranges.ts'
import type { RowRange } from './row-ranges.ts'

const ROWS = 40

const ranges = fc
  .array(fc.tuple(fc.nat(ROWS), fc.nat(ROWS)), { maxLength: 6 })
  .map((pairs) => pairs.map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) })))

const rowsIn = (list: readonly RowRange[]): number[] =>
  Array.from({ length: ROWS }, (_, row) => row).filter((row) =>
    list.some(({ start, end }) => start <= row && row < end),
  )

const isApart = (list: readonly RowRange[], gap: number): boolean =>
  list.every(({ start, end }, at) => start < end && (at === 0 || start > list[at - 1]!.end + gap))

describe('ranges of rows', () => {
  it('are the same rows when joined, rising and apart', () => {
    fc.assert(
      fc.property(ranges, (list) => {
        expect(rowsIn(joined(list, 0))).toEqual(rowsIn(list))
        expect(isApart(joined(list, 0), 0)).toBe(true)
      }),
    )
  })

  it('take in the rows between them where these are few', () => {
    fc.assert(
      fc.property(ranges, fc.nat(5), (list, gap) => {
        const result = joined(list, gap)
        expect(isApart(result, gap)).toBe(true)
        expect(rowsIn(intersection(result, joined(list, 0)))).toEqual(rowsIn(list))
      }),
    )
    expect(
      joined(
        [
          { start: 9, end: 12 },
          { start: 0, end: 5 },
        ],
        4,
      ),
    ).toEqual([{ start: 0, end: 12 }])
    expect(
      joined(
        [
          { start: 9, end: 12 },
          { start: 0, end: 5 },
        ],
        3,
      ),
    ).toHaveLength(2)
  })

  it('have in common what is in both', () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const both = intersection(joined(a, 0), joined(b, 0))
        expect(rowsIn(both)).toEqual(rowsIn(a).filter((row) => rowsIn(b).includes(row)))
        expect(isApart(both, -1)).toBe(true)
      }),
    )
  })
})
