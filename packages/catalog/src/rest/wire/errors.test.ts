import { MoulinError } from '@moulin/core'
import type { ErrorKind, Outcome } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { errorAnswer, refusedError } from './errors.ts'
import type { RouteName } from './routes.ts'

/** An error of ours through a server and a client of ours. */
function sent(kind: ErrorKind, code: string, call: RouteName, outcome: Outcome = 'rejected') {
  const answered = errorAnswer(new MoulinError(kind, code, 'So it is.', { outcome, context: { secret: 's3cret' } }))
  expect(JSON.stringify(answered)).not.toContain('s3cret')
  expect(answered.body.error.code).toBe(answered.status)
  const { kind: k, code: c, outcome: o } = refusedError({ call, ...answered, error: answered.body.error, what: 'It' })
  return [answered.status, answered.body.error.type, k, c, o]
}

describe('errors of the REST specification', () => {
  it.each([
    ['not-found', 'TABLE_MISSING', 'loadTable', 404, 'NoSuchTableException'],
    ['not-found', 'NAMESPACE_MISSING', 'loadTable', 404, 'NoSuchNamespaceException'],
    ['not-found', 'FILE_VANISHED', 'registerTable', 404, 'NotFoundException'],
    ['exists', 'TABLE_EXISTS', 'createTable', 409, 'AlreadyExistsException'],
    ['exists', 'NAMESPACE_EXISTS', 'createNamespace', 409, 'AlreadyExistsException'],
    ['conflict', 'REQUIREMENT_FAILED', 'commitTable', 409, 'CommitFailedException'],
    ['conflict', 'NAMESPACE_NOT_EMPTY', 'dropNamespace', 409, 'NamespaceNotEmptyException'],
    ['invalid', 'NAMESPACE_CHANGE', 'setNamespaceProperties', 422, 'UnprocessableEntityException'],
    ['invalid', 'BAD_REQUEST', 'commitTable', 400, 'BadRequestException'],
    ['unsupported', 'CATALOG_CAPABILITY', 'renameTable', 406, 'UnsupportedOperationException'],
    ['unavailable', 'UNAUTHENTICATED', 'loadTable', 401, 'NotAuthorizedException'],
    ['unavailable', 'ACCESS_DENIED', 'loadTable', 403, 'ForbiddenException'],
    ['unavailable', 'CATALOG_BUSY', 'loadTable', 429, 'SlowDownException'],
    ['exhausted', 'BODY_TOO_LARGE', 'commitTable', 413, 'ContentTooLargeException'],
  ] as const)('%s %s of %s comes back as itself: %i %s', (kind, code, call, status, type) => {
    expect(sent(kind, code, call)).toEqual([status, type, kind, code, 'rejected'])
  })

  it('leave an unknown outcome unknown, whatever its kind', () => {
    for (const kind of ['unavailable', 'conflict', 'aborted', 'exists'] as const) {
      const told = sent(kind, 'COMMIT_UNKNOWN', 'commitTable', 'unknown')
      expect(told).toEqual([500, 'CommitStateUnknownException', 'unavailable', 'CATALOG_FAULT', 'unknown'])
    }
  })

  it.each([500, 502, 503, 504, 507])('%i says nothing of a change, and all of a load', (status) => {
    const error = { message: 'Oh', type: 'ServiceFailureException', code: status }
    const outcome = (call: RouteName) => refusedError({ call, status, error, what: 'It' }).outcome
    expect([outcome('commitTable'), outcome('createTable'), outcome('loadTable')]).toEqual([
      'unknown',
      'unknown',
      'rejected',
    ])
  })

  it('are understood where the type is another one, or none', () => {
    const code = (call: RouteName, status: number, type = '') =>
      refusedError({ call, status, error: { message: '', type, code: status }, what: 'It' }).code
    expect(code('loadTable', 404)).toBe('TABLE_MISSING')
    expect(code('createTable', 404)).toBe('NAMESPACE_MISSING')
    expect(code('config', 404, 'NotFoundException')).toBe('WAREHOUSE_MISSING')
    expect(code('createTable', 409, 'ConflictException')).toBe('TABLE_EXISTS')
    expect(code('createTable', 409, 'CommitFailedException')).toBe('REQUIREMENT_FAILED')
    expect(code('commitTable', 409, 'AlreadyExistsException')).toBe('REQUIREMENT_FAILED')
    expect(code('dropNamespace', 400, 'NamespaceNotEmptyException')).toBe('NAMESPACE_NOT_EMPTY')
    expect(code('commitTable', 418)).toBe('BAD_REQUEST')
  })

  it('never tell what is no error of ours', () => {
    expect(errorAnswer(new Error('password=hunter2'))).toEqual({
      status: 500,
      body: { error: { message: 'The server failed; its log says why.', type: 'InternalServerError', code: 500 } },
    })
  })
})
