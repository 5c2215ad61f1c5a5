import { checkOptions, conflict, exists, invalid, namespaceText, notFound, option } from '@moulin/core'
import type { Namespace, NamespaceChange, NamespaceChanged, OptionTable } from '@moulin/core'

export type Properties = Readonly<Record<string, string>>

const propertiesTable: OptionTable<{ readonly properties: Properties }> = { properties: option.recordOf(option.text) }
const changeTable: OptionTable<NamespaceChange> = {
  updates: option.recordOf(option.text),
  removals: option.listOf(option.text),
}

/** @throws `invalid` code `OPTION` for what is no string. */
export function checkProperties(what: string, properties: Properties): Properties {
  checkOptions(what, { properties }, propertiesTable)
  return properties
}

/** @throws `invalid` code `OPTION`; `NAMESPACE_CHANGE` for a property that is both set and removed. */
export function checkChange(what: string, change: NamespaceChange): NamespaceChange {
  checkOptions(what, change, changeTable)
  const { updates = {}, removals = [] } = change
  const twice = removals.find((name) => Object.hasOwn(updates, name))
  if (twice === undefined) return change
  const message = `${what}: the property ${JSON.stringify(twice)} is to be set and removed; name it once.`
  throw invalid('NAMESPACE_CHANGE', message, { context: { property: twice } })
}

/** What a change makes of the present properties, and what it tells its caller. */
export function changed(
  present: Properties,
  { updates = {}, removals = [] }: NamespaceChange,
): { readonly properties: Properties; readonly answer: NamespaceChanged } {
  const named = [...new Set(removals)]
  const kept = Object.entries(present).filter(([name]) => !named.includes(name))
  return {
    properties: { ...Object.fromEntries(kept), ...updates },
    answer: {
      updated: Object.keys(updates),
      removed: named.filter((name) => Object.hasOwn(present, name)),
      missing: named.filter((name) => !Object.hasOwn(present, name)),
    },
  }
}

/** Whether the levels are those of the namespace, or begin with them. */
export function liesIn(levels: readonly string[], namespace: Namespace): boolean {
  return namespace.every((level, at) => levels[at] === level)
}

export function namespaceExists(namespace: Namespace): Error {
  const text = namespaceText(namespace)
  return exists('NAMESPACE_EXISTS', `The namespace ${text} exists already.`, { context: { namespace: text } })
}

export function noNamespace(namespace: Namespace): Error {
  const text = namespaceText(namespace)
  return notFound('NAMESPACE_MISSING', `There is no namespace ${text}.`, { context: { namespace: text } })
}

/** `inside` is a table or a namespace that lies in it. */
export function notEmpty(namespace: Namespace, inside: readonly string[]): Error {
  const text = namespaceText(namespace)
  const found = namespaceText(inside)
  const message = `The namespace ${text} is not empty: ${found} lies in it. Drop what it holds first.`
  return conflict('NAMESPACE_NOT_EMPTY', message, { context: { namespace: text, inside: found } })
}
