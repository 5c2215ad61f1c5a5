import { invalid, namespaceText, shown, tableText } from '@moulin/core'
import type { Namespace, TableIdentifier } from '@moulin/core'

/** Names of a catalog whose names are no folders. What a URL or a line of text cannot carry is no name in any. */
const bad = /[\p{Cc}\p{Cs}]/u
const MAX_LEVELS = 16
const MAX_CHARACTERS = 255
const LEVEL = `1 to ${MAX_CHARACTERS} characters, no control characters, not "." or ".."`

/** @throws `invalid` code `TABLE_NAME`. */
export function checkOpenTable(table: TableIdentifier): TableIdentifier {
  const why = faultOf([...table.namespace, table.name], MAX_LEVELS + 1, 2)
  if (why === undefined) return table
  const text = tableText(table)
  throw invalid('TABLE_NAME', `The table name ${shown(text)} is not valid: ${why}.`, { context: { table: text } })
}

/** @throws `invalid` code `NAMESPACE_NAME`. */
export function checkOpenNamespace(namespace: Namespace): Namespace {
  const why = faultOf(namespace, MAX_LEVELS, 1)
  if (why === undefined) return namespace
  const text = namespaceText(namespace)
  throw invalid('NAMESPACE_NAME', `The namespace ${shown(text)} is not valid: ${why}.`, {
    context: { namespace: text },
  })
}

function faultOf(levels: readonly string[], most: number, least: number): string | undefined {
  if (levels.length < least || levels.length > most) return `it has ${levels.length} levels, not ${least} to ${most}`
  const level = levels.find((one) => one === '' || one.length > MAX_CHARACTERS || bad.test(one) || /^\.\.?$/.test(one))
  return level === undefined ? undefined : `${shown(level)} must be ${LEVEL}`
}

/** Tells names apart that read the same, such as `a.b` of one level and of two. */
export function nameKey(levels: readonly string[]): string {
  return JSON.stringify(levels)
}

/** Levels of a folder for any name; not one to one. */
export function folderLevels(levels: readonly string[]): string {
  return levels.map((level) => level.replaceAll(/[^a-zA-Z0-9_-]/g, '_')).join('/')
}
