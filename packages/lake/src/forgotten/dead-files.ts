import { isKind, keyOf, openLocation } from '@moulin/core'
import type { CallOptions, ObjectStore, TableMetadata } from '@moulin/core'
import { readManifestList, readManifestNames } from '@moulin/iceberg'
import type { ManifestFile, NamedFile } from '@moulin/iceberg'
import type { ForgottenSnapshot } from './forgotten-commit.ts'
import type { ManifestLists } from './manifest-lists.ts'
import { isUnreadable } from '../look/missing-files.ts'
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
}

/** Keys, all below the table's location. */
export interface DeadFiles {
  /** Of rows and of deletes. */
  readonly files: readonly string[]
  readonly manifests: readonly string[]
  readonly statistics: readonly string[]
  readonly manifestLists: readonly string[]
  /** By manifest list of a forgotten snapshot: why it, or a manifest that it names, cannot be read. Both stay. */
  readonly unread: ReadonlyMap<string, Error>
}

/** By key, with the sequence number that the manifest says. */
type Candidates = Map<string, bigint | undefined>

/**
 * Works out what only forgotten snapshots name. What counts as live is asked of the manifest lists of all snapshots that the
 * table has, and of all that were forgotten later: branches and tags make histories that do not go forward alone. Their
 * manifests are read first where the sequence numbers say that they name a file in question; for files that are left then,
 * which somebody has replaced, all are read.
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
  const unread = new Map<string, Error>()
  const manifests = new Map<string, { readonly manifest: ManifestFile; readonly lists: string[] }>()
  const manifestLists = new Map<string, string>()
  await inTurn(
    gone,
    async ({ manifestList }) => {
      const key = keyIn(store, manifestList)
      if (key === undefined || !isOurs(key)) return
      const found =
        lists.get(manifestList) ??
        (await orFault(
          () => listAt(question, manifestList, call),
          (fault) => unread.set(manifestList, fault),
        ))
      if (found === undefined) return
      manifestLists.set(manifestList, key)
      for (const manifest of found) {
        if (live.names.has(store, manifest.path)) continue
        const known = manifests.get(manifest.path)
        if (known === undefined) manifests.set(manifest.path, { manifest, lists: [manifestList] })
        else known.lists.push(manifestList)
      }
    },
    call,
  )

  const deadManifests: string[] = []
  const candidates: Candidates = new Map()
  await inTurn(
    [...manifests.values()],
    async ({ manifest, lists: namedBy }) => {
      const key = keyIn(store, manifest.path)
      if (key === undefined || !isOurs(key)) return
      const files = await orFault(
        () => filesOf(question, manifest, call),
        (fault) => namedBy.forEach((list) => unread.set(list, fault)),
      )
      if (files === undefined) return
      deadManifests.push(key)
      for (const { filePath, sequenceNumber } of files) {
        const fileKey = keyIn(store, filePath)
        if (fileKey !== undefined && isOurs(fileKey)) candidates.set(fileKey, sequenceNumber)
      }
    },
    call,
  )
  await strikeNamed(question, live, candidates, call)

  const statistics = gone.flatMap(({ id, statistics: paths }) =>
    paths.flatMap((path) => {
      const key = keyIn(store, path)
      // Engines put the snapshot's id into the name: another object's is not believed.
      const isOfSnapshot = key?.startsWith(`${location}metadata/`) === true && key.includes(String(id))
      return isOfSnapshot && isOurs(key) && !live.names.has(store, path) ? [key] : []
    }),
  )
  lists.keepOnly(live.lists)
  for (const list of unread.keys()) manifestLists.delete(list)
  return {
    files: [...candidates.keys()],
    manifests: deadManifests,
    statistics,
    manifestLists: [...manifestLists.values()],
    unread,
  }
}

/** Metadata itself is the catalog's, whoever names it. */
const versionFile = /(\.metadata\.json|\/version-hint\.text)$/

