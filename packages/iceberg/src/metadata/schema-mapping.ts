import { structOf, t } from '@moulin/core'
import type { Field, IcebergField, IcebergSchema, IcebergType, Schema, Type } from '@moulin/core'
import { primitiveOf } from '../values/primitive-type.ts'

/**
 * The table's columns of a schema, with ids counted from `firstId` upwards, nested fields right after their parent.
 *
 * Every column and every member below one is optional, whatever the schema says, but the keys of maps, which Iceberg
 * requires: a tombstone or a raw row leaves columns null, and engines refuse to insert beside required members.
 *
 * Spec: Iceberg, "Schemas and data types"; DETAILS, "Columns".
 */
export function icebergFields(schema: Schema, firstId: number): IcebergField[] {
  const ids = idsFrom(firstId)
  return schema.fields.map((field) => icebergField(field, ids))
}

type Ids = () => number

function idsFrom(firstId: number): Ids {
  let next = firstId
  return () => next++
}

function icebergField({ name, type }: Field, ids: Ids): IcebergField {
  const id = ids()
  return { id, name, required: false, type: icebergType(type, ids) }
}

function icebergType({ spec }: Type, ids: Ids): IcebergType {
  switch (spec.kind) {
    case 'int53':
      return 'long'
    case 'decimal':
      return `decimal(${spec.precision}, ${spec.scale})`
    case 'fixed':
      return `fixed[${spec.length}]`
    case 'list': {
      const elementId = ids()
      return {
        type: 'list',
        'element-id': elementId,
        element: icebergType(spec.element, ids),
        'element-required': false,
      }
    }
    case 'map': {
      const keyId = ids()
      const key = icebergType(spec.key, ids)
      const valueId = ids()
      const value = icebergType(spec.value, ids)
      return { type: 'map', 'key-id': keyId, key, 'value-id': valueId, value, 'value-required': false }
    }
    case 'struct':
      return { type: 'struct', fields: spec.fields.map((field) => icebergField(field, ids)) }
    default:
      return spec.kind
  }
}

/**
 * The exact JavaScript type of a column: long is a bigint, times are bigint microseconds.
 * @throws `unsupported` for a type that this version does not read, such as `timestamp_ns` or `variant`.
 */
export function typeOfIceberg(type: IcebergType): Type {
  if (typeof type === 'string') return primitiveTypeOf(type)
  switch (type.type) {
    case 'list':
      return t.list(optionally(typeOfIceberg(type.element), type['element-required']))
    case 'map':
      return t.map(required(typeOfIceberg(type.key)), optionally(typeOfIceberg(type.value), type['value-required']))
    case 'struct':
      return structOf(
        type.fields.map((field) => ({ name: field.name, type: optionally(typeOfIceberg(field.type), field.required) })),
      )
  }
}

function primitiveTypeOf(type: string): Type {
  const { kind, precision, scale, width } = primitiveOf(type)!
  switch (kind) {
    case 'decimal':
      return t.decimal(precision, scale)
    case 'fixed':
      return t.fixed(width)
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return t[kind].micros
    default:
      return t[kind]
  }
}

const required = (type: Type): Type<unknown, false> => type as Type<unknown, false>
const optionally = (type: Type, isRequired: boolean): Type => (isRequired ? type : type.optional())

/** An id that two fields share, or undefined, as it should be. */
export function repeatedFieldId(schema: Pick<IcebergSchema, 'fields'>): number | undefined {
  const seen = new Set<number>()
  for (const { id } of allFields(schema.fields)) {
    if (seen.has(id)) return id
    seen.add(id)
  }
  return undefined
}

/** The fields of a struct and all below them, each before its own. */
export function* allFields(fields: readonly IcebergField[]): Generator<IcebergField> {
  for (const field of fields) {
    yield field
    yield* fieldsIn(field.type)
  }
}

function* fieldsIn(type: IcebergType): Generator<IcebergField> {
  if (typeof type === 'string') return
  if (type.type === 'struct') return yield* allFields(type.fields)
  if (type.type === 'list') {
    const { element, 'element-id': id, 'element-required': isRequired } = type
    return yield* allFields([{ id, name: 'element', required: isRequired, type: element }])
  }
  yield* allFields([
    { id: type['key-id'], name: 'key', required: true, type: type.key },
    { id: type['value-id'], name: 'value', required: type['value-required'], type: type.value },
  ])
}

/** The highest field id in use, 0 for an empty schema. */
export function lastColumnId(schema: Pick<IcebergSchema, 'fields'>): number {
  let last = 0
  for (const field of allFields(schema.fields)) last = Math.max(last, field.id)
  return last
}
