import { failureOf } from '@moulin/core'
import type { MoulinError, StoreCall } from '@moulin/core'
import { gcsAnswers, OWN_CODES } from './gcs-answers.ts'

/** What the SDK throws, as far as it is looked at: the rest holds the request. */
interface Thrown {
  readonly name?: unknown
  readonly message?: unknown
  /** A status of HTTP, or the system's word for a connection that broke. */
  readonly code?: unknown
  readonly status?: unknown
  readonly errors?: unknown
  readonly response?: {
    readonly status?: unknown
    readonly headers?: unknown
    readonly data?: { readonly error?: unknown }
  }
}

/** Google documents one write per second of one name, and need not say it again in a header. */
const NAME_REST_MS = 1_000

/** The error of ours for what the SDK threw. */
export function gcsFailure(store: string, thrown: unknown, call: StoreCall, key: string | undefined): MoulinError {
  const status = statusOf(thrown)
  const { name, code } = (thrown ?? {}) as Thrown
  const seconds = Number(headerOf(thrown, 'retry-after'))
  const isWrite = call !== 'get' && call !== 'head' && call !== 'list'
  return failureOf(gcsAnswers, {
    store,
    call,
    ...(key === undefined ? {} : { key }),
    status,
    code: codeOf(thrown),
    name: typeof code === 'string' ? code : typeof name === 'string' && name !== 'Error' ? name : undefined,
    requestId: headerOf(thrown, 'x-guploader-uploadid'),
    retryAfterMs: seconds > 0 ? seconds * 1_000 : status === 429 && isWrite ? NAME_REST_MS : undefined,
  })
}

/** Of HTTP, as the SDK and its authentication each say it. */
export function statusOf(thrown: unknown): number | undefined {
  const { code, status, response } = (thrown ?? {}) as Thrown
  return [code, status, response?.status].find((value): value is number => typeof value === 'number')
}

/** Whether the answer says that this very object is missing: of other words for 404 nobody knows what they are about. */
export function saysNoObject(thrown: unknown): boolean {
  return statusOf(thrown) === 404 && /^No such object: /.test(messageOf(thrown))
}

export function saysNoBucket(thrown: unknown): boolean {
  return statusOf(thrown) === 404 && codeOf(thrown) === OWN_CODES.bucketMissing
}

function codeOf(thrown: unknown): string | undefined {
  const { code, errors, response } = (thrown ?? {}) as Thrown
  const status = statusOf(thrown)
  const message = messageOf(thrown)
  if (status === 404 && /\bbucket does not exist\b/i.test(message)) return OWN_CODES.bucketMissing
  if (status === 400 && /\brequester pays\b/i.test(message)) return OWN_CODES.payer
  if (status === 400 && /^Provided (CRC32C|MD5 hash) /.test(message)) return OWN_CODES.checksum
  if (status === undefined && /\b(default credentials|refresh token|access token)\b/i.test(message))
    return OWN_CODES.credentials
  // A private key that is none.
  if (typeof code === 'string' && code.startsWith('ERR_OSSL_')) return OWN_CODES.credentials
  // RFC 6749 §5.2: of the token endpoint.
  const answered = response?.data?.error
  if (typeof answered === 'string') return answered
  const [first] = Array.isArray(errors) ? (errors as readonly unknown[]) : []
  const reason = (first as { readonly reason?: unknown } | undefined)?.reason
  return typeof reason === 'string' ? reason : undefined
}

function messageOf(thrown: unknown): string {
  const { message } = (thrown ?? {}) as Thrown
  return typeof message === 'string' ? message : ''
}

export function headerOf(thrown: unknown, name: string): string | undefined {
  const headers = ((thrown ?? {}) as Thrown).response?.headers
  if (headers instanceof Headers) return headers.get(name) ?? undefined
  const value = (headers as Readonly<Record<string, unknown>> | undefined)?.[name]
  return typeof value === 'string' ? value : undefined
}
