import { isValid, throwIfAborted } from '@moulin/core'
import type {
  AuditGap,
  AuditOptions,
  AuditPartition,
  AuditReport,
  ColdContext,
  ColdTopicInfo,
  TableFiles,
} from '@moulin/core'
import { currentSnapshot } from '@moulin/iceberg'
import { countingFiles } from '../live/counting-files.ts'
import type { CountingRows } from '../live/counting-files.ts'
import { isOwnFile } from '../live/data-files.ts'
import type { LiveFiles } from '../live/live-files.ts'
import { DeepCheck } from './deep-check.ts'
import { columnOf, fieldsOf, groupIdentities, identitiesIn, identityNames } from '../places/identity-rows.ts'
import type { LedgerEntry } from '../table/ledger.ts'
import { placeOf } from '../places/place.ts'
import { OffsetCoverage } from './offset-coverage.ts'
import type { RowPlaces } from '../places/row-places.ts'
import type { TableColumns } from '../table/table-layout.ts'
import type { TableState } from '../table/table-state.ts'

export interface AuditParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly tableFiles: TableFiles
  readonly files: LiveFiles
  readonly places: RowPlaces
  /** Bytes of data files, about, that a deep audit holds decoded at a time. */
  readonly windowBytes: number
}

interface Count {
  readonly entry: LedgerEntry
  readonly coverage: OffsetCoverage
  checksum: bigint
  /** Rows that no reader sees. */
  unseen: bigint
}

/**
 * The check that {@link AuditReport.sql} makes, for any engine: of a table without rows that no reader sees, its rows must equal the
 * report's `rows` and `checksum` by incarnation and partition; else `row_count` is `rows` and `unseen` together. `{table}` stands
 * for the table.
 */
export const auditSql: string = `SELECT _kafka_incarnation, _kafka_partition,
       count(*) AS row_count, count(DISTINCT _kafka_offset) AS distinct_offsets,
       min(_kafka_offset) AS first_offset, max(_kafka_offset) AS last_offset, sum(_kafka_crc) AS checksum
FROM {table}
WHERE _kafka_partition IS NOT NULL
GROUP BY _kafka_incarnation, _kafka_partition
ORDER BY _kafka_incarnation, _kafka_partition`

/** Reads the identity and checksum of every row of the snapshot and compares them with the ledger. */
export async function audit(parts: AuditParts, state: TableState, options: AuditOptions): Promise<AuditReport> {
  const { deep: isDeep = false, onProgress, ...call } = options
  const { context, info } = parts
  const counts = new Map<string, Count>()
  for (const entry of state.marker.ledger) {
    const coverage = new OffsetCoverage(entry.start, entry.frontier)
    counts.set(placeOf(entry.incarnation, entry.partition), { entry, coverage, checksum: 0n, unseen: 0n })
  }
  const deep = isDeep ? new DeepCheck(parts, state.columns, counts) : undefined
  const total = Number(currentSnapshot(state.loaded.metadata)?.summary?.['total-data-files'] ?? NaN)
  const progress = { files: Number.isSafeInteger(total) ? total : null, filesDone: 0, rows: 0 }
  const types = fieldsOf(state.columns, [...identityNames, '_kafka_crc'])
  for await (const counting of countingFiles(parts, state, {}, call)) {
    const file = await counting.withRivals(call)
    const rows = await counting.rows(call)
    const isForeign = !isOwnFile(file, info.logId)
    if (isForeign) deep?.beginFile()
    for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++) {
      throwIfAborted(call.signal)
      const judged = await rows.judged({ rowGroup, types, ...call })
      countRows(judged, state.columns, counts, deep)
      if (isForeign) await deep?.addRowGroup(file, rowGroup, groupIdentities(judged, state.columns), call)
      progress.rows += judged.batch.length
      onProgress?.({ ...progress })
    }
    progress.filesDone++
    onProgress?.({ ...progress })
  }
  // Where SQL has dropped the column nothing is left to compare the ledger's sum with.
  const hasChecksums = info.rowCrc && state.columns.followed.has('_kafka_crc')
  const partitions = [...counts.values()].map((count) => partitionReport(count, hasChecksums))
  const gaps = [...counts.values()].flatMap((count) =>
    gapsOf(count, isFirst(count.entry, state.marker.ledger), context.limits.maxGaps),
  )
  const found = (await deep?.report(call)) ?? null
  const isCounted = partitions.every(
    ({ rows, ledgerRows, unseen, checksum, ledgerChecksum, deleted }) =>
      rows === ledgerRows && unseen === 0n && checksum === ledgerChecksum && deleted === 0n,
  )
  const clean = isCounted && (found === null || (found.mismatched === 0n && found.doubledRows === 0n))
  return { clean, partitions, gaps, deep: found, sql: auditSql }
}

