import { corrupt, jsonInt64, unsupported, shown } from '@moulin/core'

/**
 * Checks of parsed JSON, member by member. Each names the place (`what`), so that a person finds it in the file.
 * All throw `corrupt`.
 */

export type JsonObject = Readonly<Record<string, unknown>>

/** Nested types deeper than this are refused: nothing real has them, and checks recurse. */
export const MAX_TYPE_DEPTH = 64

export function objectOf(value: unknown, what: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(value, what, 'an object')
  return value as JsonObject
}

export function arrayOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw bad(value, what, 'a list')
  return value
}

export function optionalArrayOf(value: unknown, what: string): readonly unknown[] {
  return value === undefined || value === null ? [] : arrayOf(value, what)
}

export function checkString(value: unknown, what: string): void {
  if (typeof value !== 'string') throw bad(value, what, 'a string')
}

export function checkBoolean(value: unknown, what: string): void {
  if (typeof value !== 'boolean') throw bad(value, what, 'a boolean')
}

export function checkInt(value: unknown, what: string): void {
  if (typeof value !== 'number' || (value | 0) !== value) throw bad(value, what, 'a 32-bit integer')
}

/** Accepts a literal only: ids as strings are for other formats. */
export function checkInt64(value: unknown, what: string): void {
  if (typeof value === 'string') throw bad(value, what, 'a 64-bit integer')
  jsonInt64(value, what)
}

export function checkStringMap(value: unknown, what: string): void {
  for (const [key, member] of Object.entries(objectOf(value, what))) checkString(member, `${what}.${key}`)
}

/** A struct type with its fields, of a schema or nested. */
export function checkStruct(value: unknown, what: string, depth: number = 0): void {
  const struct = objectOf(value, what)
  if (struct['type'] !== 'struct') throw bad(struct['type'], `${what}.type`, '"struct"')
  arrayOf(struct['fields'], `${what}.fields`).forEach((member, at) => {
    const place = `${what}.fields[${at}]`
    const field = objectOf(member, place)
    checkInt(field['id'], `${place}.id`)
    checkString(field['name'], `${place}.name`)
    checkBoolean(field['required'], `${place}.required`)
    checkType(field['type'], `${place}.type`, depth)
    if (field['initial-default'] !== undefined && field['initial-default'] !== null) {
      throw unsupported('COLUMN_DEFAULT', `The column ${shown(field['name'])} has a default value (format version 3).`)
    }
  })
}

function checkType(value: unknown, what: string, depth: number): void {
  if (typeof value === 'string') return
  if (depth >= MAX_TYPE_DEPTH) throw corrupt('METADATA', `${what} is nested deeper than ${MAX_TYPE_DEPTH} levels.`)
  const type = objectOf(value, what)
  switch (type['type']) {
    case 'struct':
      return checkStruct(type, what, depth + 1)
    case 'list':
      checkInt(type['element-id'], `${what}.element-id`)
      checkBoolean(type['element-required'], `${what}.element-required`)
      return checkType(type['element'], `${what}.element`, depth + 1)
    case 'map':
      checkInt(type['key-id'], `${what}.key-id`)
      checkInt(type['value-id'], `${what}.value-id`)
      checkBoolean(type['value-required'], `${what}.value-required`)
      checkType(type['key'], `${what}.key`, depth + 1)
      return checkType(type['value'], `${what}.value`, depth + 1)
    default:
      throw bad(type['type'], `${what}.type`, 'a type')
  }
}

function bad(value: unknown, what: string, wanted: string): Error {
  const seen = value === undefined ? 'missing' : shown(value)
  return corrupt('METADATA', `${what} must be ${wanted}; it is ${seen}.`)
}
