import { invalid, shown } from '@moulin/core'
import type { Namespace } from '@moulin/core'

/** Between the levels of a namespace where a server names no other: REST specification, `namespace-separator`. */
export const DEFAULT_SEPARATOR = '%1F'

/** A name as a part of a path. */
export function encodeSegment(name: string): string {
  return encodeURIComponent(name)
}

/**
 * The prefix of a configuration: already encoded, as all clients take it, some of it by itself (an ARN with its slash). What no path can
 * have is encoded, what is encoded stays. @throws `invalid` code `PREFIX` for steps to other folders.
 */
export function encodePrefix(prefix: string): string {
  const steps = prefix.split('/').map((step) => step.replaceAll(/%2e/gi, '.'))
  if (steps.includes('.') || steps.includes('..')) {
    throw invalid('PREFIX', `The prefix ${shown(prefix)} leads out of its folder; a catalog must name another.`)
  }
  return prefix.replaceAll(/%(?![0-9a-fA-F]{2})|[^%/\w.~!$&'()*+,;=:@-]+/g, encodeURIComponent)
}

/**
 * A name from a path. A plus is a blank: Java's clients encode a form's way, and write `%2B` for a plus.
 * @throws `invalid` code `BAD_REQUEST` for escapes that are none.
 */
export function decodeSegment(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', '%20'))
  } catch (cause) {
    throw invalid('BAD_REQUEST', `${shown(text)} in the path is not URL encoded.`, { cause })
  }
}

/**
 * Its levels, each encoded, with the separator between them as it is: REST specification, parameter `namespace`.
 * @throws `invalid` code `NAMESPACE_NAME` for a level that has the separator in it: it would be read as two.
 */
export function encodeNamespace(namespace: Namespace, separator: string = DEFAULT_SEPARATOR): string {
  const levels = namespace.map(encodeSegment)
  const torn = levels.findIndex((level) => level.includes(separator))
  if (torn < 0) return levels.join(separator)
  const message = `${shown(namespace[torn])} is no level of a namespace in this catalog, which separates them by ${shown(separator)}.`
  throw invalid('NAMESPACE_NAME', message)
}

/**
 * The levels of a namespace in a path, taken before the path was decoded. Clients that know no separator but the default one are
 * understood: where that occurs, it counts. @throws `invalid` code `BAD_REQUEST`.
 */
export function decodeNamespace(text: string, separator: string = DEFAULT_SEPARATOR): Namespace {
  const byDefault = /%1f/gi
  const parts = byDefault.test(text) ? text.split(/%1f/i) : text.split(separator)
  return parts.map(decodeSegment)
}

/** The value of the query parameter `parent`, before it is encoded itself. */
export function namespaceParameter(namespace: Namespace, separator: string = DEFAULT_SEPARATOR): string {
  return namespace.join(decodeURIComponent(separator))
}

/** {@link namespaceParameter} back, after the query was decoded. */
export function parentNamespace(value: string, separator: string = DEFAULT_SEPARATOR): Namespace {
  if (value === '') return []
  return value.split(value.includes('\u001F') ? '\u001F' : decodeURIComponent(separator))
}
