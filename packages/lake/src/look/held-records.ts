import { isUnreadable, joinBytes, notFound } from '@moulin/core'
import type { BatchRun, CallOptions } from '@moulin/core'
import { batchesIn, keptOfBatch } from '@moulin/format'
import { holesIn, planCold } from '../replay/cold-plan.ts'
import { nextPlaces, windowRows } from '../replay/cold-window.ts'
import { windowSource } from '../replay/window-source.ts'
import type { Looked } from './file-look.ts'
import { highest, lowest } from './missing-files.ts'
import { isWholeBelow } from './rowless-offsets.ts'
import type { HeldParts } from './rowless-offsets.ts'
import type { OffsetRange } from '../encode/row-builder.ts'
import type { TableState } from '../table/table-state.ts'

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
 * Per partition, how far all is there of what the look was for, and can be read. Files have several partitions, whose bounds say too much:
 * what another file has is there.
 * @throws what tells which rows are deleted cannot be read, where nothing may be released for that reason.
 */
export async function releasable(
  parts: HeldParts,
  { state, ranges, safe, unread }: Looked,
  call: CallOptions,
): Promise<bigint[]> {
  const ends: bigint[] = []
  for (const [partition, from] of safe.entries()) {
    const to = unread?.from[partition] ?? ranges[partition]!.to
    ends.push(from < to ? await firstAbsent(parts, state, { partition, from, to }, call) : to)
  }
  if (unread !== undefined && ends.every((end, partition) => end <= ranges[partition]!.from)) throw unread.error
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
    const held = await stillHeld(parts, state, range, call)
    if (held !== undefined) yield held
  }
}

/** Of the range what a missing file may have, and no other. */
export async function* absentRanges(
  parts: HeldParts,
  state: TableState,
  range: HeldRange,
  call: CallOptions,
): AsyncGenerator<HeldRange> {
  yield* absentOver(parts, state, { partition: range.partition, holes: await holesIn(parts, state, range, call) }, call)
}

/** Of the holes what has no row in the files that are there. */
export async function* absentOver(
  parts: HeldParts,
  state: TableState,
  { partition, holes }: { readonly partition: number; readonly holes: readonly OffsetRange[] },
  call: CallOptions,
): AsyncGenerator<HeldRange> {
  for (const hole of holes) {
    const plan = await planCold(parts, state, { partition, ...hole }, call)
    for (let next = hole.from; next < hole.to;) {
      const window = { bytes: parts.windowBytes, rows: windowRows.most }
      const { places, end } = await nextPlaces(plan, next, hole.to, window, windowSource(parts, plan, call))
      for (const absent of absentIn([hole], places.offsets, { from: next, to: end })) yield { partition, ...absent }
      next = end
    }
  }
}

/**
 * The part of the range that the write-ahead tier has; undefined: none, and none is missing.
 * @throws `not-found` code `FILE_VANISHED` where it has let go of some that cannot be shown to have never had a row.
 */
async function stillHeld(
  parts: HeldParts,
  state: TableState,
  { partition, from, to }: HeldRange,
  call: CallOptions,
): Promise<HeldRange | undefined> {
  const released = parts.context.hot.releasedOffsets()[partition] ?? 0n
  if (from >= released) return { partition, from, to }
  const lost = lowest(released, to)
  if (await isWholeBelow(parts, state, { partition, released }, call)) {
    return lost < to ? { partition, from: lost, to } : undefined
  }
  const message =
    `Offsets [${from}, ${lost}) of partition ${partition} may be in a file of the table that is missing or unreadable, ` +
    'and their write-ahead copy has been released. Some of them may be of aborted or deleted records, which the table cannot tell ' +
    'from those of the file. Put the file back; where it is lost for good, roll the table back to before it, and topic.adoptTable().'
  throw notFound('FILE_VANISHED', message, { context: { partition, from, to: lost } })
}

/**
 * The range as the write-ahead tier has it, cut to it. Together the runs answer for all of the range.
 * @throws what {@link heldRanges} throws.
 */
export async function* heldRuns(
  parts: HeldParts,
  state: TableState,
  range: HeldRange,
  call: CallOptions,
): AsyncGenerator<BatchRun> {
  const { partition } = range
  const held = await stillHeld(parts, state, range, call)
  const { from } = held ?? { from: range.to }
  if (from > range.from) {
    yield { partition, baseOffset: range.from, nextOffset: from, batches: new Uint8Array(0), valueSchemaIds: 0 }
  }
  if (held === undefined) return
  let next = from
  for await (const run of parts.context.hot.read({ ...held, ...call })) {
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
    const { baseOffset, lastOffsetDelta, recordCount, sizeBytes } = header
    const end = baseOffset + BigInt(lastOffsetDelta) + 1n
    if (baseOffset >= from && end <= to) {
      for (let at = 0; at < recordCount; at++) kept.push(before + at)
      batches.push(run.batches.subarray(position, position + sizeBytes))
    } else if (end > from && baseOffset < to) {
      let at = before
      const within = keptOfBatch(run.batches, position, (offset) => {
        const isWithin = offset >= from && offset < to
        if (isWithin) kept.push(at)
        at++
        return isWithin
      })
      if (within !== undefined) batches.push(within)
    }
    before += recordCount
  }
  const idsOf = (ids: number | readonly number[]): number | readonly number[] =>
    typeof ids === 'number' ? ids : kept.map((at) => ids[at]!)
  return {
    partition,
    baseOffset: from,
    nextOffset: to,
    batches: batches.length === 1 ? batches[0]! : joinBytes(batches),
    valueSchemaIds: idsOf(valueSchemaIds),
    keySchemaIds: idsOf(keySchemaIds),
    ...(run.aborted && { aborted: run.aborted }),
  }
}
