import type { TableIdentifier } from '../doors/catalog.ts'
import type { Namespace } from '../doors/namespace.ts'
import { invalid } from './errors.ts'
import { shown } from './shown.ts'

const segment = /^[a-zA-Z0-9_-]{1,255}$/
const LEVEL = '1 to 255 of a-z A-Z 0-9 _ -'
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
  const bad = badLevel([...namespace, name])
  if (bad !== undefined) {
    const message = `The table name ${shown(text)} is not valid: ${shown(bad)} must be ${LEVEL}.`
    throw invalid('TABLE_NAME', message, { context: { table: text } })
  }
  return table
}

/** The levels of a table's namespace, by the same rule. @throws `invalid` code `NAMESPACE_NAME`. */
export function checkNamespace(namespace: Namespace): Namespace {
  const text = namespaceText(namespace)
  if (namespace.length < 1 || namespace.length > MAX_LEVELS) {
    const message = `The namespace ${shown(text)} has ${namespace.length} levels; 1 to ${MAX_LEVELS} are allowed.`
    throw invalid('NAMESPACE_NAME', message, { context: { namespace: text } })
  }
  const bad = badLevel(namespace)
  if (bad !== undefined) {
    const message = `The namespace ${shown(text)} is not valid: ${shown(bad)} must be ${LEVEL}.`
    throw invalid('NAMESPACE_NAME', message, { context: { namespace: text } })
  }
  return namespace
}

const badLevel = (levels: readonly string[]): string | undefined => levels.find((level) => !segment.test(level))

/** As people write it: `shop.orders`. */
export function tableText(table: TableIdentifier): string {
  return [...table.namespace, table.name].join('.')
}

/** As people write it: `shop.eu`. */
export function namespaceText(namespace: Namespace): string {
  return namespace.join('.')
}
