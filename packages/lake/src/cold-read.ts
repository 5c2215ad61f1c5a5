import { corrupt, throwIfAborted } from '@moulin/core'
import type { BatchRun, CallOptions, ColdContext, ColdTopicInfo, ObjectStore, Position } from '@moulin/core'
import { planCold } from './cold-plan.ts'
import type { ColdPlan, FileLists, PlannedGroup } from './cold-plan.ts'
import { readPlaces } from './cold-rows.ts'
import type { RowPlace } from './cold-rows.ts'
import { isVanished } from './data-files.ts'
import type { DataFiles } from './data-files.ts'
import type { ColdRecord } from './record-decoder.ts'
import { runOf } from './record-runs.ts'
import type { PartitionRows, RowIndexes } from './row-index.ts'
import type { TableState, TopicTable } from './topic-table.ts'
import { snapshotIdOf } from './topic-table.ts'

export interface ColdReadParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly store: ObjectStore
  readonly files: DataFiles
  readonly fileLists: FileLists
  readonly indexes: RowIndexes
  readonly table: TopicTable
  /** Bytes of data files, about, that one read holds decoded at a time. */
  readonly windowBytes: number
}

interface ReadRange {
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
}

const MAX_WINDOW_ROWS = 16_384
/** Positions looked up together. */
const POSITIONS_AT_ONCE = 10_000

/**
 * Batches of `[from, to)` below the frontier, in offset order whatever the layout of the files: windows of offsets, each
 * merged over all row groups that hold some of it. Every run makes progress, and together they answer for the range.
 */
export async function* coldRead(parts: ColdReadParts, range: ReadRange, call: CallOptions): AsyncGenerator<BatchRun> {
  let next = range.from
  yield* replanning(parts, call, async function* (state) {
    const frontier = state.entries[range.partition]?.frontier ?? next
    const to = range.to < frontier ? range.to : frontier
    if (next >= to) return
    const plan = await planCold(parts, state, { ...range, from: next, to }, call)
    while (next < to) {
      throwIfAborted(call.signal)
      const { places, end } = await nextWindow(parts, plan, next, to, call)
      const records = await readWindow(parts, plan, places, call)
      yield runOf(range.partition, { from: next, to: end }, records)
      next = end
    }
  })
}

/** A run of one record for each position, in the order given; an empty one where there is no record. */
export async function* coldReadAt(
  parts: ColdReadParts,
  positions: readonly Position[],
  call: CallOptions,
): AsyncGenerator<BatchRun> {
  for (let start = 0; start < positions.length; start += POSITIONS_AT_ONCE) {
    const some = positions.slice(start, start + POSITIONS_AT_ONCE)
    let records: (ColdRecord | undefined)[] = []
    // Nothing is given out before all is there, so a second plan begins anew.
    const none = replanning(parts, call, async function* (state): AsyncGenerator<never> {
      records = await lookUp(parts, state, some, call)
    })
    for await (const nothing of none) yield nothing
    for (const [at, { partition, offset }] of some.entries()) {
      const record = records[at]
      yield runOf(partition, { from: offset, to: offset + 1n }, record === undefined ? [] : [record])
    }
  }
}

/** Runs `work` on the present snapshot, and again on a newer one when a file vanished under it. */
async function* replanning<T>(
  { table }: ColdReadParts,
  call: CallOptions,
  work: (state: TableState) => AsyncGenerator<T>,
): AsyncGenerator<T> {
  let failedOn: bigint | null | undefined
  for (;;) {
    const state = await table.load(call)
    try {
      yield* work(state)
      return
    } catch (error) {
      if (!isVanished(error)) throw error
      const snapshot = snapshotIdOf(state.loaded)
      if (failedOn === snapshot) {
        const message = `A file of the table's current snapshot ${snapshot} is not there: ${(error as Error).message}`
        throw corrupt('FILE_MISSING', message, { cause: error, context: { snapshot } })
      }
      failedOn = snapshot
    }
  }
}

interface GroupPlace extends RowPlace {
  readonly group: PlannedGroup
}

/** The next rows from `from` on, few enough to hold, and the offset up to which there are no others. */
async function nextWindow(
  parts: ColdReadParts,
  plan: ColdPlan,
  from: bigint,
  to: bigint,
  call: CallOptions,
): Promise<{ readonly places: readonly GroupPlace[]; readonly end: bigint }> {
  let end = to
  let places: GroupPlace[] = []
  for (const group of plan.groups) {
    if (group.max < from) continue
    // Sorted by their least offset: what begins behind the window has nothing in it.
    if (group.min >= end) break
    const rows = await rowsOf(parts, plan, group, call)
    const most = windowRows(parts, group)
    for (let at = rows.lowerBound(from); at < rows.length && places.length <= 2 * most; at++) {
      const offset = rows.offset(at)
      if (offset >= end) break
      places.push({ group, offset, row: rows.row(at) })
    }
    places.sort((a, b) => (a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : 0))
    if (places.length > most) {
      end = places[most]!.offset
      places = places.slice(0, most).filter(({ offset }) => offset < end)
    }
  }
  // One offset, one record: a row that SQL copied is told by the audit, and read once.
  return { places: places.filter(({ offset }, at) => at === 0 || offset !== places[at - 1]!.offset), end }
}

