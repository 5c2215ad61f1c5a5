import { corrupt, jsonChecks } from '@moulin/core'
import type { JsonChecks, JsonValue } from '@moulin/core'

/** Nested types deeper than this are refused: nothing real has them, and checks recurse. */
export const MAX_TYPE_DEPTH = 64

export const check: JsonChecks = jsonChecks('METADATA')

export function optionalArray(value: unknown, what: string): readonly JsonValue[] {
  return value === undefined || value === null ? [] : check.array(value, what)
}

export function checkStringMap(value: unknown, what: string): void {
  for (const [key, member] of Object.entries(check.object(value, what))) check.string(member, `${what}.${key}`)
}

/** The shape of a schema in JSON; ids may still repeat. @throws `corrupt` naming the member. */
export function checkSchema(value: unknown, what: string): void {
  const schema = check.object(value, what)
  checkStruct(schema, what)
  for (const id of ['schema-id', 'identifier-field-ids']) {
    const member = schema[id]
    if (member === undefined || member === null) continue
    for (const each of id === 'schema-id' ? [member] : check.array(member, `${what}.${id}`)) {
      check.int(each, `${what}.${id}`)
    }
  }
}

/** A struct type with its fields, of a schema or nested. */
export function checkStruct(value: unknown, what: string, depth: number = 0): void {
  const struct = check.object(value, what)
  if (struct['type'] !== 'struct') throw check.fault(struct['type'], `${what}.type`, '"struct"')
  check.array(struct['fields'], `${what}.fields`).forEach((member, at) => {
    const place = `${what}.fields[${at}]`
    const field = check.object(member, place)
    check.int(field['id'], `${place}.id`)
    check.string(field['name'], `${place}.name`)
    check.boolean(field['required'], `${place}.required`)
    checkType(field['type'], `${place}.type`, depth)
  })
}

function checkType(value: unknown, what: string, depth: number): void {
  if (typeof value === 'string') return
  if (depth >= MAX_TYPE_DEPTH) throw corrupt('METADATA', `${what} is nested deeper than ${MAX_TYPE_DEPTH} levels.`)
  const type = check.object(value, what)
  switch (type['type']) {
    case 'struct':
      return checkStruct(type, what, depth + 1)
    case 'list':
      check.int(type['element-id'], `${what}.element-id`)
      check.boolean(type['element-required'], `${what}.element-required`)
      return checkType(type['element'], `${what}.element`, depth + 1)
    case 'map':
      check.int(type['key-id'], `${what}.key-id`)
      check.int(type['value-id'], `${what}.value-id`)
      check.boolean(type['value-required'], `${what}.value-required`)
      checkType(type['key'], `${what}.key`, depth + 1)
      return checkType(type['value'], `${what}.value`, depth + 1)
    default:
      throw check.fault(type['type'], `${what}.type`, 'a type')
  }
}
