import { parseJson, stringifyJson } from '@moulin/core'
import type { FakeAnswer } from './http-fake.ts'
import { Refusal } from './http-fake.ts'

/** Google's reasons, each with the status that it comes with. Two of them say the same of different things; the message tells which. */
const statuses = {
  authError: 401,
  badRequest: 400,
  conditionNotMet: 412,
  conflict: 409,
  forbidden: 403,
  invalid: 400,
  invalidParameter: 400,
  notFound: 404,
  notImplemented: 501,
  rateLimitExceeded: 429,
  requestedRangeNotSatisfiable: 416,
  required: 400,
  uploadTooLarge: 400,
} as const

export type GcsReason = keyof typeof statuses

const headersOf = (type: string): Record<string, string> => ({
  'content-type': `${type}; charset=UTF-8`,
  'x-guploader-uploadid': 'FAKE-REQUEST-ID',
})

/** An error as the JSON API words it. */
export function gcsError(status: number, reason: string, message: string): FakeAnswer {
  const error = { code: status, message, errors: [{ message, domain: 'global', reason }] }
  return { status, headers: headersOf('application/json'), body: stringifyJson({ error }) }
}

export function gcsRefusal(
  reason: GcsReason,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  const answer = gcsError(statuses[reason], reason, message)
  return new Refusal(reason, { ...answer, headers: { ...answer.headers, ...headers } })
}

/** To a request for bytes the message comes as it is, without JSON. */
export function asMedia(refusal: Refusal): Refusal {
  const { status, body } = refusal.answer
  const { error } = parseJson(body as string, 'an error') as { readonly error: { readonly message: string } }
  return new Refusal(refusal.code, { status, headers: headersOf('text/html'), body: error.message })
}

export function noSuchObject(bucket: string, key: string): Refusal {
  return gcsRefusal('notFound', `No such object: ${bucket}/${key}`)
}

export function noSuchBucket(): Refusal {
  return gcsRefusal('notFound', 'The specified bucket does not exist.')
}

export function gcsJson(value: unknown, status = 200): FakeAnswer {
  return { status, headers: headersOf('application/json'), body: stringifyJson(value) }
}
