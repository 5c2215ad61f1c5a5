import { isKind } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import type { ObjectStoreConformanceConfig } from '../object-store-conformance.ts'
import type { GcsFake } from './gcs-fake.ts'
import type { S3Fake } from './s3-fake.ts'

/**
 * What `objectStoreConformance` is to know of a store over a bucket of a fake: each check has a fake of its own, the next process opens the
 * same one, and locations, `scheme://bucket/key`, are read without the store.
 *
 * @example
 * objectStoreConformance({ describe, it }, { ...onFake(() => s3Fake(), (fake) => mine({ endpoint: fake.endpoint })), capabilities })
 */
export function onFake<Fake extends Pick<S3Fake | GcsFake, 'read' | 'close'>>(
  start: () => Promise<Fake>,
  open: (fake: Fake) => ObjectStore,
): Pick<ObjectStoreConformanceConfig, 'create' | 'reopen' | 'close' | 'at'> {
  let fake: Fake
  return {
    async create() {
      fake = await start()
      return open(fake)
    },
    reopen: () => open(fake),
    close: () => fake.close(),
    async at(location) {
      const [, bucket = '', key = ''] = /^[a-z0-9]+:\/\/([^/]+)\/(.*)$/s.exec(location) ?? []
      try {
        return fake.read(bucket, key)
      } catch (error) {
        if (isKind(error, 'not-found')) return undefined
        throw error
      }
    },
  }
}
