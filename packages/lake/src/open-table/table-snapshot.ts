import type { Snapshot, TableMetadata } from '@moulin/core'
import { currentSnapshot } from '@moulin/iceberg'

/** What a table was after one commit. */
export interface TableSnapshot {
  readonly id: bigint
  /** Null: the first, or it is not told. */
  readonly parentId: bigint | null
  readonly sequenceNumber: bigint
  /** When it was committed, in ms since the epoch. */
  readonly timestamp: number
  /** `append`, `overwrite`, `delete` or `replace`; undefined where an old writer does not say. */
  readonly operation: string | undefined
  /** What else its writer says of it. */
  readonly summary: Readonly<Record<string, string>>
  /** The branches and tags that are at it. */
  readonly refs: readonly string[]
}

/** The current one. */
export function snapshotOf(metadata: TableMetadata): TableSnapshot | undefined {
  const snapshot = currentSnapshot(metadata)
  return snapshot === undefined ? undefined : tableSnapshot(snapshot, metadata)
}

/** All, oldest first. */
export function snapshotsOf(metadata: TableMetadata): readonly TableSnapshot[] {
  const all = (metadata.snapshots ?? []).map((snapshot) => tableSnapshot(snapshot, metadata))
  // Equal times stay in the order of the list.
  return all.sort((a, b) => a.timestamp - b.timestamp)
}

function tableSnapshot(snapshot: Snapshot, { refs = {} }: TableMetadata): TableSnapshot {
  const id = BigInt(snapshot['snapshot-id'])
  const { operation, ...summary } = snapshot.summary
  const parent = snapshot['parent-snapshot-id']
  return {
    id,
    parentId: parent === undefined || parent === null ? null : BigInt(parent),
    sequenceNumber: BigInt(snapshot['sequence-number']),
    timestamp: Number(snapshot['timestamp-ms']),
    operation,
    summary,
    refs: Object.entries(refs).flatMap(([name, ref]) => (BigInt(ref['snapshot-id']) === id ? [name] : [])),
  }
}
