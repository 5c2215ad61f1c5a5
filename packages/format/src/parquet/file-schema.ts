import { corrupt, exhausted, type FileCaps, unsupported } from '@moulin/core'
import { type FooterElement, maxPathParts } from './footer-element.ts'
import type { Footer, FooterRowGroup } from './footer.ts'
import type { NameMapping } from './name-mapping.ts'

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
  /** The definition level at which it is there, and how many repeated nodes there are from the root down to it. */
  readonly definition: number
  readonly repetition: number
}

export interface ListShape {
  readonly repeated: FileNode
  /** May be the repeated node itself. */
  readonly element: FileNode
}

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

  const node = (path: readonly string[], parent: { definition: number; repetition: number } | undefined): FileNode => {
    const element = schema[next++]
    if (element === undefined || path.length > maxPathParts) throw badSchema(name)
    const isLeaf = element.type !== undefined
    if (isLeaf === element.childCount > 0 && parent !== undefined) throw badSchema(name)
    const isRepeated = element.repetition === 'REPEATED' && parent !== undefined
    const definition = (parent?.definition ?? 0) + (isRepeated || (parent && element.repetition === 'OPTIONAL') ? 1 : 0)
    const repetition = (parent?.repetition ?? 0) + (isRepeated ? 1 : 0)
    const firstLeaf = leaves
    if (isLeaf) leaves++
    const children: FileNode[] = []
    const names = new Set<string>()
    for (let i = 0; i < element.childCount; i++) {
      const childName = schema[next]?.name ?? ''
      if (names.has(childName)) throw badSchema(name)
      names.add(childName)
      children.push(node([...path, childName], { definition, repetition }))
    }
    const { fieldId } = element
    return { element, path, fieldId, children, firstLeaf, leafCount: leaves - firstLeaf, definition, repetition }
  }

  const root = node([], undefined)
  if (next !== schema.length) throw badSchema(name)
  return hasIds ? root : withMappedIds(root, nameMapping ?? [])
}

/** The children of a struct (or the root) with the ids that the mapping gives to their names. */
function withMappedIds(parent: FileNode, mapping: readonly NameMapping[]): FileNode {
  const children = parent.children.map((child) =>
    withMappedId(
      child,
      mapping.find(({ names }) => names.includes(child.element.name)),
    ),
  )
  return { ...parent, children }
}

/**
 * A list's element is `element` in a mapping, a map's members `key` and `value`, whatever the file calls them, and the
 * groups between are no fields of it. Iceberg spec, "Column Projection".
 */
function withMappedId(node: FileNode, mapped: NameMapping | undefined): FileNode {
  const own = { ...node, fieldId: mapped?.['field-id'] }
  const fields = mapped?.fields ?? []
  const named = (name: string): NameMapping | undefined => fields.find(({ names }) => names.includes(name))
  const shape = listShape(node)
  if (shape !== undefined && shape.repeated !== node) {
    const element = withMappedId(shape.element, named('element'))
    const repeated = shape.element === shape.repeated ? element : { ...shape.repeated, children: [element] }
    return { ...own, children: [repeated] }
  }
  const [entries] = node.children
  if (node.element.annotation.kind === 'map' && entries !== undefined) {
    const members = entries.children.map((child, index) => withMappedId(child, named(index === 0 ? 'key' : 'value')))
    return { ...own, children: [{ ...entries, children: members }, ...node.children.slice(1)] }
  }
  return withMappedIds(own, fields)
}

/**
 * Where the repeated node and the element of a list are, in any of the layouts that writers have used; `repeated` is the
 * node itself for a repeated field without a group. Spec: parquet-format, LogicalTypes, "Lists", rules 1 to 5.
 */
export function listShape(node: FileNode): ListShape | undefined {
  const { annotation, repetition } = node.element
  if (annotation.kind !== 'list') return repetition === 'REPEATED' ? { repeated: node, element: node } : undefined
  const [repeated] = node.children
  if (repeated === undefined || node.children.length !== 1 || repeated.element.repetition !== 'REPEATED')
    return undefined
  const [element] = repeated.children
  const { name } = repeated.element
  const isElement =
    element === undefined ||
    repeated.children.length > 1 ||
    element.element.repetition === 'REPEATED' ||
    name === 'array' ||
    name === `${node.element.name}_tuple`
  return { repeated, element: isElement ? repeated : element }
}

/** All leaves, in order. */
export function leavesOf(node: FileNode): FileNode[] {
  return node.children.length === 0 ? [node] : node.children.flatMap(leavesOf)
}

/**
 * Compares the row groups with the schema and the file's size, so that what is read from them later is sound.
 * @throws `corrupt`; `exhausted` above `maxParquetRowGroupRows`.
 */
export function checkRowGroups(footer: Footer, root: FileNode, pagesEnd: number, caps: FileCaps, name: string): void {
  const leaves = root.children.length === 0 ? [] : leavesOf(root)
  let rows = 0
  for (const [index, rowGroup] of footer.rowGroups.entries()) {
    rows += rowGroup.rowCount
    if (rowGroup.rowCount > caps.maxParquetRowGroupRows) {
      const { maxParquetRowGroupRows } = caps
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
    for (const [what, span] of Object.entries({
      'offset index': column.offsetIndex,
      'column index': column.columnIndex,
      'bloom filter': column.bloomFilter,
    }))
      if (span !== undefined && (span.start < 4 || span.end > pagesEnd))
        return `places the ${what} of column ${path} outside the file`
  }
  return undefined
}

function badSchema(name: string): Error {
  return corrupt('PARQUET_FOOTER', `The schema in the footer of ${name} is not a tree of columns.`, {
    context: { file: name },
  })
}
