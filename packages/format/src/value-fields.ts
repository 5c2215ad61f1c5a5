import { isDate } from 'node:util/types'
import { INT64_MAX, INT64_MIN, invalid, type Field } from '@moulin/core'
import { MS_PER_DAY, parseDate, parseDecimal } from './scalars.ts'

/** Reads the fields of a value one after another, and tells unknown ones (DETAILS, "Schemas"). */
export interface ValueFields {
  /** The field's value; null for absent or undefined. */
  readonly read: (value: object, index: number) => unknown
  /** @throws `invalid` naming the first field of the value that the schema does not have; `present` counts the others. */
  readonly checkKnown: (value: object, present: number) => void
}

export function valueFields(fields: readonly Field[]): ValueFields {
  const names = fields.map(({ name }) => name)
  const known = new Set(names)
  // `value.constructor` is there in every object, though nobody put it in.
  const isInherited = names.map((name) => name in Object.prototype)
  return {
    read: (value, index) => {
      const name = names[index]!
      if (isInherited[index]! && !Object.hasOwn(value, name)) return null
      return (value as Record<string, unknown>)[name] ?? null
    },
    checkKnown: (value, present) => {
      let keys = 0
      for (const _key in value) keys++
      if (keys === present) return
      for (const key in value)
        if (!known.has(key)) throw invalid('VALUE', unknownField(key, names), { context: { field: key } })
    },
  }
}

function unknownField(key: string, names: readonly string[]): string {
  return `The value has a field ${JSON.stringify(key)} that its schema does not: ${names.join(', ')}.`
}

/** @throws `invalid` when a value is no object at all. */
export function checkObject(value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('VALUE', `A value must be an object with the fields of its schema, not ${shown(value)}.`)
  }
}

export function missing(name: string): Error {
  return invalid('VALUE', `The field ${name} is required and missing.`, { context: { field: name } })
}

/** The error for a value of the wrong kind. */
export function mismatch(name: string, what: string, value: unknown): Error {
  const message = `The field ${name} must be ${what}, not ${shown(value)}.`
  return invalid('VALUE', message, { context: { field: name } })
}

function shown(value: unknown): string {
  if (typeof value === 'string') return value.length > 60 ? `a string of ${value.length}` : JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return String(value)
  return value instanceof Uint8Array ? `${value.length} bytes` : (value.constructor?.name ?? 'an object')
}

// One checker per kind: gives the value back in the form that encoders take, or throws naming the field.

export function asBoolean(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw mismatch(name, 'a boolean', value)
}

export function asInt(value: unknown, name: string): number {
  if (typeof value === 'number' && value === (value | 0)) return value
  throw mismatch(name, 'an integer of 32 bits', value)
}

export function asInt53(value: unknown, name: string): number {
  if (Number.isSafeInteger(value)) return value as number
  throw mismatch(name, 'a safe integer', value)
}

export function asLong(value: unknown, name: string): bigint {
  if (typeof value === 'bigint' && value >= INT64_MIN && value <= INT64_MAX) return value
  throw mismatch(name, 'a bigint of 64 bits', value)
}

export function asFloat(value: unknown, name: string): number {
  const isFloat = typeof value === 'number' && (Number.isFinite(Math.fround(value)) || !Number.isFinite(value))
  if (isFloat) return value
  throw mismatch(name, 'a number in the range of 32-bit floats', value)
}

export function asDouble(value: unknown, name: string): number {
  if (typeof value === 'number') return value
  throw mismatch(name, 'a number', value)
}

export function asString(value: unknown, name: string): string {
  if (typeof value === 'string' && value.isWellFormed()) return value
  throw mismatch(name, 'a string without half surrogate pairs', value)
}

export function asBytes(value: unknown, name: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw mismatch(name, 'a Uint8Array', value)
}

export function asFixed(value: unknown, name: string, size: number): Uint8Array {
  if (value instanceof Uint8Array && value.length === size) return value
  throw mismatch(name, `a Uint8Array of ${size} bytes`, value)
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Lower case. */
export function asUuid(value: unknown, name: string): string {
  if (typeof value === 'string' && uuidPattern.test(value)) return value.toLowerCase()
  throw mismatch(name, 'a UUID', value)
}

/** Days since 1970-01-01. */
export function asDays(value: unknown, name: string): number {
  const days = typeof value === 'string' ? parseDate(value) : undefined
  if (days !== undefined) return days
  throw mismatch(name, 'a date such as "2026-01-31"', value)
}

/** Unscaled. */
export function asDecimal(value: unknown, name: string, precision: number, scale: number): bigint {
  const unscaled = typeof value === 'string' ? parseDecimal(value, precision, scale) : undefined
  if (unscaled !== undefined) return unscaled
  throw mismatch(name, `a decimal string of at most ${precision} digits, ${scale} of them behind the point`, value)
}

/** Milliseconds since midnight. */
export function asTimeMs(value: unknown, name: string): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < MS_PER_DAY) return value as number
  throw mismatch(name, 'an integer of milliseconds since midnight', value)
}

/** Microseconds since midnight. */
export function asTimeMicros(value: unknown, name: string): bigint {
  if (typeof value === 'bigint' && value >= 0n && value < BigInt(MS_PER_DAY) * 1000n) return value
  throw mismatch(name, 'a bigint of microseconds since midnight', value)
}

/** Milliseconds since the epoch. */
export function asDateMs(value: unknown, name: string): number {
  if (value instanceof Date || isDate(value)) {
    const ms = value.getTime()
    if (ms === ms) return ms
  }
  throw mismatch(name, 'a valid Date', value)
}
