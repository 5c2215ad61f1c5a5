import { inspect } from 'node:util'
import { exhausted } from '@moulin/core'
import type { StoreCall } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { azureFailure } from './azure-failure.ts'

const headers = (known: Readonly<Record<string, string>>): { get(name: string): string | undefined } => ({
  get: (name) => known[name],
})
const said = (statusCode: number, code?: string): object => ({ name: 'RestError', statusCode, code })
const of = (thrown: unknown, call: StoreCall = 'get', isSentOnce = true): Error & Record<string, unknown> =>
  azureFailure('azure(lake/logs/)', thrown, call, 'k', isSentOnce) as never

describe('azureFailure', () => {
  it.each<[StoreCall, object, string]>([
    ['create', said(409, 'BlobAlreadyExists'), 'exists KEY_EXISTS rejected'],
    ['create', said(412, 'ConditionNotMet'), 'exists KEY_EXISTS rejected'],
    ['create', said(403, 'UnauthorizedBlobOverwrite'), 'exists KEY_EXISTS rejected'],
    ['overwrite', said(403, 'UnauthorizedBlobOverwrite'), 'unavailable FORBIDDEN rejected'],
    ['swap', said(412, 'ConditionNotMet'), 'conflict TAG_MISMATCH rejected'],
    ['swap', said(404, 'BlobNotFound'), 'conflict TAG_MISMATCH rejected'],
    ['swap', said(409, 'BlobAlreadyExists'), 'invalid REQUEST_REFUSED rejected'],
    ['overwrite', said(412, 'LeaseIdMissing'), 'unavailable FORBIDDEN rejected'],
    ['swap', said(412, 'LeaseIdMissing'), 'unavailable FORBIDDEN rejected'],
    ['create', said(400, 'InvalidBlockList'), 'unavailable WRITE_RACED rejected'],
    ['create', said(400, 'Md5Mismatch'), 'unavailable BODY_DAMAGED rejected'],
    ['create', said(500, 'OperationTimedOut'), 'unavailable STORE_FAILED unknown'],
    ['create', said(503, 'ServerBusy'), 'unavailable SLOW_DOWN rejected'],
    ['create', { name: 'RestError', code: 'ECONNRESET' }, 'unavailable STORE_FAILED unknown'],
    ['create', { name: 'CredentialUnavailableError' }, 'unavailable CREDENTIALS rejected'],
    ['get', said(404, 'BlobNotFound'), 'not-found KEY_MISSING rejected'],
    ['get', said(404, 'ContainerNotFound'), 'unavailable BUCKET_MISSING rejected'],
    // A 404 in nobody's words is of something between.
    ['get', said(404), 'invalid REQUEST_REFUSED rejected'],
    ['get', said(412, 'ConditionNotMet'), 'conflict TAG_MISMATCH rejected'],
    ['get', said(416, 'InvalidRange'), 'invalid RANGE rejected'],
    ['get', said(304), 'exists NOT_MODIFIED rejected'],
    ['get', said(403, 'AuthenticationFailed'), 'unavailable CREDENTIALS rejected'],
    ['get', said(502), 'unavailable STORE_FAILED rejected'],
  ])('reads what a %s hears: %o', (call, thrown, meant) => {
    const { kind, code, outcome } = of(thrown, call)
    expect(`${String(kind)} ${String(code)} ${String(outcome)}`).toBe(meant)
  })

  it('finds the word of an answer without a body among its headers, and how long to wait', () => {
    const response = {
      headers: headers({ 'x-ms-error-code': 'ContainerNotFound', 'x-ms-request-id': 'r-1', 'retry-after': '3' }),
    }
    const { code, context } = of({ name: 'RestError', statusCode: 404, code: 'RestError', response }, 'head')
    expect(code).toBe('BUCKET_MISSING')
    expect(context).toMatchObject({ answer: 'ContainerNotFound', requestId: 'r-1', retryAfterMs: 3_000 })
  })

  it('leaves open what a write came to where the SDK may have sent it twice', () => {
    expect(of(said(409, 'BlobAlreadyExists'), 'create', false)['outcome']).toBe('unknown')
    expect(of(said(412, 'ConditionNotMet'), 'swap', false)['outcome']).toBe('unknown')
    expect(of(said(412, 'ConditionNotMet'), 'get', false)['outcome']).toBe('rejected')
    expect(of(said(403, 'AuthorizationFailure'), 'overwrite', false)['outcome']).toBe('unknown')
  })

  it('attaches nothing of the request, and passes on errors of ours', () => {
    const request = { headers: { authorization: 'canary' }, url: 'https://canary' }
    const error = of({ ...said(403, 'AuthorizationFailure'), message: 'canary', request, response: { request } })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('canary')
    const ours = exhausted('TOO_MUCH', 'Too much.')
    expect(of(ours)).toBe(ours)
  })
})
