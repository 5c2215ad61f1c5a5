import { isKind } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { s3BucketFacts } from './s3-bucket-facts.ts'
import { s3 } from './s3.ts'
import type { S3Options } from './s3-options.ts'

const base = { bucket: 'lake', region: 'us-east-1' } as const
const pair = { accessKeyId: 'a', secretAccessKey: 'canary' } as const

describe('options of s3', () => {
  it.each<[string, object]>([
    ['a misspelt token, which would be left out', { credentials: { ...pair, sesionToken: 'canary' } }],
    ['a token that is no text', { credentials: { ...pair, sessionToken: 5 } }],
    ['no secret', { credentials: { accessKeyId: 'canary' } }],
    ['a text for credentials', { credentials: 'canary' }],
    ['a text for a client', { client: 'https://a:canary@lake' }],
    ['a password in an endpoint', { endpoint: 'https://a:canary@lake' }],
  ])('do not take %s, and do not show it', (_, options) => {
    const make = (): unknown => s3({ ...base, ...options } as S3Options)
    expect(make).toThrow(/^s3: (credentials|client|endpoint) is none; it must be/)
    expect(make).not.toThrow(/canary/)
  })

  it('take what a provider of the SDK gives', () => {
    const given = { ...pair, sessionToken: 'c', expiration: new Date(0), accountId: '1', credentialScope: 'us' }
    expect(s3({ ...base, credentials: given }).root).toBe('s3://lake/')
  })

  it('name the bucket, also where only its facts are asked for', async () => {
    const error = await s3BucketFacts({ ...base, bucket: 's3://lake' }).catch((thrown: unknown) => thrown)
    expect(isKind(error, 'invalid', 'BUCKET'), String(error)).toBe(true)
  })
})
