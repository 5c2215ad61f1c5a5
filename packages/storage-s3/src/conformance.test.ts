import { S3Client } from '@aws-sdk/client-s3'
import type { ObjectStore } from '@moulin/core'
import { objectStoreConformance, onFake, s3Fake } from '@moulin/testing'
import type { ObjectStoreConformanceConfig, S3Fake, S3FakeOptions } from '@moulin/testing'
import { describe, it } from 'vitest'
import { s3 } from './s3.ts'
import type { S3Options } from './s3-options.ts'

const PREFIX = 'my lake/50%25/'

type Suite = Partial<ObjectStoreConformanceConfig> & {
  readonly fake?: S3FakeOptions
  options?(fake: S3Fake): Partial<S3Options>
}

function runSuite(name: string, { fake: fakeOptions = {}, options, ...rest }: Suite): void {
  const opened = (fake: S3Fake): ObjectStore =>
    s3({
      bucket: 'moulin',
      prefix: PREFIX,
      endpoint: fake.endpoint,
      credentials: fake.credentials,
      ...options?.(fake),
    })
  objectStoreConformance(
    { describe, it },
    {
      name,
      capabilities: { multipart: true, attemptIds: true },
      durability: 'region',
      largeBytes: 12 * 1024 * 1024,
      maxKeyBytes: 1_024 - PREFIX.length,
      ...onFake(() => s3Fake(fakeOptions), opened),
      ...rest,
    },
  )
}

runSuite('s3', {})
// What pages and large objects show, the first one has shown.
const small = { manyKeys: 50, largeBytes: 6 * 1024 * 1024 }
runSuite('s3 listing in tree order', {
  ...small,
  fake: { listOrder: 'tree' },
  options: () => ({ listOrder: 'none' }),
  listOrder: 'none',
})
runSuite('s3 with a client that retries', {
  ...small,
  options: (fake) => ({
    client: new S3Client({
      endpoint: fake.endpoint,
      credentials: fake.credentials,
      region: fake.region,
      forcePathStyle: true,
      maxAttempts: 4,
    }),
    endpoint: undefined as never,
    credentials: undefined as never,
  }),
})
runSuite('s3 without user metadata', {
  ...small,
  fake: { dropMetadata: true },
  options: () => ({ userMetadata: 'dropped' }),
  capabilities: { multipart: true },
})
