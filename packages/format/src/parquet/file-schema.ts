import { corrupt, type Limits, exhausted, unsupported } from '@moulin/core'
import type { Footer, FooterElement, FooterRowGroup } from './footer.ts'
import type { NameMapping } from './parquet-file.ts'

/** A node of a file's schema with the leaves below it. */
export interface FileNode {
  readonly element: FooterElement
  /** From the top-level field down; empty for the root. */
  readonly path: readonly string[]
  readonly fieldId: number | undefined
  readonly children: readonly FileNode[]
  /** Leaves of the whole schema before this node, and those below it (itself, if it is one). */
  readonly firstLeaf: number
  readonly leafCount: number
}

const maxDepth = 32

/**
 * The schema as a tree, with field ids from the file or, if it has none at all, from the mapping.
 * @throws `corrupt` when the elements are no tree; `unsupported` for a file without ids and without a mapping.
 */
export function fileSchema(footer: Footer, name: string, nameMapping: readonly NameMapping[] | undefined): FileNode {
  const { schema } = footer
  const hasIds = schema.some(({ fieldId }, index) => index > 0 && fieldId !== undefined)
  if (!hasIds && nameMapping === undefined && schema.length > 1) {
    const message = `${name} has no field ids and its table no name mapping, so its columns cannot be told apart.`
    throw unsupported('PARQUET_FIELD_IDS', message, { context: { file: name } })
  }
  let next = 0
  let leaves = 0

  const node = (path: readonly string[], mapping: readonly NameMapping[], depth: number): FileNode => {
    const element = schema[next++]
    if (element === undefined || depth > maxDepth) throw badSchema(name)
    const isLeaf = element.type !== undefined
    if (isLeaf === element.childCount > 0 && depth > 0) throw badSchema(name)
    const mapped = hasIds ? undefined : mapping.find(({ names }) => names.includes(element.name))
    const firstLeaf = leaves
    if (isLeaf) leaves++
    // The groups that Parquet puts between a list or map and its members are no fields of the mapping.
    const below = element.repetition === 'REPEATED' ? mapping : depth === 0 ? mapping : (mapped?.fields ?? [])
    const children: FileNode[] = []
    const names = new Set<string>()
    for (let i = 0; i < element.childCount; i++) {
      const childName = schema[next]?.name ?? ''
      if (names.has(childName)) throw badSchema(name)
      names.add(childName)
      children.push(node([...path, childName], below, depth + 1))
    }
    const fieldId = hasIds ? element.fieldId : mapped?.['field-id']
    return { element, path, fieldId, children, firstLeaf, leafCount: leaves - firstLeaf }
  }

  const root = node([], nameMapping ?? [], 0)
  if (next !== schema.length) throw badSchema(name)
  return root
}

/** All leaves, in order. */
export function leavesOf(node: FileNode): FileNode[] {
  return node.children.length === 0 ? [node] : node.children.flatMap(leavesOf)
}

/**
 * Compares the row groups with the schema and the file's size, so that what is read from them later is sound.
 * @throws `corrupt`; `exhausted` above `maxParquetRowGroupRows`.
 */
export function checkRowGroups(footer: Footer, root: FileNode, pagesEnd: number, limits: Limits, name: string): void {
  const leaves = root.children.length === 0 ? [] : leavesOf(root)
  let rows = 0
  for (const [index, rowGroup] of footer.rowGroups.entries()) {
    rows += rowGroup.rowCount
    if (rowGroup.rowCount > limits.maxParquetRowGroupRows) {
      const { maxParquetRowGroupRows } = limits
      const message = `Row group ${index} of ${name} has ${rowGroup.rowCount} rows; the limit maxParquetRowGroupRows is ${maxParquetRowGroupRows}.`
      throw exhausted('PARQUET_LIMIT', message, { context: { file: name, rowGroup: index, maxParquetRowGroupRows } })
    }
    const flaw = flawOf(rowGroup, leaves, pagesEnd)
    if (flaw !== undefined) {
      const context = { file: name, rowGroup: index }
      throw corrupt('PARQUET_FOOTER', `Row group ${index} of ${name} ${flaw}.`, { context })
    }
  }
  if (rows !== footer.rowCount) {
    const message = `The row groups of ${name} have ${rows} rows, its footer says ${footer.rowCount}.`
    throw corrupt('PARQUET_FOOTER', message, { context: { file: name } })
  }
}

function flawOf(rowGroup: FooterRowGroup, leaves: readonly FileNode[], pagesEnd: number): string | undefined {
  const { columns, rowCount } = rowGroup
  if (columns.length !== leaves.length) return `has ${columns.length} column chunks for ${leaves.length} columns`
  for (const [index, column] of columns.entries()) {
    const leaf = leaves[index]!
    const path = leaf.path.join('.')
    if (column.path.length !== leaf.path.length || column.path.some((part, i) => part !== leaf.path[i]))
      return `has the column ${column.path.join('.')} in the place of ${path}`
    if (column.type !== leaf.element.type) return `has column ${path} as ${column.type}, not ${leaf.element.type}`
    if (leaf.path.length === 1 && leaf.element.repetition !== 'REPEATED' && column.valueCount !== rowCount)
      return `has ${column.valueCount} values of column ${path} in ${rowCount} rows`
    const start = column.dictionaryPageOffset ?? column.dataPageOffset
    if (start < 4 || start + column.compressedBytes > pagesEnd || column.dataPageOffset < start)
      return `places column ${path} outside the file`
    const { offsetIndex } = column
    if (offsetIndex !== undefined && (offsetIndex.start < 4 || offsetIndex.end > pagesEnd))
      return `places the offset index of column ${path} outside the file`
  }
  return undefined
}

function badSchema(name: string): Error {
  return corrupt('PARQUET_FOOTER', `The schema in the footer of ${name} is not a tree of columns.`, {
    context: { file: name },
  })
}
