import { type IcebergField, type IcebergType, isMoulinError, unsupported } from '@moulin/core'
import { type FileNode, listShape } from '../parquet/file-node.ts'
import type { NameMapping } from '../parquet/name-mapping.ts'

/** A top-level column of a file as a field that our reader gives it back as, without loss. */
export interface NaturalField {
  readonly node: FileNode
  /** Undefined where there is none. */
  readonly field: IcebergField | undefined
  /** Why there is none. */
  readonly reason: string
}

export interface NaturalFields {
  readonly fields: readonly NaturalField[]
  /** For a file without field ids: those that were made up here. */
  readonly nameMapping: readonly NameMapping[] | undefined
}

interface Natural {
  readonly type: IcebergType
  readonly mapping: Omit<NameMapping, 'names'>
}

const unread = (node: FileNode, why: string): Error =>
  unsupported('PARQUET_TYPE', `Column ${node.path.join('.')} ${why}.`)

/** Whole columns only: one with a member that has no field id, or is of no type of ours, is no field. */
export function naturalFields(root: FileNode): NaturalFields {
  const hasIds = anyId(root)
  let made = 0
  const idOf = (node: FileNode): number => {
    if (!hasIds) return ++made
    const { fieldId } = node
    if (fieldId === undefined) throw unread(node, 'has no field id, though others of the file have')
    return fieldId
  }
  const mapping: NameMapping[] = []
  const fields = root.children.map((node): NaturalField => {
    try {
      const id = idOf(node)
      const { type, mapping: members } = naturalOf(node, idOf)
      mapping.push({ ...members, 'field-id': id, names: [node.element.name] })
      const { name, repetition } = node.element
      return { node, field: { id, name, type, required: repetition !== 'OPTIONAL' }, reason: '' }
    } catch (error) {
      if (!isMoulinError(error)) throw error
      return { node, field: undefined, reason: error.message }
    }
  })
  return { fields, nameMapping: hasIds ? undefined : mapping }
}

function anyId(node: FileNode): boolean {
  return node.children.some((child) => child.fieldId !== undefined || anyId(child))
}

type IdOf = (node: FileNode) => number

function naturalOf(node: FileNode, idOf: IdOf): Natural {
  const shape = listShape(node)
  if (node.element.repetition === 'REPEATED' || node.element.annotation.kind === 'list') {
    if (shape === undefined) throw unread(node, 'is a list of no known layout')
    // A repeated field has but one id, and its members are fields of its own in a mapping.
    if (shape.element === node) {
      const { type, mapping } = withoutRepetition(node, idOf)
      return { type: { type: 'list', 'element-id': -1, 'element-required': true, element: type }, mapping }
    }
    const id = idOf(shape.element)
    const { type, mapping } = withoutRepetition(shape.element, idOf)
    return {
      type: { type: 'list', 'element-id': id, 'element-required': false, element: type },
      mapping: { fields: [{ ...mapping, 'field-id': id, names: ['element'] }] },
    }
  }
  return withoutRepetition(node, idOf)
}

/** The same where a list around the node has seen to its repetition. */
function withoutRepetition(node: FileNode, idOf: IdOf): Natural {
  const { element, children } = node
  if (element.type !== undefined) return { type: leafType(node), mapping: {} }
  if (element.annotation.kind === 'list') return naturalOf(node, idOf)
  if (element.annotation.kind !== 'map') return structOf(children, idOf)
  const [key, value] = children[0]?.children ?? []
  if (children.length !== 1 || key === undefined || value === undefined || children[0]!.children.length !== 2)
    throw unread(node, 'is a map without keys and values')
  const { type, mapping } = structOf([key, value], idOf)
  const [keyField, valueField] = type.fields as [IcebergField, IcebergField]
  return {
    type: {
      type: 'map',
      'key-id': keyField.id,
      key: keyField.type,
      'value-id': valueField.id,
      value: valueField.type,
      'value-required': false,
    },
    mapping: {
      fields: mapping.fields!.map((member, index) => ({ ...member, names: [index === 0 ? 'key' : 'value'] })),
    },
  }
}

type StructType = Extract<IcebergType, { readonly type: 'struct' }>

function structOf(children: readonly FileNode[], idOf: IdOf): Natural & { readonly type: StructType } {
  const members = children.map((child) => {
    const id = idOf(child)
    return { child, id, ...naturalOf(child, idOf) }
  })
  const fields = members.map(({ child: { element }, id, type }) => ({
    id,
    name: element.name,
    type,
    required: element.repetition !== 'OPTIONAL',
  }))
  const mapped = members.map(({ child, id, mapping }) => ({ ...mapping, 'field-id': id, names: [child.element.name] }))
  return { type: { type: 'struct', fields }, mapping: { fields: mapped } }
}

function leafType(node: FileNode): string {
  const { type: physical, typeLength = 0, annotation } = node.element
  const { kind } = annotation
  if (kind === 'decimal' && physical !== 'FLOAT' && physical !== 'DOUBLE' && physical !== 'BOOLEAN')
    return `decimal(${annotation.precision},${annotation.scale})`
  if (kind === 'time') return 'time'
  if (kind === 'timestamp') return annotation.unit === 'NANOS' ? 'timestamp_ns' : 'timestamp'
  if (kind === 'date' || kind === 'uuid') return kind
  const isWide = kind === 'integer' && !annotation.isSigned && annotation.bits > 16
  const plain: Readonly<Record<string, string>> = {
    BOOLEAN: 'boolean',
    INT32: isWide ? 'long' : 'int',
    INT64: 'long',
    // To the microsecond, as a table has it.
    INT96: 'timestamp',
    FLOAT: 'float',
    DOUBLE: 'double',
    BYTE_ARRAY: kind === 'string' ? 'string' : 'binary',
    FIXED_LEN_BYTE_ARRAY: `fixed[${typeLength}]`,
  }
  const type = kind === 'other' ? undefined : plain[physical ?? '']
  if (type === undefined) throw unread(node, 'is of no type that this version reads')
  return type
}
