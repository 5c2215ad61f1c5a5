import { isMoulinError } from '@moulin/core'

/** Values as the command line prints them: all of it is what JSON has a word for, and one kind of value is always one kind of text. */

/**
 * One line of JSON. 64-bit numbers are decimal strings, since most readers of JSON round them; bytes base64; times ISO text; a map a
 * list of its keys and values; what JSON calls no number (`NaN`) its name.
 */
export function jsonLine(value: object): string {
  return JSON.stringify(plainRow(value))
}

export function plainRow(value: object): Record<string, unknown> {
  const members = Object.entries(value).filter(([, member]) => typeof member !== 'function')
  return Object.fromEntries(members.map(([key, member]) => [key, plainValue(member)]))
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Map) return Array.from(value, ([key, member]) => plainRow({ key, value: member as unknown }))
  if (isMoulinError(value)) return { kind: value.kind, code: value.code, message: value.message }
  if (value instanceof Error) return { message: value.message }
  return Array.isArray(value) ? value.map(plainValue) : plainRow(value)
}

/** One cell of tab-separated lines, from a {@link plainRow}. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'object') return JSON.stringify(value)
  return String(value as string).replaceAll(/[\t\r\n]/g, ' ')
}
