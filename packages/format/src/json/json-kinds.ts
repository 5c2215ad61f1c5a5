import type { Field, ListBuilder, StructBuilder, Type } from '@moulin/core'
import { foldType } from '@moulin/core'
import { comparableKey, entrySetter } from '../values/nested-values.ts'
import { ColumnTarget, jsonField, readObject, ValueTarget, type JsonField } from './json-object.ts'
import { kindOf, scalarKind, stringKind, type JsonKind } from './json-scalars.ts'

export function jsonFields(fields: readonly Field[]): JsonField[] {
  return fields.map((field) => jsonField(field, jsonKind(field.type)))
}

function jsonKind(type: Type): JsonKind {
  return foldType(type, { scalar: scalarKind, list: listKind, map: mapKind, struct: structKind })
}

/** Where null stands for itself: in a list, and as the value of a map. */
function itemKind(type: Type): JsonKind {
  const kind = jsonKind(type)
  if (!type.isOptional) return kind
  return {
    append(cursor, builder) {
      if (cursor.acceptNull()) builder.appendNull()
      else kind.append(cursor, builder)
    },
    value: (cursor) => (cursor.acceptNull() ? null : kind.value(cursor)),
  }
}

function structKind(members: readonly Field[]): JsonKind {
  const fields = jsonFields(members)
  const columns = new ColumnTarget()
  const values = new ValueTarget()
  return kindOf<StructBuilder>({
    append(cursor, builder) {
      columns.openStruct(builder)
      readObject(cursor, fields, columns)
      if (!cursor.isBad) builder.append()
    },
    value(cursor) {
      values.open(fields)
      readObject(cursor, fields, values)
      return values.value
    },
  })
}

const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const COLON = 0x3a
const COMMA = 0x2c

function listKind(element: Type): JsonKind {
  const item = itemKind(element)
  return kindOf<ListBuilder>({
    append(cursor, builder) {
      const elements = builder.element
      for (let more = cursor.begin(OPEN_LIST, CLOSE_LIST); more; more = cursor.next(CLOSE_LIST)) {
        item.append(cursor, elements)
        if (cursor.isBad) return
      }
      builder.append()
    },
    value(cursor) {
      const items: unknown[] = []
      for (let more = cursor.begin(OPEN_LIST, CLOSE_LIST); more; more = cursor.next(CLOSE_LIST)) {
        items.push(item.value(cursor))
      }
      return items
    },
  })
}

/** With keys that are strings an object, else an array of pairs. */
function mapKind(keyType: Type, valueType: Type): JsonKind {
  const isObject = keyType.spec.kind === 'string'
  const key = isObject ? stringKind : jsonKind(keyType)
  const item = itemKind(valueType)
  const set = entrySetter(comparableKey(keyType))
  const open = isObject ? OPEN_OBJECT : OPEN_LIST
  const close = isObject ? CLOSE_OBJECT : CLOSE_LIST
  const separator = isObject ? COLON : COMMA
  return kindOf<ListBuilder>({
    append(cursor, builder) {
      const { keys } = cursor
      const base = keys.length
      const entries = builder.element as StructBuilder
      const keyBuilder = entries.fields[0]!.builder
      const valueBuilder = entries.fields[1]!.builder
      for (let more = cursor.begin(open, close); more; more = cursor.next(close)) {
        if (!isObject) cursor.expect(OPEN_LIST)
        const start = cursor.position
        const wasCanonical = cursor.isCanonical
        cursor.isCanonical = true
        key.append(cursor, keyBuilder)
        // Keys that are the same need not be the same bytes where one has another spelling.
        if (!cursor.isCanonical) cursor.mayRepeat = true
        else cursor.isCanonical = wasCanonical
        keys.push(start, cursor.position)
        cursor.expect(separator)
        if (!cursor.isBad) item.append(cursor, valueBuilder)
        if (!isObject) cursor.expect(CLOSE_LIST)
        if (cursor.isBad) return
        entries.append()
      }
      if (keys.endMap(cursor.bytes, base)) cursor.mayRepeat = true
      builder.append()
    },
    value(cursor) {
      const map = new Map<unknown, unknown>()
      for (let more = cursor.begin(open, close); more; more = cursor.next(close)) {
        if (!isObject) cursor.expect(OPEN_LIST)
        const each = key.value(cursor)
        cursor.expect(separator)
        const member = cursor.isBad ? null : item.value(cursor)
        if (!isObject) cursor.expect(CLOSE_LIST)
        if (!cursor.isBad) set(map, each, member)
      }
      return map
    },
  })
}
