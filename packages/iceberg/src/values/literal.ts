import { INT64_MAX, INT64_MIN, invalid, type IcebergType, type Literal, shown, dateMs, typeName } from '@moulin/core'
import { daysOf } from '@moulin/format'
import type { Datum } from './datum.ts'
import { primitiveOf, type PrimitiveType } from './primitive-type.ts'

const encoder = new TextEncoder()
const datePattern = /^([+-]?\d{4,7})-(\d{2})-(\d{2})$/
const decimalPattern = /^(-?)(\d+)(?:\.(\d+))?$/
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const MICROS_PER_DAY = 86_400_000_000n

/**
 * The value of a literal as a column of that type stores it. Takes what the schema's JavaScript types are (see core's
 * `t`): a safe number also for a long, milliseconds or bigint microseconds for a time, a Date or bigint microseconds for a
 * timestamp (nanoseconds for one of these), `YYYY-MM-DD` for a date, exact decimal text for a decimal.
 * @throws `invalid` naming the column and its type.
 */
export function literalDatum(literal: Literal, column: string, type: IcebergType): Datum {
  const primitive = primitiveOf(type)
  const datum = primitive === undefined ? undefined : convert(literal, primitive)
  if (datum !== undefined) return datum
  const message = `${shown(literal)} (${kindOf(literal)}) does not compare with column ${column} of type ${typeName(type)}${hint(primitive)}.`
  throw invalid('EXPRESSION', message, { context: { column, type: typeName(type) } })
}

function kindOf(literal: unknown): string {
  if (literal instanceof Date) return 'Date'
  return literal instanceof Uint8Array ? 'Uint8Array' : literal === null ? 'null' : typeof literal
}

function hint(type: PrimitiveType | undefined): string {
  switch (type?.kind) {
    case undefined:
      return ', which only isNull and notNull take'
    case 'date':
      return ': give YYYY-MM-DD'
    case 'decimal':
      return ': give decimal text that fits it'
    case 'timestamp':
    case 'timestamptz':
      return ': give a Date or bigint microseconds'
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return ': give a Date or bigint nanoseconds'
    case 'time':
      return ': give milliseconds since midnight or bigint microseconds'
    case 'long':
      return ': give a bigint or a safe integer'
    case 'fixed':
      return `: give a Uint8Array of ${type.width} bytes`
    default:
      return ''
  }
}

// Undefined: it does not fit.
function convert(literal: Literal, type: PrimitiveType): Datum | undefined {
  switch (type.kind) {
    case 'boolean':
      return typeof literal === 'boolean' ? literal : undefined
    case 'int':
      return typeof literal === 'number' && literal === (literal | 0) ? literal | 0 : undefined
    case 'long':
      if (typeof literal === 'number') return Number.isSafeInteger(literal) ? BigInt(literal) : undefined
      return int64(literal)
    case 'float':
      return floatDatum(literal)
    case 'double':
      return typeof literal === 'number' ? literal : undefined
    case 'decimal':
      return typeof literal === 'string' ? unscaled(literal, type) : undefined
    case 'date':
      return typeof literal === 'string' ? dateDays(literal) : undefined
    case 'time':
      return timeMicros(literal)
    case 'timestamp':
    case 'timestamptz':
      return instant(literal, 1000n)
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return instant(literal, 1_000_000n)
    case 'string':
      return typeof literal === 'string' && literal.isWellFormed() ? encoder.encode(literal) : undefined
    case 'uuid':
      if (typeof literal !== 'string' || !uuidPattern.test(literal)) return undefined
      return Uint8Array.from(Buffer.from(literal.replaceAll('-', ''), 'hex'))
    case 'fixed':
      return literal instanceof Uint8Array && literal.length === type.width ? literal : undefined
    case 'binary':
      return literal instanceof Uint8Array ? literal : undefined
  }
}

function instant(literal: Literal, perMilli: bigint): bigint | undefined {
  if (!(literal instanceof Date)) return int64(literal)
  return Number.isNaN(dateMs(literal)) ? undefined : int64(BigInt(dateMs(literal)) * perMilli)
}

function int64(literal: Literal): bigint | undefined {
  return typeof literal === 'bigint' && literal >= INT64_MIN && literal <= INT64_MAX ? literal : undefined
}

// As the column would store it, so that eq('x', 0.1) finds a stored 0.1. A number beyond a float's range is no float.
function floatDatum(literal: Literal): number | undefined {
  if (typeof literal !== 'number') return undefined
  const stored = Math.fround(literal)
  return Number.isFinite(literal) && !Number.isFinite(stored) ? undefined : stored
}

function unscaled(text: string, type: PrimitiveType): bigint | undefined {
  const match = decimalPattern.exec(text)
  if (match === null) return undefined
  const fraction = (match[3] ?? '').replace(/0+$/, '')
  if (fraction.length > type.scale) return undefined
  const magnitude = BigInt(match[2]! + fraction.padEnd(type.scale, '0'))
  if (magnitude >= 10n ** BigInt(type.precision)) return undefined
  return match[1] === '-' ? -magnitude : magnitude
}

function dateDays(text: string): number | undefined {
  const match = datePattern.exec(text)
  if (match === null) return undefined
  const days = daysOf(Number(match[1]), Number(match[2]), Number(match[3]))
  return days === (days! | 0) ? days : undefined
}

function timeMicros(literal: Literal): bigint | undefined {
  let micros: bigint | undefined
  if (typeof literal === 'bigint') micros = literal
  else if (typeof literal === 'number' && Number.isInteger(literal)) micros = BigInt(literal) * 1000n
  return micros !== undefined && micros >= 0n && micros < MICROS_PER_DAY ? micros : undefined
}
