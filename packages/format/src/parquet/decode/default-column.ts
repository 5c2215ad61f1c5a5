import {
  type Column,
  corrupt,
  foldIceberg,
  type IcebergField,
  type IcebergType,
  type JsonValue,
  stringifyJson,
  takeRows,
  typeName,
} from '@moulin/core'
import { bigIntBytes, daysOf, parseDate, parseDecimal } from '../../values/scalars.ts'
import { primitiveType, type PrimitiveType, storageOf } from '../primitive-type.ts'
import { nullColumn } from './null-column.ts'

/** Which of a field's defaults is meant: the one of files that lack it, or the one of rows whose writer does not give it. */
export type DefaultKind = 'initial-default' | 'write-default'

/** A field, or a member of a struct. */
export type DefaultField = Pick<IcebergField, 'name' | 'type' | DefaultKind>

/**
 * The column of a field that is not there: its default in every row, null without one.
 * @throws `corrupt` naming the field for a default that is no value of its type.
 * Spec: "Default values", and "JSON single-value serialization" (appendix D).
 */
export function defaultColumn(field: DefaultField, length: number, kind: DefaultKind = 'initial-default'): Column {
  const value = field[kind]
  if (value === undefined || value === null) return nullColumn(field.type, length)
  return takeRows(oneRow(field, field.type, value, kind), new Int32Array(length))
}

function oneRow(field: DefaultField, type: IcebergType, value: JsonValue, kind: DefaultKind): Column {
  const base = { length: 1, validity: undefined }
  const wrong = (): Error => {
    const message = `The ${kind} of field ${field.name} is ${stringifyJson(value)}, which is no value of type ${typeName(type)}.`
    return corrupt('DEFAULT_VALUE', message, { context: { field: field.name } })
  }
  return foldIceberg<Column>(type, {
    primitive(text) {
      const primitive = primitiveType(text)
      const scalar = scalarOf(primitive, value)
      if (scalar === undefined) throw wrong()
      const { storage, width } = storageOf(primitive)
      if (typeof scalar === 'object') {
        if (storage === 'fixed') return { storage, ...base, width: width!, values: scalar }
        return { storage: 'bytes', ...base, data: scalar, starts: Int32Array.of(0), ends: Int32Array.of(scalar.length) }
      }
      switch (storage) {
        case 'bool':
          return { storage, ...base, values: Uint8Array.of(Number(scalar)) }
        case 'int32':
          return { storage, ...base, values: Int32Array.of(Number(scalar)) }
        case 'float32':
          return { storage, ...base, values: Float32Array.of(Number(scalar)) }
        case 'float64':
          return { storage, ...base, values: Float64Array.of(Number(scalar)) }
        default:
          return { storage: 'int64', ...base, values: BigInt64Array.of(BigInt(scalar)) }
      }
    },
    // That it is there is all that it says: its members have defaults of their own.
    struct(fields) {
      if (typeof value !== 'object' || Array.isArray(value)) throw wrong()
      const members = fields.map((member) => ({ name: member.name, column: defaultColumn(member, 1, kind) }))
      return { storage: 'struct', ...base, fields: members }
    },
    list(element) {
      if (!Array.isArray(value)) throw wrong()
      return listOf(field, element, value, kind)
    },
    map(key, entry) {
      const { keys, values } = typeof value === 'object' && !Array.isArray(value) ? value! : {}
      if (!Array.isArray(keys) || !Array.isArray(values) || keys.length !== values.length) throw wrong()
      const [first, second] = [listOf(field, key, keys, kind), listOf(field, entry, values, kind)]
      const { length } = keys
      const members = [
        { name: key.name, column: first.element },
        { name: entry.name, column: second.element },
      ]
      return { ...first, element: { storage: 'struct', length, validity: undefined, fields: members } }
    },
  })
}

function listOf(
  field: DefaultField,
  { type }: IcebergField,
  values: readonly JsonValue[],
  kind: DefaultKind,
): Extract<Column, { storage: 'list' }> {
  const base = { storage: 'list', length: 1, validity: undefined, offsets: Int32Array.of(0, values.length) } as const
  // Defaults are short; only empty ones are known of.
  if (values.length === 0) return { ...base, element: nullColumn(type, 0) }
  const message = `The ${kind} of field ${field.name} has elements; this version reads empty lists and maps alone.`
  throw corrupt('DEFAULT_VALUE', message, { context: { field: field.name } })
}

/** Of 64 bits as bigint; bytes as they are stored. Undefined for what is no value of the type. */
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
    case 'decimal': {
      const unscaled = text === undefined ? undefined : parseDecimal(text, type.precision, type.scale)
      return unscaled === undefined || type.precision <= 18 ? unscaled : bigIntBytes(unscaled, type.width)
    }
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
