import { corrupt } from './errors.ts'
import { jsonInt64 } from './json.ts'
import type { JsonValue } from './json.ts'
import { shown } from './shown.ts'

export type JsonObject = { readonly [key: string]: JsonValue }

/**
 * The value, if it is what the check says. `what` names the place, so that a person finds it in the file; with a `field`,
 * that of it.
 * @throws `corrupt` with the code of the family.
 */
export type JsonCheck<T> = (value: unknown, what: string, field?: string) => T

/** Checks of parsed JSON, member by member. */
export interface JsonChecks {
  readonly object: JsonCheck<JsonObject>
  readonly array: JsonCheck<readonly JsonValue[]>
  readonly string: JsonCheck<string>
  readonly strings: JsonCheck<readonly string[]>
  readonly boolean: JsonCheck<boolean>
  /** A 32-bit integer. */
  readonly int: JsonCheck<number>
  /** A whole number from 0 to 2^53 − 1. */
  readonly count: JsonCheck<number>
  /** A literal: ids as strings are for other formats. */
  readonly int64: JsonCheck<bigint>
  /** What the checks throw, for one that is not here. */
  fault(value: unknown, what: string, wanted: string): Error
}

/** All of them throw `corrupt` with this code; `int64` what {@link jsonInt64} throws for what is no text. */
export function jsonChecks(code: string): JsonChecks {
  const fault = (value: unknown, what: string, wanted: string, context: { field?: string } = {}): Error => {
    const seen = value === undefined ? 'missing' : shown(value)
    return corrupt(code, `${what} must be ${wanted}; it is ${seen}.`, { context })
  }
  const check =
    <T>(wanted: string, accepts: (value: unknown) => boolean): JsonCheck<T> =>
    (value, what, field) => {
      if (accepts(value)) return value as T
      throw fault(value, placeOf(what, field), wanted, field === undefined ? {} : { field })
    }
  const noText = check<unknown>('a 64-bit integer', (value) => typeof value !== 'string')
  return {
    object: check('an object', (value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
    array: check('a list', Array.isArray),
    string: check('a string', (value) => typeof value === 'string'),
    strings: check(
      'a list of strings',
      (value) => Array.isArray(value) && value.every((member) => typeof member === 'string'),
    ),
    boolean: check('a boolean', (value) => typeof value === 'boolean'),
    int: check('a 32-bit integer', (value) => typeof value === 'number' && (value | 0) === value),
    count: check('a whole number', (value) => Number.isSafeInteger(value) && (value as number) >= 0),
    int64: (value, what, field) => jsonInt64(noText(value, what, field), placeOf(what, field)),
    fault: (value, what, wanted) => fault(value, what, wanted),
  }
}

const placeOf = (what: string, field: string | undefined): string => (field === undefined ? what : `${what}: ${field}`)
