import type { Field, JsonValue, Schema, Type } from '@moulin/core'
import { decimalWidth, invalid, isMoulinError, schemaOf, t, unsupported } from '@moulin/core'
import { nullable, type AvroEnum, type AvroFixed, type AvroPrimitive, type AvroType } from './avro-schema.ts'

/** A field of a record that can be columns: one scalar, or the union of one with null. */
export interface FlatField {
  readonly name: string
  readonly type: Type
  readonly encoding: AvroPrimitive | AvroFixed | AvroEnum
  /** Which branch of the union is null; -1: no union. */
  readonly nullIndex: -1 | 0 | 1
}

export interface FlatRecord {
  readonly schema: Schema
  readonly fields: readonly FlatField[]
}

/** A record of scalars with their schema of ours, or why the type is none. */
export function flatRecord(type: AvroType): FlatRecord | { readonly reason: string } {
  if (type.type !== 'record') return { reason: `the schema is of type ${type.type}, not a record` }
  const fields: FlatField[] = []
  for (const field of type.fields) {
    const union = nullable(field.type)
    const encoding = union?.branch ?? field.type
    const scalar = scalarType(encoding)
    if (typeof scalar === 'string') return { reason: `the field ${field.name} is ${scalar}` }
    const ours = union === undefined ? scalar : scalar.optional()
    fields.push({
      name: field.name,
      type: ours,
      encoding: encoding as FlatField['encoding'],
      nullIndex: union?.nullIndex ?? -1,
    })
  }
  try {
    return { schema: schemaOf(fields.map(({ name, type: ours }) => ({ name, type: ours }))), fields }
  } catch (error) {
    // A reserved name, or no field at all: a valid Avro schema all the same.
    if (isMoulinError(error)) return { reason: error.message }
    throw error
  }
}

/** Our type of an Avro type, or what it is instead of a scalar. An annotation that is not valid is ignored, as Avro says. */
function scalarType(type: AvroType): Type | string {
  switch (type.type) {
    case 'boolean':
      return t.boolean
    case 'int':
      if (type.logical.logicalType === 'date') return t.date
      return type.logical.logicalType === 'time-millis' ? t.time : t.int
    case 'long':
      return longType(type)
    case 'float':
      return t.float
    case 'double':
      return t.double
    case 'bytes':
      return decimalType(type, Infinity) ?? t.binary
    case 'string':
      return type.logical.logicalType === 'uuid' ? t.uuid : t.string
    case 'enum':
      return t.string
    case 'fixed':
      if (type.size === 0) return 'a fixed of no bytes'
      if (type.logical.logicalType === 'uuid' && type.size === 16) return t.uuid
      return decimalType(type, type.size) ?? t.fixed(type.size)
    case 'union':
      return `a union of ${type.branches.length} branches`
    case 'null':
      return 'always null'
    default:
      return `of type ${type.type}`
  }
}

function longType({ logical }: AvroPrimitive): Type {
  switch (logical.logicalType) {
    case 'time-micros':
      return t.time.micros
    case 'timestamp-millis':
      return t.timestamptz
    case 'timestamp-micros':
      return t.timestamptz.micros
    case 'local-timestamp-millis':
      return t.timestamp
    case 'local-timestamp-micros':
      return t.timestamp.micros
    default:
      return logical.moulinType === 'int53' ? t.int53 : t.long
  }
}

function decimalType({ logical }: AvroPrimitive | AvroFixed, size: number): Type | undefined | string {
  if (logical.logicalType !== 'decimal') return undefined
  const { precision, scale = 0 } = logical
  const isValid =
    precision !== undefined &&
    Number.isInteger(precision) &&
    precision >= 1 &&
    Number.isInteger(scale) &&
    scale >= 0 &&
    scale <= precision
  if (!isValid) return undefined
  if (precision > 38) return `a decimal of precision ${precision}, above 38`
  return decimalWidth(precision) <= size ? t.decimal(precision, scale) : undefined
}

const avroName = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * The Avro schema of a schema of ours: optional is a union with null first; uuid a string, decimal bytes, each with its
 * logical type; `native` times in milliseconds, `.micros` in microseconds.
 * @throws `unsupported` for list, struct and map; `invalid` for a name that Avro does not take.
 */
export function avroJsonOf(schema: Schema): JsonValue {
  return { type: 'record', name: 'Value', fields: schema.fields.map(fieldJson) }
}

function fieldJson({ name, type }: Field): JsonValue {
  if (!avroName.test(name)) {
    throw invalid('AVRO_NAME', `Avro takes no field name ${JSON.stringify(name)}: use letters, digits and _ only.`)
  }
  const json = typeJson(name, type)
  return type.isOptional ? { name, type: ['null', json], default: null } : { name, type: json }
}

function typeJson(name: string, { spec }: Type): JsonValue {
  switch (spec.kind) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
    case 'string':
      return spec.kind
    case 'int53':
      return { type: 'long', 'moulin.type': 'int53' }
    case 'binary':
      return 'bytes'
    case 'uuid':
      return { type: 'string', logicalType: 'uuid' }
    case 'date':
      return { type: 'int', logicalType: 'date' }
    case 'fixed':
      return { type: 'fixed', name: `${name}_fixed`, size: spec.length }
    case 'decimal':
      return { type: 'bytes', logicalType: 'decimal', precision: spec.precision, scale: spec.scale }
    case 'time':
      return spec.as === 'micros'
        ? { type: 'long', logicalType: 'time-micros' }
        : { type: 'int', logicalType: 'time-millis' }
    case 'timestamp':
      return { type: 'long', logicalType: spec.as === 'micros' ? 'local-timestamp-micros' : 'local-timestamp-millis' }
    case 'timestamptz':
      return { type: 'long', logicalType: spec.as === 'micros' ? 'timestamp-micros' : 'timestamp-millis' }
    case 'list':
    case 'struct':
    case 'map':
      throw unsupported('VALUE_KIND', `The field ${name} is of kind ${spec.kind}, which value schemas do not take yet.`)
  }
}
