import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { IcebergField, IcebergType } from '@moulin/core'
import { parquetMetadata, parquetRead } from 'hyparquet'
import type { FileMetaData, SchemaElement } from 'hyparquet'
import { doubleText, floatText, fromBigEndian, hex, isWideDecimal, storageFor } from './plain.ts'
import type { Plain } from './plain.ts'

const compressors = {
  GZIP: (bytes: Uint8Array): Uint8Array => gunzipSync(bytes),
  ZSTD: (bytes: Uint8Array): Uint8Array => zstdDecompressSync(bytes),
  BROTLI: (bytes: Uint8Array): Uint8Array => brotliDecompressSync(bytes),
}

/**
 * Reads with hyparquet, losing nothing: it is shown the physical types alone (its decimals would be floats, its times
 * milliseconds, its maps objects) under neutral names (`__proto__` may be one), and what it gives is taken apart here.
 */
export async function hyparquetTable(bytes: Uint8Array, fields: readonly IcebergField[]): Promise<Plain[][]> {
  const file = new Uint8Array(bytes).buffer
  const original = parquetMetadata(file)
  if (original.num_rows === 0n) return fields.map(() => [])
  const root = treeOf(original.schema)
  const metadata = neutral(original, root)
  let rows: unknown[][] = []
  await parquetRead({ file, metadata, compressors, utf8: false, onComplete: (all) => (rows = all) })
  return fields.map(({ name, type }) => {
    const at = root.children.findIndex((child) => child.element.name === name)
    return rows.map((row) => plain(type, row[at], root.children[at]!))
  })
}

interface Node {
  readonly element: SchemaElement
  readonly children: readonly Node[]
}

function treeOf(schema: readonly SchemaElement[]): Node {
  let next = 0
  const node = (): Node => {
    const element = schema[next++]!
    return { element, children: Array.from({ length: element.num_children ?? 0 }, node) }
  }
  return node()
}

function neutral(metadata: FileMetaData, root: Node): FileMetaData {
  const schema: SchemaElement[] = []
  const paths: string[][] = []
  const add = ({ element, children }: Node, path: string[]): void => {
    const { type, type_length, repetition_type, num_children } = element
    const bare = { type, type_length, repetition_type, num_children: type === undefined ? num_children : undefined }
    schema.push({ name: path.at(-1) ?? 'root', ...bare } as SchemaElement)
    if (type !== undefined) paths.push(path)
    for (const [index, child] of children.entries()) add(child, [...path, `c${index}`])
  }
  add(root, [])
  const row_groups = metadata.row_groups.map((group) => ({
    ...group,
    columns: group.columns.map((column, index) => ({
      ...column,
      meta_data: { ...column.meta_data!, path_in_schema: paths[index]! },
    })),
  }))
  return { ...metadata, schema, row_groups } as FileMetaData
}

function plain(type: IcebergType, value: unknown, node: Node): Plain {
  if (value === null || value === undefined) return null
  if (typeof type === 'string') return plainLeaf(type, value)
  const member = (of: unknown, index: number): unknown => (of as Record<string, unknown>)[`c${index}`]
  if (type.type === 'struct') {
    return type.fields.map((field) => {
      const index = node.children.findIndex(({ element }) => element.name === field.name)
      return plain(field.type, member(value, index), node.children[index]!)
    })
  }
  const repeated = node.children[0]!
  const items = member(value, 0) as unknown[]
  if (type.type === 'list') return items.map((item) => plain(type.element, member(item, 0), repeated.children[0]!))
  return items.map((item) => [
    plain(type.key, member(item, 0), repeated.children[0]!),
    plain(type.value, member(item, 1), repeated.children[1]!),
  ])
}

function plainLeaf(type: string, value: unknown): Plain {
  switch (storageFor(type)) {
    case 'bool':
      return value as boolean
    case 'float32':
      return floatText(value as number)
    case 'float64':
      return doubleText(value as number)
    case 'bytes':
      return hex(value as Uint8Array)
    case 'fixed':
      return isWideDecimal(type) ? String(fromBigEndian(value as Uint8Array)) : hex(value as Uint8Array)
    default:
      // A short decimal may lie in bytes in files of other writers.
      return String(value instanceof Uint8Array ? fromBigEndian(value) : value)
  }
}
