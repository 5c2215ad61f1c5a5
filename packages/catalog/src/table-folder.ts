import { checkKeyRoom, checkRoot, checkTableIdentifier, invalid, tableText, uriOf } from '@moulin/core'
import type { CallOptions, ObjectStore, TableIdentifier } from '@moulin/core'

/** Key of the table's folder, without a slash at its end. */
export function folderOf(prefix: string, table: TableIdentifier): string {
  return prefix + [...table.namespace, table.name].join('/')
}

/**
 * A catalog's prefix: empty, or folders each ending in a slash.
 * @throws `invalid`; code `ROOT` where engines cannot open what lies there.
 */
export function checkPrefix({ name, root }: ObjectStore, prefix: string): string {
  if (prefix !== '' && !prefix.endsWith('/')) {
    throw invalid('PREFIX', `The catalog prefix ${JSON.stringify(prefix)} must be empty or end in a slash.`)
  }
  checkRoot({ name, root: uriOf({ root }, prefix) })
  return prefix
}

/** @throws `invalid` code `KEY_ROOM` where no file can lie at the path below the table's folder. */
export function checkTableRoom(
  { store, prefix }: { readonly store: ObjectStore; readonly prefix: string },
  table: TableIdentifier,
  path: string,
  { signal }: CallOptions = {},
): Promise<void> {
  const key = `${folderOf(prefix, checkTableIdentifier(table))}/${path}`
  const next = `files of the table ${tableText(table)} will need it. Choose a shorter name for the table, or a place with a shorter prefix.`
  return checkKeyRoom(store, key, next, signal)
}
