import type { CreateTableRequest, LoadedTable, TableCommit, TableIdentifier } from '@moulin/core'
import { currentSnapshot, toInt64 } from '@moulin/iceberg'

export const racedTable: TableIdentifier = { namespace: ['shop'], name: 'orders' }

/**
 * A snapshot on top of the one that was loaded, and one more entry in a property that every commit reads and writes, as
 * a marker is. The snapshot before the last is forgotten, so that the metadata stays small.
 */
export function appendOf(writer: number, number: number, { metadata }: LoadedTable): TableCommit {
  const snapshotId = toInt64(2n ** 60n + BigInt(writer * 1_000 + number))
  const current = currentSnapshot(metadata)
  const parent = current?.['snapshot-id']
  const grandparent = current?.['parent-snapshot-id']
  const snapshot = {
    'snapshot-id': snapshotId,
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
    'sequence-number': Number(metadata['last-sequence-number']) + 1,
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': `${metadata.location}/metadata/snap-${snapshotId}.avro`,
    summary: { operation: 'append' },
  }
  const done = `${metadata.properties?.['done'] ?? ''}${writer}/${number} `
  return {
    requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': parent ?? null }],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshotId },
      { action: 'set-properties', updates: { done } },
      ...(grandparent === undefined ? [] : [{ action: 'remove-snapshots' as const, 'snapshot-ids': [grandparent] }]),
    ],
  }
}

export const racedRequest: CreateTableRequest = {
  schema: { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'long' }] },
}

/** What has been committed, `writer/number`, in its order. */
export function doneIn({ metadata }: LoadedTable): string[] {
  return (metadata.properties?.['done'] ?? '').split(' ').filter((entry) => entry !== '')
}

/** What so many writers with so many commits each have done in the end, sorted. */
export function wantedOf(writers: number, commits: number): string[] {
  return Array.from({ length: writers * commits }, (_, i) => `${Math.floor(i / commits)}/${i % commits}`).sort()
}
