import type { TableIdentifier } from '../doors/catalog.ts'
import { invalid } from './errors.ts'
import { shown } from './shown.ts'

const segment = /^[a-zA-Z0-9_-]{1,255}$/
const MAX_LEVELS = 16

/** The table of `namespace.table`, split at dots. @throws as {@link checkTableIdentifier}. */
export function tableIdentifier(text: string): TableIdentifier {
  const levels = text.split('.')
  const name = levels.pop()!
  return checkTableIdentifier({ namespace: levels, name })
}

/**
 * Namespace levels and names are `[a-zA-Z0-9_-]`, 1 to 255 characters, 1 to 16 levels: they become folders.
 * @throws `invalid` code `TABLE_NAME`.
 */
export function checkTableIdentifier(table: TableIdentifier): TableIdentifier {
  const { namespace, name } = table
  const text = tableText(table)
  if (namespace.length < 1 || namespace.length > MAX_LEVELS) {
    const message = `The table ${shown(text)} needs 1 to ${MAX_LEVELS} namespace levels before its name.`
    throw invalid('TABLE_NAME', message, { context: { table: text } })
  }
  for (const level of [...namespace, name]) {
    if (!segment.test(level)) {
      const message = `The table name ${shown(text)} is not valid: ${shown(level)} must be 1 to 255 of a-z A-Z 0-9 _ -.`
      throw invalid('TABLE_NAME', message, { context: { table: text } })
    }
  }
  return table
}

/** As people write it: `shop.orders`. */
export function tableText(table: TableIdentifier): string {
  return [...table.namespace, table.name].join('.')
}
