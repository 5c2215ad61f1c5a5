import { checkTableIdentifier, listInOrder } from '@moulin/core'
import type { ObjectStore, TableIdentifier } from '@moulin/core'
import { DROPPED_MARK_BYTES, isDropped } from './dropped-table.ts'
import { listVersions, versionKey, withSignal } from './version-files.ts'

/** Sorts behind every key of a folder. */
const LAST = '\u{10ffff}'

/**
 * Every table below a prefix. Costs a few requests per table, however many files it holds: once a folder is known to be
 * a table, the list goes on behind it.
 */
export async function* tablesIn(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<TableIdentifier> {
  let after: string | undefined
  for (;;) {
    const key = await firstKey(store, prefix, after, signal)
    if (key === undefined) return
    const path = await tableFolderOf(store, prefix, key, signal)
    after = path === undefined ? key : `${path}/${LAST}`
    if (path === undefined) continue
    const levels = path.slice(prefix.length).split('/')
    if (!(await isDroppedTable(store, path, signal))) yield { namespace: levels.slice(0, -1), name: levels.at(-1)! }
  }
}

/** The first key below a prefix. */
export async function firstKey(
  store: ObjectStore,
  prefix: string,
  after: string | undefined,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const options = { prefix, ...(after === undefined ? {} : { after }), ...withSignal(signal) }
  for await (const { key } of listInOrder(store, options)) return key
  return undefined
}

/** The outermost folder around a key that is a table, if there is one. */
export async function tableFolderOf(
  store: ObjectStore,
  prefix: string,
  key: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const segments = key.slice(prefix.length).split('/')
  for (let levels = 2; levels < segments.length; levels++) {
    const identifier = { namespace: segments.slice(0, levels - 1), name: segments[levels - 1]! }
    if (!isIdentifier(identifier)) return undefined
    const path = prefix + segments.slice(0, levels).join('/')
    if ((await listVersions({ store, path }, signal)).length > 0) return path
  }
  return undefined
}

function isIdentifier(table: TableIdentifier): boolean {
  try {
    checkTableIdentifier(table)
    return true
  } catch {
    return false
  }
}

async function isDroppedTable(store: ObjectStore, path: string, signal: AbortSignal | undefined): Promise<boolean> {
  const folder = { store, path }
  const newest = (await listVersions(folder, signal)).at(-1)
  if (newest === undefined) return true
  const range = { start: 0, end: DROPPED_MARK_BYTES }
  return isDropped((await store.get(versionKey(folder, newest), { range, ...withSignal(signal) })).bytes)
}
