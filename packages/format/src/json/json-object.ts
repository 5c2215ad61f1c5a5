import type { Schema } from '@moulin/core'
import { stringifyJson } from '@moulin/core'
import { nullBytes, type JsonCursor } from './json-cursor.ts'
import { jsonKind, type JsonKind } from './json-reader.ts'

/** A field as the canonical object has it. */
export interface JsonField {
  readonly name: string
  readonly isOptional: boolean
  readonly kind: JsonKind
  /** `{"name":` and `,"name":`. */
  readonly firstKey: Uint8Array
  readonly nextKey: Uint8Array
}

export function jsonFields(schema: Schema): JsonField[] {
  return schema.fields.map(({ name, type }) => {
    const key = `${stringifyJson(name)}:`
    return {
      name,
      isOptional: type.isOptional,
      kind: jsonKind(type),
      firstKey: new TextEncoder().encode(`{${key}`),
      nextKey: new TextEncoder().encode(`,${key}`),
    }
  })
}

/** Where the fields of an object go. Every field gets exactly one `take` or `missing` that is not dropped. */
export interface FieldTarget {
  /** The cursor has just scanned the field's value. */
  take(index: number, field: JsonField, cursor: JsonCursor): void
  missing(index: number, field: JsonField): void
  /** Forgets the field, if it was taken or missing. */
  drop(index: number, field: JsonField): void
}

/**
 * Reads one object: first as the canonical form demands, then, if it is not of that form, in any order, with space,
 * nulls, repeated keys (the last counts) and fields that the schema does not have.
 */
export function readObject(
  cursor: JsonCursor,
  fields: readonly JsonField[],
  target: FieldTarget,
  bytes: Uint8Array,
  start: number,
  end: number,
): 'canonical' | 'readable' | 'unreadable' {
  cursor.open(bytes, start, end)
  if (readCanonical(cursor, fields, target)) return cursor.isCanonical ? 'canonical' : 'readable'
  fields.forEach((field, index) => target.drop(index, field))
  cursor.open(bytes, start, end)
  return readAny(cursor, fields, target) ? 'readable' : 'unreadable'
}

const OPEN = 0x7b
const CLOSE = 0x7d
const COMMA = 0x2c

function readCanonical(cursor: JsonCursor, fields: readonly JsonField[], target: FieldTarget): boolean {
  let isFirst = true
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index]!
    if (cursor.accept(isFirst ? field.firstKey : field.nextKey)) {
      isFirst = false
      field.kind.scan(cursor)
      if (cursor.isBad) return false
      target.take(index, field, cursor)
    } else if (field.isOptional) target.missing(index, field)
    else return false
  }
  if (isFirst && !cursor.acceptByte(OPEN)) return false
  return cursor.acceptByte(CLOSE) && cursor.position === cursor.end
}

function readAny(cursor: JsonCursor, fields: readonly JsonField[], target: FieldTarget): boolean {
  const indexes = indexesOf(fields)
  const taken = new Uint8Array(fields.length)
  const member = (): void => {
    cursor.scanKey()
    if (cursor.isBad) return
    const index = indexes.get(cursor.text.utf8Slice(cursor.textStart, cursor.textEnd))
    if (index === undefined) return cursor.skipValue()
    const field = fields[index]!
    if (taken[index] === 1) target.drop(index, field)
    taken[index] = 0
    cursor.skipSpace()
    if (cursor.accept(nullBytes)) return
    field.kind.scan(cursor)
    if (cursor.isBad) return
    target.take(index, field, cursor)
    taken[index] = 1
  }

  cursor.skipSpace()
  if (!cursor.acceptByte(OPEN)) return false
  cursor.skipSpace()
  if (!cursor.acceptByte(CLOSE)) {
    do {
      member()
      cursor.skipSpace()
    } while (!cursor.isBad && cursor.acceptByte(COMMA))
    if (cursor.isBad || !cursor.acceptByte(CLOSE)) return false
  }
  cursor.skipSpace()
  if (cursor.position !== cursor.end) return false
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index]!
    if (taken[index] === 1) continue
    if (!field.isOptional) return false
    target.missing(index, field)
  }
  return true
}

const known = new WeakMap<readonly JsonField[], Map<string, number>>()

function indexesOf(fields: readonly JsonField[]): Map<string, number> {
  let indexes = known.get(fields)
  if (indexes === undefined) known.set(fields, (indexes = new Map(fields.map(({ name }, index) => [name, index]))))
  return indexes
}
