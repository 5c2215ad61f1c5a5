import type { Column, Field, ListColumn, StructColumn, Type } from '@moulin/core'
import { foldType, isValid } from '@moulin/core'
import type { RowWriter } from '../values/row-writer.ts'
import { nullInColumn } from '../values/value-fields.ts'
import { jsonKeys } from './json-object.ts'
import { scalarColumnText, type ColumnText } from './json-scalar-writer.ts'

/** Writes one row of several columns as an object. */
export type ObjectColumnsText = (columns: readonly Column[], row: number, writer: RowWriter) => void

/** Composes the text of an object from a column per field; without a path it is the whole value. */
export function objectColumnsText(members: readonly Field[], path?: string): ObjectColumnsText {
  const fields = members.map(({ name, type }) => {
    const field = path === undefined ? name : `${path}.${name}`
    return { ...jsonKeys(name), path: field, isOptional: type.isOptional, write: columnText(type, field) }
  })
  return (columns, row, writer) => {
    let isFirst = true
    for (let index = 0; index < fields.length; index++) {
      const { isOptional, firstKey, nextKey, write } = fields[index]!
      const column = columns[index]!
      if (isValid(column, row)) {
        const key = isFirst ? firstKey : nextKey
        writer.raw(key, 0, key.length)
        write(column, row, writer)
        isFirst = false
      } else if (!isOptional) throw nullInColumn(fields[index]!.path)
    }
    writer.ascii(isFirst ? '{}' : '}')
  }
}

function columnText(type: Type, path: string): ColumnText {
  return foldType(type, {
    scalar: (scalar) => scalarColumnText(scalar, path),
    list: (element) => listText(element, path),
    map: (key, value) => mapText(key, value, path),
    struct: (fields) => structText(fields, path),
  })
}

/** Also of a row without a value, where the type permits it. */
function itemText(type: Type, path: string): ColumnText {
  const write = columnText(type, path)
  return (column, row, writer) => {
    if (isValid(column, row)) write(column, row, writer)
    else if (type.isOptional) writer.ascii('null')
    else throw nullInColumn(path)
  }
}

function structText(members: readonly Field[], path: string): ColumnText {
  const write = objectColumnsText(members, path)
  // Looked up once per column rather than once per row.
  let last: Column | undefined
  let columns: readonly Column[] = []
  return (column, row, writer) => {
    if (column !== last) {
      last = column
      columns = (column as StructColumn).fields.map((field) => field.column)
    }
    write(columns, row, writer)
  }
}

function listText(elementType: Type, path: string): ColumnText {
  const write = itemText(elementType, `${path}.element`)
  return (column, row, writer) => {
    const { offsets, element } = column as ListColumn
    const start = offsets[row]!
    const end = offsets[row + 1]!
    writer.ascii('[')
    for (let at = start; at < end; at++) {
      if (at > start) writer.ascii(',')
      write(element, at, writer)
    }
    writer.ascii(']')
  }
}

function mapText(keyType: Type, valueType: Type, path: string): ColumnText {
  const isObject = keyType.spec.kind === 'string'
  const writeKey = itemText(keyType, `${path}.key`)
  const writeValue = itemText(valueType, `${path}.value`)
  return (column, row, writer) => {
    const { offsets, element } = column as ListColumn
    const [key, value] = (element as StructColumn).fields
    const start = offsets[row]!
    const end = offsets[row + 1]!
    writer.ascii(isObject ? '{' : '[')
    for (let at = start; at < end; at++) {
      if (at > start) writer.ascii(',')
      if (!isObject) writer.ascii('[')
      writeKey(key!.column, at, writer)
      writer.ascii(isObject ? ':' : ',')
      writeValue(value!.column, at, writer)
      if (!isObject) writer.ascii(']')
    }
    writer.ascii(isObject ? '}' : ']')
  }
}
