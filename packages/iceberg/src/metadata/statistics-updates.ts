import { invalid, sameInt64 } from '@moulin/core'
import type { Int64, JsonValue, PartitionStatisticsFile, TableMetadata } from '@moulin/core'
import { snapshotById } from './metadata-lookup.ts'

type StatisticsList = 'statistics' | 'partition-statistics'

/**
 * A snapshot has one file of each kind: a new one takes the place of the old.
 * @throws `invalid` for a snapshot that the table does not have, or when the update names another one than its file does.
 */
export function setStatistics(
  metadata: TableMetadata,
  list: StatisticsList,
  file: PartitionStatisticsFile,
  snapshotId: Int64 = file['snapshot-id'],
): TableMetadata {
  const id = file['snapshot-id']
  if (!sameInt64(snapshotId, id)) {
    const message = `The ${list} are of the snapshot ${id}, but the update names ${snapshotId}.`
    throw invalid('STATISTICS', message, { context: { snapshotId: id, named: snapshotId } })
  }
  if (snapshotById(metadata, id) === undefined) {
    const message = `The table has no snapshot ${id}, of which the ${list} are.`
    throw invalid('UNKNOWN_SNAPSHOT', message, { context: { snapshotId: id } })
  }
  return { ...metadata, [list]: [...others(metadata, list, id), file] }
}

/** That there are none is fine. */
export function removeStatistics(metadata: TableMetadata, list: StatisticsList, snapshotId: Int64): TableMetadata {
  return (metadata[list] ?? []).length === 0 ? metadata : { ...metadata, [list]: others(metadata, list, snapshotId) }
}

function others(metadata: TableMetadata, list: StatisticsList, snapshotId: Int64): readonly JsonValue[] {
  return (metadata[list] ?? []).filter((entry) => !sameInt64((entry as Entry)['snapshot-id'], snapshotId))
}

type Entry = { readonly 'snapshot-id': Int64 }
