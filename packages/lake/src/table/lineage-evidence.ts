import { and, eq, gte, isUnreadable, lte, or } from '@moulin/core'
import type { CallOptions, Expression, TableMetadata } from '@moulin/core'
import { currentSnapshot, planScan } from '@moulin/iceberg'
import type { FileScanTask, PlanScanOptions } from '@moulin/iceberg'
import type { ForeignRowsParts } from './foreign-rows.ts'
import { readIdentities } from '../places/identity-rows.ts'
import type { IdentityColumns } from '../places/identity-rows.ts'
import { placeOf } from '../places/place.ts'
import type { LedgerEntry } from './ledger.ts'
import type { Marker } from './marker.ts'
import type { TableColumns } from './table-layout.ts'

export interface EvidenceQuestion {
  readonly metadata: TableMetadata
  readonly marker: Marker
  readonly columns: TableColumns
}

/**
 * Looks for what shows that our last commit is part of a table whose snapshots up to it have expired, as nightly compaction
 * followed by daily expiry leaves it. Cheapest first; rows are read only where bounds and names do not tell. A sequence
 * number above ours proves nothing by itself: after a rollback any append has one. It counts on files with rows of ours,
 * which only a rewrite of a table that held our commit can have made.
 *
 * @returns the evidence in words, or undefined.
 */
export async function evidenceFor(
  parts: ForeignRowsParts,
  question: EvidenceQuestion,
  call: CallOptions,
): Promise<string | undefined> {
  const { metadata, marker } = question
  const sequence = marker.sequence ?? 0n
  const raised: FileScanTask[] = []
  let files = 0
  for await (const task of planScan({ ...whole(parts), metadata, ...call })) {
    files++
    if (isOfCommit(task, marker)) return `${task.file.filePath} of the last commit is live`
    if (task.sequenceNumber >= sequence) raised.push(task)
  }
  if (files === 0) return emptied(metadata, sequence)
  // A file that is gone or damaged says nothing; where no other speaks for the table, nobody knows.
  let failure: unknown
  const unlessUnreadable = (error: unknown): undefined => {
    if (!isUnreadable(error)) throw error
    failure ??= error
  }
  for (const task of raised) {
    if (await hasRow(parts, question, task, isOurs(marker.ledger), call).catch(unlessUnreadable)) {
      return `${task.file.filePath} has rows of the log and sequence number ${task.sequenceNumber}, not below ${sequence}`
    }
  }
  const found = await lastRows(parts, question, call).catch(unlessUnreadable)
  if (found === undefined && failure !== undefined) throw failure as Error
  return found
}

// Rows that were deleted since are evidence as well: the file has them all the same, whoever can tell.
const whole = ({ tableFiles, manifests }: ForeignRowsParts): Omit<PlanScanOptions, 'metadata'> => ({
  tableFiles,
  room: manifests,
  withDeletes: false,
})

function isOfCommit({ file, snapshotId }: FileScanTask, { commit, snapshot }: Marker): boolean {
  return snapshotId === snapshot || file.filePath.includes(`/data/${commit}-`)
}

// Emptied by SQL: that snapshot is above our commit. One that was rolled back to lies below it.
function emptied(metadata: TableMetadata, sequence: bigint): string | undefined {
  const main = currentSnapshot(metadata)
  if (main === undefined || BigInt(main['sequence-number']) <= sequence) return undefined
  return `no file is live, and sequence number ${main['sequence-number']} of main is above ${sequence}`
}

async function lastRows(
  parts: ForeignRowsParts,
  { metadata, marker, columns }: EvidenceQuestion,
  call: CallOptions,
): Promise<string | undefined> {
  const wanted = new Map(
    marker.ledger.flatMap((entry) => (entry.lastRow === null ? [] : [[placeOfEntry(entry), entry]])),
  )
  if (wanted.size === 0) return undefined
  const column = (name: string): string => columns.byName.get(name)!.name
  const places = [...wanted.values()].map(({ partition, lastRow }) =>
    and(
      eq(column('_kafka_partition'), partition),
      gte(column('_kafka_offset'), lastRow!),
      lte(column('_kafka_offset'), lastRow!),
    ),
  )
  const where: Expression = places.length === 1 ? places[0]! : or(...places)
  const question = { metadata, marker, columns }
  for await (const task of planScan({ ...whole(parts), metadata, where, ...call })) {
    const take: RowTest = (rows, row) => {
      const place = placeOf(rows.incarnation(row), rows.partition(row))
      if (wanted.get(place)?.lastRow === rows.offset(row)) wanted.delete(place)
      return wanted.size === 0
    }
    if (await hasRow(parts, question, task, take, call)) return 'the last row of every partition is there'
  }
  return undefined
}

type RowTest = (rows: IdentityColumns, row: number) => boolean

function isOurs(ledger: readonly LedgerEntry[]): RowTest {
  const byPlace = new Map(ledger.map((entry) => [placeOfEntry(entry), entry]))
  return (rows, row) => {
    const entry = byPlace.get(placeOf(rows.incarnation(row), rows.partition(row)))
    return entry !== undefined && rows.offset(row) >= entry.start && rows.offset(row) < entry.frontier
  }
}

async function hasRow(
  parts: ForeignRowsParts,
  { columns, metadata }: EvidenceQuestion,
  task: FileScanTask,
  test: RowTest,
  call: CallOptions,
): Promise<boolean> {
  const file = await parts.files.open(task, metadata, call)
  for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++) {
    const rows = await readIdentities(file, rowGroup, columns, call)
    for (let row = 0; row < rows.length; row++) if (rows.isKnown(row) && test(rows, row)) return true
  }
  return false
}

const placeOfEntry = ({ incarnation, partition }: LedgerEntry): string => placeOf(incarnation, partition)
