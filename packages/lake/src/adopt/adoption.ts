import { conflict, isKind } from '@moulin/core'
import type { CallOptions, Catalog, ColdContext, ColdTopicInfo, HotSource, LoadedTable } from '@moulin/core'
import { planScan } from '@moulin/iceberg'
import type { ColdReadParts } from '../replay/cold-read.ts'
import { highest, lowest } from '../look/missing-files.ts'
import { isOwnFile } from '../live/data-files.ts'
import { readIdentities } from '../places/identity-rows.ts'
import { placeOf } from '../places/place.ts'
import { emptyEntry } from '../table/ledger.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import type { LineageFault, Verdict } from '../table/lineage.ts'
import { firstMarker } from '../table/marker.ts'
import type { Marker } from '../table/marker.ts'
import { OffsetCoverage } from '../audit/offset-coverage.ts'
import { recount } from './recount.ts'
import type { Recount } from './recount.ts'
import { checkEpoch, goneTable } from '../table/topic-table.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import type { TableState } from '../table/table-state.ts'

export interface AdoptionParts extends ColdReadParts {
  readonly catalog: Catalog
  /** Null: none; undefined: whichever. */
  readonly expectedSnapshotId?: bigint | null | undefined
}

/** `by-hand` may do all that `gap` may, and also what only a person can answer for. */
export type AdoptHow = 'restore' | 'gap' | 'by-hand'

/** A table that is ready for a marker which speaks for what is there. */
export interface Adoptable {
  readonly state: TableState
  /** Undefined: the table is fine as it is. */
  readonly counted: Recount | undefined
}

/** Faults after which the marker's own numbers are those that we committed. */
const believed: readonly LineageFault[] = ['left-main', 'cut-chain', 'marker-behind-table', 'table-behind-log']

/**
 * Looks at the table and, where its history is broken, counts what is there. The frontier of a partition is then right behind
 * its last row, but never below what the write-ahead tier has let go of: so nothing that it still holds is given up, and nothing
 * that the table has is tiered twice. Changes nothing but to make a table that is gone.
 *
 * @throws the error of the broken history for `restore` where rows are missing for good, and where rows stand that a
 * commit would double; `fenced` when a newer writer tiers, unless by hand; `conflict` code `LOG_BEHIND_TABLE`, and `TABLE_MOVED` for
 * another snapshot than the expected one, before anything is made.
 */
export async function adoptable(parts: AdoptionParts, how: AdoptHow, call: CallOptions): Promise<Adoptable> {
  const { table } = parts
  const asked = table.ask()
  const loaded = await tableOrNew(parts, how, call)
  const { markers, verdict } = await table.judge(loaded, asked, call)
  if (verdict.kind !== 'broken') return { state: await table.accept(loaded, asked), counted: undefined }
  // What a newer writer has done to the table is not to be mended.
  await parts.context.checkFence()
  const { own, others } = markers
  const marker = own?.marker
  if (others.length > 0 || isBehind(verdict.fault) || (marker !== undefined && marker.log !== parts.info.logId)) {
    throw table.refusal(loaded, verdict)
  }
  if (marker !== undefined && how !== 'by-hand') checkEpoch(parts, marker)
  const claimed = believed.includes(verdict.fault) ? marker : undefined
  const lineage = { verdict: 'intact', evidence: null } as const
  const stateWith = (ledger: readonly LedgerEntry[]): TableState => {
    const known = marker ?? firstMarker(parts.info, parts.context.epoch, '')
    const objects = own?.marker === undefined ? [] : own.objects
    return table.stateOf({ loaded, lineage, marker: { ...known, ledger }, objects, isForeign: true })
  }
  // Nothing can be counted in rows that do not say which records they are.
  const { lostIdentity } = stateWith([]).columns
  if (lostIdentity !== undefined)
    throw table.refusal(loaded, { ...verdict, reason: `the column ${lostIdentity} is gone` })
  const ranges = await liveRanges(parts, stateWith([]), { marker, claimed }, call)
  const counted = await recount(parts, stateWith(ranges), call)
  if (how === 'restore') checkNothingLost(parts, verdict, counted, claimed)
  return { state: stateWith(counted.ledger), counted }
}

export const isBehind = (fault: LineageFault): boolean => fault === 'log-behind-table' || fault === 'table-ahead-of-log'

