import type { Field, Schema, Type } from '@moulin/core'
import { decimalWidth, foldType, isMoulinError, schemaOf, structOf, t } from '@moulin/core'
import { minimumBytes } from './avro-reader.ts'
import { isMapKey, MAX_VALUE_DEPTH, MAX_VALUE_FIELDS } from '../values/nested-values.ts'
import {
  nullable,
  type AvroArray,
  type AvroFixed,
  type AvroPrimitive,
  type AvroRecord,
  type AvroType,
} from './avro-schema.ts'

/** An Avro type that can be a column, perhaps a nested one, or the union of one with null. */
export interface AvroNode {
  /** Of ours, optional where there is a union. */
  readonly type: Type
  /** Without the union. */
  readonly encoding: AvroType
  /** Which branch of the union is null; -1: no union. */
  readonly nullIndex: -1 | 0 | 1
  /** A list's element, a map's key and value, a struct's fields in their order; a scalar has none. */
  readonly children: readonly AvroNode[]
}

/** What to make of a node by how it nests, one level, as core's `TypeFold`, but with nodes for types. */
export interface NodeFold<R> {
  scalar(node: AvroNode): R
  list(element: AvroNode): R
  map(key: AvroNode, value: AvroNode): R
  struct(fields: readonly Field[], children: readonly AvroNode[]): R
}

export function foldNode<R>(node: AvroNode, fold: NodeFold<R>): R {
  const { type, children } = node
  return foldType<R>(type, {
    scalar: () => fold.scalar(node),
    list: () => fold.list(children[0]!),
    map: () => fold.map(children[0]!, children[1]!),
    struct: (fields) => fold.struct(fields, children),
  })
}

/** A record whose fields can be columns. */
export interface AvroColumns {
  readonly schema: Schema
  /** In the order of the schema's fields. */
  readonly nodes: readonly AvroNode[]
}

/** The fewest bytes that a value takes: at least one, as no column is of nothing. */
export function minimumBytesOf({ encoding, nullIndex }: AvroNode): number {
  return nullIndex < 0 ? minimumBytes(encoding) : 1
}

/** The columns of a record with their schema of ours, or why the type has none. */
export function avroColumns(type: AvroType): AvroColumns | { readonly reason: string } {
  if (type.type !== 'record') return { reason: `the schema is of type ${type.type}, not a record` }
  const walk: Walk = { within: new Set([type]), depth: 0, counter: { fields: 0 } }
  const nodes: AvroNode[] = []
  const fields: Field[] = []
  for (const field of type.fields) {
    const node = nodeOf(field.type, field.name, walk)
    if (typeof node === 'string') return { reason: node }
    nodes.push(node)
    fields.push({ name: field.name, type: node.type })
  }
  try {
    return { schema: schemaOf(fields), nodes }
  } catch (error) {
    // A reserved name, or no field at all: a valid Avro schema all the same.
    if (isMoulinError(error)) return { reason: error.message }
    throw error
  }
}

interface Walk {
  /** Records around: one that holds itself has no end. */
  readonly within: ReadonlySet<AvroType>
  readonly depth: number
  readonly counter: { fields: number }
}

type Plain = Omit<AvroNode, 'nullIndex'>

/** A sentence where the type is no column. */
function nodeOf(type: AvroType, path: string, walk: Walk): AvroNode | string {
  if (++walk.counter.fields > MAX_VALUE_FIELDS) return `the schema has more than ${MAX_VALUE_FIELDS} fields`
  if (walk.depth > MAX_VALUE_DEPTH) return `the field ${path} nests deeper than ${MAX_VALUE_DEPTH} levels`
  const union = nullable(type)
  const plain = plainNode(union?.branch ?? type, path, walk)
  if (typeof plain === 'string') return plain
  if (union === undefined) return { ...plain, nullIndex: -1 }
  return { ...plain, type: plain.type.optional(), nullIndex: union.nullIndex }
}

function plainNode(encoding: AvroType, path: string, walk: Walk): Plain | string {
  const inner = { ...walk, depth: walk.depth + 1 }
  switch (encoding.type) {
    case 'array':
      return arrayNode(encoding, path, inner)
    case 'map': {
      const value = nodeOf(encoding.values, `${path}.value`, inner)
      return typeof value === 'string' ? value : mapNode(encoding, stringKey, value)
    }
    case 'record':
      return recordNode(encoding, path, inner)
    default: {
      const scalar = scalarType(encoding)
      return typeof scalar === 'string' ? `the field ${path} is ${scalar}` : { type: scalar, encoding, children: [] }
    }
  }
}

function arrayNode(encoding: AvroArray, path: string, walk: Walk): Plain | string {
  const element = nodeOf(encoding.items, `${path}.element`, walk)
  if (typeof element === 'string') return element
  if (encoding.isMap && isEntry(element)) {
    const [key, value] = element.children
    return mapNode(encoding, key!, value!)
  }
  return { type: t.list(element.type), encoding, children: [element] }
}

/** An annotation that is not valid is ignored: such an array is a list. */
function isEntry({ type: { spec }, nullIndex, children }: AvroNode): boolean {
  if (spec.kind !== 'struct' || nullIndex >= 0) return false
  const names = spec.fields.map(({ name }) => name).join()
  return names === 'key,value' && isMapKey(children[0]!.type)
}

const stringKey: AvroNode = {
  type: t.string,
  encoding: {
    type: 'string',
    logical: { logicalType: undefined, precision: undefined, scale: undefined, moulinType: undefined },
  },
  nullIndex: -1,
  children: [],
}

/** On the wire a map is an array of entries. */
function mapNode(encoding: AvroType, key: AvroNode, value: AvroNode): Plain {
  return { type: t.map(key.type as Type<unknown, false>, value.type), encoding, children: [key, value] }
}

function recordNode(encoding: AvroRecord, path: string, walk: Walk): Plain | string {
  if (walk.within.has(encoding)) return `the field ${path} is a record ${encoding.name} inside itself`
  if (encoding.fields.length === 0) return `the field ${path} is a record of no fields`
  const inner = { ...walk, within: new Set([...walk.within, encoding]) }
  const children: AvroNode[] = []
  const fields: Field[] = []
  for (const field of encoding.fields) {
    const node = nodeOf(field.type, `${path}.${field.name}`, inner)
    if (typeof node === 'string') return node
    children.push(node)
    fields.push({ name: field.name, type: node.type })
  }
  return { type: structOf(fields), encoding, children }
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
