import { describe, expect, it } from 'vitest'
import { factsIn, gcsBucketFacts } from './gcs-bucket-facts.ts'
import { failed, gcsBench } from './gcs.test-support.ts'

const untouched = { uploadsEndDays: 7 }

describe('gcsBucketFacts', () => {
  it('tells what the owner of a bucket set up, as the service says it', async () => {
    const { fake } = await gcsBench()
    const options = { bucket: 'moulin', apiEndpoint: fake.endpoint, token: async () => ({ token: fake.token }) }
    expect(await gcsBucketFacts(options)).toEqual({ versioning: 'off', lifecycle: [], ...untouched })
    fake.setVersioning('moulin', 'Enabled')
    fake.setLifecycle('moulin', [
      { id: 'old', prefix: 'log/', expirationDays: 30 },
      { id: 'uploads', abortUploadsDays: 3 },
      { id: 'not in force', expirationDays: 1, enabled: false },
    ])
    expect(await gcsBucketFacts(options)).toEqual({
      versioning: 'on',
      lifecycle: [
        { id: 'Delete 1', prefix: 'log/', expirationDays: 30, oldVersionDays: 30 },
        { id: 'AbortIncompleteMultipartUpload 2', prefix: '', abortUploadsDays: 3 },
      ],
      ...untouched,
    })
    const missing = await failed(gcsBucketFacts({ ...options, bucket: 'nothere' }))
    expect(missing).toMatchObject({ code: 'BUCKET_MISSING' })
  })

  it('leaves open what it may not ask, and throws what is no answer', async () => {
    const { fake, proxy } = await gcsBench()
    const options = { bucket: 'moulin', apiEndpoint: proxy.endpoint, token: async () => ({ token: fake.token }) }
    const rule = proxy.addRule({ fault: 'before', times: Infinity, answer: 'forbidden' })
    expect(await gcsBucketFacts(options)).toEqual({ versioning: undefined, lifecycle: undefined, ...untouched })
    rule.remove()
    proxy.addRule({ fault: 'before', times: Infinity, answer: 'expired' })
    expect(await failed(gcsBucketFacts(options))).toMatchObject({ code: 'CREDENTIALS' })
  })

  it('reads soft delete, which Google turns on by itself', () => {
    const soft = (retentionDurationSeconds: string | number) =>
      factsIn({ softDeletePolicy: { retentionDurationSeconds } })
    expect(soft('604800').softDeleteDays).toBe(7)
    expect(soft('0')).not.toHaveProperty('softDeleteDays')
    expect(factsIn({})).toEqual({ versioning: 'off', lifecycle: [], ...untouched })
  })

  it.each([
    [
      'two prefixes',
      { age: 5, isLive: true, matchesPrefix: ['a/', 'b/'] },
      [
        { id: 'Delete 1', prefix: 'a/', expirationDays: 5 },
        { id: 'Delete 1', prefix: 'b/', expirationDays: 5 },
      ],
    ],
    ['a day', { createdBefore: '2026-01-01' }, [{ id: 'Delete 1', prefix: '', expirationDays: 0, oldVersionDays: 0 }]],
    ['newer versions', { numNewerVersions: 3 }, [{ id: 'Delete 1', prefix: '', oldVersionDays: 0 }]],
    ['old versions', { isLive: false, age: 9 }, [{ id: 'Delete 1', prefix: '', oldVersionDays: 9 }]],
    ['versions long old', { daysSinceNoncurrentTime: 4 }, [{ id: 'Delete 1', prefix: '', oldVersionDays: 4 }]],
    ['a time that no object of ours has', { daysSinceCustomTime: 1 }, []],
  ])('reads a rule over %s', (_, condition, lifecycle) => {
    expect(factsIn({ lifecycle: { rule: [{ action: { type: 'Delete' }, condition }] } }).lifecycle).toEqual(lifecycle)
  })

  it('takes a change of the storage class for nothing: all are read at once', () => {
    const action = { type: 'SetStorageClass', storageClass: 'ARCHIVE' } as const
    expect(factsIn({ lifecycle: { rule: [{ action, condition: { age: 1 } }] } }).lifecycle).toEqual([])
  })
})
