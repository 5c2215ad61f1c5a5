/** A table of people, by the day of their birth, as commits of ours and of strangers make it. */
import { day, keyOf, tableFiles } from '@moulin/core'
import type { LoadedTable, ObjectStore, Snapshot, TableMetadata, TableUpdate } from '@moulin/core'
import { expect } from 'vitest'
import { planAppend } from './append.ts'
import type { AppendRequest } from './append.ts'
import type { CommitPlan } from './commit-plan.ts'
import type { DataFile, DeleteFile, ManifestEntry, ManifestFile } from '../manifests/data-file.ts'
import { deleteFile, writeDeleteManifest } from '../manifests/delete-manifest.test-support.ts'
import { manifestCounts } from '../manifests/manifest-counts.ts'
import { readManifestList, writeManifestList } from '../manifests/manifest-list.ts'
import { readManifest } from '../manifests/read-manifest.ts'
import { toInt64 } from '../metadata/int64.ts'
import { currentSchema, currentSnapshot, currentSpec } from '../metadata/metadata-lookup.ts'
import { people, T0 } from '../metadata/metadata.test-tables.ts'
import { newTableMetadata, partitionSpecOf } from '../metadata/new-table.ts'
import { checkRequirements } from '../metadata/requirements.ts'
import { checkTableMetadata } from '../metadata/table-metadata.ts'
import { applyUpdates } from '../metadata/updates.ts'
import { bindPartitionSpec, specById } from '../partitions/partition-fields.ts'

export const FIRST_ID = 3_055_729_675_574_597_000n

export function tableIn(store: ObjectStore, properties: Readonly<Record<string, string>> = {}): LoadedTable {
  const partitionSpec = partitionSpecOf(people, [day('born')])
  const location = `${store.root}tables/shop/people`
  const metadata = newTableMetadata({ schema: people, partitionSpec, properties }, { uuid: 'u-1', location, nowMs: T0 })
  return loadedTable(metadata)
}

export const loadedTable = (metadata: TableMetadata): LoadedTable => ({
  identifier: { namespace: ['shop'], name: 'people' },
  metadataLocation: 'v1',
  metadata,
})

export function fileOf(number: number, specId: number = 0): DataFile {
  return {
    content: 0,
    filePath: `memory://hooked/tables/shop/people/data/${number}.parquet`,
    fileFormat: 'PARQUET',
    specId,
    partition: [number],
    recordCount: 10n,
    fileSizeBytes: 1000n,
    columnSizes: new Map([[1001, 80n]]),
    valueCounts: new Map([[1001, 10n]]),
    nullValueCounts: new Map([[1001, 0n]]),
    nanValueCounts: new Map(),
    lowerBounds: new Map(),
    upperBounds: new Map(),
    splitOffsets: [4n],
    sortOrderId: undefined,
  }
}

export async function storePlan(plan: CommitPlan, into: ObjectStore): Promise<void> {
  for (const { location, bytes } of plan.objects) await into.put(keyOf(into, location), bytes, { mode: 'create' })
}

/** Plans, stores and commits; what a catalog would do. */
export async function append(
  objects: ObjectStore,
  table: LoadedTable,
  number: number,
  options: Partial<AppendRequest> = {},
): Promise<LoadedTable> {
  const plan = await planAppend(requestOf(objects, table, number, options))
  await storePlan(plan, objects)
  return committed(table, plan, T0 + number)
}

export function requestOf(
  objects: ObjectStore,
  table: LoadedTable,
  number: number,
  options: Partial<AppendRequest> = {},
): AppendRequest {
  const snapshotId = FIRST_ID + BigInt(number)
  const names = { snapshotId, commitId: `c${number}`, nowMs: T0 + number }
  return { table, tableFiles: tableFiles(objects), files: [fileOf(number)], ...names, ...options }
}

/** What a catalog would do. */
export function committed({ metadata }: LoadedTable, { commit }: CommitPlan, nowMs: number): LoadedTable {
  checkRequirements(metadata, commit.requirements)
  return loadedTable(checkTableMetadata(applyUpdates(metadata, commit.updates, { nowMs }), 'next'))
}

export async function manifestsOf(objects: ObjectStore, { metadata }: LoadedTable): Promise<ManifestFile[]> {
  const path = currentSnapshot(metadata)!['manifest-list']
  return readManifestList((await objects.get(keyOf(objects, path))).bytes, { path })
}

/** Of all data manifests; also says whether each has what its list says. */
export async function entriesOf(
  objects: ObjectStore,
  table: LoadedTable,
  options: { readonly withDeleted?: boolean } = {},
): Promise<ManifestEntry[]> {
  const { metadata } = table
  const entries: ManifestEntry[] = []
  for (const manifest of await manifestsOf(objects, table)) {
    const { bytes } = await objects.get(keyOf(objects, manifest.path))
    expect(manifest).toMatchObject(manifestCounts(bytes, manifest.path))
    if (manifest.content === 'deletes') continue
    const spec = bindPartitionSpec(specById(metadata['partition-specs'], manifest.specId), metadata.schemas)
    entries.push(...readManifest(bytes, { manifest, spec, ...options }))
  }
  return entries
}

/** As moulin names its commits. */
export const uuidOf = (number: number): string => `5eed0000-0000-4000-8000-${String(number).padStart(12, '0')}`

/** The table with a file of deletes, by default of the partition of {@link fileOf} 1: a stranger's commit, with nothing else in it. */
export async function withDeletes(
  objects: ObjectStore,
  table: LoadedTable,
  { content, ...more }: Partial<DeleteFile> & Pick<DeleteFile, 'content'>,
): Promise<LoadedTable> {
  const { metadata } = table
  const sequenceNumber = BigInt(metadata['last-sequence-number']) + 1n
  const snapshotId = FIRST_ID + 1000n + sequenceNumber
  const schema = currentSchema(metadata)
  const spec = bindPartitionSpec(currentSpec(metadata), [schema])
  const path = `${metadata.location}/metadata/deletes-${sequenceNumber}.avro`
  const files = [deleteFile(content, `deletes-${sequenceNumber}`, sequenceNumber, { partition: [1], ...more })]
  const { bytes, manifest } = writeDeleteManifest({ path, spec, schema, files, sequenceNumber })
  await objects.put(keyOf(objects, path), bytes)
  const manifests = [manifest, ...(await manifestsOf(objects, table))]
  const parent = currentSnapshot(metadata)!
  const parentSnapshotId = BigInt(parent['snapshot-id'])
  const rowIds = metadata['format-version'] === 3 ? { firstRowId: BigInt(metadata['next-row-id']!) } : {}
  const list = writeManifestList({ manifests, snapshotId, parentSnapshotId, sequenceNumber, ...rowIds })
  const listPath = `${metadata.location}/metadata/snap-${snapshotId}.avro`
  await objects.put(keyOf(objects, listPath), list)
  const snapshot: Snapshot = {
    'snapshot-id': snapshotId,
    'parent-snapshot-id': parent['snapshot-id'],
    'sequence-number': toInt64(sequenceNumber),
    'timestamp-ms': toInt64(BigInt(parent['timestamp-ms']) + 1n),
    'manifest-list': listPath,
    summary: { operation: 'delete' },
    'schema-id': 0,
    ...(metadata['format-version'] === 3 ? { 'first-row-id': metadata['next-row-id']!, 'added-rows': 0 } : {}),
  }
  const updates: TableUpdate[] = [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshotId },
  ]
  return loadedTable(applyUpdates(metadata, updates, { nowMs: T0 }))
}
