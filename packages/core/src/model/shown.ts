import { isBytes, lengthOf } from './given-bytes.ts'

const MAX_CHARACTERS = 120

/**
 * A value from anywhere, for a message: short, on one line, as code would have it where it is plain, and without a call of
 * anything that is its own, for `{"toString":""}` makes a template throw. What was thrown is {@link messageOf}'s.
 */
export function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > MAX_CHARACTERS ? `${value.slice(0, MAX_CHARACTERS)}…` : value)
    case 'bigint':
      return clipped(`${value}n`)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'object':
      return value === null ? 'null' : kindOf(value)
    default:
      return `a ${typeof value}`
  }
}

/** The message of what was thrown, whole; of what is no error, {@link shown}. Asks for one member: errors are made by code, not by bytes. */
export function messageOf(thrown: unknown): string {
  const message: unknown = thrown instanceof Error ? thrown.message : undefined
  return typeof message === 'string' ? message : shown(thrown)
}

function kindOf(value: object): string {
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (isBytes(value)) return `a Uint8Array of ${lengthOf(value)}`
  if (value instanceof Uint8Array) return 'a Uint8Array without its memory'
  for (const [type, name] of named) if (value instanceof type) return name
  return 'an object'
}

const named = [
  [Date, 'a Date'],
  [URL, 'a URL'],
  [Map, 'a Map'],
  [Set, 'a Set'],
  [RegExp, 'a RegExp'],
  [Promise, 'a Promise'],
  [Error, 'an Error'],
] as const

function clipped(text: string): string {
  return text.length <= MAX_CHARACTERS ? text : `${text.slice(0, MAX_CHARACTERS)}…`
}
