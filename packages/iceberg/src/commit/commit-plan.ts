import { defaultLimits, exhausted, jsonBytes, option } from '@moulin/core'
import type {
  CallOptions,
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
import type { DataFile, ManifestEntry, ManifestFile } from '../manifests/data-file.ts'
import type { ExpiryOptions } from '../metadata/expiry.ts'
import { keepTable, planExpiry } from '../metadata/expiry.ts'
import { nextRowId, writtenVersion } from '../metadata/format-version.ts'
import type { FormatVersion } from '../metadata/format-version.ts'
import { laterOf, toInt64 } from '../metadata/int64.ts'
import { currentSnapshot } from '../metadata/metadata-lookup.ts'
import { hasCounts, manifestCounts } from '../manifests/manifest-counts.ts'
import { readManifestList, writeManifestList } from '../manifests/manifest-list.ts'
import { writeManifest } from '../manifests/manifest.ts'
import type { WriteManifestRequest } from '../manifests/manifest.ts'
import { assignRowIds } from './row-ids.ts'
import { commitSummary } from './snapshot-summary.ts'

/** What every commit of files is planned from. */
export interface CommitRequest {
  readonly table: LoadedTable
  /** Names and reads the table's files; `tableFiles(store)` of core for one store. */
  readonly tableFiles: Pick<TableFiles, 'get' | 'under'>
  /** Random, positive, new for every attempt of other content. */
  readonly snapshotId: bigint
  /** Goes into the names of the manifests and the manifest list, with `attempt`. */
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
  /** The time that the snapshot is to bear, where the table has not changed since; default `nowMs`. What expires goes by `nowMs`. */
  readonly snapshotMs?: number
  readonly limits?: Limits
  readonly signal?: AbortSignal
}

export const commitTable: OptionTable<CommitRequest> = {
  table: option.required(option.door('a loaded table', [], ['identifier', 'metadata'])),
  tableFiles: option.required(option.door('TableFiles', ['get', 'under'])),
  snapshotId: option.required(option.int64('an id')),
  commitId: option.required(option.text),
  attempt: option.integer('', 0),
  summary: option.recordOf(option.text),
  properties: option.recordOf(option.text),
  expire: option.anyOf(option.oneOf(false), option.nested(keepTable)),
  nowMs: option.required(option.milliseconds()),
  snapshotMs: option.milliseconds(),
  limits: option.someLimits,
  signal: option.abortSignal,
}

export interface CommitPlan {
  /** To be stored, in this order, before the commit is sent. */
  readonly objects: readonly PlannedObject[]
  readonly commit: TableCommit
  readonly snapshot: Snapshot
  /** What its manifest list names. */
  readonly manifests: readonly ManifestFile[]
  /** Snapshots that the commit forgets. Their files stay. */
  readonly expiredSnapshotIds: readonly bigint[]
}

export interface PlannedObject {
  readonly location: string
  readonly bytes: Uint8Array
}

/** What a commit is built on. */
export interface CommitBase {
  readonly tableFiles: Pick<TableFiles, 'get'>
  readonly metadata: TableMetadata
  readonly formatVersion: FormatVersion
  /** Of the parent, of data and of deletes, with all counts. */
  readonly manifests: readonly ManifestFile[]
  /** Location of the n-th manifest that is written. */
  readonly manifestAt: (n: number) => string
  readonly snapshotId: bigint
  readonly sequenceNumber: bigint
  readonly call: CallOptions
}

/** What a commit makes of its base. */
export interface CommitContent {
  readonly operation: 'append' | 'replace'
  readonly manifests: readonly ManifestFile[]
  /** Those of the manifests that are new. */
  readonly objects: readonly PlannedObject[]
  readonly added: readonly DataFile[]
  readonly removed: readonly DataFile[]
}

/** Properties of this prefix are bounded by `markerBytes`: every version of the metadata repeats them. */
const MARKER_PREFIX = 'moulin.marker.'

/**
 * Plans a commit of one snapshot onto `main`: what `content` makes of the parent's manifests, a manifest list, and requirements and
 * updates that take effect as one. Writes nothing.
 */
export async function planCommit(
  request: CommitRequest,
  content: (base: CommitBase) => Promise<CommitContent>,
): Promise<CommitPlan> {
  const { table, tableFiles, snapshotId, nowMs, properties = {}, limits = defaultLimits, signal } = request
  const { snapshotMs = nowMs } = request
  const { metadata } = table
  checkMarkers(properties, limits)
  const formatVersion = writtenVersion(metadata)
  const call: CallOptions = signal === undefined ? {} : { signal }
  const parent = currentSnapshot(metadata)
  const parentManifests = parent === undefined ? [] : await manifestsOf(tableFiles, parent, call)
  const sequenceNumber = BigInt(metadata['last-sequence-number']) + 1n
  const names = objectNames(request)
  const base = { tableFiles, metadata, formatVersion, snapshotId, sequenceNumber, call, manifestAt: names.manifest }
  const made = await content({ ...base, manifests: parentManifests })

  const firstRowId = formatVersion === 3 ? nextRowId(metadata) : undefined
  const rowIds = firstRowId === undefined ? undefined : assignRowIds(made.manifests, firstRowId)
  const manifests = rowIds?.manifests ?? made.manifests
  const parentSnapshotId = parent === undefined ? null : BigInt(parent['snapshot-id'])
  const list = writeManifestList({ manifests, snapshotId, parentSnapshotId, sequenceNumber, firstRowId })

  const { operation, added, removed } = made
  const extra = request.summary ?? {}
  const snapshot: Snapshot = {
    'snapshot-id': toInt64(snapshotId),
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent['snapshot-id'] }),
    'sequence-number': toInt64(sequenceNumber),
    'timestamp-ms': timeOf(metadata, snapshotMs),
    'manifest-list': names.manifestList,
    summary: commitSummary({ operation, added, removed, parent, parentManifests, extra }),
    'schema-id': metadata['current-schema-id'],
    ...(rowIds === undefined
      ? {}
      : { 'first-row-id': toInt64(firstRowId!), 'added-rows': toInt64(rowIds.next - firstRowId!) }),
  }
  const expiry = expiryOf(metadata, request, snapshot)
  const updates: TableUpdate[] = [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', ...mainRef(metadata, snapshot['snapshot-id']) },
    ...(Object.keys(properties).length === 0 ? [] : [{ action: 'set-properties' as const, updates: properties }]),
    ...expiry.updates,
  ]
  return {
    objects: [...made.objects, { location: names.manifestList, bytes: list }],
    commit: { requirements: requirementsOf(metadata, parent), updates },
    snapshot,
    manifests,
    expiredSnapshotIds: expiry.snapshotIds,
  }
}

