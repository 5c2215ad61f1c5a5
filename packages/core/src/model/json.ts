import { corrupt, exhausted } from './errors.ts'
import { formatCaps } from './format-caps.ts'

/** JSON in which an integer beyond ±(2^53 − 1) is a bigint, so that a 64-bit id survives. */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | { [key: string]: JsonValue }

type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown
type RawJson = { rawJSON(text: string): unknown }

const integer = /^-?\d+$/

// Safe integers stay numbers; any other integer literal is taken from its source text. An object has the members of its
// text and no others: `constructor` is one like any.
const reviver: Reviver = (_key, value, context) => {
  if (typeof value === 'number') {
    const { source } = context
    return !Number.isSafeInteger(value) && source !== undefined && integer.test(source) ? BigInt(source) : value
  }
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.setPrototypeOf(value, null)
    : value
}

/**
 * Parses JSON text or UTF-8 bytes without losing 64-bit integers. Objects have no prototype.
 * @throws `corrupt` when it is not JSON, `exhausted` above `maxBytes` (default {@link FormatCaps.maxJsonBytes}).
 */
export function parseJson(
  input: string | Uint8Array,
  what: string,
  maxBytes: number = formatCaps.maxJsonBytes,
): JsonValue {
  if (input.length > maxBytes) {
    throw exhausted('JSON_TOO_LARGE', `${what} has ${input.length} bytes; the limit maxJsonBytes is ${maxBytes}.`)
  }
  try {
    const text = typeof input === 'string' ? input : new TextDecoder('utf-8', { fatal: true }).decode(input)
    return JSON.parse(text, reviver as never) as JsonValue
  } catch (cause) {
    // Of what it quotes, line breaks and other control characters have no place in a sentence.
    const fault = (cause as Error).message.replaceAll(/[\p{Cc}\s]+/gu, ' ')
    throw corrupt('JSON_MALFORMED', `${what} is not valid JSON: ${fault}.`, { cause })
  }
}

/** Writes JSON; a bigint becomes an integer literal. `undefined` members are left out. */
export function stringifyJson(value: unknown, indent?: number): string {
  const replace = (_key: string, member: unknown): unknown =>
    typeof member === 'bigint' ? (JSON as unknown as RawJson).rawJSON(member.toString()) : member
  return JSON.stringify(value, replace, indent)
}

/** {@link stringifyJson} as UTF-8 bytes. */
export function jsonBytes(value: unknown, indent?: number): Uint8Array {
  return new TextEncoder().encode(stringifyJson(value, indent))
}

/** A field of parsed JSON that must be a 64-bit integer, given as literal or decimal string. */
export function jsonInt64(value: unknown, what: string): bigint {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? value : badInt64(value, what)
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === 'string' && integer.test(value)) return jsonInt64(BigInt(value), what)
  return badInt64(value, what)
}

function badInt64(value: unknown, what: string): never {
  // As JSON: text of a stranger's object would be made by its own members, `toString` among them.
  throw corrupt('JSON_FIELD', `${what} must be a 64-bit integer, not ${stringifyJson(value)}.`)
}
