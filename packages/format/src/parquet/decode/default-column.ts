import {
  type Column,
  corrupt,
  exhausted,
  foldIceberg,
  type IcebergField,
  type IcebergType,
  type JsonValue,
  stringifyJson,
  takeRows,
  typeName,
} from '@moulin/core'
import { daysOf, parseDate, parseDecimal } from '../../values/scalars.ts'
import { primitiveType, type PrimitiveType, UNKNOWN } from '../primitive-type.ts'
import { nullColumn } from './null-column.ts'
import { scalarColumn, validityOf } from './scalar-column.ts'

/** Which of a field's defaults is meant: the one of files that lack it, or the one of rows whose writer does not give it. */
export type DefaultKind = 'initial-default' | 'write-default'

/** A field, or a member of a struct. */
export type DefaultField = Pick<IcebergField, 'name' | 'type' | DefaultKind>

/** Entries of lists and maps in one column: each row has those of its default for itself. */
const MAX_ENTRIES = 1 << 24

/**
 * The column of a field that is not there: its default in every row, null without one.
 * @throws `corrupt` code `DEFAULT_VALUE` naming the field for a default that is no value of its type; `exhausted` of the same code for lists
 * or maps that are too long to be there in so many rows.
 * Spec: "Default values", and "JSON single-value serialization" (appendix D).
 */
export function defaultColumn(field: DefaultField, length: number, kind: DefaultKind = 'initial-default'): Column {
  const value = statedDefault(field, kind)
  if (value === null) return nullColumn(field.type, length)
  const column = columnOf(field, field.type, [value], kind)
  const entries = entriesIn(column) * length
  if (entries <= MAX_ENTRIES) return takeRows(column, new Int32Array(length))
  const message = `The ${kind} of field ${field.name} has ${entriesIn(column)} entries, for ${length} rows; the limit is ${MAX_ENTRIES} in all.`
  throw exhausted('DEFAULT_VALUE', message, { context: { field: field.name, length } })
}

/** That a struct is there is all that its default says: its members have defaults of their own. */
function statedDefault(field: DefaultField, kind: DefaultKind): JsonValue {
  const value = field[kind] ?? null
  const isStruct = typeof field.type === 'object' && field.type.type === 'struct'
  if (isStruct && value !== null && !(isObject(value) && Object.keys(value).length === 0))
    throw noDefault(field, field.type, value, kind)
  return value
}

function noDefault({ name }: DefaultField, type: IcebergType, value: JsonValue, kind: DefaultKind): Error {
  const message = `The ${kind} of field ${name} has ${stringifyJson(value)}, which is no value of type ${typeName(type)}.`
  return corrupt('DEFAULT_VALUE', message, { context: { field: name } })
}

/** The values one after the other. */
function columnOf(field: DefaultField, type: IcebergType, values: readonly JsonValue[], kind: DefaultKind): Column {
  const base = { length: values.length, validity: validityOf(values) }
  const wrong = (value: JsonValue): Error => noDefault(field, type, value, kind)
  const listsOf = (lists: readonly (readonly unknown[])[], element: Column): Column => {
    const offsets = new Int32Array(lists.length + 1)
    for (const [row, { length }] of lists.entries()) offsets[row + 1] = offsets[row]! + length
    return { storage: 'list', ...base, offsets, element }
  }
  const below = ({ type: inner, required }: IcebergField, items: readonly JsonValue[]): Column => {
    if (required && items.includes(null)) throw noDefault(field, inner, null, kind)
    return columnOf(field, inner, items, kind)
  }
  return foldIceberg<Column>(type, {
    primitive(text) {
      if (text === UNKNOWN) {
        const value = values.find((one) => one !== null)
        if (value !== undefined) throw wrong(value)
        return nullColumn(text, values.length)
      }
      const primitive = primitiveType(text)
      const scalars = values.map((value) => {
        if (value === null) return null
        const scalar = scalarOf(primitive, value)
        if (scalar === undefined) throw wrong(value)
        return scalar
      })
      return scalarColumn(primitive, scalars)
    },
    struct(members) {
      const rows = values.map((value) => {
        if (value !== null && !isObject(value)) throw wrong(value)
        return value
      })
      const fields = members.map((member) => {
        const lacksIt = (row: JsonObject | null): boolean => row !== null && !Object.hasOwn(row, member.id)
        // One that came later has its own default, which is judged under its own name.
        const own = rows.some(lacksIt) ? statedDefault(member, kind) : null
        columnOf(member, member.type, [own], kind)
        const items = rows.map((row) => (lacksIt(row) ? own : (row?.[member.id] ?? null)))
        return { name: member.name, column: columnOf(field, member.type, items, kind) }
      })
      return { storage: 'struct', ...base, fields }
    },
    list(element) {
      const lists = values.map((value) => {
        if (value !== null && !Array.isArray(value)) throw wrong(value)
        return (value as readonly JsonValue[] | null) ?? []
      })
      return listsOf(lists, below(element, lists.flat()))
    },
    map(key, entry) {
      const maps = values.map((value) => {
        if (value === null) return { keys: [], values: [] }
        const { keys, values: items } = isObject(value) ? value : {}
        if (!Array.isArray(keys) || !Array.isArray(items) || keys.length !== items.length) throw wrong(value)
        return { keys: keys as readonly JsonValue[], values: items as readonly JsonValue[] }
      })
      const keys = maps.flatMap((map) => map.keys)
      const members = [
        { name: key.name, column: below(key, keys) },
        {
          name: entry.name,
          column: below(
            entry,
            maps.flatMap((map) => map.values),
          ),
        },
      ]
      const element: Column = { storage: 'struct', length: keys.length, validity: undefined, fields: members }
      return listsOf(
        maps.map((map) => map.keys),
        element,
      )
    },
  })
}

