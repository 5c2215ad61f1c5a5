import { checkRoot, invalid, uriOf } from '@moulin/core'
import type { ObjectStore, TableIdentifier } from '@moulin/core'

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
