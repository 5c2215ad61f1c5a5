import { foldType, isValid } from '@moulin/core'
import type { Column, ScalarType, Type } from '@moulin/core'
import { bigIntOf, dateText, decimalText, floorMillis, halvesOf, textBuffer } from '@moulin/format'

/** The JavaScript value of one row, as the type's documentation in core's `t` says; null for a null. */
export type ValueReader = (row: number) => unknown

type Of<S extends Column['storage']> = Extract<Column, { storage: S }>

const HALF = 4_294_967_296
/** So many bits of a hash choose where a string of a column is kept for later rows. */
const KEPT_BITS = 8

/** Reads the values of a column whose storage is that of the type. Bytes are copies: the column's memory may be reused. */
export function valueReader(type: Type, column: Column): ValueReader {
  const read = presentReader(type, column)
  return column.validity === undefined ? read : (row) => (isValid(column, row) ? read(row) : null)
}

function presentReader(type: Type, column: Column): ValueReader {
  return foldType<ValueReader>(type, {
    scalar: (scalar) => scalarReader(scalar, column),
    list(elementType) {
      const { element, offsets } = column as Of<'list'>
      const read = valueReader(elementType, element)
      return (row) => range(offsets[row]!, offsets[row + 1]!).map(read)
    },
    map(keyType, valueType) {
      const { element, offsets } = column as Of<'list'>
      const [key, value] = (element as Of<'struct'>).fields
      const readKey = valueReader(keyType, key!.column)
      const readValue = valueReader(valueType, value!.column)
      return (row) => new Map(range(offsets[row]!, offsets[row + 1]!).map((at) => [readKey(at), readValue(at)]))
    },
    struct(members) {
      const { fields } = column as Of<'struct'>
      return objectReader(members.map(({ name, type }, at) => [name, valueReader(type, fields[at]!.column)]))
    },
  })
}

function scalarReader({ spec }: ScalarType, column: Column): ValueReader {
  switch (spec.kind) {
    case 'unknown':
      return () => null
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
    case 'int53':
      return numbersOf(column as Of<'int64'>)
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
      return spec.as === 'micros' ? bigintsOf(column as Of<'int64'>) : millisOf(column as Of<'int64'>)
    case 'timestamp':
    case 'timestamptz':
      return spec.as === 'native' ? datesOf(column as Of<'int64'>) : bigintsOf(column as Of<'int64'>)
    case 'decimal':
      return decimalReader(column, spec.scale)
  }
}

/** Reads rows as objects without a prototype, so that a column called `__proto__` is a column. */
export function objectReader(
  readers: readonly (readonly [name: string, read: ValueReader])[],
): (row: number) => Record<string, unknown> {
  const names = readers.map(([name]) => name)
  const reads = readers.map(([, read]) => read)
  // Filling the copy of an object that has the names already keeps V8 from making a hash table of every row, which it
  // does of an object that begins without a prototype.
  const template = Object.fromEntries(names.map((name): [string, unknown] => [name, undefined]))
  return (row) => {
    const object = { ...template }
    for (let at = 0; at < names.length; at++) object[names[at]!] = reads[at]!(row)
    return Object.setPrototypeOf(object, null) as Record<string, unknown>
  }
}

// A value that was met lately is not decoded again: of a dictionary all rows with a value have the same positions.
function textReader({ data, starts, ends }: Of<'bytes'>): ValueReader {
  const buffer = textBuffer(data)
  const keptStarts = new Int32Array(1 << KEPT_BITS).fill(-1)
  const keptEnds = new Int32Array(1 << KEPT_BITS)
  const kept = new Array<string>(1 << KEPT_BITS)
  return (row) => {
    const start = starts[row]!
    const end = ends[row]!
    const slot = Math.imul(start, 0x9e3779b1) >>> (32 - KEPT_BITS)
    if (keptStarts[slot] === start && keptEnds[slot] === end) return kept[slot]
    keptStarts[slot] = start
    keptEnds[slot] = end
    return (kept[slot] = buffer.utf8Slice(start, end))
  }
}

function bigintsOf({ values }: Of<'int64'>): ValueReader {
  return (row) => values[row]
}

// By halves, no bigint is made; above 2^53 the sum rounds as `Number` does.
function numbersOf(column: Of<'int64'>): (row: number) => number {
  const halves = halvesOf(column.values)
  return (row) => halves[row * 2 + 1]! * HALF + (halves[row * 2]! >>> 0)
}

/** Microseconds as milliseconds, rounded down. */
function millisOf(column: Of<'int64'>): (row: number) => number {
  const { values } = column
  const microsOf = numbersOf(column)
  return (row) => {
    const micros = microsOf(row)
    if (!Number.isSafeInteger(micros)) return Number(floorMillis(values[row]!))
    const millis = Math.floor(micros / 1000)
    // The quotient may have been rounded up to a whole number.
    return millis * 1000 > micros ? millis - 1 : millis
  }
}

function datesOf(column: Of<'int64'>): ValueReader {
  const millisAt = millisOf(column)
  return (row) => new Date(millisAt(row))
}

function decimalReader(column: Column, scale: number): ValueReader {
  if (column.storage === 'int64') {
    const { values } = column
    return (row) => decimalText(values[row]!, scale)
  }
  const { values, width } = column as Of<'fixed'>
  return (row) => decimalText(bigIntOf(values, row * width, (row + 1) * width), scale)
}

function uuidText(bytes: Uint8Array, start: number): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset + start, 16).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, at) => start + at)
}
