import type { Arena, ColumnBuilder } from '@moulin/core'
import { builderFor, ListBuilder, StructBuilder } from '@moulin/core'
import { foldNode, minimumBytesOf, type AvroNode } from './avro-node.ts'
import type { RowCursor } from './row-cursor.ts'
import { scalarDecoder, type ColumnDecoder } from './scalar-decoder.ts'
import { symbolBytes, SymbolBuilder } from './symbol-builder.ts'

/** The builder that the node's decoder expects. */
export function builderOf(node: AvroNode, arena: Arena): ColumnBuilder {
  const member = (name: string, child: AvroNode): { name: string; builder: ColumnBuilder } => ({
    name,
    builder: builderOf(child, arena),
  })
  return foldNode<ColumnBuilder>(node, {
    scalar: ({ type, encoding }) =>
      encoding.type === 'enum' ? new SymbolBuilder(arena, symbolBytes(encoding)) : builderFor(type, arena),
    list: (element) => new ListBuilder(builderOf(element, arena)),
    map: (key, value) => new ListBuilder(new StructBuilder([member('key', key), member('value', value)])),
    struct: (fields, children) => new StructBuilder(children.map((child, index) => member(fields[index]!.name, child))),
  })
}

/** Composes the decoder of a node: its union, then its kind. */
export function columnDecoder(node: AvroNode): ColumnDecoder {
  const decode = presentDecoder(node)
  const { nullIndex } = node
  if (nullIndex < 0) return decode
  return (cursor, builder) => {
    const branch = cursor.int()
    if (branch === nullIndex) builder.appendNull()
    else if (branch === 1 - nullIndex) decode(cursor, builder)
    else cursor.isBad = true
  }
}

function presentDecoder(node: AvroNode): ColumnDecoder {
  return foldNode<ColumnDecoder>(node, {
    scalar: scalarDecoder,
    list: (element) => listDecoder(element) as ColumnDecoder,
    map: (key, value) => mapDecoder(key, value) as ColumnDecoder,
    struct: (_fields, children) => structDecoder(children) as ColumnDecoder,
  })
}

function listDecoder(element: AvroNode): (cursor: RowCursor, builder: ListBuilder) => void {
  const decode = columnDecoder(element)
  const elementBytes = minimumBytesOf(element)
  return (cursor, builder) => {
    const elements = builder.element
    for (let count = cursor.block(true, elementBytes); count > 0; count = cursor.block(false, elementBytes)) {
      for (let item = 0; item < count; item++) {
        decode(cursor, elements)
        if (cursor.isBad) return
      }
    }
    builder.append()
  }
}

function mapDecoder(key: AvroNode, value: AvroNode): (cursor: RowCursor, builder: ListBuilder) => void {
  const decodeKey = columnDecoder(key)
  const decodeValue = columnDecoder(value)
  const entryBytes = minimumBytesOf(key) + minimumBytesOf(value)
  return (cursor, builder) => {
    const { keys } = cursor
    const base = keys.length
    const entries = builder.element as StructBuilder
    const keyBuilder = entries.fields[0]!.builder
    const valueBuilder = entries.fields[1]!.builder
    for (let count = cursor.block(true, entryBytes); count > 0; count = cursor.block(false, entryBytes)) {
      for (let item = 0; item < count; item++) {
        const start = cursor.position
        const wasCanonical = cursor.isCanonical
        cursor.isCanonical = true
        decodeKey(cursor, keyBuilder)
        // Keys that are the same need not be the same bytes where one is not minimal.
        if (!cursor.isCanonical) cursor.mayRepeat = true
        else cursor.isCanonical = wasCanonical
        keys.push(start, cursor.position)
        if (!cursor.isBad) decodeValue(cursor, valueBuilder)
        if (cursor.isBad) return
        entries.append()
      }
    }
    if (keys.endMap(cursor.bytes, base)) cursor.mayRepeat = true
    builder.append()
  }
}

function structDecoder(children: readonly AvroNode[]): (cursor: RowCursor, builder: StructBuilder) => void {
  const decoders = children.map(columnDecoder)
  return (cursor, builder) => {
    const { fields } = builder
    for (let index = 0; index < decoders.length; index++) {
      decoders[index]!(cursor, fields[index]!.builder)
      if (cursor.isBad) return
    }
    builder.append()
  }
}