async function tableOrNew(parts: AdoptionParts, how: AdoptHow, call: CallOptions): Promise<LoadedTable> {
  const { catalog, context, info, table } = parts
  let loaded: LoadedTable | undefined
  try {
    loaded = await catalog.loadTable(table.identifier, call)
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error
  }
  checkExpected(parts, loaded)
  if (loaded !== undefined) return loaded
  await context.checkFence()
  const isLost = context.hot.releasedOffsets().some((offset, partition) => offset > info.startOffsets[partition]!)
  if (isLost && how === 'restore') throw table.broken(goneTable)
  return table.create()
}

function checkExpected({ info, expectedSnapshotId: expected }: AdoptionParts, loaded: LoadedTable | undefined): void {
  if (expected === undefined) return
  const present = loaded === undefined ? null : snapshotIdOf(loaded)
  if (present === expected) return
  const at = (id: bigint | null): string => (id === null ? 'without a snapshot' : `at snapshot ${id}`)
  const message =
    `Table ${info.table} of topic ${info.name} is ${at(present)}, and was to be adopted ${at(expected)}: it has changed since, and ` +
    'nothing was adopted. Judge it again (topic.judgeTable) and decide on what it is now.'
  const context = { topic: info.name, table: info.table, snapshot: present, expected }
  throw conflict('TABLE_MOVED', message, { context })
}

/** Which offsets of which incarnation the new ledger answers for; all else of the entries is empty. */
async function liveRanges(
  parts: AdoptionParts,
  state: TableState,
  known: { readonly marker: Marker | undefined; readonly claimed: Marker | undefined },
  call: CallOptions,
): Promise<LedgerEntry[]> {
  const { info, context } = parts
  const released = context.hot.releasedOffsets()
  const ends = context.hot.committedOffsets()
  const claims = new Map(
    known.claimed?.ledger.filter((entry) => entry.incarnation === info.incarnation).map((e) => [e.partition, e]),
  )
  const surveys = info.startOffsets.map((start, partition) => {
    const entry = claims.get(partition)
    const first = entry !== undefined && entry.start < start ? entry.start : start
    const top = highest(first, released[partition]!, lowest(entry?.frontier ?? 0n, ends[partition]!))
    return new Survey(first, top, highest(top, ends[partition]!))
  })
  const earlier = new Map<string, LedgerEntry>()
  await survey(parts, state, surveys, earlier, call)
  const present = surveys.map((found, partition): LedgerEntry => {
    const frontier = found.frontier(released[partition]!)
    if (found.highest !== undefined && found.highest.offset >= frontier) {
      const { offset, file } = found.highest
      throw strange(parts, `${file} holds partition ${partition} offset ${offset}, at or above ${frontier}`)
    }
    return { ...emptyEntry(info.incarnation, partition, found.first), frontier }
  })
  // A marker that cannot be read says nothing of earlier incarnations: then their rows do.
  const before = known.marker?.ledger.filter(({ incarnation }) => incarnation < info.incarnation)
  return [...(before ?? earlier.values()), ...present].sort(
    (a, b) => a.partition - b.partition || a.incarnation - b.incarnation,
  )
}

/** What the rows of one partition say of its frontier. */
class Survey {
  readonly first: bigint
  /** Exclusive: all below was in the table once. */
  readonly #top: bigint
  /** Exclusive: end of the last row below `top`. */
  #last: bigint
  /** Of rows in our own files, from `top` on: they are what the log holds there. */
  readonly #above: OffsetCoverage
  highest: { readonly offset: bigint; readonly file: string } | undefined

  constructor(first: bigint, top: bigint, end: bigint) {
    this.first = first
    this.#top = top
    this.#last = first
    this.#above = new OffsetCoverage(top, end)
  }

