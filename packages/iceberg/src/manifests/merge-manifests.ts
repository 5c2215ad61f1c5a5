import type { TableFiles, TableMetadata } from '@moulin/core'
import type { ManifestEntry, ManifestFile } from './data-file.ts'
import { currentSchema, currentSpec, propertyOf } from '../metadata/metadata-lookup.ts'
import { writeManifest } from './manifest.ts'
import { readManifest } from './read-manifest.ts'
import { bindPartitionSpec } from '../partitions/partition-fields.ts'

/** So many manifests of one level become one of the next. */
const FAN_IN = 32
/** At once, where there are many: a table that was written without merging gets there step by step. */
const MAX_MERGED = 2 * FAN_IN
/** Of the manifests that become one; as Iceberg's `commit.manifest.target-size-bytes`. */
const MAX_MERGED_BYTES = 8n * 1024n * 1024n
/** Larger ones stay as they are: merging few of them would shorten nothing. */
const MAX_SIZE_BYTES = MAX_MERGED_BYTES / 8n

export interface MergeRequest {
  readonly tableFiles: Pick<TableFiles, 'get'>
  readonly metadata: TableMetadata
  /** Of the parent. */
  readonly manifests: readonly ManifestFile[]
  /** Location of the n-th manifest that is written. */
  readonly manifestAt: (n: number) => string
  readonly snapshotId: bigint
  readonly sequenceNumber: bigint
  readonly signal?: AbortSignal | undefined
}

export interface MergedManifests {
  /** What takes the place of the parent's. */
  readonly manifests: readonly ManifestFile[]
  readonly objects: readonly { readonly location: string; readonly bytes: Uint8Array }[]
}

/**
 * Merges the manifests of many small appends, so that the manifest list stays short however many there were: 32 of one
 * level (of up to 32 live files, 1 024, 32 768) become one of the next, the oldest first. So an entry is written again
 * once a level, a list has some 31 manifests of each, and files of one time stay together. Manifests of others, of other
 * partition specs, and with deleted entries stay as they are, and all do where the table says
 * `commit.manifest-merge.enabled` = `false`.
 */
export async function mergeManifests(request: MergeRequest): Promise<MergedManifests> {
  const { metadata } = request
  let { manifests } = request
  const objects: { location: string; bytes: Uint8Array }[] = []
  if (propertyOf(metadata, 'commit.manifest-merge.enabled') === 'false') return { manifests, objects }
  for (const group of groupsToMerge(metadata, manifests)) {
    const { location, bytes, manifest } = await merged(request, group, objects.length + 1)
    objects.push({ location, bytes })
    const gone = new Set(group)
    manifests = manifests.flatMap((one) => (one === group.at(-1) ? [manifest] : gone.has(one) ? [] : [one]))
  }
  return { manifests, objects }
}

function groupsToMerge(metadata: TableMetadata, manifests: readonly ManifestFile[]): ManifestFile[][] {
  const levels = new Map<number, ManifestFile[]>()
  for (const manifest of manifests) {
    if (!isOurs(manifest, metadata)) continue
    const level = levelOf(manifest.addedFiles! + manifest.existingFiles!)
    levels.set(level, [...(levels.get(level) ?? []), manifest])
  }
  return [...levels.values()]
    .filter(({ length }) => length >= FAN_IN)
    .map((level) => {
      level.sort((a, b) => (a.sequenceNumber < b.sequenceNumber ? -1 : 1))
      let bytes = 0n
      return level.slice(0, MAX_MERGED).filter(({ sizeBytes }) => (bytes += sizeBytes) <= MAX_MERGED_BYTES)
    })
}

// By the name that appends give their manifests: what others have written may hold what only they understand.
function isOurs(manifest: ManifestFile, metadata: TableMetadata): boolean {
  const { content, specId, path, sizeBytes, addedFiles, existingFiles, deletedFiles } = manifest
  const isPlain = content === 'data' && specId === metadata['default-spec-id'] && deletedFiles === 0
  return (
    isPlain &&
    sizeBytes <= MAX_SIZE_BYTES &&
    addedFiles !== undefined &&
    existingFiles !== undefined &&
    ownName.test(path)
  )
}

const ownName = /\/metadata\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d+-m\d+\.avro$/

function levelOf(files: number): number {
  let level = 0
  for (let most = FAN_IN; files >= most; most *= FAN_IN) level++
  return level
}

async function merged(
  { tableFiles, metadata, manifestAt, snapshotId, sequenceNumber, signal }: MergeRequest,
  group: readonly ManifestFile[],
  number: number,
): Promise<{ readonly location: string; readonly bytes: Uint8Array; readonly manifest: ManifestFile }> {
  const entries: ManifestEntry[] = []
  const call = signal === undefined ? {} : { signal }
  const read = bindPartitionSpec(currentSpec(metadata), metadata.schemas)
  const contents = await Promise.all(group.map(({ path }) => tableFiles.get(path, call)))
  for (const [at, manifest] of group.entries()) {
    for (const entry of readManifest(contents[at]!.bytes, { manifest, spec: read })) {
      entries.push({ ...entry, status: 'existing' })
    }
  }
  const location = manifestAt(number)
  const schema = currentSchema(metadata)
  const spec = bindPartitionSpec(currentSpec(metadata), [schema])
  return { location, ...writeManifest({ path: location, spec, schema, entries, snapshotId, sequenceNumber }) }
}
