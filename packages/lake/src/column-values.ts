import { isValid } from '@moulin/core'
import type { Column, Type } from '@moulin/core'

/** The JavaScript value of one row, as the type's documentation in core's `t` says; null for a null. */
export type ValueReader = (row: number) => unknown

type Of<S extends Column['storage']> = Extract<Column, { storage: S }>

const DAY_MS = 86_400_000
/** Days of 400 years: the calendar repeats after them. */
const CYCLE_DAYS = 146_097

/** Reads the values of a column whose storage is that of the type. Bytes are copies: the column's memory may be reused. */
export function valueReader(type: Type, column: Column): ValueReader {
  const read = presentReader(type, column)
  return column.validity === undefined ? read : (row) => (isValid(column, row) ? read(row) : null)
}

function presentReader({ spec }: Type, column: Column): ValueReader {
  switch (spec.kind) {
    case 'boolean': {
      const { values } = column as Of<'bool'>
      return (row) => values[row] === 1
    }
    case 'int':
    case 'float':
    case 'double':
    case 'long': {
      const { values } = column as Of<'int32'>
      return (row) => values[row]
    }
    case 'int53': {
      const { values } = column as Of<'int64'>
      return (row) => Number(values[row])
    }
    case 'string':
      return textReader(column as Of<'bytes'>)
    case 'binary': {
      const { data, starts, ends } = column as Of<'bytes'>
      return (row) => new Uint8Array(data.subarray(starts[row], ends[row]))
    }
    case 'uuid': {
      const { values } = column as Of<'fixed'>
      return (row) => uuidText(values, row * 16)
    }
    case 'fixed': {
      const { values, width } = column as Of<'fixed'>
      return (row) => new Uint8Array(values.subarray(row * width, (row + 1) * width))
    }
    case 'date': {
      const { values } = column as Of<'int32'>
      return (row) => dateText(values[row]!)
    }
    case 'time':
      return timeReader(spec.as, column as Of<'int64'>, (micros) => Number(micros / 1000n))
    case 'timestamp':
    case 'timestamptz':
      return timeReader(spec.as, column as Of<'int64'>, (micros) => new Date(Number(floorMillis(micros))))
    case 'decimal':
      return decimalReader(column, spec.scale)
    case 'list': {
      const { element, offsets } = column as Of<'list'>
      const read = valueReader(spec.element, element)
      return (row) => range(offsets[row]!, offsets[row + 1]!).map(read)
    }
    case 'map': {
      const { element, offsets } = column as Of<'list'>
      const [key, value] = (element as Of<'struct'>).fields
      const readKey = valueReader(spec.key, key!.column)
      const readValue = valueReader(spec.value, value!.column)
      return (row) => new Map(range(offsets[row]!, offsets[row + 1]!).map((at) => [readKey(at), readValue(at)]))
    }
    case 'struct': {
      const readers = spec.fields.map(
        ({ name, type }, at) => [name, valueReader(type, (column as Of<'struct'>).fields[at]!.column)] as const,
      )
      return (row) => rowObject(readers, row)
    }
  }
}

/** One row as an object without a prototype, so that a column called `__proto__` is a column. */
export function rowObject(
  readers: readonly (readonly [name: string, read: ValueReader])[],
  row: number,
): Record<string, unknown> {
  const object = Object.create(null) as Record<string, unknown>
  for (const [name, read] of readers) object[name] = read(row)
  return object
}

/** These rows, or the first `rows` of them, as {@link rowObject} makes them. */
export function rowObjects(
  readers: readonly (readonly [name: string, read: ValueReader])[],
  rows: Int32Array | number,
): Record<string, unknown>[] {
  const objects: Record<string, unknown>[] = []
  const count = typeof rows === 'number' ? rows : rows.length
  for (let at = 0; at < count; at++) objects.push(rowObject(readers, typeof rows === 'number' ? at : rows[at]!))
  return objects
}

function textReader({ data, starts, ends }: Of<'bytes'>): ValueReader {
  const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return (row) => buffer.toString('utf8', starts[row], ends[row])
}

function timeReader(as: 'native' | 'micros', column: Of<'int64'>, native: (micros: bigint) => unknown): ValueReader {
  const { values } = column
  return as === 'micros' ? (row) => values[row] : (row) => native(values[row]!)
}

function floorMillis(micros: bigint): bigint {
  const millis = micros / 1000n
  return micros % 1000n < 0n ? millis - 1n : millis
}

function decimalReader(column: Column, scale: number): ValueReader {
  if (column.storage === 'int64') {
    const { values } = column
    return (row) => decimalText(values[row]!, scale)
  }
  const { values, width } = column as Of<'fixed'>
  return (row) => decimalText(bigEndian(values, row * width, width), scale)
}

function bigEndian(bytes: Uint8Array, start: number, width: number): bigint {
  let value = 0n
  for (let at = start; at < start + width; at++) value = (value << 8n) | BigInt(bytes[at]!)
  return BigInt.asIntN(8 * width, value)
}

function decimalText(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? '-' : ''
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

function dateText(days: number): string {
  const cycles = Math.floor(days / CYCLE_DAYS)
  const [year, month, day] = new Date((days - cycles * CYCLE_DAYS) * DAY_MS).toISOString().slice(0, 10).split('-')
  return `${yearText(Number(year) + cycles * 400)}-${month}-${day}`
}

function yearText(year: number): string {
  if (year >= 0 && year <= 9999) return String(year).padStart(4, '0')
  return `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}`
}

function uuidText(bytes: Uint8Array, start: number): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset + start, 16).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, at) => start + at)
}
