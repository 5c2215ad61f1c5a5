import { invalid, isKind, parseJson } from '@moulin/core'
import type { JsonValue } from '@moulin/core'

/** Of a body that nobody here looks into. @throws `invalid` code `BAD_REQUEST` for what is no object. */
export function jsonBody(what: string, bytes: Uint8Array): JsonValue {
  let value: JsonValue | undefined
  try {
    value = parseJson(bytes, what, Infinity)
  } catch (error) {
    if (!isKind(error, 'corrupt')) throw error
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw invalid('BAD_REQUEST', `${what} is no object in JSON.`)
}