function windowRows({ windowBytes }: ColdReadParts, { file, rowGroup }: PlannedGroup): number {
  const { rowCount, sizeBytes } = file.rowGroups[rowGroup]!
  // Compressed bytes are told; decoded ones are a few times as many.
  const rowBytes = Math.max(1, (sizeBytes / Math.max(1, rowCount)) * 4)
  return Math.max(1, Math.min(MAX_WINDOW_ROWS, Math.floor(windowBytes / rowBytes)))
}

async function readWindow(
  parts: ColdReadParts,
  plan: ColdPlan,
  places: readonly GroupPlace[],
  call: CallOptions,
): Promise<ColdRecord[]> {
  const records = new Array<ColdRecord>(places.length)
  for (const [group, members] of byGroup(places)) {
    const wanted = members.map((at) => places[at]!)
    const found = await readPlaces(parts, group.file, group.rowGroup, wanted, plan.state.columns, call)
    members.forEach((at, index) => (records[at] = found[index]!))
  }
  return records
}

function byGroup(places: readonly (GroupPlace | undefined)[]): Map<PlannedGroup, number[]> {
  const groups = new Map<PlannedGroup, number[]>()
  places.forEach((place, at) => {
    if (place === undefined) return
    const members = groups.get(place.group)
    if (members === undefined) groups.set(place.group, [at])
    else members.push(at)
  })
  return groups
}

async function lookUp(
  parts: ColdReadParts,
  state: TableState,
  positions: readonly Position[],
  call: CallOptions,
): Promise<(ColdRecord | undefined)[]> {
  const records = new Array<ColdRecord | undefined>(positions.length)
  for (const [partition, members] of byPartition(positions)) {
    if (state.entries[partition] === undefined) continue
    members.sort((a, b) => (positions[a]!.offset < positions[b]!.offset ? -1 : 1))
    const from = positions[members[0]!]!.offset
    const to = positions[members.at(-1)!]!.offset + 1n
    const plan = await planCold(parts, state, { partition, from, to }, call)
    const offsets = members.map((at) => positions[at]!.offset)
    const places = await placesOf(parts, plan, offsets, call)
    const groups = [...byGroup(places)]
    const read = (at: number): Promise<ColdRecord[]> => {
      const [group, found] = groups[at]!
      const wanted = found.map((place) => places[place]!)
      return readPlaces(parts, group.file, group.rowGroup, wanted, state.columns, call)
    }
    // One row group is fetched and decoded while the one before becomes records.
    let ahead = groups.length > 0 ? read(0) : undefined
    for (let at = 0; at < groups.length; at++) {
      const present = ahead!
      ahead = at + 1 < groups.length ? read(at + 1) : undefined
      ahead?.catch(() => {})
      const found = await present
      groups[at]![1].forEach((place, index) => (records[members[place]!] = found[index]))
    }
  }
  return records
}

function byPartition(positions: readonly Position[]): Map<number, number[]> {
  const partitions = new Map<number, number[]>()
  positions.forEach(({ partition }, at) => {
    const members = partitions.get(partition)
    if (members === undefined) partitions.set(partition, [at])
    else members.push(at)
  })
  return partitions
}

/** Where each of the rising offsets is. */
async function placesOf(
  parts: ColdReadParts,
  plan: ColdPlan,
  offsets: readonly bigint[],
  call: CallOptions,
): Promise<(GroupPlace | undefined)[]> {
  const places = new Array<GroupPlace | undefined>(offsets.length)
  for (const group of plan.groups) {
    let at = firstAtLeast(offsets, group.min)
    if (at === offsets.length || offsets[at]! > group.max) continue
    const rows = await rowsOf(parts, plan, group, call)
    for (; at < offsets.length && offsets[at]! <= group.max; at++) {
      const found = rows.lowerBound(offsets[at]!)
      if (found < rows.length && rows.offset(found) === offsets[at])
        places[at] ??= { group, offset: offsets[at]!, row: rows.row(found) }
    }
  }
  return places
}

function firstAtLeast(offsets: readonly bigint[], least: bigint): number {
  let low = 0
  let high = offsets.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (offsets[middle]! < least) low = middle + 1
    else high = middle
  }
  return low
}

function rowsOf(
  { indexes }: ColdReadParts,
  plan: ColdPlan,
  group: PlannedGroup,
  call: CallOptions,
): Promise<PartitionRows> {
  return indexes.rows(group.file, group.rowGroup, plan, plan.state.columns, call)
}
