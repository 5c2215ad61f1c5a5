import type { FooterElement } from './footer-element.ts'

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
