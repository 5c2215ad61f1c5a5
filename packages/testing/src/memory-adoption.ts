import { conflict, isKind, throwIfAborted } from '@moulin/core'
import type { AuditRange, ColdAdoption, ColdTier } from '@moulin/core'
import { abortedIn, rowsIn } from './memory-audit.ts'
import type { MemoryLedgerEntry, MemoryTable } from './memory-history.ts'
import { judged, most, pagesOf, presentEntries } from './memory-state.ts'
import type { MemoryTopicParts } from './memory-state.ts'

/** What the next incarnation leaves between itself and an older one. */
const JUMP = 2n ** 20n

/** See {@link ColdTier.adopt}. What is wrong is found as it is at any attach, and counted anew. */
export async function adoptMemoryTable(
  parts: MemoryTopicParts,
  { how, expectedSnapshotId, signal }: Parameters<ColdTier['adopt']>[2],
): Promise<ColdAdoption> {
  const { history, info } = parts
  throwIfAborted(signal)
  const table = await history.load(info.table)
  const present = table?.commits.at(-1)?.id ?? null
  // From here on a commit of anybody else is another version.
  if (expectedSnapshotId !== undefined && expectedSnapshotId !== present) {
    const message = `The history ${info.table} is at ${present}, not at ${expectedSnapshotId}: nothing was adopted.`
    throw conflict('TABLE_MOVED', message, { context: { table: info.table } })
  }
  try {
    return adoption(parts, await judged(parts, table), 'none')
  } catch (error) {
    const isBehind = isKind(error, 'conflict', 'LOG_BEHIND_TABLE')
    if (table === undefined || (!isBehind && !isKind(error, 'conflict', 'LINEAGE_BROKEN'))) throw error
    if (isBehind && how !== 'by-hand') throw error
    throwIfAborted(signal)
    return isBehind ? next(parts, table) : recounted(parts, table, how, error)
  }
}

/** The ledger as the pages say, and the frontier where they end. */
async function recounted(
  parts: MemoryTopicParts,
  table: MemoryTable,
  how: 'restore' | 'gap' | 'by-hand',
  error: unknown,
): Promise<ColdAdoption> {
  const { history, info, context } = parts
  const released = context.hot.releasedOffsets()
  const skipped: AuditRange[] = []
  const entries = presentEntries(parts, table).map((entry): MemoryLedgerEntry => {
    const { incarnation, partition, start } = entry
    const pages = pagesOf(table, partition).filter((page) => page.incarnation === incarnation)
    const reached = pages.reduce((end, page) => most(end, page.to), info.startOffsets[partition]!)
    const frontier = most(reached, released[partition]!)
    // Neither the pages nor the log have it.
    if (frontier > reached) skipped.push({ incarnation, partition, from: reached, to: frontier })
    const runs = pages.flatMap((page) => page.runs)
    const rows = rowsIn(runs, context.recordsOf)
    const aborted = abortedIn(runs, context.recordsOf)
    return { incarnation, partition, start, frontier, rows, aborted, skipped: frontier - start - rows - aborted }
  })
  if (how === 'restore' && skipped.length > 0) throw error
  const { marker, commits } = table
  const earlier = marker.entries.filter(({ incarnation }) => incarnation !== info.incarnation)
  const commit = commits.at(-1)?.id ?? 0n
  const next = { marker: { ...marker, writer: parts.writer, commit, entries: [...earlier, ...entries] }, commits }
  const committed = await history.commit(info.table, table.version, next)
  return { ...adoption(parts, committed, 'recounted'), skipped: skipped.slice(0, context.limits.maxGaps) }
}

/** The next incarnation, above all that anybody has. */
async function next(parts: MemoryTopicParts, table: MemoryTable): Promise<ColdAdoption> {
  const { history, info, context } = parts
  const { marker, commits } = table
  const ends = context.hot.committedOffsets().map((end, partition) => {
    const own = marker.entries.filter((entry) => entry.partition === partition)
    return own.reduce((highest, { frontier }) => most(highest, frontier), end) + JUMP
  })
  const incarnation = marker.incarnation + 1
  const life = { ...parts, info: { ...info, incarnation, startOffsets: ends } }
  const entries = [...marker.entries, ...presentEntries(life, table)]
  const begun = { marker: { ...marker, incarnation, writer: parts.writer, entries }, commits }
  return adoption(life, await history.commit(info.table, table.version, begun), 'next-incarnation')
}

function adoption(parts: MemoryTopicParts, table: MemoryTable, outcome: ColdAdoption['outcome']): ColdAdoption {
  const { entries } = table.marker
  const present = presentEntries(parts, table)
  const sum = (of: 'rows' | 'skipped'): bigint => entries.reduce((total, entry) => total + entry[of], 0n)
  return {
    outcome,
    incarnation: parts.info.incarnation,
    snapshotId: table.commits.at(-1)?.id ?? null,
    frontier: present.map(({ frontier }) => frontier),
    rows: sum('rows'),
    skippedOffsets: sum('skipped'),
    skipped: [],
  }
}
