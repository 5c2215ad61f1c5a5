import type { Schema, Type, TypeKind } from '@moulin/core'
import { dateMs, foldType, formatCaps, plainView, unsupported } from '@moulin/core'
import { parseDecimal } from './scalars.ts'

/** Levels of lists, structs and maps in one value. */
export const MAX_VALUE_DEPTH: number = formatCaps.maxValueDepth
/** Fields of one value, those of nested ones, elements, keys and values counted too. */
export const MAX_VALUE_FIELDS: number = formatCaps.maxValueFields

/**
 * Refuses what no value can have: more than {@link MAX_VALUE_DEPTH} levels or {@link MAX_VALUE_FIELDS} fields, a struct
 * of nothing, a map whose keys are not of {@link isMapKey}.
 * @throws `unsupported` naming the field.
 */
export function checkValueTypes({ fields }: Schema): void {
  const counter = { fields: 0 }
  for (const { name, type } of fields) checkType(type, name, 0, counter)
}

function checkType(type: Type, path: string, depth: number, counter: { fields: number }): void {
  if (++counter.fields > MAX_VALUE_FIELDS) {
    throw unsupported('VALUE_FIELDS', `The schema has more than ${MAX_VALUE_FIELDS} fields, nested ones counted.`)
  }
  if (depth > MAX_VALUE_DEPTH) {
    throw unsupported('VALUE_DEPTH', `The field ${path} nests deeper than ${MAX_VALUE_DEPTH} levels.`)
  }
  const below = (name: string, member: Type): void => checkType(member, `${path}.${name}`, depth + 1, counter)
  foldType<void>(type, {
    scalar: () => {},
    list: (element) => below('element', element),
    struct(fields) {
      if (fields.length === 0) {
        throw unsupported('VALUE_KIND', `The field ${path} is a struct of no fields, which no table holds.`)
      }
      for (const field of fields) below(field.name, field.type)
    },
    map(key, value) {
      if (!isMapKey(key)) {
        const message = `The field ${path} is a map whose keys are of kind ${key.spec.kind}; keys are ${keyKinds}.`
        throw unsupported('VALUE_KIND', message)
      }
      below('key', key)
      below('value', value)
    },
  })
}

const noKeys = new Set<TypeKind>(['float', 'double', 'list', 'struct', 'map'])
const keyKinds = 'required scalars other than float and double'

/** Whether a type can be a map's key: one whose equal values have equal bytes, which floating point has not. */
export function isMapKey({ spec, isOptional }: Type): boolean {
  return !isOptional && !noKeys.has(spec.kind)
}

/** What two keys of a type have in common when they are the same, where JavaScript's Map would tell them apart. */
export type ComparableKey = (key: unknown) => unknown

export function comparableKey({ spec }: Type): ComparableKey | undefined {
  switch (spec.kind) {
    case 'binary':
    case 'fixed':
      return (key) => Buffer.from(plainView(key as Uint8Array)).toString('latin1')
    case 'timestamp':
    case 'timestamptz':
      return spec.as === 'micros' ? undefined : dateMs
    case 'uuid':
      return (key) => (key as string).toLowerCase()
    case 'decimal':
      return (key) => parseDecimal(key as string, spec.precision, spec.scale)
    default:
      return undefined
  }
}

/** Sets an entry of a map that is being read. A key that comes again keeps its place and takes the later value. */
export type SetEntry = (map: Map<unknown, unknown>, key: unknown, value: unknown) => void

/** One per map that is read: keys of bytes and Dates are the same when they hold the same. */
export function entrySetter(comparable: ComparableKey | undefined): SetEntry {
  if (comparable === undefined) return (map, key, value) => map.set(key, value)
  const known = new Map<unknown, unknown>()
  return (map, key, value) => {
    if (map.size === 0) known.clear()
    const id = comparable(key)
    const first = known.get(id) ?? key
    known.set(id, first)
    map.set(first, value)
  }
}
