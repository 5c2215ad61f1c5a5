import { isKind, isUnreadable } from '@moulin/core'
import type { CallOptions, TableFiles, TableMetadata } from '@moulin/core'
import { readManifestList, readManifestNames } from '@moulin/iceberg'
import type { ManifestFile, NamedFile } from '@moulin/iceberg'
import type { ForgottenSnapshot } from './forgotten-commit.ts'
import type { ManifestLists } from './manifest-lists.ts'
import { mayMean, spellingsOf } from '../table/may-mean.ts'
import { canonicalIn, folderOf, inTurn } from '../table/table-objects.ts'

export interface DeadFilesQuestion {
  readonly tableFiles: TableFiles
  readonly metadata: TableMetadata
  /** What their snapshots named, and nothing else does, is dead. Those that the table has after all are not. */
  readonly forgotten: readonly ForgottenSnapshot[]
  /** Forgotten too, but not for long enough: what they name counts as live. */
  readonly later: readonly ForgottenSnapshot[]
  /** What is known already; what is of no use any more leaves it. */
  readonly lists: ManifestLists
}

/** Canonical locations, all below the table's own. */
export interface DeadFiles {
  /** Of rows and of deletes. */
  readonly files: readonly string[]
  readonly manifests: readonly string[]
  readonly statistics: readonly string[]
  readonly manifestLists: readonly string[]
  /** By manifest list of a forgotten snapshot: why it, or a manifest that it names, cannot be read. Both stay. */
  readonly unread: ReadonlyMap<string, Error>
}

/** By canonical location, with the sequence number that the manifest says. */
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
  const { tableFiles, metadata, forgotten, lists } = question
  const present = new Set((metadata.snapshots ?? []).map((snapshot) => BigInt(snapshot['snapshot-id'])))
  const location = folderOf(tableFiles, metadata.location)
  const isOurs = (file: string): boolean => file.startsWith(location) && !versionFile.test(file)
  const live = await liveNames(question, call)

  const gone = forgotten.filter(({ id, manifestList }) => !present.has(id) && !live.names.has(tableFiles, manifestList))
  const unread = new Map<string, Error>()
  const manifests = new Map<string, { readonly manifest: ManifestFile; readonly lists: string[] }>()
  const manifestLists = new Map<string, string>()
  await inTurn(
    gone,
    async ({ manifestList }) => {
      const own = canonicalIn(tableFiles, manifestList)
      if (own === undefined || !isOurs(own)) return
      const found =
        lists.get(manifestList) ??
        (await orFault(
          () => listAt(question, manifestList, call),
          (fault) => unread.set(manifestList, fault),
        ))
      if (found === undefined) return
      manifestLists.set(manifestList, own)
      for (const manifest of found) {
        if (live.names.has(tableFiles, manifest.path)) continue
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
      const own = canonicalIn(tableFiles, manifest.path)
      if (own === undefined || !isOurs(own)) return
      const files = await orFault(
        () => filesOf(question, manifest, call),
        (fault) => namedBy.forEach((list) => unread.set(list, fault)),
      )
      if (files === undefined) return
      deadManifests.push(own)
      for (const { filePath, sequenceNumber } of files) {
        const file = canonicalIn(tableFiles, filePath)
        if (file !== undefined && isOurs(file)) candidates.set(file, sequenceNumber)
      }
    },
    call,
  )
  await strikeNamed(question, live, candidates, call)

  const statistics = gone.flatMap(({ id, statistics: paths }) =>
    paths.flatMap((path) => {
      const file = canonicalIn(tableFiles, path)
      // Engines put the snapshot's id into the name: another object's is not believed.
      const isOfSnapshot =
        file?.startsWith(`${location}metadata/`) === true && file.slice(location.length).includes(String(id))
      return isOfSnapshot && isOurs(file) && !live.names.has(tableFiles, path) ? [file] : []
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
  const { tableFiles, metadata, lists } = question
  const names = new Names(folderOf(tableFiles, metadata.location))
  for (const entry of [...(metadata.statistics ?? []), ...(metadata['partition-statistics'] ?? [])]) {
    const path = (entry as { 'statistics-path'?: unknown })['statistics-path']
    if (typeof path === 'string') names.add(tableFiles, path)
  }
  const present = new Set((metadata.snapshots ?? []).map((snapshot) => snapshot['manifest-list']))
  const forgotten = new Set(question.later.map(({ manifestList }) => manifestList))
  const [manifests, later] = [new Map<string, ManifestFile>(), new Map<string, ManifestFile>()]
  await inTurn(
    [...present, ...forgotten],
    async (path) => {
      names.add(tableFiles, path)
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
  for (const path of [...manifests.keys(), ...later.keys()]) names.add(tableFiles, path)
  return { names, manifests, later, lists: new Set([...present, ...forgotten]) }
}

/** Takes all that is live off the candidates. */
async function strikeNamed(
  question: DeadFilesQuestion,
  live: LiveNames,
  candidates: Candidates,
  call: CallOptions,
): Promise<void> {
  const { tableFiles, metadata } = question
  const folder = folderOf(tableFiles, metadata.location)
  const strike = async (manifest: ManifestFile): Promise<void> => {
    const isPresent = live.manifests.has(manifest.path)
    const files = await filesOf(question, manifest, call).catch(isPresent ? raise : unlessGone)
    for (const { filePath } of files ?? [])
      for (const file of mayMean(tableFiles, folder, filePath)) candidates.delete(file)
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

/** Locations that are live, in either spelling and by any scheme: what an engine may have encoded is not deleted on doubt. */
class Names {
  readonly #folder: string
  readonly #files = new Set<string>()

  constructor(folder: string) {
    this.#folder = folder
  }

  add(tableFiles: TableFiles, path: string): void {
    for (const file of mayMean(tableFiles, this.#folder, path)) this.#files.add(file)
  }

  has(tableFiles: TableFiles, path: string): boolean {
    return spellingsOf(tableFiles, path).some((file) => this.#files.has(file))
  }
}

// A manifest says between which sequence numbers its files lie.
function mayName(manifest: ManifestFile, candidates: Candidates): boolean {
  for (const number of candidates.values()) {
    if (number === undefined || (number >= manifest.minSequenceNumber && number <= manifest.sequenceNumber)) return true
  }
  return false
}

async function listAt({ tableFiles }: DeadFilesQuestion, path: string, call: CallOptions): Promise<ManifestFile[]> {
  const { bytes } = await tableFiles.get(path, call)
  return readManifestList(bytes, { path })
}

async function filesOf(
  { tableFiles }: DeadFilesQuestion,
  manifest: ManifestFile,
  call: CallOptions,
): Promise<NamedFile[]> {
  const { bytes } = await tableFiles.get(manifest.path, call)
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
