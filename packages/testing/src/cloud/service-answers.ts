import { stringifyJson } from '@moulin/core'
import type { FakeAnswer } from './http-fake.ts'
import type { CloudDialect } from './request-kind.ts'
import { s3Error } from './s3-answers.ts'
import { xmlDocument } from './xml.ts'

/**
 * What a service says when it does not do what it was asked, in one word for all of them.
 *
 * - `precondition`: 412. `conflict`: 409, something else was at it (of Azure: it is there already).
 * - `throttled`: 429. `busy`: 503, of Amazon `SlowDown`. `error`: 500.
 * - `forbidden`: 403. `expired`: credentials that have run out. `wrong-region`: signed for another place.
 * - `html`: 502 and a page of some gateway, which is no answer of the service at all.
 */
export type ServiceAnswerName =
  'precondition' | 'conflict' | 'throttled' | 'busy' | 'error' | 'forbidden' | 'expired' | 'wrong-region' | 'html'

/** Any other. With a `code` the body is the service's own form of an error, else it is `body`. */
export interface ServiceAnswer {
  readonly status: number
  readonly code?: string
  readonly message?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

type Row = readonly [status: number, code: string]

/** The table: by word, what Amazon, Google and Microsoft say. */
export const serviceAnswers: Readonly<Record<Exclude<ServiceAnswerName, 'html'>, Readonly<Record<CloudDialect, Row>>>> =
  {
    precondition: {
      s3: [412, 'PreconditionFailed'],
      gcs: [412, 'conditionNotMet'],
      azure: [412, 'ConditionNotMet'],
    },
    conflict: {
      s3: [409, 'ConditionalRequestConflict'],
      gcs: [409, 'conflict'],
      azure: [409, 'BlobAlreadyExists'],
    },
    throttled: {
      s3: [429, 'TooManyRequests'],
      gcs: [429, 'rateLimitExceeded'],
      azure: [429, 'TooManyRequests'],
    },
    busy: { s3: [503, 'SlowDown'], gcs: [503, 'backendError'], azure: [503, 'ServerBusy'] },
    error: { s3: [500, 'InternalError'], gcs: [500, 'internalError'], azure: [500, 'InternalError'] },
    forbidden: { s3: [403, 'AccessDenied'], gcs: [403, 'forbidden'], azure: [403, 'AuthorizationFailure'] },
    expired: { s3: [400, 'ExpiredToken'], gcs: [401, 'authError'], azure: [403, 'AuthenticationFailed'] },
    'wrong-region': {
      s3: [400, 'AuthorizationHeaderMalformed'],
      gcs: [400, 'invalid'],
      azure: [400, 'InvalidHeaderValue'],
    },
  }

export const serviceAnswerNames: readonly ServiceAnswerName[] = [
  ...(Object.keys(serviceAnswers) as (keyof typeof serviceAnswers)[]),
  'html',
]

export function serviceAnswer(answer: ServiceAnswerName | ServiceAnswer, dialect: CloudDialect): FakeAnswer {
  if (answer === 'html') {
    const body = '<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>'
    return { status: 502, headers: { 'content-type': 'text/html' }, body }
  }
  if (typeof answer === 'string') {
    const [status, code] = serviceAnswers[answer][dialect]
    return errorOf(dialect, status, code, `By order of a test: ${answer}.`)
  }
  const { status, code, message = 'By order of a test.', headers = {}, body = '' } = answer
  const base = code === undefined ? { status, headers: {}, body } : errorOf(dialect, status, code, message)
  return { ...base, headers: { ...base.headers, ...headers } }
}

function errorOf(dialect: CloudDialect, status: number, code: string, message: string): FakeAnswer {
  switch (dialect) {
    case 's3':
      return s3Error(code, status, message, code === 'AuthorizationHeaderMalformed' ? { Region: 'elsewhere-1' } : {})
    case 'gcs':
      return {
        status,
        headers: { 'content-type': 'application/json; charset=UTF-8' },
        body: stringifyJson({
          error: { code: status, message, errors: [{ domain: 'global', reason: code, message }] },
        }),
      }
    case 'azure':
      return {
        status,
        headers: { 'content-type': 'application/xml', 'x-ms-error-code': code },
        body: xmlDocument('Error', { Code: code, Message: message }),
      }
  }
}
