import { decimalWidth, internal, isValid, parsePrimitive } from '@moulin/core'
import type { Column, IcebergField, PrimitiveType } from '@moulin/core'
import { bigIntBytes, bigIntOf, dateText, decimalText, defaultColumn, halvesOf } from '@moulin/format'

/** How a column becomes one of another type, as plain data: it goes to threads. Undefined where nothing is to be done. */
export type Reshape = CastShape | ListShape | StructShape

/** Of a primitive that was promoted, in either direction. */
export interface CastShape {
  readonly kind: 'cast'
  readonly from: string
  readonly to: string
}

/** Of a list's elements, or of a map's entries, which are structs of key and value. */
export interface ListShape {
  readonly kind: 'list'
  readonly element: Reshape
}

export interface StructShape {
  readonly kind: 'struct'
  /** In their new order. */
  readonly members: readonly MemberShape[]
}

export interface MemberShape extends Pick<IcebergField, 'name' | 'type' | 'write-default'> {
  /** Where among the members it is now; undefined: nowhere, so its write default is taken, or null. */
  readonly at: number | undefined
  readonly shape: Reshape | undefined
}

/** Is told of a row whose value the new type does not hold: where in the column, and what it is. What stands there then is of no use. */
export type Misfit = (row: number, path: string, value: string) => void

/** The column in its new shape; what need not change is shared. */
export function reshaped(column: Column, shape: Reshape | undefined, misfit: Misfit): Column {
  switch (shape?.kind) {
    case undefined:
      return column
    case 'cast':
      return cast(column, shape, (row, value) => misfit(row, '', value))
    case 'list': {
      if (column.storage !== 'list') throw otherStorage(column, 'list')
      const { offsets } = column
      const element = reshaped(column.element, shape.element, (at, path, value) => {
        const row = rowOf(offsets, at)
        if (row < column.length && isValid(column, row)) misfit(row, `.element${path}`, value)
      })
      return { ...column, element }
    }
    case 'struct': {
      if (column.storage !== 'struct') throw otherStorage(column, 'struct')
      const { length } = column
      const fields = shape.members.map((member) => {
        const { name, at } = member
        if (at === undefined) return { name, column: defaultColumn(member, length, 'write-default') }
        const below: Misfit = (row, path, value) => {
          if (isValid(column, row)) misfit(row, `.${name}${path}`, value)
        }
        return { name, column: reshaped(column.fields[at]!.column, member.shape, below) }
      })
      return { ...column, fields }
    }
  }
}

/** The last row that does not begin behind `at`: rows without elements begin where the next one does. */
function rowOf(offsets: Int32Array, at: number): number {
  let low = 0
  let high = offsets.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (offsets[middle]! <= at) low = middle
    else high = middle - 1
  }
  return low
}

/** Whether Iceberg lets a column of the first type become one of the second. Spec: "Schema Evolution". */
export function isPromotion(from: PrimitiveType, to: PrimitiveType): boolean {
  switch (from.kind) {
    case 'int':
      return to.kind === 'long'
    case 'float':
      return to.kind === 'double'
    case 'date':
      return to.kind === 'timestamp' || to.kind === 'timestamp_ns'
    case 'decimal':
      return to.kind === 'decimal' && to.scale === from.scale && to.precision > from.precision
    default:
      return false
  }
}

type Told = (row: number, value: string) => void

function cast(column: Column, { from, to }: CastShape, misfit: Told): Column {
  const [source, target] = [parsePrimitive(from)!, parsePrimitive(to)!]
  switch (source.kind) {
    case 'int':
      return intToLong(column)
    case 'long':
      return longToInt(column, misfit)
    case 'float':
      return floatToDouble(column)
    case 'double':
      return doubleToFloat(column, misfit)
    case 'date':
      return dateToTime(column, target, misfit)
    case 'timestamp':
    case 'timestamp_ns':
      return timeToDate(column, source, misfit)
    default:
      return decimalToDecimal(column, source, target, misfit)
  }
}

// A promoted column costs its conversion; on halves where there is one for every row.

function intToLong(column: Column): Column {
  if (column.storage !== 'int32') throw otherStorage(column, 'int32')
  const { length, validity } = column
  const values = new BigInt64Array(length)
  const halves = halvesOf(values)
  for (let row = 0; row < length; row++) {
    halves[row * 2] = column.values[row]!
    halves[row * 2 + 1] = column.values[row]! >> 31
  }
  return { storage: 'int64', length, validity, values }
}

