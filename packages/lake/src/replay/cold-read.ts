import { throwIfAborted } from '@moulin/core'
import type { BatchRun, CallOptions, ColdContext, ColdTopicInfo, Position, TableFiles } from '@moulin/core'
import type { ManifestRoom } from '@moulin/iceberg'
import { firstAtLeast, planCold, recordPlace, recordPlaceEnd } from './cold-plan.ts'
import type { ColdPlan, FileLists } from './cold-plan.ts'
import { readRows } from './cold-rows.ts'
import type { FoundRows } from './cold-rows.ts'
import { nextPlaces, placesBy, placesWithin, windowRows } from './cold-window.ts'
import type { Places } from './cold-window.ts'
import { isVanished } from '../live/data-files.ts'
import type { LiveFiles } from '../live/live-files.ts'
import type { FileLook } from '../look/file-look.ts'
import { absentIn, heldRuns } from '../look/held-records.ts'
import { asksForLook } from '../look/missing-files.ts'
import { fileIn, fileMissing } from '../look/vanished.ts'
import type { RecordDecoder } from './record-decoder.ts'
import { RunWriter } from './record-runs.ts'
import type { RowIndexes } from './row-index.ts'
import type { ColdReadMeter, ReadTally } from './read-tally.ts'
import { rowsOf, windowSource } from './window-source.ts'
import type { RowPlaces } from '../places/row-places.ts'
import type { TableState } from '../table/table-state.ts'
import type { TopicTable } from '../table/topic-table.ts'
import { snapshotIdOf } from '../table/table-state.ts'

export interface ColdReadParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly tableFiles: TableFiles
  readonly files: LiveFiles
  readonly fileLists: FileLists
  readonly manifests?: ManifestRoom | undefined
  readonly indexes: RowIndexes
  readonly places: RowPlaces
  readonly table: TopicTable
  readonly look: FileLook
  /** Bytes of data files, about, that one read holds decoded at a time. */
  readonly windowBytes: number
  readonly reads: ColdReadMeter
  /** Of this one read. */
  readonly tally?: ReadTally
}

interface ReadRange {
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
}

/** Positions looked up together, and rows at places of others that are remembered meanwhile. */
const POSITIONS_AT_ONCE = 10_000
const DOUBLED_AT_ONCE = 262_144

/**
 * Batches of `[from, to)` below the frontier, in offset order whatever the layout of the files: windows of offsets, each
 * merged over all row groups that hold some of it. Every run makes progress, and together they answer for the range.
 */
export async function* coldRead(parts: ColdReadParts, range: ReadRange, call: CallOptions): AsyncGenerator<BatchRun> {
  let next = range.from
  let rows = windowRows.first
  const writer = new RunWriter()
  yield* replanning(parts, call, async function* (state) {
    const frontier = state.entries[range.partition]?.frontier ?? next
    const to = range.to < frontier ? range.to : frontier
    if (next >= to) return
    const plan = await planCold(parts, state, { ...range, from: next, to }, call)
    while (next < to) {
      throwIfAborted(call.signal)
      const window = { bytes: parts.windowBytes, rows }
      const { places, end } = await nextPlaces(plan, next, to, window, windowSource(parts, plan, call))
      let at = 0
      for (const absent of absentIn(plan.holes, places.offsets, { from: next, to: end })) {
        const until = firstAtLeast(places.offsets, absent.from)
        if (absent.from > next) {
          await frameWindow(parts, plan, placesWithin(places, at, until), writer, call)
          const run = writer.finish(range.partition, { from: next, to: absent.from })
          next = absent.from
          yield run
        }
        at = until
        for await (const run of heldRuns(parts, state, { partition: range.partition, ...absent }, call)) {
          next = run.nextOffset
          yield run
        }
      }
      if (next < end) {
        await frameWindow(parts, plan, at === 0 ? places : placesWithin(places, at, places.length), writer, call)
        const run = writer.finish(range.partition, { from: next, to: end })
        next = end
        yield run
      }
      rows = Math.min(windowRows.most, rows * windowRows.growth)
    }
  })
}

/** A run of one record for each position, in the order given; an empty one where there is no record. */
export async function* coldReadAt(
  parts: ColdReadParts,
  positions: readonly Position[],
  call: CallOptions,
): AsyncGenerator<BatchRun> {
  const nothing = new RunWriter()
  for (let start = 0; start < positions.length; start += POSITIONS_AT_ONCE) {
    const some = positions.slice(start, start + POSITIONS_AT_ONCE)
    let runs: (BatchRun | undefined)[] = []
    // Nothing is given out before all is there, so a second plan begins anew.
    const none = replanning(parts, call, async function* (state): AsyncGenerator<never> {
      runs = await lookUp(parts, state, some, call)
    })
    for await (const never of none) yield never
    for (const [at, { partition, offset }] of some.entries()) {
      yield runs[at] ?? nothing.finish(partition, { from: offset, to: offset + 1n })
    }
  }
}

