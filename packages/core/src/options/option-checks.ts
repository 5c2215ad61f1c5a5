import type { FileCaps } from '../model/format-caps.ts'
import { isBytes } from '../model/given-bytes.ts'
import { defaultLimits, INT64_MAX, INT64_MIN, type Limits } from '../model/limits.ts'
import { isObject, type OptionCheck, type OptionTable } from './options.ts'
import { shown } from '../model/shown.ts'

/**
 * The kinds of values that options take, for the tables of {@link checkOptions}. None calls a method of the value that it looks at.
 */

/** One of these very values. */
export function oneOf(...values: readonly (string | number | boolean)[]): OptionCheck {
  const listed = values.map((value) => (typeof value === 'string' ? `'${value}'` : shown(value)))
  const last = listed.pop()!
  const expected = listed.length === 0 ? last : `${listed.join(', ')} or ${last}`
  return { expected, accepts: (value) => values.includes(value as string) }
}

export const flag: OptionCheck = oneOf(true, false)

/** A whole number, both ends included. `unit` is what it counts. */
export function integer(unit: string, min: number, max: number = Number.MAX_SAFE_INTEGER): OptionCheck {
  return {
    expected: `a whole number${unit === '' ? '' : ` of ${unit}`} ${rangeText(min, max, Number.MAX_SAFE_INTEGER)}`,
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max,
  }
}

/** A share of some number of bytes: it need not be a whole one. */
export const aboutBytes: OptionCheck = {
  expected: 'a number of bytes from 0',
  accepts: (value) => typeof value === 'number' && value >= 0 && value < Infinity,
}
export const positiveBytes: OptionCheck = integer('bytes', 1)

/** A finite duration, fractions included. */
export function milliseconds(min: number = 0, max: number = Number.MAX_SAFE_INTEGER): OptionCheck {
  return {
    expected: `a number of milliseconds ${rangeText(min, max, Number.MAX_SAFE_INTEGER)}`,
    accepts: (value) => typeof value === 'number' && value >= min && value <= max,
  }
}

function rangeText(min: number, max: number, unbounded: number): string {
  return max === unbounded ? `from ${min}` : `from ${min} to ${max}`
}

/** A 64-bit integer as a bigint: an offset, an id. */
export function int64(what: string, min: bigint = 0n): OptionCheck {
  return {
    expected: `${what}: a ${min === INT64_MIN ? '64-bit bigint' : `bigint from ${min}n`}`,
    accepts: (value) => typeof value === 'bigint' && value >= min && value <= INT64_MAX,
  }
}

export const text: OptionCheck = { expected: 'a string', accepts: (value) => typeof value === 'string' }

/** A string that is not empty. */
export function textOf(what: string): OptionCheck {
  return { expected: `${what}, a string`, accepts: (value) => typeof value === 'string' && value !== '' }
}

export const bytes: OptionCheck = { expected: 'a Uint8Array', accepts: isBytes }

export const nothing: OptionCheck = { expected: 'null', accepts: (value) => value === null }

export const iterable: OptionCheck = {
  expected: 'an iterable, such as an array',
  accepts: (value) => typeof value === 'object' && value !== null && Symbol.iterator in value,
}

export const callback: OptionCheck = { expected: 'a function', accepts: (value) => typeof value === 'function' }

/** A part with these methods, made by somebody: a store, a codec, a clock. */
export function door(what: string, methods: readonly string[], fields: readonly string[] = []): OptionCheck {
  const own = (value: object, name: string): unknown => (value as Record<string, unknown>)[name]
  return {
    expected: `${what}, an object with ${[...fields, ...methods].join(', ')}`,
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      methods.every((name) => typeof own(value, name) === 'function') &&
      fields.every((name) => own(value, name) !== undefined),
  }
}

export const abortSignal: OptionCheck = door('an AbortSignal', ['addEventListener'], ['aborted'])

/** Any object that is not an array. */
export function objectOf(what: string): OptionCheck {
  return {
    expected: what,
    accepts: isObject,
  }
}

/** Options below an option. `code` of their errors: default `OPTION`. */
export function nested<T extends object>(table: OptionTable<T>, code?: string): OptionCheck {
  const checks = Object.entries<OptionCheck>(table as never)
  const names = checks.map(([name]) => name)
  return {
    expected: `an object of ${names.slice(0, 8).join(', ')}${names.length > 8 ? ', …' : ''}`,
    accepts: (value) =>
      isObject(value) &&
      Object.keys(value).every((name) => names.includes(name)) &&
      checks.every(([name, check]) => {
        const member = (value as Record<string, unknown>)[name]
        return member === undefined ? check.isRequired !== true : check.accepts(member)
      }),
    table: table as never,
    ...(code === undefined ? {} : { code }),
  }
}

