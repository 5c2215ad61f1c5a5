import { corrupt, exhausted, type FileCaps, unsupported } from '@moulin/core'
import { repeated, repeatedId } from './file-fields.ts'
import { isUnknown, maxPathParts } from './footer-element.ts'
import { type FileNode, leavesOf, listShape } from './file-node.ts'
import type { Footer, FooterRowGroup } from './footer.ts'
import type { NameMapping } from './name-mapping.ts'

/**
 * The schema as a tree, with field ids from the file or, if it has none at all or an id twice, from the mapping.
 * @throws `corrupt` when the elements are no tree; `unsupported` for a file without ids, or with an id twice, and without
 * a mapping.
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
  const twice = repeatedId(root)
  if (twice !== undefined && nameMapping === undefined) throw repeated(name, twice)
  return hasIds && twice === undefined ? root : withMappedIds(root, nameMapping ?? [])
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
 * groups between are no fields of it. A repeated group without a list around it is a list, too, unless it is the element
 * of one. Iceberg spec, "Column Projection".
 */
function withMappedId(node: FileNode, mapped: NameMapping | undefined, isElement = false): FileNode {
  const own = { ...node, fieldId: mapped?.['field-id'] }
  const fields = mapped?.fields ?? []
  const named = (name: string): NameMapping | undefined => fields.find(({ names }) => names.includes(name))
  const shape = isElement && node.element.annotation.kind !== 'list' ? undefined : listShape(node)
  if (shape?.repeated === node) {
    // The mapping of a table knows a list; by hand the members may have been named at once.
    const element = fields.length === 1 ? named('element') : undefined
    return withMappedIds(own, element?.fields ?? fields)
  }
  if (shape !== undefined) {
    const element = withMappedId(shape.element, named('element'), shape.element === shape.repeated)
    const entries = shape.element === shape.repeated ? element : { ...shape.repeated, children: [element] }
    return { ...own, children: [entries] }
  }
  const [entries] = node.children
  if (node.element.annotation.kind === 'map' && entries !== undefined) {
    const members = entries.children.map((child, index) => withMappedId(child, named(index === 0 ? 'key' : 'value')))
    return { ...own, children: [{ ...entries, children: members }, ...node.children.slice(1)] }
  }
  return withMappedIds(own, fields)
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
    // Of a row group without rows there are no pages, and writers place those anywhere.
    if (rowCount === 0 && column.valueCount === 0) continue
    const start = column.dictionaryPageOffset ?? column.dataPageOffset
    if (start < 4 || start + column.compressedBytes > pagesEnd || column.dataPageOffset < start)
      return `places column ${path} outside the file`
  }
  return undefined
}

/** A flat column without a value: known from the footer alone, so nothing of it is fetched. */
export function isAllNull({ element, firstLeaf }: FileNode, { columns, rowCount }: FooterRowGroup): boolean {
  if (isUnknown(element)) return true
  return element.type !== undefined && element.repetition === 'OPTIONAL' && columns[firstLeaf]!.nullCount === rowCount
}

function badSchema(name: string): Error {
  return corrupt('PARQUET_FOOTER', `The schema in the footer of ${name} is not a tree of columns.`, {
    context: { file: name },
  })
}
