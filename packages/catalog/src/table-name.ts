import { checkRoot, invalid, uriOf } from '@moulin/core'
import type { ObjectStore, TableIdentifier } from '@moulin/core'

const segment = /^[a-zA-Z0-9_-]{1,255}$/
const MAX_LEVELS = 16

/** The table of `namespace.table`, split at dots. @throws `invalid`. */
export function tableIdentifier(text: string): TableIdentifier {
  const levels = text.split('.')
  const name = levels.pop()!
  return checkIdentifier({ namespace: levels, name })
}

/**
 * Namespace levels and names are `[a-zA-Z0-9_-]`, 1 to 255 characters, at least one level: they become folders.
 * @throws `invalid`.
 */
export function checkIdentifier(table: TableIdentifier): TableIdentifier {
  const { namespace, name } = table
  if (namespace.length < 1 || namespace.length > MAX_LEVELS) {
    const message = `The table ${printed(table)} needs 1 to ${MAX_LEVELS} namespace levels before its name.`
    throw invalid('TABLE_NAME', message)
  }
  for (const level of [...namespace, name]) {
    if (!segment.test(level)) {
      const message = `The table name ${printed(table)} is not valid: ${JSON.stringify(level)} must be 1 to 255 of a-z A-Z 0-9 _ -.`
      throw invalid('TABLE_NAME', message)
    }
  }
  return table
}

/** As people write it: `shop.orders`. */
export function printed(table: TableIdentifier): string {
  return [...table.namespace, table.name].join('.')
}

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
