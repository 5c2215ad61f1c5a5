import { invalid, namespaceText, shown, tableText } from '@moulin/core'
import type { Namespace, TableIdentifier } from '@moulin/core'

const MAX_LEVELS = 16
const MAX_LENGTH = 255
const unwritable = /\p{Cc}|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/u

/**
 * A name of a foreign catalog is what that takes, not what a folder can be called: dots, blanks and slashes are encoded. What no URL
 * brings there whole is refused before anything is sent. @throws `invalid` code `TABLE_NAME`.
 */
export function checkRestTable(table: TableIdentifier): TableIdentifier {
  const fault = faultOf([...table.namespace, table.name], 1)
  if (fault === undefined) return table
  throw invalid('TABLE_NAME', `The table name ${shown(tableText(table))} is not valid: ${fault}.`)
}

/** @throws `invalid` code `NAMESPACE_NAME`. */
export function checkRestNamespace(namespace: Namespace): Namespace {
  const fault = faultOf(namespace, 0)
  if (fault === undefined) return namespace
  throw invalid('NAMESPACE_NAME', `The namespace ${shown(namespaceText(namespace))} is not valid: ${fault}.`)
}

function faultOf(levels: readonly string[], names: number): string | undefined {
  if (levels.length <= names || levels.length > MAX_LEVELS + names) {
    return `it has ${levels.length - names} levels of a namespace; 1 to ${MAX_LEVELS} are allowed`
  }
  const bad = levels.find((level) => level === '' || level === '.' || level === '..' || level.length > MAX_LENGTH)
  if (bad !== undefined) return `${shown(bad)} is empty, longer than ${MAX_LENGTH} characters, or a step of a path`
  const unseen = levels.find((level) => unwritable.test(level))
  return unseen === undefined ? undefined : `${shown(unseen)} holds a control character or half a surrogate pair`
}
