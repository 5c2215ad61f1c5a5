import type { ListColumn, StructColumn } from '@moulin/core'
import { isValid } from '@moulin/core'
import { nullInColumn } from '../values/value-fields.ts'
import { foldNode, type AvroNode } from './avro-node.ts'
import { scalarEncoder, type ColumnEncoder } from './scalar-encoder.ts'

/** `path` names the column in errors. */
export function columnEncoder(node: AvroNode, path: string): ColumnEncoder {
  const encode = presentEncoder(node, path)
  const { nullIndex } = node
  return (column, row, writer) => {
    if (isValid(column, row)) {
      if (nullIndex >= 0) writer.int(1 - nullIndex)
      encode(column, row, writer)
    } else if (nullIndex >= 0) writer.int(nullIndex)
    else throw nullInColumn(path)
  }
}

function presentEncoder(node: AvroNode, path: string): ColumnEncoder {
  const member = (child: AvroNode, name: string): ColumnEncoder => columnEncoder(child, `${path}.${name}`)
  return foldNode<ColumnEncoder>(node, {
    scalar: (scalar) => scalarEncoder(scalar, path),
    list: (element) => arrayEncoder(member(element, 'element')),
    map: (key, value) => arrayEncoder(recordEncoder([member(key, 'key'), member(value, 'value')])),
    struct: (fields, children) => recordEncoder(children.map((child, at) => member(child, fields[at]!.name))),
  })
}

/** One block with its count, then the empty one. */
function arrayEncoder(encode: ColumnEncoder): ColumnEncoder {
  return (column, row, writer) => {
    const { offsets, element } = column as ListColumn
    const end = offsets[row + 1]!
    const start = offsets[row]!
    if (end > start) writer.int(end - start)
    for (let at = start; at < end; at++) encode(element, at, writer)
    writer.byte(0)
  }
}

function recordEncoder(encoders: readonly ColumnEncoder[]): ColumnEncoder {
  return (column, row, writer) => {
    const { fields } = column as StructColumn
    for (let index = 0; index < encoders.length; index++) encoders[index]!(fields[index]!.column, row, writer)
  }
}
