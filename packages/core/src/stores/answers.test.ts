import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { failureOf, verdictOf } from './answers.ts'
import type { StoreAnswer, StoreFailure } from './answers.ts'

const table: readonly StoreAnswer[] = [
  { status: 404, on: ['swap'], means: 'moved', source: 'a document' },
  { status: 404, code: 'NoSuchBucket', means: 'noBucket', source: 'a document' },
  { status: 404, means: 'missing', source: 'a document' },
  { status: 412, on: ['create'], means: 'taken', source: 'a document' },
]
const failure = (rest: Partial<StoreFailure>): StoreFailure => ({ store: 's3(lake)', call: 'get', key: 'a', ...rest })

describe('a table of answers', () => {
  it.each<[Partial<StoreFailure>, string]>([
    [{ status: 404, call: 'swap', code: 'NoSuchKey' }, 'moved'],
    [{ status: 404, code: 'NoSuchBucket' }, 'noBucket'],
    [{ status: 404 }, 'missing'],
    [{ status: 412, call: 'create' }, 'taken'],
    [{ status: 412, call: 'swap' }, 'refused'],
    [{ status: 408 }, 'failed'],
    [{ status: 503 }, 'failed'],
    [{}, 'failed'],
  ])('reads %o as %s', (rest, verdict) => {
    expect(verdictOf(table, failure(rest))).toBe(verdict)
  })

  it('leaves only writes without an answer unknown', () => {
    expect(failureOf(table, failure({ call: 'create' }))).toMatchObject({
      kind: 'unavailable',
      outcome: 'unknown',
      retryable: false,
    })
    expect(failureOf(table, failure({ call: 'get' }))).toMatchObject({
      kind: 'unavailable',
      outcome: 'rejected',
      retryable: true,
    })
    expect(failureOf(table, failure({ call: 'create', status: 412 }))).toMatchObject({
      kind: 'exists',
      outcome: 'rejected',
    })
  })

  it('takes a missing bucket for no missing key', () => {
    expect(failureOf(table, failure({ status: 404, code: 'NoSuchBucket' }))).toMatchObject({
      kind: 'unavailable',
      code: 'BUCKET_MISSING',
      retryable: false,
      context: { status: 404, answer: 'NoSuchBucket', verdict: 'noBucket', key: 'a' },
    })
  })

  it('shows nothing of a service but words', () => {
    const page = '<html>authorization: secret</html>'
    const error = failureOf(table, failure({ status: 500, code: page, name: page, requestId: page, retryAfterMs: 50 }))
    expect(inspect(error, { depth: 9 })).not.toContain('secret')
    expect(error.context).toEqual({
      store: 's3(lake)',
      call: 'get',
      key: 'a',
      verdict: 'failed',
      status: 500,
      retryAfterMs: 50,
    })
  })
})
