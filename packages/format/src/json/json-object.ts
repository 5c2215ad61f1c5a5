import type { ColumnBuilder, Field, StructBuilder } from '@moulin/core'
import { stringifyJson } from '@moulin/core'
import type { JsonCursor } from './json-cursor.ts'
import type { JsonKind } from './json-scalars.ts'

/** `{"name":` and `,"name":`. */
export interface JsonKeys {
  readonly firstKey: Uint8Array
  readonly nextKey: Uint8Array
}

export function jsonKeys(name: string): JsonKeys {
  const key = `${stringifyJson(name)}:`
  return { firstKey: new TextEncoder().encode(`{${key}`), nextKey: new TextEncoder().encode(`,${key}`) }
}

/** A field as the canonical object has it. */
export interface JsonField extends JsonKeys {
  readonly name: string
  readonly isOptional: boolean
  readonly kind: JsonKind
}

export function jsonField({ name, type }: Field, kind: JsonKind): JsonField {
  return { name, isOptional: type.isOptional, kind, ...jsonKeys(name) }
}

/** Where the members of an object go. Every field gets exactly one `take` or `missing` that is not dropped. */
export interface MemberTarget {
  /** Reads the field's value, which comes next. */
  take(index: number, field: JsonField, cursor: JsonCursor): void
  missing(index: number, field: JsonField): void
  /** Forgets the field, if it was taken or missing. */
  drop(index: number, field: JsonField): void
}

/** Appends the members of an object to one builder each. */
export class ColumnTarget implements MemberTarget {
  builders: readonly ColumnBuilder[] = []
  #rows = 0
  #struct: StructBuilder | undefined

  open(builders: readonly ColumnBuilder[]): void {
    this.builders = builders
    this.#rows = builders[0]!.length
  }

  openStruct(struct: StructBuilder): void {
    if (struct !== this.#struct) {
      this.#struct = struct
      this.builders = struct.fields.map(({ builder }) => builder)
    }
    this.#rows = struct.length
  }

  take(index: number, field: JsonField, cursor: JsonCursor): void {
    field.kind.append(cursor, this.builders[index]!)
  }

  missing(index: number): void {
    this.builders[index]!.appendNull()
  }

  drop(index: number): void {
    this.builders[index]!.truncate(this.#rows)
  }
}

/** Sets the members of a null-prototype object. */
export class ValueTarget implements MemberTarget {
  value: Record<string, unknown> = {}

  open(fields: readonly JsonField[]): void {
    this.value = Object.create(null) as Record<string, unknown>
    for (const { name } of fields) this.value[name] = null
  }

  take(_index: number, field: JsonField, cursor: JsonCursor): void {
    this.value[field.name] = field.kind.value(cursor)
  }

  missing(_index: number, field: JsonField): void {
    this.value[field.name] = null
  }

  drop(): void {}
}

/**
 * Reads a whole text of one object: first as the canonical form demands, then, if it is not of that form, every object in
 * any order, with space, nulls, repeated keys (the last counts) and fields that the schema does not have. Never more than
 * twice, however deep the first reading fails.
 */
export function readText(
  cursor: JsonCursor,
  fields: readonly JsonField[],
  target: MemberTarget,
  bytes: Uint8Array,
  start: number,
  end: number,
): 'canonical' | 'readable' | 'unreadable' {
  cursor.open(bytes, start, end, true)
  readCanonical(cursor, fields, target)
  if (!cursor.isBad && cursor.position === end) return cursor.isCanonical ? 'canonical' : 'readable'
  for (let index = 0; index < fields.length; index++) target.drop(index, fields[index]!)
  cursor.open(bytes, start, end, false)
  cursor.skipSpace()
  readAny(cursor, fields, target)
  cursor.skipSpace()
  return !cursor.isBad && cursor.position === end ? 'readable' : 'unreadable'
}

/** Reads the object that comes next, of a text that {@link readText} is reading. */
export function readObject(cursor: JsonCursor, fields: readonly JsonField[], target: MemberTarget): void {
  if (cursor.isStrict) readCanonical(cursor, fields, target)
  else readAny(cursor, fields, target)
}

const OPEN = 0x7b
const CLOSE = 0x7d

function readCanonical(cursor: JsonCursor, fields: readonly JsonField[], target: MemberTarget): void {
  let isFirst = true
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index]!
    if (cursor.accept(isFirst ? field.firstKey : field.nextKey)) {
      isFirst = false
      target.take(index, field, cursor)
      if (cursor.isBad) return
    } else if (field.isOptional) target.missing(index, field)
    else {
      cursor.isBad = true
      return
    }
  }
  const isWhole = (!isFirst || cursor.acceptByte(OPEN)) && cursor.acceptByte(CLOSE)
  if (!isWhole) cursor.isBad = true
}

function readAny(cursor: JsonCursor, fields: readonly JsonField[], target: MemberTarget): void {
  const indexes = indexesOf(fields)
  const taken = new Uint8Array(fields.length)
  for (let more = cursor.begin(OPEN, CLOSE); more; more = cursor.next(CLOSE)) {
    cursor.scanKey()
    if (cursor.isBad) return
    const index = indexes.get(cursor.text.utf8Slice(cursor.textStart, cursor.textEnd))
    if (index === undefined) {
      cursor.skipValue()
      continue
    }
    const field = fields[index]!
    if (taken[index] === 1) target.drop(index, field)
    taken[index] = 0
    cursor.skipSpace()
    if (cursor.acceptNull()) continue
    target.take(index, field, cursor)
    if (cursor.isBad) return
    taken[index] = 1
  }
  for (let index = 0; index < fields.length && !cursor.isBad; index++) {
    const field = fields[index]!
    if (taken[index] === 1) continue
    if (field.isOptional) target.missing(index, field)
    else cursor.isBad = true
  }
}

const known = new WeakMap<readonly JsonField[], Map<string, number>>()

function indexesOf(fields: readonly JsonField[]): Map<string, number> {
  let indexes = known.get(fields)
  if (indexes === undefined) known.set(fields, (indexes = new Map(fields.map(({ name }, index) => [name, index]))))
  return indexes
}