function longToInt(column: Column, misfit: Told): Column {
  if (column.storage !== 'int64') throw otherStorage(column, 'int64')
  const { length, validity } = column
  const halves = halvesOf(column.values)
  const values = new Int32Array(length)
  for (let row = 0; row < length; row++) {
    values[row] = halves[row * 2]!
    if (halves[row * 2 + 1] !== values[row]! >> 31 && isValid(column, row)) misfit(row, String(column.values[row]))
  }
  return { storage: 'int32', length, validity, values }
}

function floatToDouble(column: Column): Column {
  if (column.storage !== 'float32') throw otherStorage(column, 'float32')
  const { length, validity } = column
  return { storage: 'float64', length, validity, values: Float64Array.from(column.values) }
}

function doubleToFloat(column: Column, misfit: Told): Column {
  if (column.storage !== 'float64') throw otherStorage(column, 'float64')
  const { length, validity } = column
  const values = Float32Array.from(column.values)
  for (let row = 0; row < length; row++) {
    const value = column.values[row]!
    // A NaN is one in either.
    if (values[row] !== value && value === value && isValid(column, row)) misfit(row, String(value))
  }
  return { storage: 'float32', length, validity, values }
}

const perDay = (kind: PrimitiveType['kind']): bigint => (kind === 'timestamp' ? 86_400_000_000n : 86_400_000_000_000n)

function dateToTime(column: Column, { kind }: PrimitiveType, misfit: Told): Column {
  if (column.storage !== 'int32') throw otherStorage(column, 'int32')
  const { length, validity } = column
  const values = new BigInt64Array(length)
  for (let row = 0; row < length; row++) {
    if (!isValid(column, row)) continue
    const time = BigInt(column.values[row]!) * perDay(kind)
    values[row] = time
    if (values[row] !== time) misfit(row, dateText(column.values[row]!))
  }
  return { storage: 'int64', length, validity, values }
}

function timeToDate(column: Column, { kind }: PrimitiveType, misfit: Told): Column {
  if (column.storage !== 'int64') throw otherStorage(column, 'int64')
  const { length, validity } = column
  const values = new Int32Array(length)
  const unit = kind === 'timestamp' ? 'µs' : 'ns'
  for (let row = 0; row < length; row++) {
    if (!isValid(column, row)) continue
    const time = column.values[row]!
    // All 64 bits hold fewer days than an int32.
    values[row] = Number(time / perDay(kind))
    if (time % perDay(kind) !== 0n) misfit(row, `${time} ${unit} since 1970, which is no midnight,`)
  }
  return { storage: 'int32', length, validity, values }
}

function decimalToDecimal(column: Column, from: PrimitiveType, to: PrimitiveType, misfit: Told): Column {
  const { length, validity } = column
  const unscaledAt = unscaledOf(column, from)
  const least = 10n ** BigInt(to.precision)
  const width = decimalWidth(to.precision)
  const small = to.precision <= 18 ? new BigInt64Array(length) : undefined
  const large = small === undefined ? new Uint8Array(length * width) : undefined
  for (let row = 0; row < length; row++) {
    if (!isValid(column, row)) continue
    const value = unscaledAt(row)
    if (value >= least || value <= -least) misfit(row, decimalText(value, from.scale))
    else if (small !== undefined) small[row] = value
    else large!.set(bigIntBytes(value, width), row * width)
  }
  if (small !== undefined) return { storage: 'int64', length, validity, values: small }
  return { storage: 'fixed', length, validity, width, values: large! }
}

function unscaledOf(column: Column, { precision }: PrimitiveType): (row: number) => bigint {
  if (column.storage === 'int64') return (row) => column.values[row]!
  if (column.storage !== 'fixed') throw otherStorage(column, `decimal(${precision}, …)`)
  const { width, values } = column
  return (row) => bigIntOf(values, row * width, (row + 1) * width)
}

function otherStorage({ storage }: Column, wanted: string): Error {
  return internal('COLUMN_STORAGE', `A column stored as ${storage} stands where ${wanted} is wanted.`)
}