/** An array, each item as `item` says. */
export function listOf(item: OptionCheck): OptionCheck {
  return {
    expected: `an array, each item ${item.expected}`,
    accepts: (value) => Array.isArray(value) && value.every((each) => item.accepts(each)),
  }
}

/** An object with any names, each value as `item` says. */
export function recordOf(item: OptionCheck): OptionCheck {
  return {
    expected: `an object, each value ${item.expected}`,
    accepts: (value) => isObject(value) && Object.values(value).every((each) => item.accepts(each)),
  }
}

export function anyOf(...checks: readonly OptionCheck[]): OptionCheck {
  const table = checks.find((check) => check.table !== undefined)?.table
  return {
    expected: checks.map(({ expected }) => expected).join(', or '),
    accepts: (value) => checks.some((check) => check.accepts(value)),
    // What is wrong in an object is said of its member.
    ...(table === undefined ? {} : { table }),
  }
}

/** Of something that may hold a secret: whatever somebody gives in its place is not shown. */
export function secret(check: OptionCheck): OptionCheck {
  return { ...check, isSecret: true }
}

export function required(check: OptionCheck): OptionCheck {
  return { ...check, isRequired: true }
}

/** What `folderOf` understands; it says more of a bad one itself. */
export const place: OptionCheck = {
  expected: "a folder's path, a file: URL or a URL object",
  accepts: (value) => (typeof value === 'string' && value !== '') || value instanceof URL,
}

/** The module that worker threads run. */
export const moduleUrl: OptionCheck = {
  expected: 'the URL of a module, a URL object',
  accepts: (value) => value instanceof URL,
}

/** A module of the application that worker threads import: no other scheme is one everywhere. */
export const importUrl: OptionCheck = {
  expected: "a file: or data: URL object, such as new URL('./feed.ts', import.meta.url)",
  accepts: (value) => value instanceof URL && (value.protocol === 'file:' || value.protocol === 'data:'),
}

/** Limits by name; the rules between them are those who use them to check. */
export const someLimits: OptionCheck = nested<Limits>(
  Object.fromEntries(
    Object.keys(defaultLimits).map((name) => [name, integer(name.endsWith('Ms') ? 'ms' : '', 1)]),
  ) as unknown as OptionTable<Limits>,
  'LIMIT',
)
/** Caps of files by name, lower than the format's own. */
export const someCaps: OptionCheck = nested<FileCaps>({
  maxAvroBlockBytes: integer('bytes', 1),
  maxAvroFileBytes: integer('bytes', 1),
  maxParquetFooterBytes: integer('bytes', 1),
  maxParquetColumns: integer('', 1),
  maxParquetRowGroups: integer('', 1),
  maxParquetRowGroupRows: integer('', 1),
  maxParquetPageBytes: integer('bytes', 1),
})
export const storeCheck: OptionCheck = door(
  'an ObjectStore',
  ['get', 'getRanges', 'head', 'put', 'putStream', 'delete', 'deleteMany', 'list'],
  ['root'],
)
export const catalogCheck: OptionCheck = door('a Catalog', ['createTable', 'loadTable', 'commitTable'])
export const clockCheck: OptionCheck = door('a Clock', ['now'])
export const randomCheck: OptionCheck = door('a Random', ['uuid', 'bytes'])
export const timersCheck: OptionCheck = door('the Timers', ['after'])
export const filesCheck: OptionCheck = door('the disk as Files', ['open', 'readdir', 'rename', 'link'])
export const loggerCheck: OptionCheck = door('a Logger', ['debug', 'info', 'warn', 'error'])
export const meterCheck: OptionCheck = door('a Meter', ['counter', 'histogram', 'gauge'])
/** A runtime, of which only these doors are used. */
export const runtimeOf = (...doors: readonly string[]): OptionCheck => door('a Runtime', [], doors)
const everyDoor = runtimeOf('clock', 'random', 'timers', 'logger', 'files', 'threads', 'process')
export const runtimeCheck: OptionCheck = {
  expected: `${everyDoor.expected}, and perhaps meter, ${meterCheck.expected}`,
  accepts(value) {
    if (!everyDoor.accepts(value)) return false
    const { meter } = value as { readonly meter?: unknown }
    return meter === undefined || meterCheck.accepts(meter)
  },
}
export const codecCheck: OptionCheck = door('a Codec', ['encode', 'decode'], ['format', 'schema'])
/** What most calls take. */
export const signalOnly: OptionTable<{ readonly signal?: AbortSignal }> = { signal: abortSignal }
