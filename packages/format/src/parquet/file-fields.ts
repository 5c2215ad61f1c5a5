import { unsupported } from '@moulin/core'
import { isUnknown } from './footer-element.ts'
import { type FileNode, listShape } from './file-node.ts'

/**
 * The fields of a file by their ids, nested ones too: what a column's id means is asked here and nowhere else, so that
 * values, bounds, filters and indexes are always those of one column.
 */
export type FileFields = ReadonlyMap<number, FileNode>

/** @throws `unsupported` code `PARQUET_FIELD_IDS` where two fields have one id, as a name mapping may give it. */
export function fileFields(root: FileNode, file: string): FileFields {
  const twice = repeatedId(root)
  if (twice !== undefined) throw repeated(file, twice)
  return new Map([...fieldsBelow(root)].flatMap((node) => (node.fieldId === undefined ? [] : [[node.fieldId, node]])))
}

export interface RepeatedId {
  readonly id: number
  readonly first: FileNode
  readonly again: FileNode
}

/**
 * An id that two fields have. No writer of Iceberg gives one twice: such ids are numbers of another kind (those of
 * Protobuf begin anew in each message, and some writers number every column 0), so none of the file's means anything.
 */
export function repeatedId(root: FileNode): RepeatedId | undefined {
  const seen = new Map<number, FileNode>()
  for (const node of fieldsBelow(root)) {
    if (node.fieldId === undefined) continue
    const first = seen.get(node.fieldId)
    if (first !== undefined) return { id: node.fieldId, first, again: node }
    seen.set(node.fieldId, node)
  }
  return undefined
}

export function repeated(file: string, { id, first, again }: RepeatedId): Error {
  const [one, other] = [first.path.join('.'), again.path.join('.')]
  const message = `In ${file} the columns ${one} and ${other} both have the field id ${id}, so it cannot be told which is meant; give the table a name mapping that tells them apart.`
  return unsupported('PARQUET_FIELD_IDS', message, { context: { file, fieldId: id, column: one, other } })
}

/**
 * The top-level field of an id; undefined where the file lacks it.
 * @throws `unsupported` where the id is that of a nested field: a column never moves.
 */
export function topLevelField(fields: FileFields, id: number, file: string): FileNode | undefined {
  const node = fields.get(id)
  if (node === undefined || node.path.length === 1) return node
  const column = node.path.join('.')
  const message = `The field id ${id} is that of ${column} in ${file}, which is no column of its own.`
  throw unsupported('PARQUET_TYPE', message, { context: { file, fieldId: id, column } })
}

/** The leaf of an id, of which there are bounds and indexes; undefined for nested fields, and for those that are null whatever is stated. */
export function leafField(fields: FileFields, id: number): FileNode | undefined {
  const node = fields.get(id)
  return node?.element.type === undefined || isUnknown(node.element) ? undefined : node
}

/** Groups between a list and its element, or a map and its members, are no fields. */
function* fieldsBelow(node: FileNode): Generator<FileNode> {
  for (const member of membersOf(node)) {
    yield member
    yield* fieldsBelow(member)
  }
}

function membersOf(node: FileNode): readonly FileNode[] {
  const shape = listShape(node)
  if (shape !== undefined && shape.repeated !== node) return [shape.element]
  const [entries, ...others] = node.children
  return node.element.annotation.kind === 'map' && entries !== undefined
    ? [...entries.children, ...others]
    : node.children
}
