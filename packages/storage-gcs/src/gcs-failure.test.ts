import { describe, expect, it } from 'vitest'
import type { StoreCall } from '@moulin/core'
import { gcsFailure } from './gcs-failure.ts'

const answered = (code: number, reason?: string, message = '', headers: Record<string, string> = {}): object => ({
  name: 'Error',
  code,
  message,
  errors: reason === undefined ? [] : [{ reason, message }],
  response: { headers },
})

describe('gcsFailure', () => {
  it.each([
    ['create', answered(412, 'conditionNotMet'), 'exists KEY_EXISTS rejected'],
    ['swap', answered(412, 'conditionNotMet'), 'conflict TAG_MISMATCH rejected'],
    ['get', answered(412, 'conditionNotMet'), 'conflict TAG_MISMATCH rejected'],
    ['get', answered(304), 'exists NOT_MODIFIED rejected'],
    ['get', answered(404, undefined, 'No such object: b/k'), 'not-found KEY_MISSING rejected'],
    ['head', answered(404, 'notFound', 'The specified bucket does not exist.'), 'unavailable BUCKET_MISSING rejected'],
    ['swap', answered(404, 'notFound', 'Not Found'), 'unavailable BUCKET_MISSING rejected'],
    ['list', answered(404, 'notFound', 'Not Found'), 'unavailable BUCKET_MISSING rejected'],
    ['create', answered(409, 'conflict'), 'unavailable WRITE_RACED rejected'],
    ['overwrite', answered(429, 'rateLimitExceeded'), 'unavailable SLOW_DOWN rejected'],
    ['get', answered(403, 'rateLimitExceeded'), 'unavailable SLOW_DOWN rejected'],
    ['get', answered(403, 'forbidden'), 'unavailable FORBIDDEN rejected'],
    ['get', answered(400, 'required', 'Bucket is a requester pays bucket'), 'unavailable FORBIDDEN rejected'],
    ['get', answered(401, 'authError'), 'unavailable CREDENTIALS rejected'],
    ['create', answered(400, 'invalid', 'Provided MD5 hash "x" is not'), 'unavailable BODY_DAMAGED rejected'],
    ['create', answered(400, 'invalid', 'The name is not valid'), 'invalid REQUEST_REFUSED rejected'],
    ['create', answered(410, 'uploadBrokenConnection'), 'unavailable STORE_FAILED unknown'],
    ['create', answered(503, 'backendError'), 'unavailable STORE_FAILED unknown'],
    ['create', { name: 'FetchError', code: 'ECONNRESET', message: 'reset' }, 'unavailable STORE_FAILED unknown'],
    ['get', { message: 'Could not load the default credentials. Browse to …' }, 'unavailable CREDENTIALS rejected'],
    ['create', { status: 400, response: { data: { error: 'invalid_grant' } } }, 'unavailable CREDENTIALS rejected'],
  ] as const)('of %s: %j', (call, thrown, expected) => {
    const { kind, code, outcome } = gcsFailure('gcs', thrown, call as StoreCall, 'k')
    expect(`${kind} ${code} ${outcome}`).toBe(expected)
  })

  it('tells what was answered, the number of the request, and how long to wait', () => {
    const headers = { 'retry-after': '7', 'x-guploader-uploadid': 'AB-12' }
    const { context } = gcsFailure('gcs', answered(503, 'backendError', '', headers), 'get', 'k')
    expect(context).toMatchObject({ status: 503, answer: 'backendError', requestId: 'AB-12', retryAfterMs: 7_000 })
    const { context: reset } = gcsFailure('gcs', { name: 'FetchError', code: 'ECONNRESET' }, 'get', 'k')
    expect(reset).toMatchObject({ name: 'ECONNRESET' })
  })
})
