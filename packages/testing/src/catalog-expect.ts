import type { ErrorKind, MoulinError } from '@moulin/core'
import { isMoulinError, parseJson, stringifyJson } from '@moulin/core'
import { errorOf, failure } from './assertions.ts'

/** The error, which must be of one of these kinds. */
export async function expectOneOf(
  call: Promise<unknown>,
  kinds: readonly ErrorKind[],
  what: string,
): Promise<MoulinError> {
  const error = await errorOf(call)
  if (isMoulinError(error) && kinds.includes(error.kind)) return error
  throw failure(`${what}: wanted an error of kind ${kinds.join(' or ')}, got ${String(error ?? 'none')}`, error)
}

/** A deep copy through JSON, as any catalog's answer has gone. */
export function copyOf<T>(value: T): T {
  return parseJson(stringifyJson(value), 'copy') as T
}
