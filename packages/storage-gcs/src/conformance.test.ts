import { IdempotencyStrategy, Storage } from '@google-cloud/storage'
import type { ObjectStore } from '@moulin/core'
import { gcsFake, objectStoreConformance, onFake } from '@moulin/testing'
import type { GcsFake, GcsFakeOptions, ObjectStoreConformanceConfig } from '@moulin/testing'
import { describe, it } from 'vitest'
import { gcs } from './gcs.ts'
import type { GcsOptions } from './gcs-options.ts'

const PREFIX = 'my lake/50%25/'

type Suite = Partial<ObjectStoreConformanceConfig> & {
  readonly fake?: GcsFakeOptions
  options?(fake: GcsFake): Partial<GcsOptions>
}

function runSuite(name: string, { fake: fakeOptions = {}, options, ...rest }: Suite): void {
  const opened = (fake: GcsFake): ObjectStore =>
    gcs({
      bucket: 'moulin',
      prefix: PREFIX,
      ...(options?.(fake) ?? { apiEndpoint: fake.endpoint, token: async () => ({ token: fake.token }) }),
    })
  objectStoreConformance(
    { describe, it },
    {
      name,
      capabilities: { multipart: true, attemptIds: true },
      durability: 'region',
      largeBytes: 12 * 1024 * 1024,
      maxKeyBytes: 1_024 - PREFIX.length,
      ...onFake(() => gcsFake(fakeOptions), opened),
      ...rest,
    },
  )
}

runSuite('gcs', { fake: { anonymous: false } })
// What pages and large objects show, the first one has shown.
const small = { manyKeys: 50, largeBytes: 6 * 1024 * 1024 }
runSuite('gcs listing in tree order', {
  ...small,
  fake: { listOrder: 'tree' },
  options: (fake) => ({ apiEndpoint: fake.endpoint, listOrder: 'none' }),
  listOrder: 'none',
})
runSuite('gcs with a client that retries', {
  ...small,
  options: (fake) => ({
    client: new Storage({
      apiEndpoint: fake.endpoint,
      projectId: 'test',
      retryOptions: { autoRetry: true, maxRetries: 4, idempotencyStrategy: IdempotencyStrategy.RetryAlways },
    }),
  }),
})
runSuite('gcs without user metadata', {
  ...small,
  fake: { dropMetadata: true },
  options: (fake) => ({ apiEndpoint: fake.endpoint, userMetadata: 'dropped' }),
  capabilities: { multipart: true },
})
