import { getIfThere, isMoulinError, isSameLocation, tableText, unsupported, uriOf } from '@moulin/core'
import type { ObjectInfo, TableIdentifier, TableMetadata } from '@moulin/core'
import { ancestors, currentSnapshot, parseTableMetadata } from '@moulin/iceberg'
import type { TableFolder } from './version-files.ts'
import { withSignal } from './version-files.ts'

/** As catalogs name metadata that hold a pointer to it: `00012-<uuid>.metadata.json`, compressed or not. */
const foreignFile = /\/metadata\/\d{5,9}-[^/]*\.metadata\.json(?:\.gz)?$/
/** What such names begin with below version 10 000; a list of these is one request, however many manifests there are. */
const FIRST_DIGIT = '0'
/** Files that are read at once, the youngest first; the rest has its turn at the next look. */
const MAX_READS = 16
/** Every so many versions one looks again. */
const LOOK_EVERY = 16
/** Folders of which one remembers the last look; of others one looks again. */
const MAX_FOLDERS = 1024

export function isTimeToLook(version: number): boolean {
  return version % LOOK_EVERY === 0
}

export interface JudgedTable {
  readonly identifier: TableIdentifier
  readonly metadata: TableMetadata
  /** Of the metadata's file. */
  readonly key: string
}

/**
 * Whether the folder of a table holds a second history: somebody gave our metadata to another catalog, and wrote through that. Both go on
 * from one past, and neither sees what the other does; a commit of ours would only make it worse.
 */
export class HistoryJudge {
  /** By folder, the one looked into longest ago first. */
  readonly #looks = new Map<string, Look>()

  /**
   * Looks before the first commit of a folder, and when it is due: one list, and a read of each file that is new.
   * @throws `unsupported` code `TWO_HISTORIES`, which names both and says how to choose.
   */
  async requireOne(
    folder: TableFolder,
    table: JudgedTable,
    { isDue, signal }: { readonly isDue: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<void> {
    const uuid = table.metadata['table-uuid'].toLowerCase()
    const last = this.#looks.get(folder.path)
    const before = last?.uuid === uuid ? last : undefined
    if (before !== undefined && !isDue) return
    const harmless = new Map<string, string>()
    const named = (table.metadata['metadata-log'] ?? []).map((entry) => entry['metadata-file'])
    let reads = 0
    for (const { key, etag } of await foreignFiles(folder, signal)) {
      const isNamed = named.some((location) => isSameLocation(location, uriOf(folder.store, key)))
      if (isNamed) continue
      if (before?.harmless.get(key) !== etag) {
        if (++reads > MAX_READS) continue
        const theirs = await readForeign(folder, key, signal)
        if (theirs !== undefined && isOtherHistory(table.metadata, theirs))
          throw twoHistories(folder, table, key, theirs)
      }
      harmless.set(key, etag)
    }
    this.#looks.delete(folder.path)
    this.#looks.set(folder.path, { uuid, harmless })
    if (this.#looks.size > MAX_FOLDERS) this.#looks.delete(this.#looks.keys().next().value!)
  }
}

/** What was seen in a folder beside the table of that UUID: beside another one it may mean something else. */
interface Look {
  readonly uuid: string
  /** Of files that are no other history: by key, the tag. */
  readonly harmless: ReadonlyMap<string, string>
}

async function foreignFiles(folder: TableFolder, signal: AbortSignal | undefined): Promise<ObjectInfo[]> {
  const files: ObjectInfo[] = []
  const prefix = `${folder.path}/metadata/${FIRST_DIGIT}`
  for await (const info of folder.store.list({ prefix, ...withSignal(signal) }))
    if (foreignFile.test(info.key)) files.push(info)
  return files.sort((a, b) => b.modifiedMs - a.modifiedMs)
}

/** Undefined for what is gone, or cannot be read: of that nothing can be said. */
async function readForeign(
  folder: TableFolder,
  key: string,
  signal: AbortSignal | undefined,
): Promise<TableMetadata | undefined> {
  const object = await getIfThere(folder.store, key, withSignal(signal))
  if (object === undefined) return undefined
  try {
    return parseTableMetadata(object.bytes, key)
  } catch (error) {
    if (isMoulinError(error)) return undefined
    throw error
  }
}

/**
 * Whether a snapshot that we do not have is of another history, or one of our own that has expired: below the oldest that we still have
 * in our chain nothing can be said, and nothing is.
 */
function isOtherHistory(ours: TableMetadata, theirs: TableMetadata): boolean {
  if (theirs['table-uuid'].toLowerCase() !== ours['table-uuid'].toLowerCase()) return false
  const snapshot = currentSnapshot(theirs)
  if (snapshot === undefined) return false
  const id = BigInt(snapshot['snapshot-id'])
  if (ours.snapshots?.some((other) => BigInt(other['snapshot-id']) === id)) return false
  const oldest = [...ancestors(ours)].at(-1)?.['sequence-number']
  const floor = oldest === undefined ? BigInt(ours['last-sequence-number']) + 1n : BigInt(oldest)
  return BigInt(snapshot['sequence-number']) >= floor
}

function twoHistories(folder: TableFolder, table: JudgedTable, key: string, theirs: TableMetadata): Error {
  const ours = table.key
  const [snapshotId, otherId] = [table.metadata, theirs].map((metadata) => metadata['current-snapshot-id'] ?? -1)
  const name = tableText(table.identifier)
  const message =
    `The table ${name} has two histories in one folder: ${ours} (snapshot ${snapshotId}) and ${key} (snapshot ${otherId}), written through ` +
    `another catalog. Nothing more is written to it. To keep the first, move ${key} and what follows it out of the folder; to keep the ` +
    `second, drop the table here (its files stay) and register ${uriOf(folder.store, key)}.`
  const context = { table: name, ours, theirs: key, snapshotId, otherSnapshotId: otherId }
  return unsupported('TWO_HISTORIES', message, { context })
}
