/** What another engine does that deletes rows without writing their files anew. */
import { createHash } from 'node:crypto'
import { keyOf, tableIdentifier, tableFiles } from '@moulin/core'
import type { Catalog, IcebergField, ObjectStore } from '@moulin/core'
import {
  bindPartitionSpec,
  currentSchema,
  currentSnapshot,
  readManifestList,
  toInt64,
  writeManifestList,
} from '@moulin/iceberg'
import type { DeleteFile } from '@moulin/iceberg'
import { roaring64 } from '../../packages/format/src/roaring/roaring.test-support.ts'
import { puffinFile } from '../../packages/format/src/puffin/puffin.test-support.ts'
import { describedParquet, positionsFile, vectorBlob } from '../../packages/iceberg/src/deletes/deletes.test-support.ts'
import type { Value } from '../../packages/iceberg/src/deletes/deletes.test-support.ts'
import { writeDeleteManifest } from '../../packages/iceberg/src/manifests/delete-manifest.test-support.ts'

/** A file of deletes that is not in a table yet, beside what a manifest says of it. */
export interface NewDeletes {
  readonly bytes: Uint8Array
  readonly files: readonly Omit<DeleteFile, 'sequenceNumber' | 'specId' | 'partition'>[]
}

const noCounts = { nullValueCounts: new Map(), nanValueCounts: new Map() }
const noMetrics = { ...noCounts, lowerBounds: new Map(), upperBounds: new Map() }

/** In any order of paths, each with positions that rise. */
export function newPositions(location: string, deleted: ReadonlyMap<string, readonly number[]>): NewDeletes {
  const rows = [...deleted].flatMap(([path, positions]) => positions.map((at) => [path, BigInt(at)] as const))
  const bytes = positionsFile(rows)
  return { bytes, files: [fileOf('positions', location, bytes, rows.length)] }
}

/** One Puffin file. */
export function newVectors(
  location: string,
  deleted: ReadonlyMap<string, readonly number[]>,
  asRuns = false,
): NewDeletes {
  const blobs = Array.from(deleted, ([path, positions]) => ({
    bytes: vectorBlob(roaring64(positions, asRuns)),
    properties: { 'referenced-data-file': path, cardinality: String(positions.length) },
  }))
  const { bytes, offsets } = puffinFile(blobs)
  const files = Array.from(deleted, ([referencedDataFile, positions], at) => ({
    ...fileOf('vector', location, bytes, positions.length),
    referencedDataFile,
    blob: { offset: BigInt(offsets[at]!), sizeBytes: BigInt(blobs[at]!.bytes.length) },
  }))
  return { bytes, files }
}

export function newEquality(
  location: string,
  fields: readonly IcebergField[],
  rows: readonly (readonly Value[])[],
  equalityIds: readonly number[] = fields.map(({ id }) => id),
): NewDeletes {
  const { bytes, metrics } = describedParquet(fields, rows)
  const { nullValueCounts, nanValueCounts, lowerBounds, upperBounds } = metrics
  const stated = { nullValueCounts, nanValueCounts, lowerBounds, upperBounds }
  return { bytes, files: [{ ...fileOf('equality', location, bytes, rows.length), ...stated, equalityIds }] }
}

function fileOf(
  content: DeleteFile['content'],
  filePath: string,
  bytes: Uint8Array,
  rows: number,
): NewDeletes['files'][number] {
  const size = { recordCount: BigInt(rows), fileSizeBytes: BigInt(bytes.length) }
  return { content, filePath, ...size, ...noMetrics, equalityIds: [], referencedDataFile: undefined, blob: undefined }
}

/** The parts of a log that a stranger needs. */
export interface ForeignTable {
  readonly store: ObjectStore
  readonly catalog: Catalog
  readonly table: string
}

/**
 * A snapshot in which these delete rows, and no others that did before.
 * @param name Of this commit alone.
 * @param where They are in this partition. Default: that of a spec without fields.
 */
export async function commitDeletes(
  { store, catalog, table }: ForeignTable,
  name: string,
  make: (folder: string) => readonly NewDeletes[],
  where: Partial<Pick<DeleteFile, 'specId' | 'partition'>> = {},
): Promise<void> {
  const identifier = tableIdentifier(table)
  const { metadata } = await catalog.loadTable(identifier)
  const sequenceNumber = BigInt(metadata['last-sequence-number']) + 1n
  const snapshotId = createHash('sha256').update(name).digest().readBigUInt64BE() >> 1n
  const put = (location: string, bytes: Uint8Array): Promise<unknown> => store.put(keyOf(store, location), bytes)
  const { specId = metadata['default-spec-id'], partition = [] } = where
  const scope = { specId, partition, sequenceNumber }
  const made = make(`${metadata.location}/data/${name}`)
  for (const { bytes, files } of made) if (files.length > 0) await put(files[0]!.filePath, bytes)
  const files = made.flatMap((each) => each.files.map((file) => ({ ...file, ...scope })))
  const schema = currentSchema(metadata)
  const spec = bindPartitionSpec(
    metadata['partition-specs'].find((one) => one['spec-id'] === specId)!,
    [schema],
  )
  const path = `${metadata.location}/metadata/${name}-deletes.avro`
  const deletes = writeDeleteManifest({ path, spec, schema, files, sequenceNumber })
  await put(path, deletes.bytes)
  const before = currentSnapshot(metadata)!['manifest-list']
  const { bytes } = await tableFiles(store).get(before)
  const data = readManifestList(bytes, { path: before }).filter(({ content }) => content === 'data')
  const list = `${metadata.location}/metadata/snap-${name}.avro`
  const parent = metadata['current-snapshot-id']!
  const manifests = files.length === 0 ? data : [...data, deletes.manifest]
  const nextRowId = metadata['next-row-id']
  const rowIds = nextRowId === undefined ? {} : { firstRowId: BigInt(nextRowId) }
  const about = { snapshotId, parentSnapshotId: BigInt(parent), sequenceNumber, ...rowIds }
  await put(list, writeManifestList({ manifests, ...about }))
  const snapshot = {
    'snapshot-id': toInt64(snapshotId),
    'parent-snapshot-id': parent,
    'sequence-number': toInt64(sequenceNumber),
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': list,
    summary: { operation: 'overwrite' },
    'schema-id': metadata['current-schema-id'],
    ...(nextRowId !== undefined && { 'first-row-id': nextRowId, 'added-rows': 0 }),
  }
  await catalog.commitTable(identifier, {
    requirements: [],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': toInt64(snapshotId) },
    ],
  })
}
