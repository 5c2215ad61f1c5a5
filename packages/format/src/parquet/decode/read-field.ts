import { type IcebergField, type IcebergType, unsupported } from '@moulin/core'
import type { FileNode } from '../file-schema.ts'
import { type PrimitiveType, primitiveType, storageOf, typeName } from '../primitive-type.ts'

/** How the values of a file's leaf become those of a column. Plain data: it travels to a worker. */
export interface LeafConversion {
  readonly storage: 'bool' | 'int32' | 'int64' | 'float32' | 'float64' | 'bytes' | 'fixed'
  /** Of `fixed`. */
  readonly width: number
  readonly isDecimal: boolean
  /** 1 000 where the file counts milliseconds. */
  readonly factor: 1 | 1000
}

/** How a field of a file becomes a column. Undefined where the file lacks it: all null. */
export type FieldConversion =
  | { readonly kind: 'leaf'; readonly leaf: LeafConversion }
  | { readonly kind: 'list'; readonly type: IcebergType; readonly element: FieldConversion | undefined }
  | { readonly kind: 'struct'; readonly fields: readonly StructMember[] }

export interface StructMember {
  readonly name: string
  readonly type: IcebergType
  /** Position among the file's children. */
  readonly index: number
  readonly conversion: FieldConversion | undefined
}

/**
 * How `node` is read as `type`: the same type, or one that Iceberg lets it grow into (spec, "Schema Evolution").
 * @throws `unsupported`, naming both, for anything else.
 */
export function fieldConversion(type: IcebergType, node: FileNode, file: string): FieldConversion {
  if (typeof type === 'string') {
    const conversion = node.element.type === undefined ? undefined : leafConversion(primitiveType(type), node)
    if (conversion === undefined || node.element.repetition === 'REPEATED') throw mismatch(type, node, file)
    return { kind: 'leaf', leaf: conversion }
  }
  switch (type.type) {
    case 'struct': {
      const { kind } = node.element.annotation
      if (
        node.element.type !== undefined ||
        kind === 'list' ||
        kind === 'map' ||
        node.element.repetition === 'REPEATED'
      )
        throw mismatch(type, node, file)
      return { kind: 'struct', fields: type.fields.map((field) => member(field, node, file)) }
    }
    case 'list': {
      const repeated = node.children[0]
      const element = repeated?.children[0]
      // Two-level lists of old writers have no group between list and element.
      const isThreeLevel =
        node.element.annotation.kind === 'list' &&
        node.children.length === 1 &&
        repeated?.element.repetition === 'REPEATED' &&
        repeated.children.length === 1
      if (!isThreeLevel || element === undefined) throw mismatch(type, node, file)
      const found = element.fieldId === type['element-id'] ? fieldConversion(type.element, element, file) : undefined
      return { kind: 'list', type: type.element, element: found }
    }
    case 'map':
      throw unsupported('PARQUET_MAP', `Field ${node.path.join('.')} of ${file} is a map; this version reads none.`)
  }
}

function member(field: IcebergField, parent: FileNode, file: string): StructMember {
  const index = parent.children.findIndex(({ fieldId }) => fieldId === field.id)
  const conversion = index < 0 ? undefined : fieldConversion(field.type, parent.children[index]!, file)
  return { name: field.name, type: field.type, index, conversion }
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

function leafConversion(type: PrimitiveType, node: FileNode): LeafConversion | undefined {
  const { element } = node
  const factor = matches(type, node)
  if (factor === undefined) return undefined
  const { storage, width } = storageOf(type)
  const isDecimal = type.kind === 'decimal'
  if (storage === 'fixed' && !isDecimal && element.typeLength !== width) return undefined
  return { storage: storage as LeafConversion['storage'], width: width ?? 0, isDecimal, factor }
}

/** The factor when the leaf's values may be read as `type`. */
function matches(type: PrimitiveType, { element }: FileNode): 1 | 1000 | undefined {
  const { type: physical, annotation } = element
  const { kind } = annotation
  const isInteger = kind === 'none' || (kind === 'integer' && annotation.isSigned)
  switch (type.kind) {
    case 'boolean':
      return physical === 'BOOLEAN' ? 1 : undefined
    case 'int':
      return physical === 'INT32' && isInteger ? 1 : undefined
    case 'long':
      return (physical === 'INT32' || physical === 'INT64') && isInteger ? 1 : undefined
    case 'date':
      return physical === 'INT32' && (kind === 'date' || kind === 'none') ? 1 : undefined
    case 'float':
      return physical === 'FLOAT' ? 1 : undefined
    case 'double':
      return physical === 'FLOAT' || physical === 'DOUBLE' ? 1 : undefined
    case 'time':
      if (kind === 'time' && annotation.unit === 'MILLIS') return physical === 'INT32' ? 1000 : undefined
      return physical === 'INT64' && kind === 'time' && annotation.unit === 'MICROS' ? 1 : undefined
    case 'timestamp':
    case 'timestamptz':
      if (physical !== 'INT64' || kind !== 'timestamp' || annotation.unit === 'NANOS') return undefined
      return annotation.unit === 'MILLIS' ? 1000 : 1
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return physical === 'INT64' && kind === 'timestamp' && annotation.unit === 'NANOS' ? 1 : undefined
    case 'string':
    case 'binary':
      return physical === 'BYTE_ARRAY' && (kind === 'none' || kind === 'string') ? 1 : undefined
    case 'uuid':
    case 'fixed':
      return physical === 'FIXED_LEN_BYTE_ARRAY' && (kind === 'none' || kind === type.kind) ? 1 : undefined
    case 'decimal':
      if (kind !== 'decimal' || annotation.scale !== type.scale || annotation.precision > type.precision)
        return undefined
      return physical === 'FLOAT' || physical === 'DOUBLE' || physical === 'BOOLEAN' ? undefined : 1
  }
}
