import { isMap } from 'node:util/types'
import { INT64_MAX, INT64_MIN, invalid, isBytes, lengthOf, type Field, type Type, shown, dateMs } from '@moulin/core'
import { comparableKey } from './nested-values.ts'
import { MS_PER_DAY, parseDate, parseDecimal } from './scalars.ts'
import { memberPath, type ValuePath } from './value-path.ts'

/** Reads the fields of a value one after another, and tells unknown ones (DETAILS, "Schemas"). */
export interface ValueFields {
  /** The field's value; null for absent or undefined. */
  readonly read: (value: object, index: number) => unknown
  /** @throws `invalid` naming the first field of the value that the schema does not have; `present` counts the others. */
  readonly checkKnown: (value: object, present: number) => void
}

/** Without `path`, of the whole value. */
export function valueFields(fields: readonly Field[], path?: ValuePath): ValueFields {
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
      for (const key in value) if (!known.has(key)) throw unknownField(key, names, path)
    },
  }
}

function unknownField(key: string, names: readonly string[], path: ValuePath | undefined): Error {
  const what = path === undefined ? 'The value' : `The field ${String(path)}`
  const message = `${what} has a field ${JSON.stringify(key)} that its schema does not: ${names.join(', ')}.`
  return invalid('VALUE', message, { context: { field: String(memberPath(path, key)) } })
}

/** @throws `invalid` when a value is no object at all. */
export function checkObject(value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('VALUE', `A value must be an object with the fields of its schema, not ${shown(value)}.`)
  }
}

export function missing(path: ValuePath): Error {
  const field = String(path)
  return invalid('VALUE', `The field ${field} is required and missing.`, { context: { field } })
}

/** The error for a column that SQL left without a value where the schema wants one. */
export function nullInColumn(path: string): Error {
  const message = `The column ${path} is null in a row whose value schema requires it, so the value has no encoding.`
  return invalid('COLUMN_NULL', message, { context: { field: path } })
}

/** The error for a value of the wrong kind. */
export function mismatch(path: ValuePath, what: string, value: unknown): Error {
  const field = String(path)
  return invalid('VALUE', `The field ${field} must be ${what}, not ${shown(value)}.`, { context: { field } })
}

/**
 * Looks at the keys of one map after another, each checked already as its type demands.
 * @throws `invalid` for two that JavaScript tells apart and their encoding does not, such as equal Dates.
 */
export function keyChecker(type: Type, path: ValuePath): () => (key: unknown) => void {
  const comparable = comparableKey(type)
  if (comparable === undefined) return () => () => {}
  return () => {
    const seen = new Set<unknown>()
    return (key) => {
      if (seen.size === seen.add(comparable(key)).size) throw repeatedKey(path, key)
    }
  }
}

function repeatedKey(path: ValuePath, key: unknown): Error {
  const field = String(path)
  return invalid('VALUE', `The field ${field} is a map with the key ${shown(key)} twice.`, { context: { field } })
}

export function asObject(value: unknown, path: ValuePath): object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw mismatch(path, 'an object with the fields of its struct', value)
}

export function asArray(value: unknown, path: ValuePath): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw mismatch(path, 'an array', value)
}

export function asMap(value: unknown, path: ValuePath): ReadonlyMap<unknown, unknown> {
  if (isMap(value)) return value as ReadonlyMap<unknown, unknown>
  throw mismatch(path, 'a Map', value)
}

// One checker per kind: gives the value back in the form that encoders take, or throws naming the field.

export function asBoolean(value: unknown, name: ValuePath): boolean {
  if (typeof value === 'boolean') return value
  throw mismatch(name, 'a boolean', value)
}

export function asInt(value: unknown, name: ValuePath): number {
  if (typeof value === 'number' && value === (value | 0)) return value
  throw mismatch(name, 'an integer of 32 bits', value)
}

export function asInt53(value: unknown, name: ValuePath): number {
  if (Number.isSafeInteger(value)) return value as number
  throw mismatch(name, 'a safe integer', value)
}

export function asLong(value: unknown, name: ValuePath): bigint {
  if (typeof value === 'bigint' && value >= INT64_MIN && value <= INT64_MAX) return value
  throw mismatch(name, 'a bigint of 64 bits', value)
}

export function asFloat(value: unknown, name: ValuePath): number {
  const isFloat = typeof value === 'number' && (Number.isFinite(Math.fround(value)) || !Number.isFinite(value))
  if (isFloat) return value
  throw mismatch(name, 'a number in the range of 32-bit floats', value)
}

export function asDouble(value: unknown, name: ValuePath): number {
  if (typeof value === 'number') return value
  throw mismatch(name, 'a number', value)
}

export function asString(value: unknown, name: ValuePath): string {
  if (typeof value === 'string' && value.isWellFormed()) return value
  throw mismatch(name, 'a string without half surrogate pairs', value)
}

export function asBytes(value: unknown, name: ValuePath): Uint8Array {
  if (isBytes(value)) return value
  throw mismatch(name, 'a Uint8Array', value)
}

export function asFixed(value: unknown, name: ValuePath, size: number): Uint8Array {
  if (isBytes(value) && lengthOf(value) === size) return value
  throw mismatch(name, `a Uint8Array of ${size} bytes`, value)
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Lower case. */
export function asUuid(value: unknown, name: ValuePath): string {
  if (typeof value === 'string' && uuidPattern.test(value)) return value.toLowerCase()
  throw mismatch(name, 'a UUID', value)
}

/** Days since 1970-01-01. */
export function asDays(value: unknown, name: ValuePath): number {
  const days = typeof value === 'string' ? parseDate(value) : undefined
  if (days !== undefined) return days
  throw mismatch(name, 'a date such as "2026-01-31"', value)
}

/** Unscaled. */
export function asDecimal(value: unknown, name: ValuePath, precision: number, scale: number): bigint {
  const unscaled = typeof value === 'string' ? parseDecimal(value, precision, scale) : undefined
  if (unscaled !== undefined) return unscaled
  throw mismatch(name, `a decimal string of at most ${precision} digits, ${scale} of them behind the point`, value)
}

/** Milliseconds since midnight. */
export function asTimeMs(value: unknown, name: ValuePath): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) < MS_PER_DAY) return value as number
  throw mismatch(name, 'an integer of milliseconds since midnight', value)
}

/** Microseconds since midnight. */
export function asTimeMicros(value: unknown, name: ValuePath): bigint {
  if (typeof value === 'bigint' && value >= 0n && value < BigInt(MS_PER_DAY) * 1000n) return value
  throw mismatch(name, 'a bigint of microseconds since midnight', value)
}

/** Milliseconds since the epoch. */
export function asDateMs(value: unknown, name: ValuePath): number {
  const ms = dateMs(value)
  if (ms === ms) return ms
  throw mismatch(name, 'a valid Date', value)
}
