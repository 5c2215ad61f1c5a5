import { sameInt64 } from '@moulin/core'
import type { Snapshot, TableCommit, TableMetadata } from '@moulin/core'

/** What cannot be so where the commit was made. */
export function contradiction({ requirements, updates }: TableCommit, metadata: TableMetadata): string | undefined {
  const uuid = metadata['table-uuid'].toLowerCase()
  for (const asserted of [...requirements, ...updates]) {
    const isUuid = 'type' in asserted ? asserted.type === 'assert-table-uuid' : asserted.action === 'assign-uuid'
    if (isUuid && (asserted as { readonly uuid: string }).uuid.toLowerCase() !== uuid) return 'is of another table'
  }
  const missing = addedBy({ requirements, updates }).find((added) => snapshotIn(metadata, added) === undefined)
  return missing === undefined ? undefined : `does not have its snapshot ${missing['snapshot-id']}`
}

/** Whether the table has the very snapshots that the commit adds: nobody else writes their manifest lists. False where it adds none. */
export function wasMade(commit: TableCommit, metadata: TableMetadata): boolean {
  const added = addedBy(commit)
  const isThere = (snapshot: Snapshot): boolean =>
    snapshotIn(metadata, snapshot)?.['manifest-list'] === snapshot['manifest-list']
  return added.length > 0 && added.every(isThere)
}

/** Snapshots that are there once the commit is made. */
function addedBy({ updates }: TableCommit): Snapshot[] {
  const removed = updates.flatMap((update) => (update.action === 'remove-snapshots' ? update['snapshot-ids'] : []))
  return updates
    .flatMap((update) => (update.action === 'add-snapshot' ? [update.snapshot] : []))
    .filter((snapshot) => !removed.some((id) => sameInt64(id, snapshot['snapshot-id'])))
}

function snapshotIn({ snapshots = [] }: TableMetadata, { 'snapshot-id': id }: Snapshot): Snapshot | undefined {
  return snapshots.find((snapshot) => sameInt64(snapshot['snapshot-id'], id))
}
