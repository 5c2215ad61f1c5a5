import { conflict, exists, notFound } from '@moulin/core'
import type { AuditRange, ColdContext, ColdTopicInfo } from '@moulin/core'
import type { MemoryHistory, MemoryLedgerEntry, MemoryPage, MemoryTable } from './memory-history.ts'

/** A topic, and where its history is. */
export interface MemoryTopicParts {
  readonly history: MemoryHistory
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  /** Of this process: what a marker says that it wrote, the log knew. */
  readonly writer: object
}

export const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
export const most = (a: bigint, b: bigint): bigint => (a > b ? a : b)

/** Of the topic's present incarnation, by partition: what is there, or how it begins. */
export function presentEntries({ info }: MemoryTopicParts, { marker }: MemoryTable): MemoryLedgerEntry[] {
  return info.startOffsets.map((begins, partition) => {
    const own = marker.entries.filter((entry) => entry.partition === partition)
    const present = own.find(({ incarnation }) => incarnation === info.incarnation)
    if (present !== undefined) return present
    const earlier = own.reduce<bigint | undefined>((end, entry) => most(end ?? 0n, entry.frontier), undefined)
    const start = least(earlier ?? begins, begins)
    const frontier = most(begins, earlier ?? begins)
    return {
      incarnation: info.incarnation,
      partition,
      start,
      frontier,
      rows: 0n,
      aborted: 0n,
      skipped: frontier - start,
    }
  })
}

/** Pages of a partition in the order of their offsets. */
export function pagesOf({ commits }: MemoryTable, partition: number): MemoryPage[] {
  const own = commits.flatMap(({ pages }) => pages.filter((page) => page.partition === partition))
  return own.sort((a, b) => (a.from < b.from ? -1 : 1))
}

/** The last commit that the marker speaks of is not there. */
export function isBroken({ marker, commits }: MemoryTable): boolean {
  return marker.commit !== (commits.at(-1)?.id ?? 0n)
}

/** The log is older than its history: what it has lost. */
export function rangesAhead({ info, context, writer }: MemoryTopicParts, { marker }: MemoryTable): AuditRange[] {
  if (context.access === 'read-only' || marker.writer === writer) return []
  const recovered = context.hot.recoveredOffsets()
  return marker.entries.flatMap(({ incarnation, partition, start, frontier }) => {
    // Of a later incarnation it has nothing.
    const from = incarnation === info.incarnation ? recovered[partition]! : start
    return incarnation >= info.incarnation && frontier > from ? [{ incarnation, partition, from, to: frontier }] : []
  })
}

/**
 * The history as it is, when it is the topic's.
 * @throws `exists` for another's; `conflict` code `LINEAGE_BROKEN`, `LOG_BEHIND_TABLE`; `fenced` instead, where a newer writer came.
 */
export async function judged(parts: MemoryTopicParts, table: MemoryTable | undefined): Promise<MemoryTable> {
  const { info, context } = parts
  const facts = { topic: info.name, table: info.table }
  if (table === undefined) {
    await context.checkFence()
    throw conflict('LINEAGE_BROKEN', `The history ${info.table} is gone.`, { context: facts })
  }
  const { logId, topicId } = table.marker
  if (logId !== info.logId || topicId !== info.id)
    throw exists('TABLE_OF_ANOTHER', `The history ${info.table} is that of another topic: name another table.`, {
      context: facts,
    })
  if (isBroken(table)) {
    await context.checkFence()
    const message = `The history ${info.table} does not hold its last commit, ${table.marker.commit}: it was rolled back.`
    throw conflict('LINEAGE_BROKEN', message, { context: facts })
  }
  const ahead = rangesAhead(parts, table)
  if (ahead.length > 0) {
    await context.checkFence()
    const lost = ahead.map(({ incarnation, partition, from, to }) => `${incarnation}.${partition} [${from}, ${to})`)
    const message = `The log is older than its history ${info.table}: it has lost ${lost.join(', ')}.`
    throw conflict('LOG_BEHIND_TABLE', message, { context: facts })
  }
  return table
}

/** Finds the topic's history, or begins it. @throws what {@link judged} throws; `not-found` for a reader where there is none. */
export async function foundOrBegun(parts: MemoryTopicParts): Promise<MemoryTable> {
  const { history, info, context, writer } = parts
  const found = await history.load(info.table)
  if (found !== undefined) return judged(parts, found)
  if (context.hot.releasedOffsets().some((released, partition) => released > info.startOffsets[partition]!))
    return judged(parts, undefined)
  if (context.access === 'read-only')
    throw notFound('TABLE_MISSING', `Topic ${info.name} has no history ${info.table} yet; its writer begins it.`)
  const { logId, id: topicId, incarnation } = info
  const first = { logId, topicId, incarnation, writer, commit: 0n, committedAtMs: undefined, entries: [] }
  await history.create(info.table, first).catch(() => undefined)
  return judged(parts, await history.load(info.table))
}
