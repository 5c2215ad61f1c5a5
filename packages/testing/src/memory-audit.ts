import type { AuditGap, AuditPartition, AuditReport, BatchRun, StoredRecord } from '@moulin/core'
import { ownRecords } from './cut-run.ts'
import type { MemoryLedgerEntry } from './memory-history.ts'

type RecordsOf = (run: BatchRun) => readonly StoredRecord[]

export const rowsIn = (runs: readonly BatchRun[], recordsOf: RecordsOf): bigint =>
  runs.reduce((rows, run) => rows + BigInt(ownRecords(run, recordsOf).length), 0n)

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
  const gaps: AuditGap[] = []
  for (const { entry, runs, begins } of audited) {
    const { incarnation, partition, start, frontier, skipped } = entry
    const rows = rowsIn(runs, recordsOf)
    const none = { unseen: 0n, control: 0n, aborted: 0n, checksum: null, ledgerChecksum: null }
    const place = { incarnation, partition }
    partitions.push({
      ...place,
      ...none,
      start,
      frontier,
      rows,
      ledgerRows: entry.rows,
      skipped,
      deleted: entry.rows - rows,
    })
    if (begins > start) gaps.push({ ...place, from: start, to: begins, reason: 'unknown' })
    let next = begins > start ? begins : start
    const skip = (to: bigint): void => {
      if (to > next) gaps.push({ ...place, from: next, to, reason: 'skipped' })
      next = to + 1n
    }
    for (const run of runs) for (const { offset } of ownRecords(run, recordsOf)) skip(offset)
    skip(frontier)
  }
  const clean = partitions.every(({ rows, ledgerRows }) => rows === ledgerRows)
  return { clean, partitions, gaps: gaps.slice(0, maxGaps), deep: null, sql: '' }
}
