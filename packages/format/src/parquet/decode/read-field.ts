import { foldIceberg, type IcebergField, type IcebergType, nestedFields, typeName, unsupported } from '@moulin/core'
import { isUnknown } from '../footer-element.ts'
import { type FileNode, type ListShape, listShape } from '../file-node.ts'
import { type PrimitiveType, primitiveType, storageOf, UNKNOWN } from '../primitive-type.ts'
import type {
  Cast,
  FieldConversion,
  LeafConversion,
  ListConversion,
  StructConversion,
  StructMember,
} from './field-conversion.ts'

/** Of the file that the fields are read from. */
export interface ReadContext {
  readonly file: string
  /** Whether INT96 is read as a timestamp. */
  readonly readsInt96: boolean
}

/**
 * How `node` is read as `type`: the same type, or one that Iceberg lets it grow into (spec, "Schema Evolution").
 * @throws `unsupported`, naming both, for anything else.
 */
export function fieldConversion(type: IcebergType, node: FileNode, context: ReadContext): FieldConversion {
  if (node.element.repetition !== 'REPEATED') return conversionOf(type, node, context)
  // A repeated field is a list without a group around it.
  if (typeof type === 'string' || type.type !== 'list' || node.element.annotation.kind === 'list')
    throw mismatch(type, node, context.file)
  const [element] = nestedFields(type)
  return listOf(element!, node, { repeated: node, element: node }, context)
}

/** The same where a list around the node has seen to its repetition. */
function conversionOf(type: IcebergType, node: FileNode, context: ReadContext): FieldConversion {
  const { file } = context
  const { element: schema, definition: level } = node
  return foldIceberg<FieldConversion>(type, {
    primitive(primitive) {
      const conversion = schema.type === undefined ? undefined : leafConversion(primitiveType(primitive), node, context)
      if (conversion === undefined) throw mismatch(type, node, file)
      return conversion
    },
    struct(fields) {
      const { kind } = schema.annotation
      if (schema.type !== undefined || kind === 'list' || kind === 'map') throw mismatch(type, node, file)
      return structOf(fields, node, context)
    },
    list(element) {
      const shape = schema.annotation.kind === 'list' ? listShape(node) : undefined
      if (shape === undefined) throw mismatch(type, node, file)
      return listOf(element, node, shape, context)
    },
    map(key, value) {
      const entries = node.children[0]
      const isMap =
        schema.annotation.kind === 'map' &&
        node.children.length === 1 &&
        entries?.element.repetition === 'REPEATED' &&
        entries.children.length >= 1 &&
        entries.children.length <= 2
      if (!isMap) throw mismatch(type, node, file)
      const fields = [key, value].map((field, at) => {
        const child = entries.children[at]
        return memberOf(field, child?.fieldId === field.id ? child : undefined, context)
      })
      const element = structWith(fields, entries)
      const entryType: IcebergType = { type: 'struct', fields: [] }
      return { kind: 'list', shape: element.shape, level, entryLevel: entries.definition, type: entryType, element }
    },
  })
}

function listOf(
  wanted: IcebergField,
  node: FileNode,
  { repeated, element }: ListShape,
  context: ReadContext,
): ListConversion {
  // A repeated field has but one id.
  const isWanted =
    (element.fieldId === wanted.id || element === node) && !isUnknown(element.element) && wanted.type !== UNKNOWN
  const found = isWanted ? conversionOf(wanted.type, element, context) : undefined
  return {
    kind: 'list',
    shape: found === undefined ? node.firstLeaf : shapeOf(found),
    // Without a group around it a list cannot be null, only empty.
    level: repeated === node ? node.definition - 1 : node.definition,
    entryLevel: repeated.definition,
    type: wanted.type,
    element: found,
  }
}

function structOf(fields: readonly IcebergField[], node: FileNode, context: ReadContext): StructConversion {
  const members = fields.map((field) => {
    const child = node.children.find(({ fieldId }) => fieldId === field.id)
    return memberOf(field, child, context)
  })
  return structWith(members, node)
}

function memberOf(field: IcebergField, child: FileNode | undefined, context: ReadContext): StructMember {
  // Null whatever the field's default: the file has it.
  if (child !== undefined && (isUnknown(child.element) || field.type === UNKNOWN))
    return { name: field.name, type: field.type, conversion: undefined }
  return { ...field, conversion: child === undefined ? undefined : fieldConversion(field.type, child, context) }
}

function structWith(fields: readonly StructMember[], node: FileNode): StructConversion {
  const known = fields.find(({ conversion }) => conversion !== undefined)
  const shape = known === undefined ? node.firstLeaf : shapeOf(known.conversion!)
  return { kind: 'struct', shape, level: node.definition, fields }
}

/** A leaf below, or the node itself. */
function shapeOf(conversion: FieldConversion): number {
  return conversion.kind === 'leaf' ? conversion.leaf : conversion.shape
}

