import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ColdPlan, PlannedGroup } from './cold-plan.ts'
import { nextPlaces } from './cold-window.ts'
import { listRows } from './row-index.ts'

/** A plan over row groups with these offsets, and the rows of them. */
function planOf(groups: readonly (readonly number[])[]): { plan: ColdPlan; rows: Map<PlannedGroup, number[]> } {
  const rows = new Map<PlannedGroup, number[]>()
  for (const offsets of groups) {
    const rising = offsets.toSorted((a, b) => a - b)
    const file = { rowGroups: [{ rowCount: rising.length, sizeBytes: 100 * rising.length }] }
    const [min, max] = [BigInt(rising[0]!), BigInt(rising.at(-1)!)]
    rows.set({ file, rowGroup: 0, sequence: 1n, min, max } as unknown as PlannedGroup, rising)
  }
  const sorted = [...rows.keys()].sort((a, b) => Number(a.min - b.min))
  return { plan: { groups: sorted } as unknown as ColdPlan, rows }
}

describe('nextPlaces', () => {
  it('gives every place once, window by window, each further on, however many rows are at one', async () => {
    const group = fc.array(fc.nat(20), { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(group, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 9 }),
        async (all, most) => {
          const { plan, rows } = planOf(all)
          const seen: { offset: number; copies: number }[] = []
          let next = 0n
          while (next < 21n) {
            const { places, end } = await nextPlaces(
              plan,
              next,
              21n,
              { bytes: 1e6, rows: most },
              {
                rowsOf: async (of) => {
                  const offsets = rows.get(of)!
                  return listRows(BigInt64Array.from(offsets, BigInt), Int32Array.from(offsets.keys()))
                },
                // The last of each counts; all must be there to choose from.
                lost: async ({ offsets, length }) => {
                  const last = Uint8Array.from({ length }, (_, at) => (offsets[at] === offsets[at + 1] ? 1 : 0))
                  const copies = Map.groupBy(offsets.subarray(0, length), (offset) => offset)
                  for (const [offset, same] of copies) seen.push({ offset: Number(offset), copies: same.length })
                  return last
                },
              },
            )
            expect(end).toBeGreaterThan(next)
            expect(places.length).toBeLessThanOrEqual(most)
            expect(new Set(places.offsets.subarray(0, places.length)).size).toBe(places.length)
            next = end
          }
          const counts = Map.groupBy(
            all.flat().sort((a, b) => a - b),
            (offset) => offset,
          )
          expect(seen).toEqual([...counts].map(([offset, same]) => ({ offset, copies: same.length })))
        },
      ),
    )
  })
})
