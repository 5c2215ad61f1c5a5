import { type Column, corrupt, isValid, unsupported } from '@moulin/core'
import { halvesOf } from '../../bytes/int64-halves.ts'
import type { LeafConversion } from './field-conversion.ts'

/**
 * A column as the file's physical type has it, as the wanted type: in place where that will do.
 * @throws `corrupt` for a value that the type cannot hold; `unsupported` for one that only a wider type would.
 */
export function castColumn(column: Column, { cast, storage, width }: LeafConversion): Column {
  switch (cast) {
    case 'none':
      return column
    case 'float-to-double': {
      if (column.storage !== 'float32') break
      const { length, validity } = column
      return { storage: 'float64', length, validity, values: Float64Array.from(column.values) }
    }
    case 'signed-to-int64':
    case 'unsigned-to-int64':
      if (column.storage !== 'int32') break
      return widened(column, cast === 'signed-to-int64')
    case 'int32-times-1000':
      if (column.storage !== 'int32') break
      return times1000(widened(column, true))
    case 'int64-times-1000':
      if (column.storage !== 'int64') break
      return times1000(column)
    case 'uint64-to-int64':
      if (column.storage !== 'int64') break
      return withoutSign(column)
    case 'int96-to-micros':
    case 'int96-to-nanos':
      if (column.storage !== 'fixed' || column.width !== 12) break
      return int96Times(column, cast === 'int96-to-micros')
    case 'date-to-micros':
    case 'date-to-nanos':
      if (column.storage !== 'int32') break
      return midnights(column, BigInt(microsPerDay) * (cast === 'date-to-micros' ? 1n : 1000n))
    case 'decimal':
      return storage === 'int64' ? decimalToInt64(column) : decimalToFixed(column, width)
  }
  throw corrupt('PARQUET_VALUES', `It holds ${column.storage}, which is no input of ${cast}.`)
}

type Int64Column = Column & { readonly storage: 'int64' }
type BytesOf = Column & { readonly storage: 'bytes' | 'fixed' }

// All of it on 32-bit halves, the lower first: a BigInt per value would cost more than the decoding.

function widened({ values, length, validity }: Column & { storage: 'int32' }, isSigned: boolean): Int64Column {
  const wide = new BigInt64Array(length)
  const halves = halvesOf(wide)
  for (let i = 0; i < length; i++) {
    halves[2 * i] = values[i]!
    halves[2 * i + 1] = isSigned ? values[i]! >> 31 : 0
  }
  return { storage: 'int64', length, validity, values: wide }
}

function times1000(column: Int64Column): Int64Column {
  const halves = halvesOf(column.values)
  for (let i = 0; i < column.length; i++) {
    const low = (halves[2 * i]! >>> 0) * 1000
    const high = halves[2 * i + 1]! * 1000 + Math.floor(low / 2 ** 32)
    if ((high > 0x7fffffff || high < -0x80000000) && isValid(column, i)) throw beyond('an integer beyond 64 bits')
    halves[2 * i] = low % 2 ** 32
    halves[2 * i + 1] = high
  }
  return column
}

function withoutSign(column: Int64Column): Int64Column {
  const halves = halvesOf(column.values)
  for (let i = 0; i < column.length; i++) {
    if (halves[2 * i + 1]! < 0 && isValid(column, i))
      throw unsupported('PARQUET_TYPE', 'It has an unsigned integer above the largest long.')
  }
  return column
}

const julianDayOfEpoch = 2_440_588
const microsPerDay = 86_400_000_000

/**
 * Nanoseconds of the day, then the Julian day; exact as far as 64 bits hold the time. Days and times of day apart, so that
 * numbers stay exact; what is too far from 1970 for that, or no time of a day, goes by bigints.
 */
function int96Times(column: Column & { storage: 'fixed' }, isMicros: boolean): Int64Column {
  const { length, validity, values } = column
  const view = new DataView(values.buffer, values.byteOffset, values.length)
  const times = new BigInt64Array(length)
  const halves = halvesOf(times)
  const [perDay, divisor] = isMicros ? [microsPerDay, 1000] : [microsPerDay * 1000, 1]
  const [perDayLow, perDayHigh] = [perDay % 2 ** 32, Math.floor(perDay / 2 ** 32)]
  for (let i = 0; i < length; i++) {
    if (!isValid(column, i)) continue
    const nanos = view.getInt32(i * 12 + 4, true) * 2 ** 32 + view.getUint32(i * 12, true)
    const days = view.getInt32(i * 12 + 8, true) - julianDayOfEpoch
    const rest = Math.floor(nanos / divisor)
    const product = days * perDayLow
    const low = product + rest
    if (![nanos, product, low].every(Number.isSafeInteger)) {
      const exact = BigInt(days) * BigInt(perDay) + floored(view.getBigInt64(i * 12, true), BigInt(divisor))
      if (BigInt.asIntN(64, exact) !== exact) throw beyondInt96(isMicros)
      times[i] = exact
      continue
    }
    const carry = Math.floor(low / 2 ** 32)
    const sum = days * perDayHigh + carry
    if (sum > 0x7fffffff || sum < -0x80000000) throw beyondInt96(isMicros)
    halves[2 * i] = low - carry * 2 ** 32
    halves[2 * i + 1] = sum
  }
  return { storage: 'int64', length, validity, values: times }
}

