import { hasOffset } from '@moulin/core'
import type { AuditGap, AuditPartition, AuditReport, BatchRun, StoredRecord } from '@moulin/core'
import { ownRecords } from './cut-run.ts'
import type { MemoryLedgerEntry } from './memory-history.ts'

type RecordsOf = (run: BatchRun) => readonly StoredRecord[]

export const rowsIn = (runs: readonly BatchRun[], recordsOf: RecordsOf): bigint =>
  runs.reduce((rows, run) => rows + BigInt(ownRecords(run, recordsOf).length), 0n)

/** The run's records, those of aborted transactions among them. */
function allIn({ aborted: _, ...run }: BatchRun, recordsOf: RecordsOf): StoredRecord[] {
  return ownRecords(run, recordsOf)
}

export const abortedIn = (runs: readonly BatchRun[], recordsOf: RecordsOf): bigint =>
  runs.reduce((count, run) => count + BigInt(allIn(run, recordsOf).length), 0n) - rowsIn(runs, recordsOf)

export interface AuditedEntry {
  readonly entry: MemoryLedgerEntry
  /** What the history really has of it. */
  readonly runs: readonly BatchRun[]
  /** From here on records may be; before it is a jump of which nobody knows. */
  readonly begins: bigint
}

/** Compares entries of a ledger with what is there, by count: the records are those that were sent, so there are no checksums. */
export function memoryAudit(audited: readonly AuditedEntry[], recordsOf: RecordsOf, maxGaps: number): AuditReport {
  const partitions: AuditPartition[] = []
  const gaps: { -readonly [K in keyof AuditGap]: AuditGap[K] }[] = []
  for (const { entry, runs, begins } of audited) {
    const { incarnation, partition, start, frontier, aborted, skipped } = entry
    const rows = rowsIn(runs, recordsOf)
    const none = { unseen: 0n, control: 0n, checksum: null, ledgerChecksum: null }
    const place = { incarnation, partition }
    partitions.push({
      ...place,
      ...none,
      start,
      frontier,
      rows,
      ledgerRows: entry.rows,
      aborted,
      skipped,
      deleted: entry.rows - rows,
    })
    if (begins > start) gaps.push({ ...place, from: start, to: begins, reason: 'unknown' })
    let next = begins > start ? begins : start
    let open: (typeof gaps)[number] | undefined
    const gap = (to: bigint, reason: 'aborted' | 'skipped'): void => {
      if (to <= next) return
      if (open?.reason === reason && open.to === next) open.to = to
      else gaps.push((open = { ...place, from: next, to, reason }))
      next = to
    }
    for (const run of runs) {
      for (const { offset } of allIn(run, recordsOf)) {
        gap(offset, 'skipped')
        if (hasOffset(run.aborted ?? [], offset)) gap(offset + 1n, 'aborted')
        else next = offset + 1n
      }
    }
    gap(frontier, 'skipped')
  }
  const clean = partitions.every(({ rows, ledgerRows }) => rows === ledgerRows)
  return { clean, partitions, gaps: gaps.slice(0, maxGaps), deep: null, sql: '' }
}
