import { isKind, isMoulinError, isUnreadable } from '@moulin/core'
import type { AuditRange, CallOptions, JudgeTableOptions, LoadedTable, TableVerdict } from '@moulin/core'
import { loadIfThere, planAdoption } from './adopt-table.ts'
import type { AdoptRequest, Life } from './adopt-table.ts'
import { filesVerdict } from './files-verdict.ts'
import type { FilesFound } from './files-verdict.ts'
import type { ColdReadParts } from '../replay/cold-read.ts'
import { lostRanges } from '../table/lineage.ts'
import type { LostRange, Verdict } from '../table/lineage.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import { goneTable } from '../table/topic-table.ts'
import type { Asked } from '../table/topic-table.ts'

type VerdictRequest = Pick<AdoptRequest, 'catalog' | 'opening' | 'life'>

/** See `ColdTier.judge`. Changes nothing, whatever the log was opened for. */
export async function judgeTable(
  request: VerdictRequest,
  { plan = false, files = true, ...call }: JudgeTableOptions,
): Promise<TableVerdict> {
  const life = asWriter(request.life)
  const found = await currentVerdict({ ...request, life }, files, call)
  if (found.verdict !== 'broken' || !plan || neverAdopted.has(found.fault)) return found
  try {
    const adoption = await planAdoption({ ...request, life, how: 'by-hand' }, call)
    return adoption.outcome === 'none' ? found : { ...found, adoption }
  } catch (error) {
    const isRefused = isMoulinError(error) && (error.kind === 'conflict' || error.kind === 'exists')
    if (!isRefused && !isUnreadable(error)) throw error
    return { ...found, remedy: (error as Error).message }
  }
}

/** As the log would be if a writer opened it now: with what it has, and no other writer beside it. */
function asWriter({ info, context }: Life): Life {
  if (context.access === 'read-write') return { info, context }
  const { hot } = context
  const opened: typeof hot = {
    committedOffsets: () => hot.committedOffsets(),
    releasedOffsets: () => hot.releasedOffsets(),
    recoveredOffsets: () => hot.committedOffsets(),
    pin: (from) => hot.pin(from),
    read: (request) => hot.read(request),
  }
  return { info, context: { ...context, access: 'read-write', hot: opened } }
}

/** Files of a snapshot that has been replaced meanwhile may go. */
async function currentVerdict(request: VerdictRequest, files: boolean, call: CallOptions): Promise<TableVerdict> {
  const { catalog, opening, life } = request
  for (let round = 1; ; round++) {
    const found = await verdictFor(request, files, call)
    if ((found.files?.missingCount ?? 0) === 0 || round === MAX_ROUNDS) return found
    const now = await loadIfThere(catalog, opening(life).parts.table.identifier, call)
    if (now !== undefined && snapshotIdOf(now) === found.snapshotId) return found
  }
}

async function verdictFor(
  { catalog, opening, life }: VerdictRequest,
  files: boolean,
  call: CallOptions,
): Promise<TableVerdict> {
  const { parts } = opening(life)
  const { table } = parts
  const asked = table.ask()
  let loaded: LoadedTable | undefined
  try {
    loaded = await loadIfThere(catalog, table.identifier, call)
  } catch (error) {
    if (!isKind(error, 'corrupt')) throw error
    return withoutMetadata(life, asked, error)
  }
  if (loaded === undefined) return withoutTable(life, asked)
  return { ...nothing, snapshotId: snapshotIdOf(loaded), ...(await judged(parts, { loaded, asked, files }, call)) }
}

type Judged = Pick<TableVerdict, 'verdict' | 'evidence'> & Partial<TableVerdict>

/** Snapshots that are followed while files go under a look. */
const MAX_ROUNDS = 4

interface AskedTable {
  readonly loaded: LoadedTable
  readonly asked: Asked
  /** Look for its files, too. */
  readonly files: boolean
}

async function judged(parts: ColdReadParts, { loaded, asked, files }: AskedTable, call: CallOptions): Promise<Judged> {
  const { table, info } = parts
  const { markers, verdict } = await table.judge(loaded, asked, call)
  if (verdict.kind === 'broken') {
    const { fault, reason, reached, remedy = remedyFor(fault) } = verdict
    const life = markers.own?.marker?.incarnation ?? info.incarnation
    const ahead = rangesOf(verdict.ahead ?? [], Math.max(life, info.incarnation))
    const lost = ahead.length > 0 ? [] : lostRanges(info.startOffsets, asked.released, reached)
    const inDoubt = rangesOf(lost, info.incarnation)
    return { verdict: 'broken', evidence: reason, fault, inDoubt, ahead, remedy }
  }
  const { kind, marker, foreign } = verdict
  const evidence = evidenceOf(verdict)
  const lineage = { verdict: kind, evidence }
  const state = table.stateOf({ loaded, lineage, marker, objects: [], isForeign: foreign.length > 0 })
  const found = files ? await filesVerdict(parts, state, asked.released, call) : undefined
  const isMissing = (found?.verdict.missingCount ?? 0) > 0
  const reason = await table.rowsAbove(state, call).catch((error: unknown) => {
    // What is in a file that is gone, nobody can say.
    if (isMissing && isUnreadable(error)) return undefined
    throw error
  })
  if (reason !== undefined) {
    const fault = 'foreign-rows'
    return { verdict: 'broken', evidence: reason, fault, files: found?.verdict ?? null, remedy: remedyFor(fault) }
  }
  return found === undefined ? lineage : ofFiles(lineage, found)
}

