import { isValid, throwIfAborted } from '@moulin/core'
import type { AuditOptions, AuditPartition, AuditReport, ColdContext, ColdTopicInfo, TableFiles } from '@moulin/core'
import { currentSnapshot } from '@moulin/iceberg'
import type { ManifestRoom } from '@moulin/iceberg'
import { countingFiles } from '../live/counting-files.ts'
import type { CountingRows } from '../live/counting-files.ts'
import { isOwnFile } from '../live/data-files.ts'
import type { LiveFiles } from '../live/live-files.ts'
import { AddedAgain } from './added-again.ts'
import type { Places } from './added-again.ts'
import { gapsOf, lackingRows } from './audit-gaps.ts'
import type { Counted } from './audit-gaps.ts'
import { DeepCheck } from './deep-check.ts'
import { DeletedRows } from './deleted-rows.ts'
import { columnOf, fieldsOf, groupIdentities, identitiesIn, identityNames } from '../places/identity-rows.ts'
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
  readonly manifests?: ManifestRoom | undefined
  readonly places: RowPlaces
  /** Bytes of data files, about, that a deep audit holds decoded at a time. */
  readonly windowBytes: number
}

interface Count extends Counted {
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
  const deletedRows = isDeep ? await DeletedRows.load(parts, call) : undefined
  const again = deletedRows && new AddedAgain({ ...parts, topic: info }, state, deletedRows.addedBy)
  const deep = isDeep ? new DeepCheck(parts, state.columns, counts) : undefined
  const total = Number(currentSnapshot(state.loaded.metadata)?.summary?.['total-data-files'] ?? NaN)
  const progress = { files: Number.isSafeInteger(total) ? total : null, filesDone: 0, rows: 0 }
  const types = fieldsOf(state.columns, [...identityNames, '_kafka_crc'])
  for await (const counting of countingFiles(parts, state, {}, call)) {
    const file = await counting.withRivals(call)
    const rows = await counting.rows(call)
    const noted = await again?.begin(counting.listed, file, call)
    const isForeign = !isOwnFile(file, info)
    if (isForeign) deep?.beginFile()
    for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++) {
      throwIfAborted(call.signal)
      const judged = await rows.judged({ rowGroup, types, ...call })
      countRows(judged, state.columns, counts, { deep, noted })
      if (isForeign) await deep?.addRowGroup(file, rowGroup, groupIdentities(judged, state.columns), call)
      progress.rows += judged.batch.length
      onProgress?.({ ...progress })
    }
    progress.filesDone++
    onProgress?.({ ...progress })
  }
  const { ledger } = state.marker
  const all = [...counts.values()]
  // Where SQL has dropped the column nothing is left to compare the ledger's sum with.
  const hasCrcs = info.rowCrc && state.columns.followed.has('_kafka_crc')
  const partitions = all.map((count) => partitionReport(count, hasCrcs))
  const gaps = all.flatMap((count) => firstOf(gapsOf(count, ledger), context.limits.maxGaps))
  const checked = await deep?.report(call)
  const { moved = [] } = checked ?? {}
  const elsewhere = { moved, unlisted: deep?.unlisted ?? 0n }
  const found = checked && {
    ...checked,
    ...(await deletedRows!.report(state, all, { ...elsewhere, again: again! }, call)),
  }
  const isCounted = partitions.every(
    ({ rows, ledgerRows, unseen, checksum, ledgerChecksum, deleted }) =>
      rows === ledgerRows && unseen === 0n && checksum === ledgerChecksum && deleted === 0n,
  )
  const isWrong = found !== undefined && found.mismatched + found.doubledRows + found.returnedRows > 0n
  return { clean: isCounted && !isWrong, partitions, gaps, deep: found ?? null, sql: auditSql }
}

// Rows of an earlier life of the topic, which no entry covers, are nobody's business here.
function countRows(
  { batch, counts: isCounting }: Awaited<ReturnType<CountingRows['judged']>>,
  columns: TableColumns,
  counts: ReadonlyMap<string, Count>,
  { deep, noted }: { readonly deep: DeepCheck | undefined; readonly noted: Places | undefined },
): void {
  const rows = identitiesIn(batch, columns)
  const crc = columnOf(batch, columns, '_kafka_crc')
  const crcs = crc?.storage === 'int32' ? crc.values : undefined
  let partition = -1
  let incarnation = -1
  let count: Count | undefined
  let noting: OffsetCoverage | undefined
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
      noting = noted?.get(placeOf(incarnation, partition))
    }
    if (count === undefined) continue
    const offset = rows.offset(row)
    noting?.add(offset)
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

function partitionReport(count: Count, hasCrcs: boolean): AuditPartition {
  const { entry, coverage, checksum, unseen } = count
  const { incarnation, partition, start, frontier, control, aborted, skipped } = entry
  // What retention removed is in the ledger's sums and not expected in the table any more.
  const ledgerRows = entry.rows - entry.expired
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
    deleted: lackingRows(count),
    checksum: hasCrcs ? checksum : null,
    ledgerChecksum: hasCrcs ? entry.checksum - entry.expiredChecksum : null,
  }
}

function firstOf<T>(all: Iterable<T>, most: number): T[] {
  const first: T[] = []
  for (const one of all) {
    if (first.length === most) break
    first.push(one)
  }
  return first
}
