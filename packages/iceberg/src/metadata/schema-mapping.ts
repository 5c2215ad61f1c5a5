import { foldIceberg, foldType, nestedFields, structOf, t } from '@moulin/core'
import type { Field, IcebergField, IcebergSchema, IcebergType, ScalarType, Schema, Type } from '@moulin/core'
import { primitiveOf, UNKNOWN } from '../values/primitive-type.ts'

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

// Members are evaluated in the order of their text: each id is taken before those below it.
function icebergType(type: Type, ids: Ids): IcebergType {
  return foldType<IcebergType>(type, {
    scalar: primitiveText,
    list: (element) => ({
      type: 'list',
      'element-id': ids(),
      element: icebergType(element, ids),
      'element-required': false,
    }),
    map: (key, value) => ({
      type: 'map',
      'key-id': ids(),
      key: icebergType(key, ids),
      'value-id': ids(),
      value: icebergType(value, ids),
      'value-required': false,
    }),
    struct: (fields) => ({ type: 'struct', fields: fields.map((field) => icebergField(field, ids)) }),
  })
}

function primitiveText({ spec }: ScalarType): string {
  switch (spec.kind) {
    case 'int53':
      return 'long'
    case 'decimal':
      return `decimal(${spec.precision}, ${spec.scale})`
    case 'fixed':
      return `fixed[${spec.length}]`
    case 'timestamp':
    case 'timestamptz':
      return spec.as === 'nanos' ? `${spec.kind}_ns` : spec.kind
    default:
      return spec.kind
  }
}

/**
 * The exact JavaScript type of a column: long is a bigint, times are bigint microseconds, or nanoseconds where the column has these.
 * @throws `unsupported` for a type that this version does not read, such as `variant`.
 */
export function typeOfIceberg(type: IcebergType): Type {
  return foldIceberg<Type>(type, {
    primitive: primitiveTypeOf,
    list: (element) => t.list(typeOfField(element)),
    map: (key, value) => t.map(typeOfField(key) as Type<unknown, false>, typeOfField(value)),
    struct: (fields) => structOf(fields.map((field) => ({ name: field.name, type: typeOfField(field) }))),
  })
}

function typeOfField({ type, required }: IcebergField): Type {
  return required ? typeOfIceberg(type) : typeOfIceberg(type).optional()
}

function primitiveTypeOf(type: string): Type {
  if (type === UNKNOWN) return nulls
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
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return nanos(kind === 'timestamp_ns' ? 'timestamp' : 'timestamptz')
    default:
      return t[kind]
  }
}

// No schema of a topic has one of these.
const nulls: Type<null, false> = {
  spec: { kind: 'unknown' },
  isOptional: false,
  optional: () => ({ ...nulls, isOptional: true }) as Type<null, true>,
}

function nanos(kind: 'timestamp' | 'timestamptz'): Type<bigint, false> {
  const spec = { kind, as: 'nanos' } as const
  return { spec, isOptional: false, optional: () => ({ ...nanos(kind), isOptional: true }) as Type<bigint, true> }
}

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
    yield* allFields(nestedFields(field.type))
  }
}

/** The highest field id in use, 0 for an empty schema. */
export function lastColumnId(schema: Pick<IcebergSchema, 'fields'>): number {
  let last = 0
  for (const field of allFields(schema.fields)) last = Math.max(last, field.id)
  return last
}
