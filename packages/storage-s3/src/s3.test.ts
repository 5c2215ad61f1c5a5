import { S3Client } from '@aws-sdk/client-s3'
import { MAX_REQUEST_BYTES } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { s3 } from './s3.ts'
import type { S3Options } from './s3-options.ts'

describe('s3', () => {
  it.each<[string, object, RegExp]>([
    ['a path for a bucket', { bucket: 'lake/orders' }, /"lake\/orders" is no name of a bucket/],
    ['an option that it does not know', { regoin: 'eu-west-1' }, /regoin/],
    ['the region of a client', { client: new S3Client({ region: 'eu-west-1' }), region: 'x' }, /region is given with/],
    ['a key for an encryption without one', { encryption: { type: 'AES256', keyId: 'k' } }, /AES256 has none/],
    ['more than Node sends', { maxPutBytes: MAX_REQUEST_BYTES + 1 }, /maxPutBytes/],
    ['parts that Node does not send', { partBytes: MAX_REQUEST_BYTES + 1 }, /partBytes/],
    ['an endpoint with a password', { endpoint: 'http://a:b@127.0.0.1/' }, /endpoint/],
  ])('refuses %s', (_, options, message) => {
    expect(() => s3({ bucket: 'lake', ...options } as S3Options)).toThrow(message)
  })

  it('takes each encryption that S3 has', () => {
    for (const encryption of [{ type: 'AES256' }, { type: 'aws:kms' }, { type: 'aws:kms:dsse', keyId: 'k' }] as const)
      expect(s3({ bucket: 'lake', region: 'eu-west-1', encryption }).root).toBe('s3://lake/')
  })
})
