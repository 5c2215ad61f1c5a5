import { isMoulinError } from '@moulin/core'

/**
 * The same object, which `JSON.stringify` can write: 64-bit numbers as decimal strings, errors as kind, code and message. The member that
 * does it is not enumerable, so that the object is shown and compared as before.
 */
export function asPlainJson<T extends object>(value: T): T {
  Object.defineProperty(value, 'toJSON', { value: () => plain(value), enumerable: false })
  return value
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Error) {
    const { message } = value
    return isMoulinError(value) ? { kind: value.kind, code: value.code, message } : { message }
  }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]))
}
