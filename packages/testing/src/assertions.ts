import type { ErrorKind, MoulinError } from '@moulin/core'
import { internal, isMoulinError, toErrorData } from '@moulin/core'

/** The few assertions of the conformance suites, so that they run under any test runner. All throw code `CONFORMANCE`. */
export function expectTrue(condition: boolean, what: string): asserts condition {
  if (!condition) throw failure(what)
}

/** Compares plain data: primitives by identity, lists and objects by their parts. */
export function expectEqual(actual: unknown, expected: unknown, what: string): void {
  if (!sameData(actual, expected)) throw failure(`${what}: expected ${shown(expected)}, got ${shown(actual)}`)
}

export function expectBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) === 0) return
  let at = 0
  while (actual[at] === expected[at]) at++
  throw failure(`${what}: ${actual.length} bytes, not the ${expected.length} expected; the first other one at ${at}`)
}

/** The error, which must be of this kind and code. */
export async function expectError(
  promise: Promise<unknown>,
  kind: ErrorKind,
  what: string,
  code?: string,
): Promise<MoulinError> {
  const error = await errorOf(promise)
  const wanted = code === undefined ? kind : `${kind} ${code}`
  if (error === undefined) throw failure(`${what}: expected an error of kind ${wanted}, but it succeeded`)
  if (isMoulinError(error) && error.kind === kind && (code === undefined || error.code === code)) return error
  const got = toErrorData(error)
  throw failure(`${what}: expected an error of kind ${wanted}, got ${got.kind} ${got.code}: ${got.message}`, error)
}

/** What the promise was rejected with, or undefined. */
export async function errorOf(promise: Promise<unknown>): Promise<Error | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => (error ?? failure('rejected with nothing')) as Error,
  )
}

export function failure(what: string, cause?: unknown): MoulinError {
  return internal('CONFORMANCE', what, { cause })
}

function sameData(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const [left, right] = [Object.entries(a), Object.entries(b)]
  if (Array.isArray(a) !== Array.isArray(b) || left.length !== right.length) return false
  const others = new Map<string, unknown>(right)
  return left.every(([name, value]) => others.has(name) && sameData(value, others.get(name)))
}

function shown(value: unknown): string {
  const text =
    JSON.stringify(value, (_name, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part)) ?? typeof value
  return text.length > 500 ? `${text.slice(0, 500)}…` : text
}