/** Of all lists and maps in it, at whatever depth. */
function entriesIn(column: Column): number {
  if (column.storage === 'list') return column.element.length + entriesIn(column.element)
  if (column.storage !== 'struct') return 0
  return column.fields.reduce((sum, field) => sum + entriesIn(field.column), 0)
}

type JsonObject = { readonly [name: string]: JsonValue }

const isObject = (value: JsonValue): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** As {@link scalarColumn} takes it. Undefined for what is no value of the type. */
function scalarOf(type: PrimitiveType, value: JsonValue): boolean | number | bigint | Uint8Array | undefined {
  const text = typeof value === 'string' ? value : undefined
  switch (type.kind) {
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined
    case 'int':
      return typeof value === 'number' && value === (value | 0) ? value : undefined
    case 'long':
      if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined
      return typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? value : undefined
    case 'float':
    case 'double':
      return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined
    case 'decimal':
      return text === undefined ? undefined : parseDecimal(text, type.precision, type.scale)
    case 'date':
      return text === undefined ? undefined : parseDate(text)
    case 'time':
      return text === undefined ? undefined : microsOf(text, 'time')
    case 'timestamp':
      return text === undefined ? undefined : microsOf(text, 'timestamp')
    case 'timestamptz':
      return text === undefined ? undefined : microsOf(text, 'timestamptz')
    case 'timestamp_ns':
      return text === undefined ? undefined : nanosOf(text, 'timestamp')
    case 'timestamptz_ns':
      return text === undefined ? undefined : nanosOf(text, 'timestamptz')
    case 'string':
      return text === undefined || !text.isWellFormed() ? undefined : new TextEncoder().encode(text)
    case 'uuid':
      return text === undefined || text.length !== 36 ? undefined : hexBytes(text.replaceAll('-', ''), 16)
    case 'fixed':
      return text === undefined ? undefined : hexBytes(text, type.width)
    case 'binary':
      return text === undefined ? undefined : hexBytes(text, text.length >> 1)
  }
}

function hexBytes(text: string, width: number): Uint8Array | undefined {
  if (text.length !== width * 2 || /[^0-9a-f]/i.test(text)) return undefined
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

const isoTime = /^(?:(\d{4}|[+-]\d{4,7})-(\d\d)-(\d\d)T)?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?$/

type TimeKind = 'time' | 'timestamp' | 'timestamptz'

function microsOf(text: string, kind: TimeKind): bigint | undefined {
  const nanos = wholeNanosOf(text, kind)
  return nanos === undefined || nanos % 1000n !== 0n ? undefined : inInt64(nanos / 1000n)
}

function nanosOf(text: string, kind: TimeKind): bigint | undefined {
  const nanos = wholeNanosOf(text, kind)
  return nanos === undefined ? undefined : inInt64(nanos)
}

const inInt64 = (value: bigint): bigint | undefined => (BigInt.asIntN(64, value) === value ? value : undefined)

/** Since midnight, or since the epoch. A zone is there exactly where the type has one. */
function wholeNanosOf(text: string, kind: TimeKind): bigint | undefined {
  const match = isoTime.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second = '0', fraction = '', zone] = match
  if ((year === undefined) !== (kind === 'time') || (zone === undefined) !== (kind !== 'timestamptz')) return undefined
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const days = year === undefined ? 0 : daysOf(Number(year), Number(month), Number(day))
  if (days === undefined) return undefined
  const seconds = BigInt(days) * 86_400n + BigInt(Number(hour) * 3600 + Number(minute) * 60 + Number(second))
  return (seconds - zoneSeconds(zone)) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'))
}

function zoneSeconds(zone: string | undefined): bigint {
  if (zone === undefined || zone === 'Z') return 0n
  const seconds = BigInt(Number(zone.slice(1, 3)) * 3600 + Number(zone.slice(4)) * 60)
  return zone.startsWith('-') ? -seconds : seconds
}