/**
 * Runs `work` on the present snapshot, and again on a newer one when a file vanished under it. Where the snapshot is the same, or a
 * file is damaged, a look at the files decides: what is missing is read from other files then, and from the write-ahead tier.
 */
export async function* replanning<T>(
  { table, look }: ColdReadParts,
  call: CallOptions,
  work: (state: TableState) => AsyncGenerator<T>,
): AsyncGenerator<T> {
  let failedOn: bigint | null | undefined
  const looked = new Set<string>()
  for (;;) {
    const state = await table.load(call)
    try {
      yield* work(state)
      return
    } catch (error) {
      if (!asksForLook(error)) throw error
      const snapshot = snapshotIdOf(state.loaded)
      const isAgain = failedOn === snapshot || !isVanished(error)
      const suspect = fileIn(error)
      const name = `${snapshot} ${suspect}`
      if (isAgain && !looked.has(name)) {
        looked.add(name)
        if (await look.again(call, suspect)) continue
      }
      if (isAgain) {
        if (!isVanished(error)) throw error
        throw fileMissing(state, error)
      }
      failedOn = snapshot
    }
  }
}

async function frameWindow(
  parts: ColdReadParts,
  plan: ColdPlan,
  places: Places,
  writer: RunWriter,
  call: CallOptions,
): Promise<void> {
  const { offsets } = places
  const found = await foundRows(parts, plan, places, call)
  const halves = new Int32Array(offsets.buffer, offsets.byteOffset, offsets.length * 2)
  for (let from = 0; from < offsets.length;) {
    const end = recordPlaceEnd(plan, offsets, from)
    writer.add(found, from, halves.subarray(from * 2, end * 2), recordPlace(plan, offsets[from]!))
    from = end
  }
}

async function foundRows(
  parts: ColdReadParts,
  plan: ColdPlan,
  { length, groups, rows }: Places,
  call: CallOptions,
): Promise<FoundRows> {
  const read = (index: number, wanted: Int32Array): Promise<FoundRows> => {
    const { file, rowGroup } = plan.groups[index]!
    return readRows(parts, file, rowGroup, wanted, plan.state.columns, call)
  }
  const members = [...byGroup(groups, length)]
  const [first] = members
  // The usual case.
  if (first !== undefined && first[1] === undefined) return read(first[0], rows)
  const found = { decoders: new Array<RecordDecoder>(length), rows: new Int32Array(length) }
  for (const [index, own = new Int32Array(0)] of members) {
    const wanted = own.map((at) => rows[at]!)
    const some = await read(index, wanted)
    for (let at = 0; at < own.length; at++) {
      found.decoders[own[at]!] = some.decoders[at]!
      found.rows[own[at]!] = some.rows[at]!
    }
  }
  return found
}

/** Places by the group they are in; `undefined`: all of them, the usual case. */
function byGroup(groups: Int32Array, length: number): Map<number, Int32Array | undefined> {
  if (length === 0) return new Map()
  if (isConstant(groups)) return new Map([[groups[0]!, undefined]])
  const members = new Map<number, number[]>()
  groups.forEach((group, at) => {
    const known = members.get(group)
    if (known === undefined) members.set(group, [at])
    else known.push(at)
  })
  return new Map([...members].map(([group, places]) => [group, Int32Array.from(places)]))
}

function isConstant(values: Int32Array): boolean {
  for (let at = 1; at < values.length; at++) if (values[at] !== values[0]) return false
  return true
}