function requirementsOf(metadata: TableMetadata, parent: Snapshot | undefined): TableCommit['requirements'] {
  return [
    { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': parent?.['snapshot-id'] ?? null },
    { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] },
    { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
  ]
}

// Whatever the clock says: not before the table's last change, and after all that the snapshot log names.
function timeOf(metadata: TableMetadata, wantedMs: number): Int64 {
  const last = metadata['snapshot-log']?.at(-1)?.['timestamp-ms']
  const time = laterOf(toInt64(BigInt(wantedMs)), metadata['last-updated-ms'])
  return last === undefined ? time : laterOf(time, toInt64(BigInt(last) + 1n))
}

// What someone asked main to keep stays asked for.
function mainRef(metadata: TableMetadata, snapshotId: Int64): { type: 'branch'; 'snapshot-id': Int64 } {
  const refs = metadata.refs ?? {}
  const present = Object.hasOwn(refs, 'main') ? refs['main'] : undefined
  return { ...present, type: 'branch', 'snapshot-id': snapshotId }
}

function expiryOf(
  metadata: TableMetadata,
  { expire = {}, nowMs, properties = {} }: CommitRequest,
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

/** The n-th manifest that the commit writes. */
export function newManifest(
  { manifestAt, snapshotId, sequenceNumber, formatVersion }: CommitBase,
  n: number,
  content: Pick<WriteManifestRequest, 'spec' | 'schema' | 'entries'>,
): { readonly manifest: ManifestFile; readonly object: PlannedObject } {
  const location = manifestAt(n)
  const { spec, schema, entries } = content
  const numbers = { snapshotId, sequenceNumber, formatVersion }
  const { bytes, manifest } = writeManifest({ path: location, spec, schema, entries, ...numbers })
  return { manifest, object: { location, bytes } }
}

/** The entry of a file that the snapshot adds; with a data sequence number, for rows that the table has had since then. */
export function addedEntry(file: DataFile, snapshotId: bigint, sequenceNumber?: bigint): ManifestEntry {
  return { status: 'added', snapshotId, sequenceNumber, fileSequenceNumber: undefined, file }
}

async function manifestsOf(
  tableFiles: Pick<TableFiles, 'get'>,
  snapshot: Snapshot,
  call: CallOptions,
): Promise<ManifestFile[]> {
  const path = snapshot['manifest-list']
  const { bytes } = await tableFiles.get(path, call)
  const manifests = readManifestList(bytes, { path })
  // Lists of old writers leave counts out, which those of today must have.
  return Promise.all(
    manifests.map(async (manifest) => {
      if (hasCounts(manifest)) return manifest
      const counts = manifestCounts((await tableFiles.get(manifest.path, call)).bytes, manifest.path)
      return { ...manifest, ...counts }
    }),
  )
}

function objectNames({ table, tableFiles, snapshotId, commitId, attempt = 0 }: CommitRequest): {
  readonly manifest: (n: number) => string
  readonly manifestList: string
} {
  const under = (name: string): string => tableFiles.under(table.metadata.location, `metadata/${name}`)
  return {
    manifest: (n) => under(`${commitId}-${attempt}-m${n}.avro`),
    manifestList: under(`snap-${snapshotId}-${attempt}-${commitId}.avro`),
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
