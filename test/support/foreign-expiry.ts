import { keyOf } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { readManifestList } from '@moulin/iceberg'
import { change, tableOf } from '../../packages/lake/src/foreign.test-support.ts'
import type { TestLog } from '../../packages/lake/src/lake.test-support.ts'

/**
 * Spark's `expire_snapshots(older_than => now, retain_last => retain)` on a table that was only appended to: the snapshots go, and with
 * them the manifest lists and manifests that no other one names.
 */
export async function expireAsSpark(log: TestLog, retain: number): Promise<void> {
  const { store } = log
  const { metadata } = await tableOf(log)
  const snapshots = (metadata.snapshots ?? []).toSorted((a, b) =>
    a['sequence-number']! < b['sequence-number']! ? -1 : 1,
  )
  const gone = snapshots.slice(0, -retain)
  if (gone.length === 0) return
  await change(log, [{ action: 'remove-snapshots', 'snapshot-ids': gone.map(({ 'snapshot-id': id }) => id) }])
  const kept = new Set<string>()
  for (const { 'manifest-list': list } of snapshots.slice(-retain)) {
    for (const path of await manifestsIn(store, list)) kept.add(path)
  }
  const dead = new Set<string>()
  for (const { 'manifest-list': list } of gone) {
    for (const path of await manifestsIn(store, list)) if (!kept.has(path)) dead.add(path)
    dead.add(list)
  }
  for (const path of dead) await store.delete(keyOf(store, path))
}

async function manifestsIn(store: ObjectStore, list: string): Promise<string[]> {
  const { bytes } = await store.get(keyOf(store, list))
  return readManifestList(bytes, { path: list }).map(({ path }) => path)
}
