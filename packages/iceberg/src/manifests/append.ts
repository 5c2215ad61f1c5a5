import { checkOptions, defaultLimits, exhausted, invalid, jsonBytes, option } from '@moulin/core'
import type {
  Int64,
  Limits,
  LoadedTable,
  OptionTable,
  Snapshot,
  TableCommit,
  TableFiles,
  TableMetadata,
  TableUpdate,
} from '@moulin/core'
import type { DataFile, ManifestEntry, ManifestFile } from './data-file.ts'
import type { ExpiryOptions } from '../metadata/expiry.ts'
import { keepTable, planExpiry } from '../metadata/expiry.ts'
import { laterOf, toInt64 } from '../metadata/int64.ts'
import { readManifestList, writeManifestList } from './manifest-list.ts'
import { writeManifest } from './manifest.ts'
import { mergeManifests } from './merge-manifests.ts'
import { currentSchema, currentSnapshot, currentSpec } from '../metadata/metadata-lookup.ts'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'
import { appendSummary } from './snapshot-summary.ts'

export interface AppendRequest {
  readonly table: LoadedTable
  /** Names and reads the table's files; `tableFiles(store)` of core for one store. */
  readonly tableFiles: Pick<TableFiles, 'get' | 'under'>
  /** Stored already, all of the table's default partition spec. May be empty: a snapshot that only moves properties. */
  readonly files: readonly DataFile[]
  /** Random, positive, new for every attempt of other content. */
  readonly snapshotId: bigint
  /** Goes into the names of the manifest and the manifest list, with `attempt`. */
  readonly commitId: string
  /** Counts the plans of one commit id; default 0. */
  readonly attempt?: number
  /** Entries beside the ones of the specification. */
  readonly summary?: Readonly<Record<string, string>>
  /** Table properties that the commit sets. */
  readonly properties?: Readonly<Record<string, string>>
  /** What the commit forgets of old snapshots: {@link planExpiry}. */
  readonly expire?: Omit<ExpiryOptions, 'nowMs'> | false
  readonly nowMs: number
  readonly limits?: Limits
  readonly signal?: AbortSignal
}

const requestTable: OptionTable<AppendRequest> = {
  table: option.required(option.door('a loaded table', [], ['identifier', 'metadata'])),
  tableFiles: option.required(option.door('TableFiles', ['get', 'under'])),
  files: option.required(option.listOf(option.objectOf('a data file'))),
  snapshotId: option.required(option.int64('an id')),
  commitId: option.required(option.text),
  attempt: option.integer('', 0),
  summary: option.recordOf(option.text),
  properties: option.recordOf(option.text),
  expire: option.anyOf(option.oneOf(false), option.nested(keepTable)),
  nowMs: option.required(option.milliseconds()),
  limits: option.someLimits,
  signal: option.abortSignal,
}

export interface AppendPlan {
  /** To be stored, in this order, before the commit is sent. */
  readonly objects: readonly { readonly location: string; readonly bytes: Uint8Array }[]
  readonly commit: TableCommit
  readonly snapshot: Snapshot
  /** What its manifest list names. */
  readonly manifests: readonly ManifestFile[]
  /** Snapshots that the commit forgets. Their files stay. */
  readonly expiredSnapshotIds: readonly bigint[]
}

/** Properties of this prefix are bounded by `markerBytes`: every version of the metadata repeats them. */
const MARKER_PREFIX = 'moulin.marker.'

/**
 * Plans the commit that appends files to a table: one manifest for the files, a manifest list that carries the parent's
 * manifests over, small ones of ours merged now and then ({@link mergeManifests}), and requirements and updates that
 * take effect as one. Reads the parent's manifest list, and the manifests that it merges; writes nothing.
 *
 * The commit requires that the table is the same one, that `main` still is the parent, and that partition spec and
 * schema are those that the files were written with. In the same update it sets `properties` and forgets old snapshots.
 * The snapshot's time never lies before the table's last change, whatever the clock says.
 *
 * @throws `unsupported` naming a delete manifest of the parent; `invalid` for a file of another partition spec;
 * `exhausted` for a marker above `markerBytes`; what the store throws.
 *
 * Spec: Iceberg, "Snapshots", "Manifest Lists", "Sequence Number Inheritance"; REST catalog, `CommitTableRequest`.
 */
