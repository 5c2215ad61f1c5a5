import { rangesWithin } from '@moulin/core'
import type { OffsetRange } from '@moulin/core'
import type { DeletedOffsets } from './audit-memory.ts'
import { FirstRanges } from './first-ranges.ts'
import type { OffsetCoverage } from './offset-coverage.ts'
import { united } from '../look/missing-files.ts'
import type { LedgerEntry } from '../table/ledger.ts'

/** What became of offsets that an earlier audit found without their rows: those that were listed, by range, and how many at least. */
export interface Since {
  /** They have a row again. */
  readonly returned: Offsets
  /** They have none. */
  readonly gone: Offsets
}

export interface Offsets {
  /** Listed or not. */
  readonly count: bigint
  readonly ranges: readonly OffsetRange[]
}

/**
 * Holds what was deleted against what has a row now. Of offsets that were too many to list only their number is known: where fewer
 * offsets than then lack a row, so many rows are back.
 *
 * @param most Ranges of each that are listed.
 */
export function sinceThen(
  before: DeletedOffsets,
  { start, frontier }: LedgerEntry,
  coverage: OffsetCoverage,
  most: number,
): Since {
  const returned = new FirstRanges(most)
  const gone = new FirstRanges(most)
  const addAll = (to: FirstRanges, within: OffsetRange): void => {
    for (const range of rangesWithin(before.ranges, within)) to.add(range)
  }
  // The ledger may answer for less than then, since an adoption: of offsets beyond it nothing is known.
  addAll(gone, { from: before.start, to: start })
  const isComparable = start <= before.start && frontier >= before.frontier
  let rowless = 0n
  let next = start
  for (const { from, to } of coverage.gaps()) {
    if (from >= before.frontier) break
    const gap = { from, to: to < before.frontier ? to : before.frontier }
    rowless += gap.to - gap.from
    addAll(returned, { from: next, to: from })
    addAll(gone, gap)
    next = gap.to
  }
  addAll(returned, { from: next, to: frontier })
  addAll(gone, { from: frontier, to: before.frontier })
  const unlisted = before.count - FirstRanges.of(before.ranges, 0).count
  const left = isComparable && rowless - gone.count < unlisted ? rowless - gone.count : unlisted
  return {
    returned: { count: returned.count + unlisted - left, ranges: returned.ranges },
    gone: { count: gone.count + left, ranges: gone.ranges },
  }
}

/** What came back by either way of knowing. Where one of them lists not all that it counts, at least so many. */
export function together(one: Offsets | undefined, other: Offsets, most: number): Offsets {
  if (one === undefined || one.count === 0n) return other
  if (other.count === 0n) return one
  const all = FirstRanges.of(united([...one.ranges, ...other.ranges]), most)
  const count = [one.count, other.count].reduce((a, b) => (b > a ? b : a), all.count)
  return { count, ranges: all.ranges }
}

/** The rising ranges without these rising offsets. */
export function* without(ranges: Iterable<OffsetRange>, offsets: readonly bigint[]): Generator<OffsetRange> {
  let at = 0
  for (const { from, to } of ranges) {
    let next = from
    while (at < offsets.length && offsets[at]! < from) at++
    for (; at < offsets.length && offsets[at]! < to; at++) {
      if (offsets[at]! > next) yield { from: next, to: offsets[at]! }
      next = offsets[at]! + 1n
    }
    if (next < to) yield { from: next, to }
  }
}
