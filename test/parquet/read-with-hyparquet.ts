import type { IcebergField, IcebergType } from '@moulin/core'
import { bytesRangeReader } from '@moulin/format'
import { secondOpinion, type SecondElement } from '@moulin/format/second-opinion'
import { doubleText, floatText, fromBigEndian, hex, isWideDecimal, storageFor } from './plain.ts'
import type { Plain } from './plain.ts'

/** Reads with hyparquet, losing nothing: what it gives of the physical types is taken apart here. */
export async function hyparquetTable(bytes: Uint8Array, fields: readonly IcebergField[]): Promise<Plain[][]> {
  const file = await secondOpinion(bytesRangeReader(bytes, 'test.parquet'))
  const root = treeOf(file.schema)
  const table: Plain[][] = []
  for (const { name, type } of fields) {
    const column = root.children.findIndex((child) => child.element.name === name)
    const values: Plain[] = []
    for (let rowGroup = 0; rowGroup < file.rowGroups.length; rowGroup++) {
      for (const value of await file.readColumn({ rowGroup, column }))
        values.push(plain(type, value, root.children[column]!))
    }
    table.push(values)
  }
  return table
}

interface Node {
  readonly element: SecondElement
  readonly children: readonly Node[]
}

function treeOf(schema: readonly SecondElement[]): Node {
  let next = 0
  const node = (): Node => {
    const element = schema[next++]!
    return { element, children: Array.from({ length: element.childCount }, node) }
  }
  return node()
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
