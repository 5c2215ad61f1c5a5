import type { AuditGap, OffsetRange } from '@moulin/core'
import type { OffsetCoverage } from './offset-coverage.ts'
import type { LedgerEntry } from '../table/ledger.ts'

/** What the ledger answers for, and which of it has a row. */
export interface Counted {
  readonly entry: LedgerEntry
  readonly coverage: OffsetCoverage
}

/** Rows that the table should have and has not: those that retention removed are not expected any more. */
export function lackingRows({ entry, coverage }: Counted): bigint {
  const lacking = entry.rows - entry.expired - coverage.covered
  return lacking > 0n ? lacking : 0n
}

/**
 * Offsets without a row, with the reason. The ledger counts them by reason, it does not place them: where rows were deleted beside
 * others, all of the partition's gaps are called deleted, the cause to look into.
 */
export function* gapsOf(counted: Counted, ledger: readonly LedgerEntry[]): Generator<AuditGap> {
  const { entry, coverage } = counted
  const { incarnation, partition, start, skipped } = entry
  const reason = reasonOf(counted)
  for (const { from, to } of coverage.gaps()) {
    // What an earlier incarnation may have had there, see the marker's ledger.
    const isJump = from === start && skipped > 0n && !isFirst(entry, ledger)
    yield { incarnation, partition, from, to, reason: isJump ? 'unknown' : reason }
  }
}

/** Of these gaps those of deleted rows. */
export function* deletedOf(counted: Counted, ledger: readonly LedgerEntry[]): Generator<OffsetRange> {
  if (lackingRows(counted) === 0n) return
  for (const { from, to, reason } of gapsOf(counted, ledger)) if (reason === 'deleted') yield { from, to }
}

function reasonOf(counted: Counted): AuditGap['reason'] {
  const { expired, control, aborted } = counted.entry
  if (lackingRows(counted) > 0n) return 'deleted'
  if (expired > 0n) return 'expired'
  if (control > 0n) return 'control'
  return aborted > 0n ? 'aborted' : 'skipped'
}

function isFirst({ incarnation, partition }: LedgerEntry, ledger: readonly LedgerEntry[]): boolean {
  return !ledger.some((entry) => entry.partition === partition && entry.incarnation < incarnation)
}
