import { failureOf, withOutcome } from '@moulin/core'
import type { MoulinError, StoreCall } from '@moulin/core'
import { s3Answers } from './s3-answers.ts'

/** What the SDK throws, as far as it is looked at: the rest holds the request. */
interface Thrown {
  readonly name?: unknown
  readonly code?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string; readonly attempts?: number }
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> }
}

/** Codes that come without a status, in the answer to a batch of deletes. */
const statusOfCode: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  InternalError: 500,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  SlowDown: 503,
}

/** The error of ours for what the SDK threw. A condition that failed after the SDK had sent the request more than once may have failed by its own first sending. */
export function s3Failure(store: string, thrown: unknown, call: StoreCall, key: string | undefined): MoulinError {
  const { name, code, $metadata = {}, $response } = (thrown ?? {}) as Thrown
  const word = text(name) ?? text(code)
  const seconds = Number($response?.headers?.['retry-after'])
  const error = failureOf(s3Answers, {
    store,
    call,
    ...(key === undefined ? {} : { key }),
    status: $metadata.httpStatusCode ?? statusOfCode[word ?? ''],
    code: word,
    name: text(code) ?? word,
    requestId: $metadata.requestId,
    retryAfterMs: seconds > 0 ? seconds * 1_000 : undefined,
  })
  const isConditional = call === 'create' || call === 'swap'
  return isConditional && ($metadata.attempts ?? 1) > 1 ? (withOutcome(error, 'unknown') as MoulinError) : error
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== 'Error' ? value : undefined
}
