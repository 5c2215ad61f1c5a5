import { isKind, isMoulinError, keyOf, openLocation } from '@moulin/core'
import type { CallOptions, Logger, ObjectStore, TableMetadata } from '@moulin/core'
import { bindPartitionSpec, readManifest, readManifestList, specById } from '@moulin/iceberg'
import type { ManifestEntry, ManifestFile } from '@moulin/iceberg'
import type { ForgottenSnapshot } from './forgotten-commit.ts'
import type { ManifestLists } from './manifest-lists.ts'
import { spellingsOf } from '../commit/reachable.ts'
import { inTurn, keyPrefixOf } from '../table/table-objects.ts'

export interface DeadFilesQuestion {
  readonly store: ObjectStore
  readonly metadata: TableMetadata
  /** What their snapshots named, and nothing else does, is dead. Those that the table has after all are not. */
  readonly forgotten: readonly ForgottenSnapshot[]
  /** Forgotten too, but not for long enough: what they name counts as live. */
  readonly later: readonly ForgottenSnapshot[]
  /** What is known already; what is of no use any more leaves it. */
  readonly lists: ManifestLists
  readonly logger: Logger
}

/** Keys, all below the table's location. */
export interface DeadFiles {
  readonly dataFiles: readonly string[]
  readonly manifests: readonly string[]
  readonly statistics: readonly string[]
  readonly manifestLists: readonly string[]
}

interface DataFileOf {
  readonly key: string
  readonly sequenceNumber: bigint
}

/**
 * Works out what only forgotten snapshots name. What is live is asked of the manifest lists of all snapshots that the
 * table has; manifests of theirs are read only where they can name a file in question, which the sequence numbers tell.
 * An object whose content cannot be read stays, and all that it may name.
 *
 * Of those forgotten later only the first is looked at: a history goes forward, so what it does not name no later one does.
 *
 * @throws when anything that is live cannot be read: then nobody can tell, and nothing may be deleted.
 */
export async function deadFiles(question: DeadFilesQuestion, call: CallOptions): Promise<DeadFiles> {
  const { store, metadata, forgotten, lists } = question
  const present = new Set((metadata.snapshots ?? []).map((snapshot) => BigInt(snapshot['snapshot-id'])))
  const location = keyPrefixOf(store, metadata.location)
  const isOurs = (key: string): boolean => key.startsWith(location) && !versionFile.test(key)
  const live = await liveNames(question, call)

  const gone = forgotten.filter(({ id, manifestList }) => !present.has(id) && !live.names.has(store, manifestList))
  const manifests = new Map<string, ManifestFile>()
  const manifestLists: string[] = []
  await inTurn(
    gone,
    async ({ manifestList }) => {
      const key = keyIn(store, manifestList)
      if (key === undefined || !isOurs(key)) return
      const known = lists.get(manifestList)
      const found = known ?? (await orTold(question, manifestList, () => listAt(question, manifestList, call)))
      if (found === undefined) return
      manifestLists.push(key)
      for (const manifest of found) if (!live.names.has(store, manifest.path)) manifests.set(manifest.path, manifest)
    },
    call,
  )

  const deadManifests: string[] = []
  const candidates = new Map<string, DataFileOf>()
  await inTurn(
    [...manifests.values()],
    async (manifest) => {
      const key = keyIn(store, manifest.path)
      if (key === undefined || !isOurs(key)) return
      const entries = await orTold(question, manifest.path, () => entriesOf(question, manifest, call))
      if (entries === undefined) return
      deadManifests.push(key)
      for (const { file, sequenceNumber } of entries) {
        const fileKey = keyIn(store, file.filePath)
        if (fileKey !== undefined && isOurs(fileKey))
          candidates.set(fileKey, { key: fileKey, sequenceNumber: sequenceNumber! })
      }
    },
    call,
  )

  await inTurn(
    [...live.manifests.values()].filter(({ content }) => content === 'data'),
    async (manifest) => {
      if (!mayName(manifest, candidates)) return
      for (const { file } of await entriesOf(question, manifest, call)) {
        for (const key of spellingsOf(store, file.filePath)) candidates.delete(key)
      }
    },
    call,
  )

  const statistics = gone.flatMap(({ id, statistics: paths }) =>
    paths.flatMap((path) => {
      const key = keyIn(store, path)
      // Engines put the snapshot's id into the name: another object's is not believed.
      const isOfSnapshot = key?.startsWith(`${location}metadata/`) === true && key.includes(String(id))
      return isOfSnapshot && isOurs(key) && !live.names.has(store, path) ? [key] : []
    }),
  )
  lists.keepOnly(live.lists)
  return { dataFiles: [...candidates.keys()], manifests: deadManifests, statistics, manifestLists }
}

