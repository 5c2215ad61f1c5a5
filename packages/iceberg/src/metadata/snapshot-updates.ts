import { invalid, sameInt64 } from '@moulin/core'
import type { Int64, Snapshot, SnapshotRef, TableMetadata } from '@moulin/core'
import { laterOf, toInt64 } from './int64.ts'
import { schemaById, snapshotById } from './metadata-lookup.ts'
import { NO_SNAPSHOT } from './table-metadata.ts'
import type { Change } from './change.ts'
import { nextRowId } from './format-version.ts'

/**
 * Sequence numbers rise with every snapshot: that is what tells old deletes from new data. A snapshot without a parent begins a history of
 * its own, as replacing a table does, with no older data: its number may be another's. In format version 3 a snapshot takes row ids, from
 * the table's next one on.
 */
export function addSnapshot(metadata: TableMetadata, snapshot: Snapshot, change: Change): TableMetadata {
  const id = snapshot['snapshot-id']
  if (snapshotById(metadata, id) !== undefined) {
    throw invalid('SNAPSHOT_ID', `The table has a snapshot with the id ${id} already.`, { context: { snapshotId: id } })
  }
  const isFirstFormat = metadata['format-version'] === 1
  // Version 1 has none, and its writers leave it out.
  const sequenceNumber = isFirstFormat ? 0n : BigInt(snapshot['sequence-number'])
  const last = BigInt(metadata['last-sequence-number'])
  const parent: Int64 | null | undefined = snapshot['parent-snapshot-id']
  const isFirst = parent === undefined || parent === null
  if (!isFirstFormat && (sequenceNumber < 1n || (!isFirst && sequenceNumber <= last))) {
    const message = `The snapshot ${id} has the sequence number ${sequenceNumber}; it must be above the table's ${last}.`
    throw invalid('SEQUENCE_NUMBER', message, { context: { sequenceNumber, last } })
  }
  const schemaId = snapshot['schema-id']
  if (schemaId !== undefined && schemaById(metadata, schemaId) === undefined) {
    throw invalid('UNKNOWN_ID', `The snapshot ${id} names the schema ${schemaId}, which the table does not have.`)
  }
  const nextRowId = nextRowIdAfter(metadata, snapshot)
  change.addedSnapshotIds.add(BigInt(id))
  return {
    ...metadata,
    'last-sequence-number': toInt64(sequenceNumber > last ? sequenceNumber : last),
    ...(nextRowId === undefined ? {} : { 'next-row-id': nextRowId }),
    'last-updated-ms': laterOf(metadata['last-updated-ms'], snapshot['timestamp-ms']),
    snapshots: [...(metadata.snapshots ?? []), isFirstFormat ? { ...snapshot, 'sequence-number': 0 } : snapshot],
  }
}

/** Undefined: the table has no row ids. */
function nextRowIdAfter(metadata: TableMetadata, snapshot: Snapshot): Int64 | undefined {
  if (metadata['format-version'] < 3) return undefined
  const { 'snapshot-id': id, 'first-row-id': first, 'added-rows': added } = snapshot
  const next = nextRowId(metadata)
  if (first !== undefined && added !== undefined && BigInt(first) >= next && BigInt(added) >= 0n) {
    return toInt64(BigInt(first) + BigInt(added))
  }
  const message = `The snapshot ${id} takes the row ids ${added} from ${first}; those of the table are free from ${next} on.`
  throw invalid('ROW_ID', message, { context: { snapshotId: id, first, added, next } })
}

/** Setting `main` makes the snapshot current and enters it in the snapshot log. */
export function setRef(metadata: TableMetadata, name: string, ref: SnapshotRef, change: Change): TableMetadata {
  const snapshot = snapshotById(metadata, ref['snapshot-id'])
  if (snapshot === undefined) {
    const message = `The ref ${name} cannot name the snapshot ${ref['snapshot-id']}: the table does not have it.`
    throw invalid('UNKNOWN_SNAPSHOT', message, { context: { ref: name, snapshotId: ref['snapshot-id'] } })
  }
  const next = { ...metadata, refs: { ...metadata.refs, [name]: ref } }
  if (name !== 'main') return next
  if (ref.type !== 'branch') throw invalid('MAIN_REF', 'The ref main must be a branch.')
  if (sameInt64(metadata['current-snapshot-id'], ref['snapshot-id'])) return next
  const log = metadata['snapshot-log'] ?? []
  const isNew = change.addedSnapshotIds.has(BigInt(snapshot['snapshot-id']))
  const when = isNew ? snapshot['timestamp-ms'] : toInt64(BigInt(change.nowMs))
  // Readers refuse a log whose times fall, and a time that it has twice names no snapshot.
  const timestamp = log.length === 0 ? when : laterOf(when, toInt64(BigInt(log.at(-1)!['timestamp-ms']) + 1n))
  return {
    ...next,
    'current-snapshot-id': ref['snapshot-id'],
    'last-updated-ms': laterOf(metadata['last-updated-ms'], timestamp),
    'snapshot-log': [...log, { 'timestamp-ms': timestamp, 'snapshot-id': ref['snapshot-id'] }],
  }
}

export function removeRef(metadata: TableMetadata, name: string): TableMetadata {
  const refs = Object.entries(metadata.refs ?? {}).filter(([other]) => other !== name)
  const next = { ...metadata, refs: Object.fromEntries(refs) }
  return name === 'main' ? { ...next, 'current-snapshot-id': NO_SNAPSHOT } : next
}

/**
 * Forgets snapshots; ids that are not there are fine. The snapshot log is cut after the newest entry that goes, since a
 * log with a hole would answer time travel wrongly; statistics of the snapshots go too.
 * @throws `invalid` for a snapshot that a ref still names.
 */
export function removeSnapshots(metadata: TableMetadata, ids: readonly Int64[]): TableMetadata {
  const gone = new Set(ids.map((id) => BigInt(id)))
  for (const [name, ref] of Object.entries(metadata.refs ?? {})) {
    if (!gone.has(BigInt(ref['snapshot-id']))) continue
    const message = `The snapshot ${ref['snapshot-id']} cannot be removed: the ${ref.type} ${name} names it.`
    throw invalid('SNAPSHOT_IN_USE', message, { context: { ref: name, snapshotId: ref['snapshot-id'] } })
  }
  const isKept = (entry: unknown): boolean => !gone.has(BigInt((entry as Snapshot)['snapshot-id']))
  const snapshots = (metadata.snapshots ?? []).filter(isKept)
  const present = new Set(snapshots.map((snapshot) => BigInt(snapshot['snapshot-id'])))
  // Others may have left some of snapshots that went before.
  const isOfPresent = (entry: unknown): boolean => present.has(BigInt((entry as Snapshot)['snapshot-id']))
  const log = metadata['snapshot-log'] ?? []
  const { statistics, 'partition-statistics': partitionStatistics } = metadata
  return {
    ...metadata,
    snapshots,
    'snapshot-log': log.slice(log.findLastIndex((entry) => !isKept(entry)) + 1),
    ...(statistics === undefined || statistics === null ? {} : { statistics: statistics.filter(isOfPresent) }),
    ...(partitionStatistics === undefined || partitionStatistics === null
      ? {}
      : { 'partition-statistics': partitionStatistics.filter(isOfPresent) }),
  }
}
