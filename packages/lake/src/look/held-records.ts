import { notFound } from '@moulin/core'
import type { BatchRun, CallOptions, ColdContext } from '@moulin/core'
import { batchesIn, encodeBatch, readRecords } from '@moulin/format'
import { holesIn, planCold } from '../replay/cold-plan.ts'
import type { ColdPlanParts } from '../replay/cold-plan.ts'
import { nextPlaces, windowRows } from '../replay/cold-window.ts'
import { windowSource } from '../replay/window-source.ts'
import type { WindowSourceParts } from '../replay/window-source.ts'
import type { Looked } from './file-look.ts'
import { highest, isUnreadable, lowest } from './missing-files.ts'
import type { OffsetRange } from '../encode/row-builder.ts'
import type { TableState } from '../table/table-state.ts'

export interface HeldParts extends ColdPlanParts, WindowSourceParts {
  readonly context: ColdContext
  /** Bytes of data files, about, that are held decoded at a time. */
  readonly windowBytes: number
}

/** Offsets of one partition. */
interface HeldRange extends OffsetRange {
  readonly partition: number
}

/** The parts of the holes within the range that have none of the rising offsets. */
export function absentIn(
  holes: readonly OffsetRange[],
  offsets: ArrayLike<bigint>,
  { from, to }: OffsetRange,
): OffsetRange[] {
  const absent: OffsetRange[] = []
  let at = 0
  for (const hole of holes) {
    let next = highest(hole.from, from)
    const end = lowest(hole.to, to)
    for (; at < offsets.length && offsets[at]! < end; at++) {
      if (offsets[at]! < next) continue
      if (offsets[at]! > next) absent.push({ from: next, to: offsets[at]! })
      next = offsets[at]! + 1n
    }
    if (next < end) absent.push({ from: next, to: end })
  }
  return absent
}

/**
 * Per partition, how far all is there of what the look was for. Files have several partitions, whose bounds say too much: what another
 * file has is there.
 */
export async function releasable(
  parts: HeldParts,
  { state, ranges, safe }: Looked,
  call: CallOptions,
): Promise<bigint[]> {
  const ends: bigint[] = []
  for (const [partition, from] of safe.entries()) {
    const { to } = ranges[partition]!
    ends.push(from < to ? await firstAbsent(parts, state, { partition, from, to }, call) : to)
  }
  return ends
}

async function firstAbsent(parts: HeldParts, state: TableState, range: HeldRange, call: CallOptions): Promise<bigint> {
  try {
    for await (const { from } of absentRanges(parts, state, range, call)) return from
    return range.to
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return range.from
  }
}

/**
 * Offsets of the partition that the table should have and whose file is missing: the write-ahead tier still has them.
 * @throws `not-found` code `FILE_VANISHED` where it has not.
 */
export async function* heldRanges(
  parts: HeldParts,
  state: TableState,
  partition: number,
  call: CallOptions,
): AsyncGenerator<HeldRange> {
  const entries = state.marker.ledger.filter((entry) => entry.partition === partition)
  const from = entries.reduce((least, { start }) => lowest(least, start), entries[0]?.start ?? 0n)
  const to = entries.reduce((most, { frontier }) => highest(most, frontier), from)
  for await (const range of absentRanges(parts, state, { partition, from, to }, call)) {
    checkHeld(parts.context, range)
    yield range
  }
}

/** Of the range what a missing file may have, and no other. */
async function* absentRanges(
  parts: HeldParts,
  state: TableState,
  range: HeldRange,
  call: CallOptions,
): AsyncGenerator<HeldRange> {
  const { partition } = range
  for (const hole of await holesIn(parts, state, range, call)) {
    const plan = await planCold(parts, state, { partition, ...hole }, call)
    for (let next = hole.from; next < hole.to;) {
      const window = { bytes: parts.windowBytes, rows: windowRows.most }
      const { places, end } = await nextPlaces(plan, next, hole.to, window, windowSource(parts, plan, call))
      for (const absent of absentIn([hole], places.offsets, { from: next, to: end })) yield { partition, ...absent }
      next = end
    }
  }
}

/** @throws `not-found` code `FILE_VANISHED` where some of the range has left the write-ahead tier. */
function checkHeld({ hot }: ColdContext, { partition, from, to }: HeldRange): void {
  const released = hot.releasedOffsets()[partition] ?? 0n
  if (from >= released) return
  const lost = lowest(released, to)
  const message =
    `Offsets [${from}, ${lost}) of partition ${partition} may be in a file of the table that is missing or unreadable, ` +
    'and their write-ahead copy has been released.'
  throw notFound('FILE_VANISHED', message, { context: { partition, from, to: lost } })
}

/** The range as the write-ahead tier has it, cut to it. Together the runs answer for all of the range. */
export async function* heldRuns(context: ColdContext, range: HeldRange, call: CallOptions): AsyncGenerator<BatchRun> {
  checkHeld(context, range)
  let next = range.from
  for await (const run of context.hot.read({ ...range, ...call })) {
    const to = lowest(run.nextOffset, range.to)
    if (to <= next) continue
    yield cut(run, { from: next, to })
    next = to
  }
}

/** What the run has of the range: whole batches with the producer's bytes, those that reach over an end framed anew. */
function cut(run: BatchRun, { from, to }: OffsetRange): BatchRun {
  const { partition, valueSchemaIds, keySchemaIds = 0 } = run
  const batches: Uint8Array[] = []
  // By place among the run's records, for ids that are lists.
  const kept: number[] = []
  let before = 0
  for (const { header, position } of batchesIn(run.batches)) {
    const { baseOffset, lastOffsetDelta, recordCount, sizeBytes, timestampType } = header
    const end = baseOffset + BigInt(lastOffsetDelta) + 1n
    if (baseOffset >= from && end <= to) {
      for (let at = 0; at < recordCount; at++) kept.push(before + at)
      batches.push(run.batches.subarray(position, position + sizeBytes))
    } else if (end > from && baseOffset < to) {
      const records = readRecords(run.batches, position).filter(({ offset }, at) => {
        const isWithin = offset >= from && offset < to
        if (isWithin) kept.push(before + at)
        return isWithin
      })
      if (records.length > 0) batches.push(encodeBatch({ baseOffset: records[0]!.offset, records, timestampType }))
    }
    before += recordCount
  }
  const idsOf = (ids: number | readonly number[]): number | readonly number[] =>
    typeof ids === 'number' ? ids : kept.map((at) => ids[at]!)
  return {
    partition,
    baseOffset: from,
    nextOffset: to,
    batches: joined(batches),
    valueSchemaIds: idsOf(valueSchemaIds),
    keySchemaIds: idsOf(keySchemaIds),
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
