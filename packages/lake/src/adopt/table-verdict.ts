import { isMoulinError } from '@moulin/core'
import type { AuditRange, CallOptions, JudgeTableOptions, LoadedTable, TableVerdict } from '@moulin/core'
import { loadIfThere, planAdoption } from './adopt-table.ts'
import type { AdoptRequest, Life } from './adopt-table.ts'
import { lostFiles } from '../look/lost-files.ts'
import type { ColdReadParts } from '../replay/cold-read.ts'
import { lostRanges } from '../table/lineage.ts'
import type { LostRange, Verdict } from '../table/lineage.ts'
import { snapshotIdOf } from '../table/table-state.ts'
import { goneTable } from '../table/topic-table.ts'
import type { Asked } from '../table/topic-table.ts'

/** Snapshots that a verdict follows while files go under it. */
const MAX_ROUNDS = 4

type VerdictRequest = Pick<AdoptRequest, 'catalog' | 'opening' | 'life'>

/** See `ColdTier.judge`. Changes nothing, whatever the log was opened for. */
export async function judgeTable(
  request: VerdictRequest,
  { plan = false, ...call }: JudgeTableOptions,
): Promise<TableVerdict> {
  const life = asWriter(request.life)
  const found = await verdictFor({ ...request, life }, call)
  if (found.verdict !== 'broken' || !plan || neverAdopted.has(found.fault)) return found
  try {
    const adoption = await planAdoption({ ...request, life, how: 'by-hand' }, call)
    return adoption.outcome === 'none' ? found : { ...found, adoption }
  } catch (error) {
    if (!isMoulinError(error) || (error.kind !== 'conflict' && error.kind !== 'exists')) throw error
    return { ...found, remedy: error.message }
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

async function verdictFor({ catalog, opening, life }: VerdictRequest, call: CallOptions): Promise<TableVerdict> {
  const { parts } = opening(life)
  const { table } = parts
  for (let round = 1; ; round++) {
    const asked = table.ask()
    const loaded = await loadIfThere(catalog, table.identifier, call)
    if (loaded === undefined) return withoutTable(life, asked)
    const snapshotId = snapshotIdOf(loaded)
    const found = { ...nothing, snapshotId, ...(await judged(parts, loaded, life, asked, call)) }
    if (found.fault !== 'lost-files' || round === MAX_ROUNDS) return found
    // Files of a snapshot that has been replaced meanwhile may go.
    const again = await loadIfThere(catalog, table.identifier, call)
    if (again !== undefined && snapshotIdOf(again) === snapshotId) return found
  }
}

type Judged = Pick<TableVerdict, 'verdict' | 'evidence'> & Partial<TableVerdict>

async function judged(
  parts: ColdReadParts,
  loaded: LoadedTable,
  { info }: Life,
  asked: Asked,
  call: CallOptions,
): Promise<Judged> {
  const { table } = parts
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
  const lost = await lostFiles(parts, state, asked.released, call)
  if (lost !== undefined) {
    const fault = 'lost-files'
    const inDoubt = rangesOf(lost.ranges, info.incarnation)
    return { verdict: 'broken', evidence: lost.reason, fault, inDoubt, remedy: remedyFor(fault) }
  }
  const reason = await table.rowsAbove(state, call)
  if (reason === undefined) return lineage
  const fault = 'foreign-rows'
  return { verdict: 'broken', evidence: reason, fault, remedy: remedyFor(fault) }
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

const nothing = { snapshotId: null, fault: null, inDoubt: [], ahead: [], remedy: 'Nothing.', adoption: null }

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

/** The table of somebody else stays his; of rows that do not say who they are, or cannot be read, nothing can be counted. */
const neverAdopted: ReadonlySet<string | null> = new Set(['other-log', 'other-topic', 'lost-identity', 'lost-files'])

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
    case 'lost-files':
      return 'Put the files back from a copy. Where there is none, set main back to a snapshot that names none of them, and adopt the table.'
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
