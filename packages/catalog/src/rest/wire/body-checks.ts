import { corrupt, jsonChecks } from '@moulin/core'
import type { JsonChecks, JsonObject, Namespace, TableIdentifier } from '@moulin/core'

/** Of a body that is not as the specification has it. */
export const BODY = 'REST_BODY'

/** What they throw is `corrupt` code `REST_BODY`. */
export const check: JsonChecks = jsonChecks(BODY)

/** A member that may be left out or null. */
export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value)
}

/** The member under its name, or nothing where it is left out: for a spread. */
export function maybe<K extends string, T>(
  from: JsonObject,
  member: K,
  read: (value: unknown) => T,
): { readonly [key in K]?: T } {
  const value = optional(from[member], read)
  return (value === undefined ? {} : { [member]: value }) as { readonly [key in K]?: T }
}

/** Without a prototype: no name of a property means anything else. */
export function stringMap(value: unknown, what: string): Readonly<Record<string, string>> {
  const map = check.object(value, what)
  for (const [name, member] of Object.entries(map)) check.string(member, `${what}.${name}`)
  return map as Readonly<Record<string, string>>
}

export function namespaceIn(value: unknown, what: string): Namespace {
  return check.strings(value, what)
}

export function identifierIn(value: unknown, what: string): TableIdentifier {
  const { namespace, name } = check.object(value, what)
  return { namespace: namespaceIn(namespace, `${what}: namespace`), name: check.string(name, `${what}: name`) }
}

/** @throws `corrupt` where the list has one member twice, by what `text` makes of it. */
export function distinct<T>(list: readonly T[], what: string, text: (member: T) => string): readonly T[] {
  const seen = new Set<string>()
  for (const member of list) {
    const name = text(member)
    if (seen.has(name)) throw corrupt(BODY, `${what} has ${name} twice.`)
    seen.add(name)
  }
  return list
}
