import { isMoulinError } from '@moulin/core'
import type { AuditRange, JudgeTableOptions, TableVerdict } from '@moulin/core'
import { adoptMemoryTable } from './memory-adoption.ts'
import type { MemoryPage, MemoryTable } from './memory-history.ts'
import { isBroken, least, most, pagesOf, rangesAhead } from './memory-state.ts'
import type { MemoryTopicParts } from './memory-state.ts'

/** See `ColdTier.judge`. What would be done is tried on a copy. */
export async function judgeMemoryTable(
  given: MemoryTopicParts,
  { plan = false, files = true }: JudgeTableOptions,
): Promise<TableVerdict> {
  const parts = asWriter(given)
  const { history, info } = parts
  const found = verdictOn(parts, await history.load(info.table), files)
  if (found.verdict !== 'broken' || !plan) return found
  try {
    const copy = await history.copy(info.table)
    const adoption = await adoptMemoryTable({ ...parts, history: copy }, { how: 'by-hand' })
    return adoption.outcome === 'none' ? found : { ...found, adoption }
  } catch (error) {
    if (!isMoulinError(error)) throw error
    return { ...found, remedy: error.message }
  }
}

/** A log open for reading only, as a writer would find it that opened it now. */
function asWriter(parts: MemoryTopicParts): MemoryTopicParts {
  const { context } = parts
  if (context.access === 'read-write') return parts
  const { hot } = context
  const opened: typeof hot = {
    committedOffsets: () => hot.committedOffsets(),
    releasedOffsets: () => hot.releasedOffsets(),
    recoveredOffsets: () => hot.committedOffsets(),
    pin: (from) => hot.pin(from),
    read: (request) => hot.read(request),
  }
  return { ...parts, context: { ...context, access: 'read-write', hot: opened } }
}

const nothing = {
  snapshotId: null,
  fault: null,
  inDoubt: [],
  ahead: [],
  files: null,
  remedy: 'Nothing.',
  adoption: null,
}

function verdictOn(parts: MemoryTopicParts, table: MemoryTable | undefined, files: boolean): TableVerdict {
  const { info, context } = parts
  const released = context.hot.releasedOffsets()
  /** What was let go of, from there on. */
  const letGo = (from: readonly bigint[]): AuditRange[] =>
    released.flatMap((to, partition) =>
      to > from[partition]! ? [{ incarnation: info.incarnation, partition, from: from[partition]!, to }] : [],
    )
  const broken = (fault: string, evidence: string): TableVerdict => ({
    ...nothing,
    verdict: 'broken',
    snapshotId: table?.commits.at(-1)?.id ?? null,
    fault,
    evidence,
    remedy: 'Put the history back, or adopt it.',
  })
  if (table === undefined) {
    const inDoubt = letGo(info.startOffsets)
    if (inDoubt.length > 0) return { ...broken('replaced-table', 'the history is gone'), inDoubt }
    return { ...nothing, verdict: 'intact', evidence: 'there is no history yet' }
  }
  const { marker, commits } = table
  if (marker.logId !== info.logId || marker.topicId !== info.id)
    return { ...broken('other-topic', 'the history is that of another topic'), inDoubt: letGo(info.startOffsets) }
  if (isBroken(table)) {
    const reached = info.startOffsets.map((start, partition) =>
      pagesOf(table, partition).reduce((end, page) => most(end, page.to), start),
    )
    return { ...broken('left-main', `it does not hold its last commit, ${marker.commit}`), inDoubt: letGo(reached) }
  }
  const ahead = rangesAhead(parts, table)
  if (ahead.length > 0) return { ...broken('log-behind-table', 'the log is older than its history'), ahead }
  const fine: TableVerdict = {
    ...nothing,
    verdict: 'intact',
    evidence: `it holds its last commit, ${marker.commit}`,
    snapshotId: commits.at(-1)?.id ?? null,
  }
  return files ? withPages(parts, table, fine) : fine
}

/** The verdict, as far as the pages are there. */
function withPages(parts: MemoryTopicParts, table: MemoryTable, fine: TableVerdict): TableVerdict {
  const { history, info, context } = parts
  const pages = table.commits.flatMap((commit) => commit.pages)
  const gone = pages.filter((page) => !history.isThere(page))
  const released = context.hot.releasedOffsets()
  const rangeOf = ({ incarnation, partition }: MemoryPage, from: bigint, to: bigint): AuditRange[] =>
    from < to ? [{ incarnation, partition, from, to }] : []
  const end = (page: MemoryPage): bigint =>
    page.incarnation === info.incarnation ? most(page.from, least(page.to, released[page.partition]!)) : page.to
  const inDoubt = gone.flatMap((page) => rangeOf(page, page.from, end(page)))
  const files = {
    named: pages.length,
    looked: pages.length,
    missing: gone
      .slice(0, context.limits.maxMissingFiles)
      .map(({ name }) => ({ location: name, reason: 'it is gone' })),
    missingCount: gone.length,
    held: gone.flatMap((page) => rangeOf(page, end(page), page.to)),
  }
  if (gone.length === 0) return { ...fine, files }
  if (inDoubt.length === 0) return { ...fine, files, remedy: 'Open the log for writing: it puts these pages back.' }
  const evidence = `${gone.length} of ${pages.length} pages are gone: ${gone[0]!.name}`
  const remedy = 'Put the pages back.'
  return { ...fine, verdict: 'broken', fault: 'missing-files', evidence, inDoubt, files, remedy }
}