/** The leaves whose values, or at least levels, a conversion takes. */
export function leavesUsed(
  conversion: FieldConversion,
  used: Map<number, 'values' | 'levels'> = new Map<number, 'values' | 'levels'>(),
): Map<number, 'values' | 'levels'> {
  if (conversion.kind === 'leaf') return used.set(conversion.leaf, 'values')
  if (!used.has(conversion.shape)) used.set(conversion.shape, 'levels')
  const below = conversion.kind === 'list' ? [conversion.element] : conversion.fields.map((member) => member.conversion)
  for (const next of below) if (next !== undefined) leavesUsed(next, used)
  return used
}

function mismatch(type: IcebergType, node: FileNode, file: string): Error {
  const { element } = node
  const has = `${element.type ?? 'a group'} (${annotationName(node)})`
  const message = `Column ${node.path.join('.')} of ${file} is ${has}, which this version does not read as ${typeName(type)}.`
  return unsupported('PARQUET_TYPE', message, { context: { file, column: node.path.join('.') } })
}

function annotationName({ element: { annotation } }: FileNode): string {
  switch (annotation.kind) {
    case 'decimal':
      return `decimal(${annotation.precision}, ${annotation.scale})`
    case 'time':
    case 'timestamp':
      return `${annotation.kind} ${annotation.unit}`
    case 'integer':
      return annotation.isSigned ? 'integer' : 'unsigned integer'
    case 'other':
      return annotation.name
    default:
      return annotation.kind
  }
}

function leafConversion(type: PrimitiveType, node: FileNode, context: ReadContext): LeafConversion | undefined {
  const cast = castTo(type, node, context)
  if (cast === undefined) return undefined
  const { storage, width = 0 } = storageOf(type)
  if (storage === 'fixed' && cast === 'none' && node.element.typeLength !== width) return undefined
  return { kind: 'leaf', leaf: node.firstLeaf, cast, storage, width }
}

/** Undefined when the leaf's values are not read as `type`. */
function castTo(type: PrimitiveType, node: FileNode, context: ReadContext): Cast | undefined {
  const { type: physical, annotation } = node.element
  const { kind } = annotation
  const isInteger = kind === 'none' || kind === 'integer'
  const isUnsigned = kind === 'integer' && !annotation.isSigned
  const only = (holds: boolean): Cast | undefined => (holds ? 'none' : undefined)
  switch (type.kind) {
    case 'boolean':
      return only(physical === 'BOOLEAN')
    case 'int':
      // An unsigned integer of 32 bits need not fit.
      return only(physical === 'INT32' && isInteger && !(isUnsigned && annotation.bits > 16))
    case 'long':
      if (physical === 'INT32' && isInteger) return isUnsigned ? 'unsigned-to-int64' : 'signed-to-int64'
      if (physical === 'INT64' && isInteger) return isUnsigned ? 'uint64-to-int64' : 'none'
      return undefined
    case 'date':
      return only(physical === 'INT32' && (kind === 'date' || kind === 'none'))
    case 'float':
      return only(physical === 'FLOAT')
    case 'double':
      return physical === 'FLOAT' ? 'float-to-double' : only(physical === 'DOUBLE')
    case 'time':
      if (kind !== 'time') return undefined
      if (annotation.unit === 'MILLIS') return physical === 'INT32' ? 'int32-times-1000' : undefined
      return only(physical === 'INT64' && annotation.unit === 'MICROS')
    case 'timestamp':
    case 'timestamptz':
      if (physical === 'INT96') return int96(node, 'int96-to-micros', context)
      if (kind === 'date' && physical === 'INT32' && type.kind === 'timestamp') return 'date-to-micros'
      if (physical !== 'INT64' || kind !== 'timestamp' || annotation.unit === 'NANOS') return undefined
      return annotation.unit === 'MILLIS' ? 'int64-times-1000' : 'none'
    case 'timestamp_ns':
    case 'timestamptz_ns':
      if (physical === 'INT96') return int96(node, 'int96-to-nanos', context)
      if (kind === 'date' && physical === 'INT32' && type.kind === 'timestamp_ns') return 'date-to-nanos'
      return only(physical === 'INT64' && kind === 'timestamp' && annotation.unit === 'NANOS')
    case 'string':
    case 'binary':
      return only(physical === 'BYTE_ARRAY' && (kind === 'none' || kind === 'string'))
    case 'uuid':
    case 'fixed':
      return only(physical === 'FIXED_LEN_BYTE_ARRAY' && (kind === 'none' || kind === type.kind))
    case 'decimal':
      if (kind !== 'decimal' || annotation.scale !== type.scale || annotation.precision > type.precision)
        return undefined
      return physical === 'FLOAT' || physical === 'DOUBLE' || physical === 'BOOLEAN' || physical === 'INT96'
        ? undefined
        : 'decimal'
  }
}

function int96(node: FileNode, cast: Cast, { file, readsInt96 }: ReadContext): Cast {
  if (readsInt96) return cast
  const column = node.path.join('.')
  const message = `Column ${column} of ${file} is INT96, a deprecated timestamp without a zone; open the file with int96: 'timestamp' to read it.`
  throw unsupported('PARQUET_INT96', message, { context: { file, column } })
}
