import { hasOffset } from '@moulin/core'
import type { CallOptions, ColdContext, OffsetRange } from '@moulin/core'
import { batchesIn, readRecords } from '@moulin/format'
import { planCold } from '../replay/cold-plan.ts'
import type { ColdPlanParts } from '../replay/cold-plan.ts'
import { nextPlaces, windowRows } from '../replay/cold-window.ts'
import { windowSource } from '../replay/window-source.ts'
import type { WindowSourceParts } from '../replay/window-source.ts'
import { highest, lowest } from './missing-files.ts'
import type { TableState } from '../table/table-state.ts'

/** What it takes to tell what the write-ahead tier still has of missing files. */
export interface HeldParts extends ColdPlanParts, WindowSourceParts {
  readonly context: ColdContext
  /** Bytes of data files, about, that are held decoded at a time. */
  readonly windowBytes: number
}

interface Judged {
  readonly released: bigint
  readonly isWhole: boolean
}

/** By what a state's rows are judged with: one for each snapshot and what is missing of it. */
const judged = new WeakMap<object, Map<number, Judged>>()

/**
 * Whether every offset of the partition below `released` that has no row in the files which are there never had one: it is that of a
 * marker or an aborted record, or was skipped. The ledger counts those and does not place them, but the write-ahead tier tells how many
 * of them it holds. Where just the others have no row, none was lost. What SQL deleted makes them more, so that nothing is proven then;
 * and rows in files of others prove nothing, since they may stand where the log never put one.
 */
export async function isWholeBelow(
  parts: HeldParts,
  state: TableState,
  { partition, released }: { readonly partition: number; readonly released: bigint },
  call: CallOptions,
): Promise<boolean> {
  const rule = parts.places.losersOf(state)
  const known = judged.get(rule) ?? new Map<number, Judged>()
  judged.set(rule, known)
  const before = known.get(partition)
  if (before?.released === released) return before.isWhole
  const isWhole = (await rule.isPure(call)) && (await isCounted(parts, state, { partition, released }, call))
  known.set(partition, { released, isWhole })
  return isWhole
}

async function isCounted(
  parts: HeldParts,
  state: TableState,
  { partition, released }: { readonly partition: number; readonly released: bigint },
  call: CallOptions,
): Promise<boolean> {
  const [first, ...others] = state.marker.ledger.filter((entry) => entry.partition === partition)
  if (first === undefined) return false
  const start = others.reduce((least, entry) => lowest(least, entry.start), first.start)
  const frontier = others.reduce((most, entry) => highest(most, entry.frontier), first.frontier)
  const rowless = [first, ...others].reduce((sum, one) => sum + one.control + one.aborted + one.skipped, 0n)
  const held = { partition, from: released, to: frontier }
  const gone = { partition, from: start, to: released }
  return (await rowlessHeld(parts, held, call)) + (await rowlessIn(parts, state, gone, call)) === rowless
}

interface Range extends OffsetRange {
  readonly partition: number
}

/** Offsets of the range for which the write-ahead tier has no record that gives a row. */
async function rowlessHeld({ context: { hot } }: HeldParts, range: Range, call: CallOptions): Promise<bigint> {
  const { from, to } = range
  if (from >= to) return 0n
  const pin = hot.pin(hot.releasedOffsets())
  try {
    let rows = 0n
    for await (const { batches, aborted = [] } of hot.read({ ...range, ...call })) {
      for (const { header, position } of batchesIn(batches)) {
        if (header.isControl) continue
        for (const { offset } of readRecords(batches, position)) {
          if (offset >= from && offset < to && !hasOffset(aborted, offset)) rows++
        }
      }
    }
    return to - from - rows
  } finally {
    pin.release()
  }
}

/** Offsets of the range that have no row in the files which are there. */
async function rowlessIn(parts: HeldParts, state: TableState, range: Range, call: CallOptions): Promise<bigint> {
  const { from, to } = range
  const plan = await planCold(parts, state, range, call)
  const window = { bytes: parts.windowBytes, rows: windowRows.most }
  let rows = 0
  for (let next = from; next < to;) {
    const { places, end } = await nextPlaces(plan, next, to, window, windowSource(parts, plan, call))
    rows += places.length
    next = end
  }
  return to - from - BigInt(rows)
}
