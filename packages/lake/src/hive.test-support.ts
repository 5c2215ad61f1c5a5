/** Files as other engines add them to a table out of Hive's folders: what a folder's name tells is in no file. */
import { keyOf, tableFiles } from '@moulin/core'
import type { IcebergField, JsonObject } from '@moulin/core'
import {
  bindPartitionSpec,
  currentSchema,
  currentSnapshot,
  currentSpec,
  planScan,
  toInt64,
  writeManifest,
  writeManifestList,
} from '@moulin/iceberg'
import type { FileScanTask, ManifestEntry, PartitionValue } from '@moulin/iceberg'
import { change, tableOf } from './foreign.test-support.ts'
import type { TestLog } from './lake.test-support.ts'
import type { PlainTable } from './open-table/open-table.test-support.ts'

/** What is done here takes no more of a log. */
export function logOf({ store, catalog, runtime }: PlainTable): TestLog {
  return { store, catalog, runtime, info: { table: 'shop.people' } } as unknown as TestLog
}

/**
 * A snapshot in which the table's files lie in partitions, by the identity of these columns: one tuple for each file, in the order in which
 * they were added.
 */
export async function placed(
  log: TestLog,
  sources: readonly Pick<IcebergField, 'id' | 'name'>[],
  tuples: readonly (readonly PartitionValue[])[],
): Promise<void> {
  const fields = sources.map(({ id, name }): JsonObject => ({
    'source-id': id,
    name: `by_${name}`,
    transform: 'identity',
  }))
  await change(log, [
    { action: 'add-spec', spec: { fields } as never },
    { action: 'set-default-spec', 'spec-id': -1 },
  ])
  const { metadata } = await tableOf(log)
  const files = tableFiles(log.store)
  const tasks: FileScanTask[] = []
  for await (const task of planScan({ tableFiles: files, metadata })) tasks.push(task)
  tasks.sort((a, b) => Number(a.sequenceNumber - b.sequenceNumber))
  const { 'spec-id': specId } = currentSpec(metadata)
  const [snapshotId, sequenceNumber] = [log.runtime.random.int63(), BigInt(metadata['last-sequence-number']) + 1n]
  const entries = tasks.map(({ file }, at): ManifestEntry => {
    const added = { status: 'added', snapshotId, sequenceNumber: undefined, fileSequenceNumber: undefined } as const
    return { ...added, file: { ...file, specId: specId!, partition: tuples[at]! } }
  })
  const schema = currentSchema(metadata)
  const id = log.runtime.random.uuid()
  const [path, list] = ['m0', 'list'].map((name) => `${metadata.location}/metadata/${id}-${name}.avro`) as [
    string,
    string,
  ]
  const spec = bindPartitionSpec(currentSpec(metadata), [schema])
  const { bytes, manifest } = writeManifest({ path, spec, schema, entries, snapshotId, sequenceNumber })
  const parent = currentSnapshot(metadata)!['snapshot-id']
  const scope = { snapshotId, parentSnapshotId: BigInt(parent), sequenceNumber }
  await log.store.put(keyOf(log.store, path), bytes)
  await log.store.put(keyOf(log.store, list), writeManifestList({ manifests: [manifest], ...scope }))
  const snapshot = {
    'snapshot-id': toInt64(snapshotId),
    'parent-snapshot-id': parent,
    'sequence-number': toInt64(sequenceNumber),
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': list,
    summary: { operation: 'replace' },
    'schema-id': metadata['current-schema-id'],
  }
  await change(log, [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': toInt64(snapshotId) },
  ])
}
