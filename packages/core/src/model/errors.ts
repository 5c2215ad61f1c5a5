import { messageOf } from './shown.ts'

/**
 * Errors that answer two questions: what should the caller do now (`kind`), and may it have happened anyway (`outcome`).
 */

/**
 * What the caller can do about an error. Few and stable: branch on these.
 *
 * - `invalid`: the call or its input is wrong; change it.
 * - `not-found`, `exists`: the named thing is absent, or there already.
 * - `conflict`: the state moved under the call, or contradicts it; re-read and decide.
 * - `fenced`: a newer writer took over; shut this instance down.
 * - `closed`: the object was closed (or failed for good); open a new one.
 * - `aborted`: the caller's own signal.
 * - `unavailable`: an environment fault; later may work.
 * - `exhausted`: a named limit, or a full disk.
 * - `corrupt`: stored bytes are not what was written; `context` names where.
 * - `unsupported`: valid, but not by this version.
 * - `internal`: a bug of ours.
 */
export type ErrorKind =
  | 'invalid'
  | 'not-found'
  | 'exists'
  | 'conflict'
  | 'fenced'
  | 'closed'
  | 'aborted'
  | 'unavailable'
  | 'exhausted'
  | 'corrupt'
  | 'unsupported'
  | 'internal'

/** `rejected`: it did not happen and never will. `unknown`: it may have happened, once. */
export type Outcome = 'rejected' | 'unknown'

export type ErrorContext = Readonly<Record<string, string | number | bigint | boolean | null | undefined>>

export interface ErrorOptions {
  /** Default `rejected`. */
  readonly outcome?: Outcome
  /** May the same call be tried again as it is? Default: only for `unavailable` that was rejected. */
  readonly retryable?: boolean
  /** Facts for machines and logs: keys, ranges, limits, the current value. Never a secret. */
  readonly context?: ErrorContext
  readonly cause?: unknown
}

const brand = Symbol.for('moulin.error')

/** The one error class. Recognise it with {@link isMoulinError}: two copies of core may be installed, so `instanceof` lies. */
export class MoulinError extends Error {
  readonly kind: ErrorKind
  /** Names the case, e.g. `LINEAGE_BROKEN`. Stable; messages are not. */
  readonly code: string
  readonly outcome: Outcome
  readonly retryable: boolean
  readonly context: ErrorContext

  constructor(kind: ErrorKind, code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MoulinError'
    this.kind = kind
    this.code = code
    this.outcome = options.outcome ?? 'rejected'
    this.retryable = options.retryable ?? (kind === 'unavailable' && this.outcome === 'rejected')
    this.context = options.context ?? {}
    Object.defineProperty(this, brand, { value: true })
  }
}

/** True for an error of any copy of this library. */
export function isMoulinError(error: unknown): error is MoulinError {
  return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[brand] === true
}

/** True for an error of ours with this kind and, if given, this code. */
export function isKind(error: unknown, kind: ErrorKind, code?: string): error is MoulinError {
  return isMoulinError(error) && error.kind === kind && (code === undefined || error.code === code)
}

/** True for an error of ours with this outcome. */
export function hasOutcome(error: unknown, outcome: Outcome): error is MoulinError {
  return isMoulinError(error) && error.outcome === outcome
}

const unreadable: ReadonlySet<ErrorKind> = new Set(['not-found', 'corrupt', 'unsupported', 'exhausted'])

/** The error is of the file that was read, and it comes again however often that is read; another one says nothing of the file. */
export function isUnreadable(error: unknown): boolean {
  if (isKind(error, 'invalid', 'OUTSIDE_STORE')) return true
  return isMoulinError(error) && unreadable.has(error.kind) && !isKind(error, 'exhausted', 'NO_SPACE')
}

/** True for the error of a create after which the thing may be there all the same, of another or of this very call: look. */
export function mayBeThere(error: unknown): error is MoulinError {
  return isKind(error, 'exists') || hasOutcome(error, 'unknown')
}

/**
 * The same error with another outcome, for a caller that knows better than the call that failed whether it took effect.
 * What is no error of ours passes as it is. `retryable` as in {@link ErrorOptions}.
 */
export function withOutcome<E>(error: E, outcome: Outcome, retryable?: boolean): E | MoulinError {
  if (!isMoulinError(error)) return error
  if (error.outcome === outcome && (retryable ?? error.retryable) === error.retryable) return error
  const { kind, code, message, context } = error
  const again = retryable === undefined ? {} : { retryable }
  return new MoulinError(kind, code, message, { context, outcome, cause: error, ...again })
}

/** A plain-data form that crosses a worker boundary; {@link fromErrorData} brings it back. */
export interface ErrorData {
  readonly kind: ErrorKind
  readonly code: string
  readonly message: string
  readonly outcome: Outcome
  readonly retryable: boolean
  readonly context: ErrorContext
  readonly stack?: string
}

export function toErrorData(error: unknown): ErrorData {
  if (isMoulinError(error)) {
    const { kind, code, message, outcome, retryable, context } = error
    return { kind, code, message, outcome, retryable, context, ...(error.stack ? { stack: error.stack } : {}) }
  }
  const message = messageOf(error)
  const stack = error instanceof Error ? error.stack : undefined
  return {
    kind: 'internal',
    code: 'UNEXPECTED',
    message,
    outcome: 'unknown',
    retryable: false,
    context: {},
    ...(stack ? { stack } : {}),
  }
}

/** `cause`, where it has crossed as well. */
export function fromErrorData(data: ErrorData, cause?: unknown): MoulinError {
  const error = new MoulinError(data.kind, data.code, data.message, { ...data, cause })
  if (data.stack !== undefined) error.stack = data.stack
  return error
}

type Raise = (code: string, message: string, options?: ErrorOptions) => MoulinError
const raise =
  (kind: ErrorKind): Raise =>
  (code, message, options) =>
    new MoulinError(kind, code, message, options)

export const invalid: Raise = raise('invalid')
export const notFound: Raise = raise('not-found')
export const exists: Raise = raise('exists')
export const conflict: Raise = raise('conflict')
export const fenced: Raise = raise('fenced')
export const closed: Raise = raise('closed')
export const aborted: Raise = raise('aborted')
export const unavailable: Raise = raise('unavailable')
export const exhausted: Raise = raise('exhausted')
export const corrupt: Raise = raise('corrupt')
export const unsupported: Raise = raise('unsupported')
export const internal: Raise = raise('internal')

/** For programmer errors; stays on in production. One property per assertion. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw internal('ASSERTION', `Broken assumption: ${what}. This is a bug; please report it.`)
}

/** Throws `aborted` when the caller's signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw aborted('ABORTED', 'The call was aborted by its signal.', { cause: signal.reason as unknown })
  }
}