interface LiveNames {
  readonly names: Names
  /** Of snapshots that the table has; by location. */
  readonly manifests: ReadonlyMap<string, ManifestFile>
  /** What only those name that were forgotten later. */
  readonly later: ReadonlyMap<string, ManifestFile>
  /** Locations of manifest lists, of snapshots forgotten later too. */
  readonly lists: ReadonlySet<string>
}

async function liveNames(question: DeadFilesQuestion, call: CallOptions): Promise<LiveNames> {
  const { store, metadata, lists } = question
  const names = new Names()
  for (const entry of [...(metadata.statistics ?? []), ...(metadata['partition-statistics'] ?? [])]) {
    const path = (entry as { 'statistics-path'?: unknown })['statistics-path']
    if (typeof path === 'string') names.add(store, path)
  }
  const present = new Set((metadata.snapshots ?? []).map((snapshot) => snapshot['manifest-list']))
  const forgotten = new Set(question.later.map(({ manifestList }) => manifestList))
  const [manifests, later] = [new Map<string, ManifestFile>(), new Map<string, ManifestFile>()]
  await inTurn(
    [...present, ...forgotten],
    async (path) => {
      names.add(store, path)
      const known = lists.get(path)
      const isPresent = present.has(path)
      // Somebody else may have removed what was forgotten.
      const found = known ?? (await listAt(question, path, call).catch(isPresent ? raise : unlessGone))
      if (found === undefined) return
      if (known === undefined) lists.set(path, found)
      const into = isPresent ? manifests : later
      for (const manifest of found) if (!manifests.has(manifest.path)) into.set(manifest.path, manifest)
    },
    call,
  )
  for (const path of manifests.keys()) later.delete(path)
  for (const path of [...manifests.keys(), ...later.keys()]) names.add(store, path)
  return { names, manifests, later, lists: new Set([...present, ...forgotten]) }
}

/** Takes all that is live off the candidates. */
async function strikeNamed(
  question: DeadFilesQuestion,
  live: LiveNames,
  candidates: Candidates,
  call: CallOptions,
): Promise<void> {
  const { store } = question
  const strike = async (manifest: ManifestFile): Promise<void> => {
    const isPresent = live.manifests.has(manifest.path)
    const files = await filesOf(question, manifest, call).catch(isPresent ? raise : unlessGone)
    for (const { filePath } of files ?? []) for (const key of spellingsOf(store, filePath)) candidates.delete(key)
  }
  const unread: ManifestFile[] = []
  for (const manifests of [live.manifests, live.later]) {
    await inTurn(
      [...manifests.values()],
      async (manifest) => {
        if (mayName(manifest, candidates)) await strike(manifest)
        else unread.push(manifest)
      },
      call,
    )
  }
  // Whoever adds a file again gives it another sequence number.
  await inTurn(unread, async (manifest) => (candidates.size > 0 ? strike(manifest) : undefined), call)
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
function mayName(manifest: ManifestFile, candidates: Candidates): boolean {
  for (const number of candidates.values()) {
    if (number === undefined || (number >= manifest.minSequenceNumber && number <= manifest.sequenceNumber)) return true
  }
  return false
}

async function listAt({ store }: DeadFilesQuestion, path: string, call: CallOptions): Promise<ManifestFile[]> {
  const { bytes } = await openLocation(store, path)(call)
  return readManifestList(bytes, { path, withDeletes: true })
}

async function filesOf({ store }: DeadFilesQuestion, manifest: ManifestFile, call: CallOptions): Promise<NamedFile[]> {
  const { bytes } = await openLocation(store, manifest.path)(call)
  return readManifestNames(bytes, manifest)
}

/** Undefined when it is gone, as an earlier call that was cut off may have left it, or cannot be read, which is told. */
async function orFault<T>(read: () => Promise<T>, tell: (fault: Error) => void): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (isKind(error, 'not-found')) return undefined
    if (!isUnreadable(error)) throw error
    tell(error as Error)
    return undefined
  }
}

function raise(error: unknown): never {
  throw error
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