/** The verdict on the history, as far as its files are there. */
function ofFiles(lineage: Judged, { verdict: files, lost, isWhole }: FilesFound): Judged {
  const { missing, missingCount, named } = files
  if (missingCount === 0) return { ...lineage, files }
  if (isWhole) return { ...lineage, files, remedy: putBack }
  const fault = 'missing-files'
  const [first] = missing
  const evidence =
    `of ${named} files that the current snapshot names ${missingCount} cannot be read: ${first!.location} (${first!.reason})` +
    (missingCount === 1 ? '' : `, and ${missingCount - 1} more`)
  return { verdict: 'broken', evidence, fault, files, inDoubt: lost, remedy: remedyFor(fault) }
}

function withoutTable({ info }: Life, { released }: Asked): TableVerdict {
  const inDoubt = rangesOf(lostRanges(info.startOffsets, released), info.incarnation)
  if (inDoubt.length === 0) {
    return {
      ...nothing,
      verdict: 'intact',
      evidence: 'there is no table yet, and the write-ahead tier has all records',
    }
  }
  const { fault, reason } = goneTable
  return { ...nothing, verdict: 'broken', evidence: reason, fault, inDoubt, remedy: remedyFor(fault) }
}

/** There is a table, and nobody can say of what: whatever the write-ahead tier has let go of may be in it. */
function withoutMetadata({ info }: Life, { released }: Asked, { message }: Error): TableVerdict {
  const inDoubt = rangesOf(lostRanges(info.startOffsets, released), info.incarnation)
  const fault = 'unreadable-metadata'
  return { ...nothing, verdict: 'broken', evidence: message, fault, inDoubt, remedy: remedyFor(fault) }
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

const putBack =
  'Open the log for writing: it puts its own files back out of the write-ahead tier, which keeps the records till then, and those in files of others.'

function evidenceOf(verdict: Exclude<Verdict, { kind: 'broken' }>): string {
  const { marker, foreign } = verdict
  if (verdict.kind === 'plausible') return `expiry took the snapshot of the last commit, but ${verdict.evidence}`
  if (marker.snapshot === null) return 'nothing has been committed yet, as the marker says'
  const ours = `snapshot ${marker.snapshot} of the last commit is`
  if (foreign.length === 0) return `${ours} the current one`
  return `${ours} an ancestor of the current one, below ${foreign.length} of others`
}

const rangesOf = (ranges: readonly LostRange[], incarnation: number): AuditRange[] =>
  ranges.map((range) => ({ incarnation, ...range }))

/**
 * The table of somebody else stays his, and of rows that do not say who they are nothing can be counted; files that are gone are not come
 * by with another ledger, and metadata that is damaged says not even which files there are.
 */
const neverAdopted: ReadonlySet<string | null> = new Set([
  'other-log',
  'other-topic',
  'lost-identity',
  'missing-files',
  'unreadable-metadata',
])

const adopted = 'or adopt it: its ledger is counted anew from the rows that are there.'

function remedyFor(fault: string | null): string {
  switch (fault) {
    case 'other-log':
    case 'other-topic':
      return 'Open the log whose table it is, or give the topic another table.'
    case 'log-behind-table':
    case 'table-ahead-of-log':
      return 'Open the right copy of the log, or adopt the table: the topic goes on above both, in its next incarnation.'
    case 'foreign-rows':
      return 'Delete these rows: until then nothing is tiered. Reads, scans and sends go on.'
    case 'missing-files':
      return 'Put the files back where they were, from a backup or an earlier version of the objects; or take them out of the table with an engine, and what they had is a gap that reads pass. Reads elsewhere, scans of what is hot, tiering and sends go on.'
    case 'unreadable-metadata':
      return 'Put the metadata back as it was, from a backup or an earlier version of the object. Until then the table is neither read nor written; sends go on, and what is hot is read.'
    case 'replaced-table':
      return 'Put the table back, or adopt its place: a table is made anew, without what this one alone held.'
    case 'no-marker':
    case 'unreadable-marker':
    case 'edited-marker':
      return `Put the marker, a property of the table, back as an earlier version of its metadata has it, ${adopted}`
    default:
      return `Set the table's main branch back to a snapshot that has the last commit, ${adopted}`
  }
}