export async function planAppend(request: AppendRequest): Promise<AppendPlan> {
  checkOptions('planAppend', request, requestTable)
  const { table, tableFiles, files, snapshotId, nowMs, properties = {}, limits = defaultLimits } = request
  const { metadata } = table
  checkFiles(metadata, files)
  checkMarkers(properties, limits)
  const parent = currentSnapshot(metadata)
  const parentManifests = parent === undefined ? [] : await manifestsOf(tableFiles, parent, request.signal)
  const sequenceNumber = BigInt(metadata['last-sequence-number']) + 1n
  const names = objectNames(request)

  const objects: { location: string; bytes: Uint8Array }[] = []
  const kept = await mergeManifests({
    tableFiles,
    metadata,
    manifests: parentManifests,
    manifestAt: names.manifest,
    snapshotId,
    sequenceNumber,
    signal: request.signal,
  })
  objects.push(...kept.objects)
  const manifests = [...kept.manifests]
  if (files.length > 0) {
    const location = names.manifest(0)
    const { bytes, manifest } = writeManifest({
      path: location,
      spec: bindPartitionSpec(currentSpec(metadata), [currentSchema(metadata)]),
      schema: currentSchema(metadata),
      entries: files.map((file) => addedEntry(file, snapshotId)),
      snapshotId,
      sequenceNumber,
    })
    objects.push({ location, bytes })
    manifests.unshift(manifest)
  }
  const parentSnapshotId = parent === undefined ? null : BigInt(parent['snapshot-id'])
  const list = writeManifestList({ manifests, snapshotId, parentSnapshotId, sequenceNumber })
  objects.push({ location: names.manifestList, bytes: list })

  const snapshot: Snapshot = {
    'snapshot-id': toInt64(snapshotId),
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent['snapshot-id'] }),
    'sequence-number': toInt64(sequenceNumber),
    'timestamp-ms': laterOf(toInt64(BigInt(nowMs)), metadata['last-updated-ms']),
    'manifest-list': names.manifestList,
    summary: appendSummary({ files, parent, parentManifests, extra: request.summary ?? {} }),
    'schema-id': metadata['current-schema-id'],
  }
  const expiry = expiryOf(metadata, request, snapshot)
  const updates: TableUpdate[] = [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', ...mainRef(metadata, snapshot['snapshot-id']) },
    ...(Object.keys(properties).length === 0 ? [] : [{ action: 'set-properties' as const, updates: properties }]),
    ...expiry.updates,
  ]
  const commit = { requirements: requirementsOf(metadata, parent), updates }
  return { objects, commit, snapshot, manifests, expiredSnapshotIds: expiry.snapshotIds }
}

function requirementsOf(metadata: TableMetadata, parent: Snapshot | undefined): TableCommit['requirements'] {
  return [
    { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': parent?.['snapshot-id'] ?? null },
    { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] },
    { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
  ]
}

// What someone asked main to keep stays asked for.
function mainRef(metadata: TableMetadata, snapshotId: Int64): { type: 'branch'; 'snapshot-id': Int64 } {
  const refs = metadata.refs ?? {}
  const present = Object.hasOwn(refs, 'main') ? refs['main'] : undefined
  return { ...present, type: 'branch', 'snapshot-id': snapshotId }
}

function expiryOf(
  metadata: TableMetadata,
  { expire = {}, nowMs, properties = {} }: AppendRequest,
  snapshot: Snapshot,
): ReturnType<typeof planExpiry> {
  if (expire === false) return { updates: [], snapshotIds: [] }
  // The new snapshot is one of those kept. The parent stays: until the commit, main names it.
  const keepSnapshots = Math.max(1, (expire.keepSnapshots ?? 100) - 1)
  const addedBytes = jsonBytes({ snapshot, properties }).length + COMMIT_BYTES
  return planExpiry(metadata, { addedBytes, ...expire, keepSnapshots, nowMs })
}

/** What a commit adds beside snapshot and properties, at most: entries of the logs, what the catalog says of itself. */
const COMMIT_BYTES = 1024

function addedEntry(file: DataFile, snapshotId: bigint): ManifestEntry {
  return { status: 'added', snapshotId, sequenceNumber: undefined, fileSequenceNumber: undefined, file }
}

async function manifestsOf(
  tableFiles: Pick<TableFiles, 'get'>,
  snapshot: Snapshot,
  signal: AbortSignal | undefined,
): Promise<ManifestFile[]> {
  const path = snapshot['manifest-list']
  const { bytes } = await tableFiles.get(path, signal === undefined ? {} : { signal })
  return readManifestList(bytes, { path })
}

function objectNames({ table, tableFiles, snapshotId, commitId, attempt = 0 }: AppendRequest): {
  /** The commit's own is the 0th, merged ones follow. */
  readonly manifest: (n: number) => string
  readonly manifestList: string
} {
  const under = (name: string): string => tableFiles.under(table.metadata.location, `metadata/${name}`)
  return {
    manifest: (n) => under(`${commitId}-${attempt}-m${n}.avro`),
    manifestList: under(`snap-${snapshotId}-${attempt}-${commitId}.avro`),
  }
}

function checkFiles(metadata: TableMetadata, files: readonly DataFile[]): void {
  const paths = new Set<string>()
  for (const { filePath, specId } of files) {
    if (specId !== metadata['default-spec-id']) {
      const message = `${filePath} is of partition spec ${specId}; the table's is ${metadata['default-spec-id']} by now.`
      throw invalid('PARTITION_SPEC', message, { context: { filePath, specId } })
    }
    if (paths.has(filePath)) throw invalid('DATA_FILE', `${filePath} is appended twice by one commit.`)
    paths.add(filePath)
  }
}

function checkMarkers(properties: Readonly<Record<string, string>>, { markerBytes }: Limits): void {
  for (const [name, value] of Object.entries(properties)) {
    const sizeBytes = name.startsWith(MARKER_PREFIX) ? new TextEncoder().encode(value).length : 0
    if (sizeBytes <= markerBytes) continue
    const message = `The marker ${name} has ${sizeBytes} bytes; markerBytes is ${markerBytes}: raise it.`
    throw exhausted('MARKER_TOO_LARGE', message, { context: { name, sizeBytes, limit: markerBytes } })
  }
}