// Rows of an earlier life of the topic, which no entry covers, are nobody's business here.
function countRows(
  { batch, counts: isCounting }: Awaited<ReturnType<CountingRows['judged']>>,
  columns: TableColumns,
  counts: ReadonlyMap<string, Count>,
  deep: DeepCheck | undefined,
): void {
  const rows = identitiesIn(batch, columns)
  const crc = columnOf(batch, columns, '_kafka_crc')
  const crcs = crc?.storage === 'int32' ? crc.values : undefined
  let partition = -1
  let incarnation = -1
  let count: Count | undefined
  // Exact as a number within a row group: at most 2^31 times its rows.
  let checksum = 0
  const flush = (): void => {
    if (count !== undefined) count.checksum += BigInt(checksum)
    checksum = 0
  }
  for (let row = 0; row < rows.length; row++) {
    if (!rows.isKnown(row)) continue
    if (partition !== rows.partition(row) || incarnation !== rows.incarnation(row)) {
      flush()
      partition = rows.partition(row)
      incarnation = rows.incarnation(row)
      count = counts.get(placeOf(incarnation, partition))
    }
    if (count === undefined) continue
    const offset = rows.offset(row)
    if (!count.coverage.covers(offset)) {
      count.unseen++
      continue
    }
    if (!isCounting(row) || count.coverage.add(offset)) {
      count.unseen++
      deep?.addDoubled(count.entry, offset)
      continue
    }
    if (crcs !== undefined && isValid(crc!, row)) checksum += crcs[row]!
  }
  flush()
}

function partitionReport({ entry, coverage, checksum, unseen }: Count, rowCrc: boolean): AuditPartition {
  const { incarnation, partition, start, frontier, control, aborted, skipped } = entry
  // What retention removed is in the ledger's sums and not expected in the table any more.
  const ledgerRows = entry.rows - entry.expired
  const lacking = ledgerRows - coverage.covered
  return {
    incarnation,
    partition,
    start,
    frontier,
    rows: coverage.covered,
    ledgerRows,
    unseen,
    control,
    aborted,
    skipped,
    deleted: lacking > 0n ? lacking : 0n,
    checksum: rowCrc ? checksum : null,
    ledgerChecksum: rowCrc ? entry.checksum - entry.expiredChecksum : null,
  }
}

/**
 * The ledger counts offsets without a row by reason, it does not place them. Where rows were deleted beside such offsets,
 * the two cannot be told apart by place: all of the partition's gaps are then called deleted, the cause to look into.
 */
function gapsOf({ entry, coverage }: Count, isFirst: boolean, maxGaps: number): AuditGap[] {
  const { incarnation, partition, control, aborted, skipped, rows, expired } = entry
  const { covered } = coverage
  const reason =
    covered < rows - expired
      ? 'deleted'
      : expired > 0n
        ? 'expired'
        : control > 0n
          ? 'control'
          : aborted > 0n
            ? 'aborted'
            : 'skipped'
  const gaps: AuditGap[] = []
  for (const { from, to } of coverage.gaps()) {
    if (gaps.length === maxGaps) break
    // What an earlier incarnation may have had there, see the marker's ledger.
    const isJump = !isFirst && from === entry.start && skipped > 0n
    gaps.push({ incarnation, partition, from, to, reason: isJump ? 'unknown' : reason })
  }
  return gaps
}

function isFirst({ incarnation, partition }: LedgerEntry, ledger: readonly LedgerEntry[]): boolean {
  return !ledger.some((entry) => entry.partition === partition && entry.incarnation < incarnation)
}
