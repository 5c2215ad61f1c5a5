import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RowSet } from './row-set.ts'

describe('RowSet', () => {
  it('has what was added, in any order, few or many, and gives the others of a range', () => {
    const rowCount = fc.integer({ min: 1, max: 700 })
    const sets = rowCount.chain((count) =>
      fc.tuple(
        fc.constant(count),
        fc.shuffledSubarray(Array.from({ length: count }, (_, row) => row)),
        fc.nat(count),
        fc.nat(count),
      ),
    )
    fc.assert(
      fc.property(sets, ([count, rows, one, other]) => {
        const set = new RowSet(count)
        for (const row of rows) {
          set.add(row)
          if (row % 5 === 0) expect(set.has(row)).toBe(true)
        }
        expect(set.size).toBe(rows.length)
        const [start, end] = [Math.min(one, other), Math.max(one, other)]
        const range = Array.from({ length: end - start }, (_, at) => start + at)
        for (const row of range) expect(set.has(row)).toBe(rows.includes(row))
        const others = range.filter((row) => !rows.includes(row)).map((row) => row - start)
        const found = set.othersIn(start, end)
        expect(found === undefined ? range.map((row) => row - start) : [...found]).toEqual(others)
        // Never much more than a bit a row.
        expect(set.sizeBytes).toBeLessThanOrEqual(Math.max(64, count / 4))
      }),
    )
  })
})
