import type { OffsetRange } from '@moulin/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyEntry } from '../table/ledger.ts'
import { FirstRanges } from './first-ranges.ts'
import { OffsetCoverage } from './offset-coverage.ts'
import { sinceThen, without } from './returned-rows.ts'

const offsetsIn = (ranges: Iterable<OffsetRange>): number[] =>
  [...ranges].flatMap(({ from, to }) => Array.from({ length: Number(to - from) }, (_, at) => Number(from) + at))

const rangesOf = (offsets: readonly number[], most = Infinity): FirstRanges =>
  FirstRanges.of(
    offsets.map((offset) => ({ from: BigInt(offset), to: BigInt(offset + 1) })),
    most,
  )

const END = 60
const rising = (max = END - 1): fc.Arbitrary<number[]> =>
  fc.uniqueArray(fc.nat(max)).map((some) => some.sort((a, b) => a - b))

/** What `sinceThen` says where `deleted` was found in `[0, END)`, of which `listed` ranges were kept, and now only `rows` are there. */
function since(
  deleted: readonly number[],
  listed: number,
  { start, frontier, rows }: { start: number; frontier: number; rows: readonly number[] },
  most = 1_000,
): ReturnType<typeof sinceThen> {
  const entry = { ...emptyEntry(1, 0, BigInt(start)), frontier: BigInt(frontier) }
  const coverage = new OffsetCoverage(entry.start, entry.frontier)
  for (const row of rows) if (row >= start && row < frontier) coverage.add(BigInt(row))
  const { count, ranges } = rangesOf(deleted, listed)
  const before = { incarnation: 1, partition: 0, start: 0n, frontier: BigInt(END), count, ranges }
  return sinceThen(before, entry, coverage, most)
}

describe('what became of deleted rows', () => {
  it('is told by place for all that was listed, whatever the table holds now', () => {
    const bounds = fc.record({ start: fc.nat(20), frontier: fc.integer({ min: 20, max: END + 20 }) })
    fc.assert(
      fc.property(rising(), rising(END + 19), bounds, (deleted, rows, { start, frontier }) => {
        const { returned, gone } = since(deleted, 1_000, { start, frontier, rows })
        const there = new Set(rows.filter((row) => row >= start && row < frontier))
        expect(offsetsIn(returned.ranges)).toEqual(deleted.filter((offset) => there.has(offset)))
        expect(offsetsIn(gone.ranges)).toEqual(deleted.filter((offset) => !there.has(offset)))
        expect(returned.count).toBe(BigInt(offsetsIn(returned.ranges).length))
        expect(gone.count).toBe(BigInt(offsetsIn(gone.ranges).length))
      }),
    )
  })

  it('is counted where too much was deleted to be listed: never more than came back, and all of it where nothing else went', () => {
    fc.assert(
      fc.property(rising(), fc.nat(5), fc.infiniteStream(fc.boolean()), rising(), (deleted, listed, back, more) => {
        const isBack = new Set(deleted.filter(() => back.next().value))
        const isGone = new Set(deleted.filter((offset) => !isBack.has(offset)))
        const all = Array.from({ length: END }, (_, offset) => offset)
        const rows = all.filter((offset) => !isGone.has(offset))
        const now = { start: 0, frontier: END }
        const { returned, gone } = since(deleted, listed, { ...now, rows })
        expect(returned.count).toBe(BigInt(isBack.size))
        expect(gone.count).toBe(BigInt(isGone.size))
        // Others were deleted meanwhile: what is back among the unlisted can only be more than is said.
        const others = new Set(more)
        const later = since(deleted, listed, {
          ...now,
          rows: rows.filter((row) => isBack.has(row) || !others.has(row)),
        })
        expect(later.returned.count).toBeLessThanOrEqual(BigInt(isBack.size))
        expect(later.returned.count).toBeGreaterThanOrEqual(BigInt(offsetsIn(later.returned.ranges).length))
        expect(later.returned.count + later.gone.count).toBe(BigInt(deleted.length))
      }),
    )
  })

  it('says nothing of unlisted offsets while the ledger answers for less than then', () => {
    const deleted = [1, 3, 5, 7, 9]
    const rows = Array.from({ length: END }, (_, offset) => offset)
    const { returned, gone } = since(deleted, 2, { start: 0, frontier: 20, rows })
    expect([returned.count, gone.count]).toEqual([2n, 3n])
    expect(since(deleted, 2, { start: 0, frontier: END, rows }).returned.count).toBe(5n)
  })

  it('lists as many ranges as are wanted, and counts all', () => {
    const deleted = [1, 3, 5, 7, 9]
    const { returned, gone } = since(deleted, 5, { start: 0, frontier: END, rows: [3, 5, 7] }, 1)
    expect(returned).toEqual({ count: 3n, ranges: [{ from: 3n, to: 4n }] })
    expect(gone).toEqual({ count: 2n, ranges: [{ from: 1n, to: 2n }] })
  })
})

describe('ranges', () => {
  it('without some of their offsets are the others', () => {
    fc.assert(
      fc.property(rising(), rising(), (offsets, some) => {
        const left = [...without(rangesOf(offsets).ranges, some.map(BigInt))]
        expect(offsetsIn(left)).toEqual(offsets.filter((offset) => !some.includes(offset)))
        expect(left.every(({ from, to }) => from < to)).toBe(true)
      }),
    )
  })
})
