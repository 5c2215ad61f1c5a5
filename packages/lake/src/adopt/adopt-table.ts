import { conflict, isKind } from '@moulin/core'
import type {
  CallOptions,
  Catalog,
  ColdAdoption,
  ColdContext,
  ColdTopicInfo,
  LoadedTable,
  TableIdentifier,
} from '@moulin/core'
import { adoptable, isBehind, nextIncarnation } from './adoption.ts'
import type { Adoptable, AdoptHow } from './adoption.ts'
import type { ColdReadParts } from '../replay/cold-read.ts'
import type { Committer } from '../commit/committer.ts'
import { highest } from '../look/missing-files.ts'
import { lostRanges } from '../table/lineage.ts'
import { mergeLedger } from '../table/marker.ts'
import { snapshotIdOf } from '../table/table-state.ts'

/** A life of a topic: its incarnation, and what the log has of it. */
export interface Life {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
}

/** The commit is the one that says where it may begin. */
interface NextLife extends Life {
  readonly commit: string
}

export interface AdoptRequest {
  readonly catalog: Catalog
  readonly opening: (life: Life) => { readonly parts: ColdReadParts; readonly committer: () => Committer }
  readonly life: Life
  readonly how: AdoptHow
  /** Null: none; undefined: whichever. */
  readonly expectedSnapshotId?: bigint | null | undefined
}

/** See `ColdTier.adopt`. */
export async function adoptTable(request: AdoptRequest, call: CallOptions): Promise<ColdAdoption> {
  const { catalog, opening, life, how, expectedSnapshotId } = request
  const next = how === 'by-hand' ? await nextLife(request, call) : undefined
  const { parts, committer } = opening(next ?? life)
  const all = { ...parts, catalog, expectedSnapshotId }
  const look = async (): Promise<Adoptable> => {
    const found = await adoptable(all, how, call)
    if (next !== undefined && found.state.marker.commit !== next.commit) throw stillWritten(life.info, found)
    return found
  }
  let ready: Adoptable | undefined = await look()
  if (next === undefined && ready.counted === undefined) {
    return { ...resultOf(ready, life.info), outcome: 'none' }
  }
  // What the first look found is used once; after a lost race the table is another one.
  const { counted } = await committer().adopt(async () => {
    const found = ready ?? (await look())
    ready = undefined
    return found
  }, call)
  const outcome = next === undefined ? 'recounted' : 'next-incarnation'
  return { ...resultOf({ state: parts.table.state, counted }, parts.info), outcome }
}

/**
 * What {@link adoptTable} would do; changes nothing.
 * @throws what it would refuse.
 */
export async function planAdoption(request: AdoptRequest, call: CallOptions): Promise<ColdAdoption> {
  const { catalog, opening, life, how } = request
  const { table } = opening(life).parts
  if ((await loadIfThere(catalog, table.identifier, call)) === undefined) return anew(life)
  const next = how === 'by-hand' ? await nextLife(request, call) : undefined
  const { parts } = opening(next ?? life)
  const { state, counted } = await adoptable({ ...parts, catalog }, how, call)
  const ledger = counted === undefined ? mergeLedger(state.marker, state.entries) : state.marker.ledger
  const planned = { state: { ...state, marker: { ...state.marker, ledger } }, counted }
  const outcome = next !== undefined ? 'next-incarnation' : counted === undefined ? 'none' : 'recounted'
  return { ...resultOf(planned, parts.info), outcome }
}

/** The life that follows, where the table is newer than the log. */
async function nextLife({ catalog, opening, life }: AdoptRequest, call: CallOptions): Promise<NextLife | undefined> {
  const { table, info, context } = opening(life).parts
  const asked = table.ask()
  const loaded = await loadIfThere(catalog, table.identifier, call)
  if (loaded === undefined) return undefined
  const { markers, verdict } = await table.judge(loaded, asked, call)
  const marker = markers.own?.marker
  if (verdict.kind !== 'broken' || !isBehind(verdict.fault) || marker === undefined) return undefined
  return { ...nextIncarnation({ info, context }, marker), commit: marker.commit }
}

/** Undefined where there is no such table. */
export async function loadIfThere(
  catalog: Catalog,
  table: TableIdentifier,
  call: CallOptions,
): Promise<LoadedTable | undefined> {
  try {
    return await catalog.loadTable(table, call)
  } catch (error) {
    if (!isKind(error, 'not-found')) throw error
    return undefined
  }
}

/** A table that is gone is made without rows: all that was let go of is given up. */
function anew({ info, context }: Life): ColdAdoption {
  const { incarnation, startOffsets } = info
  const released = context.hot.releasedOffsets()
  const frontier = startOffsets.map((start, partition) => highest(start, released[partition]!))
  const skipped = lostRanges(startOffsets, released).map((range) => ({ incarnation, ...range }))
  const skippedOffsets = skipped.reduce((sum, { from, to }) => sum + to - from, 0n)
  return { outcome: 'recounted', incarnation, snapshotId: null, frontier, rows: 0n, skippedOffsets, skipped }
}

function resultOf({ state, counted }: Adoptable, { incarnation }: ColdTopicInfo): Omit<ColdAdoption, 'outcome'> {
  const { loaded, entries, marker } = state
  const sum = (numbers: readonly bigint[]): bigint => numbers.reduce((a, b) => a + b, 0n)
  const jumps = entries.flatMap((entry) =>
    entry.skipped > 0n && entry.rows === 0n
      ? [{ incarnation, partition: entry.partition, from: entry.start, to: entry.frontier }]
      : [],
  )
  return {
    incarnation,
    snapshotId: snapshotIdOf(loaded),
    frontier: entries.map(({ frontier }) => frontier),
    rows: sum(marker.ledger.map(({ rows }) => rows)),
    skippedOffsets: sum(marker.ledger.map(({ skipped }) => skipped)),
    skipped: counted?.skipped ?? jumps,
  }
}

function stillWritten({ name, table }: ColdTopicInfo, { state }: Adoptable): Error {
  const message =
    `Table ${table} of topic ${name} is written by another log while this one is about to adopt it ` +
    `(commit ${state.marker.commit}): stop that one first.`
  return conflict('TABLE_IN_USE', message, { context: { topic: name, table } })
}