/** Metadata itself is the catalog's, whoever names it. */
const versionFile = /(\.metadata\.json|\/version-hint\.text)$/

interface LiveNames {
  readonly names: Names
  /** By location. */
  readonly manifests: ReadonlyMap<string, ManifestFile>
  /** Locations of manifest lists, of snapshots forgotten later too. */
  readonly lists: ReadonlySet<string>
}

async function liveNames(question: DeadFilesQuestion, call: CallOptions): Promise<LiveNames> {
  const { store, metadata, later, lists } = question
  const names = new Names()
  const manifests = new Map<string, ManifestFile>()
  const paths = new Set((metadata.snapshots ?? []).map((snapshot) => snapshot['manifest-list']))
  for (const entry of [...(metadata.statistics ?? []), ...(metadata['partition-statistics'] ?? [])]) {
    const path = (entry as { 'statistics-path'?: unknown })['statistics-path']
    if (typeof path === 'string') names.add(store, path)
  }
  const add = (found: readonly ManifestFile[]): void => {
    for (const manifest of found) if (!manifests.has(manifest.path)) manifests.set(manifest.path, manifest)
  }
  await inTurn(
    [...paths],
    async (path) => {
      names.add(store, path)
      const known = lists.get(path)
      const found = known ?? (await listAt(question, path, call))
      if (known === undefined) lists.set(path, found)
      add(found)
    },
    call,
  )
  const first = later.reduce<ForgottenSnapshot | undefined>(
    (a, b) => (a === undefined || b.sequence < a.sequence ? b : a),
    undefined,
  )
  if (first !== undefined) {
    const { manifestList: path } = first
    add(lists.get(path) ?? (await listAt(question, path, call).catch(unlessGone)) ?? [])
  }
  for (const path of manifests.keys()) names.add(store, path)
  for (const { manifestList } of later) names.add(store, manifestList)
  return { names, manifests, lists: new Set([...paths, ...later.map(({ manifestList }) => manifestList)]) }
}

/** Locations that are live, in either spelling: what an engine may have encoded is not deleted on doubt. */
class Names {
  readonly #keys = new Set<string>()

  add(store: ObjectStore, path: string): void {
    for (const key of spellingsOf(store, path)) this.#keys.add(key)
  }

  has(store: ObjectStore, path: string): boolean {
    return spellingsOf(store, path).some((key) => this.#keys.has(key))
  }
}

// A manifest says between which sequence numbers its files lie.
function mayName(manifest: ManifestFile, candidates: ReadonlyMap<string, DataFileOf>): boolean {
  for (const { sequenceNumber } of candidates.values()) {
    if (sequenceNumber >= manifest.minSequenceNumber && sequenceNumber <= manifest.sequenceNumber) return true
  }
  return false
}

async function listAt({ store }: DeadFilesQuestion, path: string, call: CallOptions): Promise<ManifestFile[]> {
  const { bytes } = await openLocation(store, path)(call)
  return readManifestList(bytes, { path, withDeletes: true })
}

async function entriesOf(
  { store, metadata }: DeadFilesQuestion,
  manifest: ManifestFile,
  call: CallOptions,
): Promise<ManifestEntry[]> {
  const { bytes } = await openLocation(store, manifest.path)(call)
  const spec = bindPartitionSpec(specById(metadata['partition-specs'], manifest.specId), metadata.schemas)
  return readManifest(bytes, { manifest, spec })
}

/** Undefined when it is gone, as an earlier call that was cut off may have left it, or cannot be read, which is told. */
async function orTold<T>({ logger }: DeadFilesQuestion, path: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined
    if (!isMoulinError(error) || !(error.kind === 'corrupt' || error.kind === 'unsupported')) throw error
    logger.warn({ path, err: error }, 'a file of an expired snapshot stays: it cannot be read')
    return undefined
  }
}

function unlessGone(error: unknown): undefined {
  if (!isKind(error, 'not-found')) throw error
}

function keyIn(store: ObjectStore, path: string): string | undefined {
  try {
    return keyOf(store, path)
  } catch (error) {
    if (isKind(error, 'invalid')) return undefined
    throw error
  }
}