function floored(value: bigint, divisor: bigint): bigint {
  const rest = value % divisor
  return (value - rest) / divisor - (rest < 0n ? 1n : 0n)
}

// Sound, but no value of the type: another reader may want it.
function beyondInt96(isMicros: boolean): Error {
  const message = `It has an INT96 timestamp whose ${isMicros ? 'microseconds' : 'nanoseconds'} are beyond 64 bits.`
  return unsupported('PARQUET_INT96', message)
}

/** Days as the time of their midnight: a column that was a date once, so few pay for bigints. */
function midnights(column: Column & { storage: 'int32' }, perDay: bigint): Int64Column {
  const { length, validity, values } = column
  const times = new BigInt64Array(length)
  for (let i = 0; i < length; i++) {
    if (!isValid(column, i)) continue
    const time = BigInt(values[i]!) * perDay
    if (BigInt.asIntN(64, time) !== time) throw beyond('a date beyond the timestamps of 64 bits')
    times[i] = time
  }
  return { storage: 'int64', length, validity, values: times }
}

function decimalToInt64(column: Column): Int64Column {
  if (column.storage === 'int64') return column
  if (column.storage === 'int32') return widened(column, true)
  if (column.storage !== 'bytes' && column.storage !== 'fixed') throw noDecimal(column)
  const { length, validity } = column
  const wide = new BigInt64Array(length)
  const halves = halvesOf(wide)
  const { data, start, end } = positionsOf(column)
  for (let i = 0; i < length; i++) {
    if (!isValid(column, i)) continue
    let [low, high] = [0, 0]
    const to = end(i)
    let at = start(i)
    if (at < to && data[at]! >= 0x80) low = high = -1
    const sign = low
    // What is above 64 bits may only repeat the sign.
    for (; at < to - 8; at++) if (data[at] !== (sign & 0xff)) throw beyond('a decimal beyond its precision')
    for (; at < to; at++) {
      high = (high << 8) | (low >>> 24)
      low = (low << 8) | data[at]!
    }
    if (to - start(i) > 8 && high >> 31 !== sign) throw beyond('a decimal beyond its precision')
    halves[2 * i] = low
    halves[2 * i + 1] = high
  }
  return { storage: 'int64', length, validity, values: wide }
}

/** Big-endian two's complement of `width` bytes. */
function decimalToFixed(column: Column, width: number): Column {
  const { length, validity } = column
  if (column.storage === 'fixed' && column.width === width) return column
  const values = new Uint8Array(length * width)
  if (column.storage === 'int32' || column.storage === 'int64') {
    const halves = column.storage === 'int64' ? halvesOf(column.values) : halvesOf(widened(column, true).values)
    for (let i = 0; i < length; i++) {
      const [low, high] = [halves[2 * i]!, halves[2 * i + 1]!]
      const start = i * width
      const end = start + width
      for (let k = start; k < end - 8; k++) values[k] = high >> 31
      for (let k = 0; k < 8; k++) values[end - 1 - k] = k < 4 ? low >> (8 * k) : high >> (8 * (k - 4))
    }
    return { storage: 'fixed', length, validity, width, values }
  }
  if (column.storage !== 'bytes' && column.storage !== 'fixed') throw noDecimal(column)
  const { data, start, end } = positionsOf(column)
  for (let i = 0; i < length; i++) {
    if (!isValid(column, i)) continue
    const [from, to] = [start(i), end(i)]
    const sign = from < to && data[from]! >= 0x80 ? 0xff : 0
    const cut = Math.max(from, to - width)
    for (let at = from; at < cut; at++) if (data[at] !== sign) throw beyond('a decimal beyond its precision')
    if (cut > from && (data[cut]! >= 0x80 ? 0xff : 0) !== sign) throw beyond('a decimal beyond its precision')
    const target = (i + 1) * width - (to - cut)
    values.fill(sign, i * width, target)
    values.set(data.subarray(cut, to), target)
  }
  return { storage: 'fixed', length, validity, width, values }
}

function positionsOf(column: BytesOf): {
  data: Uint8Array
  start: (row: number) => number
  end: (row: number) => number
} {
  if (column.storage === 'bytes') {
    const { data, starts, ends } = column
    return { data, start: (row) => starts[row]!, end: (row) => ends[row]! }
  }
  const { values, width } = column
  return { data: values, start: (row) => row * width, end: (row) => (row + 1) * width }
}

function noDecimal({ storage }: Column): Error {
  return corrupt('PARQUET_VALUES', `It holds ${storage}, which is no decimal.`)
}

function beyond(what: string): Error {
  return corrupt('PARQUET_VALUES', `It has ${what}.`)
}
