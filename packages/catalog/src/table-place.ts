import { exists, isKind, tableText } from '@moulin/core'
import type { TableIdentifier } from '@moulin/core'
import { isDropped } from './dropped-table.ts'
import { firstKey, tableFolderOf } from './list-tables.ts'
import { newestVersion } from './newest-version.ts'
import { tableExists } from './next-metadata.ts'
import type { TableFolder, Version } from './version-files.ts'
import { withSignal } from './version-files.ts'

/**
 * What may be in the folder that a new table is to have: of one that is `created` nothing, of one that was `staged` its data and manifests,
 * of one that is `registered` all that a table of another catalog has.
 */
export type Newcomer = 'created' | 'staged' | 'registered'

export interface PlaceRequest {
  readonly table: TableIdentifier
  readonly folder: TableFolder
  /** Of the catalog. */
  readonly prefix: string
  readonly newcomer: Newcomer
  readonly signal: AbortSignal | undefined
}

/**
 * The last version of the table that was dropped there, if there was one: what is stored goes on from it.
 * @throws `exists` code `TABLE_EXISTS`, or `FOLDER_OCCUPIED` for what a newcomer of this kind cannot have around or in its folder.
 */
export async function placeOf(request: PlaceRequest): Promise<Version | undefined> {
  const { table, folder, prefix, newcomer, signal } = request
  const dropped = await droppedVersion(request)
  if (dropped !== undefined) return dropped
  const occupant =
    (await occupantOf(folder, newcomer, signal)) ?? (await tableFolderOf(folder.store, prefix, folder.path, signal))
  if (occupant === undefined) return undefined
  const message = `The folder of ${tableText(table)} is not free: ${occupant} is there. Choose another name, or move that away.`
  throw exists('FOLDER_OCCUPIED', message, { context: { table: tableText(table), occupant } })
}

async function droppedVersion({ table, folder, newcomer, signal }: PlaceRequest): Promise<Version | undefined> {
  try {
    const newest = await newestVersion(folder, undefined, signal)
    if (newest === undefined || isDropped(newest.found.bytes)) return newest?.found
  } catch (error) {
    if (newcomer === 'registered' && isKind(error, 'unsupported', 'FOREIGN_LAYOUT')) return undefined
    throw error
  }
  throw tableExists(table)
}

/** Keys by which a folder is a table's or a namespace's. */
const namesSomething = /(?:\.metadata\.json(?:\.gz)?|\/version-hint\.text|\/\.namespace[^/]*\.json)$/

async function occupantOf(
  { store, path }: TableFolder,
  newcomer: Newcomer,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  if (newcomer === 'registered') return undefined
  if (newcomer === 'created') return await firstKey(store, `${path}/`, undefined, signal)
  for await (const { key } of store.list({ prefix: `${path}/`, ...withSignal(signal) }))
    if (namesSomething.test(key)) return key
  return undefined
}
