import { isUnreadable, parseJson, stringifyJson } from '@moulin/core'
import type { IcebergSchema, TableMetadata } from '@moulin/core'
import { openAvroFile } from '@moulin/format'
import { newManifest } from './commit-plan.ts'
import type { CommitBase, PlannedObject } from './commit-plan.ts'
import type { ManifestEntry, ManifestFile } from '../manifests/data-file.ts'
import { propertyOf } from '../metadata/metadata-lookup.ts'
import { checkStruct } from '../metadata/metadata-shape.ts'
import { readManifest } from '../manifests/read-manifest.ts'
import { bindPartitionSpec, specById } from '../partitions/partition-fields.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'

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

/** So many groups of a level are looked at by one commit: a table that was written without merging gets there step by step. */
const MOST_GROUPS = 4

/**
 * Merges the manifests of many small appends, so that the manifest list stays short however many there were: as many of one level (of
 * up to 100 live files, 10 000, …) as `commit.manifest.min-count-to-merge` says become one of the next, the oldest first, up to
 * `commit.manifest.target-size-bytes`. So an entry is written again once a level, a list has fewer than that of each, and files of one
 * time stay together. Manifests of different partition specs or schemas never come together. What others have written stays as it is, and
 * everything does where the table says `commit.manifest-merge.enabled` = `false`.
 *
 * An append needs its requirements and nothing more: a manifest that is gone, or cannot be read, stays as it is. Those that do not come
 * together with others stay in their level, which is then looked at again only when as many more have come.
 *
 * Only what the parent names is merged: nothing of an attempt that lost its race comes into the table.
 */
export async function mergeManifests(base: CommitBase): Promise<MergedManifests> {
  const { metadata } = base
  let { manifests } = base
  const objects: PlannedObject[] = []
  if (propertyOf(metadata, ENABLED) === 'false') return { manifests, objects }
  for (const group of groupsToMerge(manifests, ruleOf(metadata))) {
    for (const members of await alike(base, group)) {
      const { schema, spec, manifest } = members.at(-1)!
      const entries = members.flatMap((member) => member.entries)
      const made = newManifest(base, objects.length + 1, { spec, schema, entries })
      objects.push(made.object)
      const gone = new Set(members.map((member) => member.manifest))
      manifests = manifests.flatMap((one) => (one === manifest ? [made.manifest] : gone.has(one) ? [] : [one]))
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

function groupsToMerge(manifests: readonly ManifestFile[], rule: MergeRule): ManifestFile[][] {
  const { fanIn, mostBytes } = rule
  const levels = new Map<string, ManifestFile[]>()
  for (const manifest of manifests) {
    // Larger ones stay as they are: merging few of them would shorten nothing.
    if (!isOurs(manifest) || manifest.sizeBytes > mostBytes / 8n) continue
    const level = `${manifest.specId}/${levelOf(manifest.addedFiles! + manifest.existingFiles!, fanIn)}`
    levels.set(level, [...(levels.get(level) ?? []), manifest])
  }
  return [...levels.values()].filter(({ length }) => isDue(length, fanIn)).flatMap((level) => groupsOf(level, rule))
}

// Each commit adds one. What was looked at in vain is not read again by the next commit.
const isDue = (length: number, fanIn: number): boolean => length >= fanIn && length % fanIn === 0

/** The oldest first; a group that is not full waits, unless it is the only one. */
function groupsOf(level: ManifestFile[], { fanIn, mostBytes }: MergeRule): ManifestFile[][] {
  level.sort((a, b) => (a.sequenceNumber < b.sequenceNumber ? -1 : 1))
  const groups: ManifestFile[][] = []
  let bytes = 0n
  for (const manifest of level) {
    const last = groups.at(-1)
    bytes += manifest.sizeBytes
    if (last !== undefined && last.length < 2 * fanIn && bytes <= mostBytes) last.push(manifest)
    else {
      groups.push([manifest])
      bytes = manifest.sizeBytes
    }
  }
  if (groups.length > 1 && groups.at(-1)!.length < 2 * fanIn) groups.pop()
  return groups.slice(-MOST_GROUPS)
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
  /** The manifest's own, which the table may have forgotten. */
  readonly schema: IcebergSchema
  readonly spec: BoundPartitionSpec
  readonly entries: readonly ManifestEntry[]
}

/** Those of a group that become one each; none where the list would hardly get shorter by it. */
async function alike(base: CommitBase, group: readonly ManifestFile[]): Promise<Member[][]> {
  const schemas = new Map<string, Member[]>()
  const members = await Promise.all(group.map((manifest) => memberOf(base, manifest)))
  for (const member of members) {
    if (member === undefined) continue
    // By all that it says: an id that was forgotten may have been given again.
    const text = stringifyJson(member.schema)
    schemas.set(text, [...(schemas.get(text) ?? []), member])
  }
  const made = [...schemas.values()].filter(({ length }) => length > 1)
  const left = made.reduce((count, { length }) => count - length + 1, group.length)
  // Else the few that come together would be written again and again, with each that joins them.
  return left - 1 <= group.length / 2 ? made : []
}

/** Undefined: it stays as it is. */
async function memberOf(
  { tableFiles, metadata, call }: CommitBase,
  manifest: ManifestFile,
): Promise<Member | undefined> {
  try {
    const { bytes } = await tableFiles.get(manifest.path, call)
    const schema = manifestSchema(bytes, manifest)
    if (schema === undefined) return undefined
    const spec = bindPartitionSpec(specById(metadata['partition-specs'], manifest.specId), [schema])
    if (!spec.fields.every(({ resultType, transform }) => resultType !== undefined || transform.kind === 'void'))
      return undefined
    const entries = readManifest(bytes, { manifest, spec })
    return { manifest, schema, spec, entries: entries.map((entry) => ({ ...entry, status: 'existing' })) }
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}

/** The schema that a manifest of ours was written with. */
function manifestSchema(bytes: Uint8Array, { path }: ManifestFile): IcebergSchema | undefined {
  const what = `The schema of the manifest ${path}`
  const text = openAvroFile(bytes, `The manifest ${path}`).metadata.get('schema')
  if (text === undefined) return undefined
  const schema = parseJson(text, what)
  checkStruct(schema, what)
  return schema as unknown as IcebergSchema
}