/** Runs of one record; undefined where there is none. */
async function lookUp(
  parts: ColdReadParts,
  state: TableState,
  positions: readonly Position[],
  call: CallOptions,
): Promise<(BatchRun | undefined)[]> {
  const runs = new Array<BatchRun | undefined>(positions.length)
  const writer = new RunWriter()
  for (const [partition, members] of byPartition(positions)) {
    if (state.entries[partition] === undefined) continue
    members.sort((a, b) => (positions[a]!.offset < positions[b]!.offset ? -1 : 1))
    const from = positions[members[0]!]!.offset
    const to = positions[members.at(-1)!]!.offset + 1n
    const plan = await planCold(parts, state, { partition, from, to }, call)
    const offsets = BigInt64Array.from(members, (at) => positions[at]!.offset)
    const { groups, rows } = await placesOf(parts, plan, offsets, call)
    for (const [at, offset] of offsets.entries()) {
      if (groups[at] !== NO_GROUP || !plan.holes.some((hole) => offset >= hole.from && offset < hole.to)) continue
      const place = { partition, from: offset, to: offset + 1n }
      for await (const run of heldRuns(parts, state, place, call)) runs[members[at]!] = run
    }
    const found = [...byGroup(groups, offsets.length)].filter(([group]) => group !== NO_GROUP)
    const read = (at: number): Promise<FoundRows> => {
      const [group, places] = found[at]!
      const { file, rowGroup } = plan.groups[group]!
      const wanted = places === undefined ? rows : places.map((place) => rows[place]!)
      return readRows(parts, file, rowGroup, wanted, state.columns, call)
    }
    const halves = new Int32Array(offsets.buffer)
    // One row group is fetched and decoded while the one before becomes records.
    let ahead = found.length > 0 ? read(0) : undefined
    for (let at = 0; at < found.length; at++) {
      const present = ahead!
      ahead = at + 1 < found.length ? read(at + 1) : undefined
      ahead?.catch(() => {})
      const some = await present
      const own = found[at]![1]
      for (let index = 0; index < some.rows.length; index++) {
        const place = own?.[index] ?? index
        const offset = offsets[place]!
        const offsetHalves = halves.subarray(place * 2, place * 2 + 2)
        writer.add(some, index, offsetHalves, recordPlace(plan, offset))
        runs[members[place]!] = writer.finish(partition, { from: offset, to: offset + 1n })
      }
    }
  }
  return runs
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

const NO_GROUP = -1

/** Where each of the rising offsets is: its group in the plan, or {@link NO_GROUP}, and the row within it. */
async function placesOf(
  parts: ColdReadParts,
  plan: ColdPlan,
  offsets: BigInt64Array,
  call: CallOptions,
): Promise<{ readonly groups: Int32Array; readonly rows: Int32Array }> {
  const groups = new Int32Array(offsets.length).fill(NO_GROUP)
  const places = new Int32Array(offsets.length)
  // What another row was found for already, too: nearly always nothing.
  const doubled: Doubled['doubled'] = []
  for (const [index, group] of plan.groups.entries()) {
    let at = firstAtLeast(offsets, group.min)
    if (at === offsets.length || offsets[at]! > group.max) continue
    const rows = await rowsOf(parts, plan, group, call)
    for (; at < offsets.length && offsets[at]! <= group.max; at++) {
      if (offsets[at] === offsets[at - 1]) continue
      for (let found = rows.lowerBound(offsets[at]!); found < rows.length; found++) {
        if (rows.offset(found) !== offsets[at]) break
        const row = rows.row(found)
        if (groups[at] === NO_GROUP) {
          groups[at] = index
          places[at] = row
        } else {
          doubled.push({ at, group: index, row })
        }
      }
    }
    // The best of some is as good as all of them.
    if (doubled.length > DOUBLED_AT_ONCE) {
      await choose(parts, plan, offsets, { groups, rows: places, doubled }, call)
      doubled.length = 0
    }
  }
  if (doubled.length > 0) await choose(parts, plan, offsets, { groups, rows: places, doubled }, call)
  for (let at = 1; at < offsets.length; at++) {
    if (offsets[at] !== offsets[at - 1]) continue
    groups[at] = groups[at - 1]!
    places[at] = places[at - 1]!
  }
  return { groups, rows: places }
}

interface Doubled {
  readonly groups: Int32Array
  readonly rows: Int32Array
  /** Further rows, by position of their offset. */
  readonly doubled: { readonly at: number; readonly group: number; readonly row: number }[]
}

/** Leaves at each offset the row that counts. */
async function choose(
  parts: ColdReadParts,
  plan: ColdPlan,
  offsets: BigInt64Array,
  { groups, rows, doubled }: Doubled,
  call: CallOptions,
): Promise<void> {
  for (const at of new Set(doubled.map(({ at }) => at))) doubled.push({ at, group: groups[at]!, row: rows[at]! })
  doubled.sort((a, b) => a.at - b.at)
  const rivals = placesBy(
    BigInt64Array.from(doubled, ({ at }) => offsets[at]!),
    Int32Array.from(doubled, ({ group }) => group),
    Int32Array.from(doubled, ({ row }) => row),
  )
  const lost = await parts.places.lost(plan, rivals, call)
  doubled.forEach(({ at, group, row }, index) => {
    if (lost?.[index] === 1) return
    groups[at] = group
    rows[at] = row
  })
}
