import type { TableMetadata } from '@moulin/core'
import { readAvroFile } from '@moulin/format'
import { newManifest } from './commit-plan.ts'
import type { CommitBase, PlannedObject } from './commit-plan.ts'
import type { ManifestEntry, ManifestFile } from '../manifests/data-file.ts'
import { propertyOf, schemaById } from '../metadata/metadata-lookup.ts'
import { readManifest } from '../manifests/read-manifest.ts'
import { bindPartitionSpec, specById } from '../partitions/partition-fields.ts'

/** Spec: Iceberg, "Table behavior properties", with their defaults. */
const ENABLED = 'commit.manifest-merge.enabled'
const MIN_COUNT = { name: 'commit.manifest.min-count-to-merge', preset: 100 }
const TARGET_BYTES = { name: 'commit.manifest.target-size-bytes', preset: 8 * 1024 * 1024 }

export interface MergedManifests {
  /** What takes the place of the parent's. */
  readonly manifests: readonly ManifestFile[]
  readonly objects: readonly PlannedObject[]
}

/** What the table says of merging. */
interface MergeRule {
  /** So many manifests of one level become one of the next. */
  readonly fanIn: number
  /** Of the manifests that become one. */
  readonly mostBytes: bigint
}

/**
 * Merges the manifests of many small appends, so that the manifest list stays short however many there were: as many of one level (of
 * up to 100 live files, 10 000, …) as `commit.manifest.min-count-to-merge` says become one of the next, the oldest first, up to
 * `commit.manifest.target-size-bytes`. So an entry is written again once a level, a list has fewer than that of each, and files of one
 * time stay together. Manifests of different partition specs or schemas never come together. What others have written stays as it is, and
 * everything does where the table says `commit.manifest-merge.enabled` = `false`.
 *
 * Only what the parent names is merged: nothing of an attempt that lost its race comes into the table.
 */
export async function mergeManifests(base: CommitBase): Promise<MergedManifests> {
  const { metadata } = base
  let { manifests } = base
  const objects: PlannedObject[] = []
  if (propertyOf(metadata, ENABLED) === 'false') return { manifests, objects }
  for (const group of groupsToMerge(manifests, ruleOf(metadata))) {
    for (const { members, schemaId } of await bySchema(base, group)) {
      const made = merged(base, members, schemaId, objects.length + 1)
      if (made === undefined) continue
      objects.push(made.object)
      const gone = new Set(members.map(({ manifest }) => manifest))
      const last = members.at(-1)!.manifest
      manifests = manifests.flatMap((one) => (one === last ? [made.manifest] : gone.has(one) ? [] : [one]))
    }
  }
  return { manifests, objects }
}

function ruleOf(metadata: TableMetadata): MergeRule {
  const asked = ({ name, preset }: typeof MIN_COUNT): number => {
    const text = propertyOf(metadata, name)
    return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : preset
  }
  return { fanIn: Math.max(2, asked(MIN_COUNT)), mostBytes: BigInt(asked(TARGET_BYTES)) }
}

function groupsToMerge(manifests: readonly ManifestFile[], { fanIn, mostBytes }: MergeRule): ManifestFile[][] {
  const levels = new Map<string, ManifestFile[]>()
  for (const manifest of manifests) {
    // Larger ones stay as they are: merging few of them would shorten nothing.
    if (!isOurs(manifest) || manifest.sizeBytes > mostBytes / 8n) continue
    const level = `${manifest.specId}/${levelOf(manifest.addedFiles! + manifest.existingFiles!, fanIn)}`
    levels.set(level, [...(levels.get(level) ?? []), manifest])
  }
  return [...levels.values()]
    .filter(({ length }) => length >= fanIn)
    .map((level) => {
      level.sort((a, b) => (a.sequenceNumber < b.sequenceNumber ? -1 : 1))
      let bytes = 0n
      // A table that was written without merging gets there step by step.
      return level.slice(0, 2 * fanIn).filter(({ sizeBytes }) => (bytes += sizeBytes) <= mostBytes)
    })
}

// By the name that appends give their manifests: what others have written may hold what only they understand.
function isOurs({ content, path }: ManifestFile): boolean {
  return content === 'data' && ownName.test(path)
}

const ownName = /\/metadata\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-\d+-m\d+\.avro$/

function levelOf(files: number, fanIn: number): number {
  let level = 0
  for (let most = fanIn; files >= most; most *= fanIn) level++
  return level
}

interface Member {
  readonly manifest: ManifestFile
  readonly bytes: Uint8Array
}

/** Those of one schema; a manifest that says none stays alone. */
async function bySchema(
  { tableFiles, call }: CommitBase,
  group: readonly ManifestFile[],
): Promise<{ readonly schemaId: number; readonly members: readonly Member[] }[]> {
  const schemas = new Map<string, Member[]>()
  const contents = await Promise.all(group.map(({ path }) => tableFiles.get(path, call)))
  for (const [at, manifest] of group.entries()) {
    const { bytes } = contents[at]!
    const id = readAvroFile(bytes, { what: `The manifest ${manifest.path}` }).metadata.get('schema-id')
    if (id !== undefined) schemas.set(id, [...(schemas.get(id) ?? []), { manifest, bytes }])
  }
  return [...schemas]
    .filter(([, { length }]) => length > 1)
    .map(([schemaId, members]) => ({ schemaId: Number(schemaId), members }))
}

/** Undefined where the table has forgotten the schema. */
function merged(
  base: CommitBase,
  members: readonly Member[],
  schemaId: number,
  number: number,
): { readonly object: PlannedObject; readonly manifest: ManifestFile } | undefined {
  const { metadata } = base
  const schema = schemaById(metadata, schemaId)
  if (schema === undefined) return undefined
  const unbound = specById(metadata['partition-specs'], members[0]!.manifest.specId)
  const spec = bindPartitionSpec(unbound, [schema])
  const entries = members.flatMap(({ manifest, bytes }) =>
    readManifest(bytes, { manifest, spec }).map((entry): ManifestEntry => ({ ...entry, status: 'existing' })),
  )
  return newManifest(base, number, { spec, schema, entries })
}
