import { failureOf, withOutcome } from '@moulin/core'
import type { MoulinError, StoreCall } from '@moulin/core'
import { s3Answers } from './s3-answers.ts'

/** What the SDK throws, as far as it is looked at: the rest holds the request. */
interface Thrown {
  readonly name?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string; readonly attempts?: number }
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> }
}

/** What the SDK says, by no other mark, where neither an option nor its own chain names a region. */
const NO_REGION = 'Region is missing'

/** Codes that come without a status, in the answer to a batch of deletes. */
const statusOfCode: ReadonlyMap<string, number> = new Map([
  ['AccessDenied', 403],
  ['InternalError', 500],
  ['NoSuchBucket', 404],
  ['NoSuchKey', 404],
  ['SlowDown', 503],
])

const writes: ReadonlySet<StoreCall> = new Set(['create', 'swap', 'overwrite', 'delete'])

/** The error of ours for what the SDK threw. A write that the SDK sent more than once may have been done by an earlier sending, whatever the last one heard. */
export function s3Failure(store: string, thrown: unknown, call: StoreCall, key: string | undefined): MoulinError {
  const { name, code, message, $metadata = {}, $response } = (thrown ?? {}) as Thrown
  const status = $metadata.httpStatusCode ?? statusOfCode.get(text(name) ?? '')
  // Without an answer the word of the network says more than the class of the error.
  const word = message === NO_REGION ? 'RegionMissing' : status === undefined ? (text(code) ?? text(name)) : text(name)
  const seconds = Number($response?.headers?.['retry-after'])
  const error = failureOf(s3Answers, {
    store,
    call,
    ...(key === undefined ? {} : { key }),
    status,
    code: word ?? text(code),
    name: text(code) ?? text(name),
    requestId: $metadata.requestId,
    retryAfterMs: seconds > 0 ? seconds * 1_000 : undefined,
  })
  const isRepeated = writes.has(call) && ($metadata.attempts ?? 1) > 1
  return isRepeated ? (withOutcome(error, 'unknown') as MoulinError) : error
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== 'Error' ? value : undefined
}