  add(offset: bigint, file: string, isOwn: boolean): void {
    if (offset < this.#top) {
      if (offset >= this.#last) this.#last = offset + 1n
      return
    }
    if (isOwn) this.#above.add(offset)
    if (this.highest === undefined || offset > this.highest.offset) this.highest = { offset, file }
  }

  frontier(released: bigint): bigint {
    const frontier = highest(this.#last, released)
    if (frontier < this.#top) return frontier
    const [gap] = this.#above.gaps()
    return gap?.from ?? this.#top + this.#above.covered
  }
}

async function survey(
  parts: AdoptionParts,
  state: TableState,
  surveys: readonly Survey[],
  earlier: Map<string, LedgerEntry>,
  call: CallOptions,
): Promise<void> {
  const { tableFiles, files, manifests: room, info } = parts
  const { metadata } = state.loaded
  for await (const task of planScan({ tableFiles, metadata, room, ...call })) {
    const { filePath } = task.file
    const file = await files.open(task, metadata, call)
    const isOwn = isOwnFile(file, info)
    for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++) {
      const rows = await readIdentities(file, rowGroup, state.columns, call)
      for (let row = 0; row < rows.length; row++) {
        if (!rows.isKnown(row)) continue
        const [incarnation, partition, offset] = [rows.incarnation(row), rows.partition(row), rows.offset(row)]
        if (incarnation === info.incarnation && surveys[partition] !== undefined) {
          surveys[partition].add(offset, filePath, isOwn)
        } else if (incarnation >= info.incarnation) {
          throw strange(parts, `${filePath} holds incarnation ${incarnation}, partition ${partition}, offset ${offset}`)
        } else if (offset < (info.startOffsets[partition] ?? 0n)) {
          extend(earlier, incarnation, partition, offset)
        }
      }
    }
  }
}

function extend(entries: Map<string, LedgerEntry>, incarnation: number, partition: number, offset: bigint): void {
  const place = placeOf(incarnation, partition)
  const { start, frontier } = entries.get(place) ?? { start: offset, frontier: offset + 1n }
  const wider = { start: lowest(start, offset), frontier: highest(frontier, offset + 1n) }
  entries.set(place, { ...emptyEntry(incarnation, partition, 0n), ...wider })
}

function strange({ table }: AdoptionParts, row: string): Error {
  const reason = `${row}, which a later commit would double or which the log does not have; delete such rows first`
  return table.broken({ fault: 'foreign-rows', reason })
}

// What the marker has accounted for may be among what has no row; of anything beyond, nobody knows why it is not there.
function checkNothingLost(
  { table }: AdoptionParts,
  verdict: Verdict & { kind: 'broken' },
  { ledger, skipped }: Recount,
  claimed: Marker | undefined,
): void {
  const place = ({ incarnation, partition }: LedgerEntry): string => placeOf(incarnation, partition)
  const before = new Map(claimed?.ledger.map((entry) => [place(entry), entry]))
  const lost = ledger.find((entry) => {
    const known = before.get(place(entry))
    return entry.skipped > (known === undefined ? 0n : known.control + known.aborted + known.skipped + known.expired)
  })
  if (lost === undefined) return
  const ranges = skipped
    .filter(({ incarnation, partition }) => incarnation === lost.incarnation && partition === lost.partition)
    .map(({ from, to }) => `[${from}, ${to})`)
  const reason = `${verdict.reason}; of partition ${lost.partition} neither it nor the write-ahead tier has ${ranges.join(', ')}`
  throw table.broken({ ...verdict, reason })
}

/** The topic in its next life, which begins where neither table nor log has ever been, as far as both know. */
export function nextIncarnation(
  { info, context }: Pick<ColdReadParts, 'info' | 'context'>,
  marker: Marker,
): { readonly info: ColdTopicInfo; readonly context: ColdContext } {
  const ends = context.hot.committedOffsets()
  const frontiers = new Map<number, bigint>()
  for (const { partition, frontier } of marker.ledger) {
    frontiers.set(partition, highest(frontiers.get(partition) ?? 0n, frontier))
  }
  const startOffsets = info.startOffsets.map((start, partition) =>
    highest((frontiers.get(partition) ?? start) + JUMP, ends[partition]!),
  )
  const incarnation = highest(info.incarnation, marker.incarnation) + 1
  return { info: { ...info, incarnation, startOffsets }, context: { ...context, hot: nothingHot(startOffsets) } }
}

/** Offsets that a lost life of the log may have acked beyond what it tiered. */
const JUMP = 2n ** 20n

function nothingHot(starts: readonly bigint[]): HotSource {
  return {
    committedOffsets: () => starts,
    releasedOffsets: () => starts,
    recoveredOffsets: () => starts,
    pin: () => ({ release: () => {} }),
    async *read() {},
  }
}
