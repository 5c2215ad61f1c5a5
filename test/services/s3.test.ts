/** The S3 adapter on real servers: the suite, and checks of what they answer, printed as a table. */
import { S3Client } from '@aws-sdk/client-s3'
import type { ObjectStore } from '@moulin/core'
import { isKind, listInOrder } from '@moulin/core'
import { retry } from '@moulin/storage'
import { s3 } from '@moulin/storage-s3'
import type { S3Options } from '@moulin/storage-s3'
import { faultProxy, objectStoreConformance, s3Fake } from '@moulin/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { checkLosses, faultyS3 } from '../support/cloud-faults.ts'
import { checkRowRace } from '../support/row-race.ts'
import { checkTieredLog, unnamedIn } from '../support/tiered-log.ts'
import { answerTable, bytesOf, commonChecks, swapChecks } from './answers.ts'
import { seaweedfs } from './seaweedfs.ts'
import type { S3Service } from './service-process.ts'
import { versitygw } from './versitygw.ts'

const MIB = 1024 * 1024
// Creates that race stall SeaweedFS by the second.
const race = process.env['MOULIN_CI'] === '1' ? { writers: 4, commits: 3 } : { writers: 8, commits: 20 }
const checks = { ...commonChecks, ...swapChecks('"0"') }

interface Server {
  readonly name: string
  /** How the adapter is to be told of it. */
  readonly options: Partial<S3Options>
  /** Checks of the suite that it does not pass, and why. */
  readonly cannot?: Readonly<Record<string, string>>
  start(): Promise<S3Service>
}

const servers: readonly Server[] = [
  { name: 'fake', options: {}, start: fakeService },
  {
    name: 'SeaweedFS',
    options: { listOrder: 'none', deadlineMs: 60_000 },
    cannot: {
      'keeps odd keys as they are': 'it takes a backslash for a slash',
      'keeps an object and others below its key': 'a list leaves the object out now and then, while it is busy',
    },
    start: seaweedfs,
  },
  ...(process.env['MOULIN_SERVICES'] === 'all' ? [gateway()] : []),
]

function gateway(): Server {
  const cannot = { 'keeps an object and others below its key': 'keys are paths of a file system' }
  return { name: 'versitygw', options: {}, cannot, start: versitygw }
}

async function fakeService(): Promise<S3Service> {
  const { endpoint, credentials, close } = await s3Fake()
  return { name: 's3Fake', endpoint, bucket: 'moulin', credentials, close }
}

describe('S3 servers', () => {
  const tell = answerTable()

  describe.each(servers)('$name', ({ name, options, cannot = {}, start }) => {
    let service: S3Service
    let prefixes = 0
    const opened = (more: Partial<S3Options>): ObjectStore =>
      s3({
        bucket: service.bucket,
        ...(more.client === undefined ? { endpoint: service.endpoint, credentials: service.credentials } : {}),
        ...options,
        ...more,
      })
    beforeAll(async () => {
      service = await start()
    }, 900_000)
    afterAll(async () => {
      await service.close()
    })

    it('answers the checks', { timeout: 120_000 }, async () => {
      const told = await tell(service.name, checks, opened({ prefix: 'checks/' }))
      expect(told.get('race of eight creates')).toBe('1 of 8')
      expect(told.get('create, there')).toBe('412 KEY_EXISTS')
      expect(told.get('swap, missing')).toContain('TAG_MISMATCH')
    })

    it('has created what an SDK with retries finds there', { timeout: 60_000 }, async () => {
      const proxy = await faultProxy({
        target: service.endpoint,
        rules: [{ fault: 'after', operation: 'put', nth: 2, times: 2 }],
      })
      const client = new S3Client({
        endpoint: proxy.endpoint,
        credentials: service.credentials,
        region: 'us-east-1',
        forcePathStyle: true,
        maxAttempts: 4,
      })
      onTestFinished(async () => {
        client.destroy()
        await proxy.close()
      })
      const store = opened({ prefix: 'faults/', client })
      for (const key of ['a', 'b', 'c']) {
        const { etag } = await store.put(key, bytesOf(key), { mode: 'create' })
        expect((await opened({ prefix: 'faults/' }).head(key))?.etag).toBe(etag)
      }
      const again = await retry(store)
        .put('a', bytesOf('x'), { mode: 'create' })
        .catch((error: unknown) => error)
      expect(isKind(again, 'exists')).toBe(true)
      const keys: string[] = []
      for await (const { key } of listInOrder(store)) keys.push(key)
      expect(keys).toEqual(['a', 'b', 'c'])
    })

    it('has every row of several writers once, through a network that fails', { timeout: 1_800_000 }, async () => {
      const cloud = await faultyS3(service, 5, { ...options, prefix: 'race/' })
      const { conflicts } = await checkRowRace(cloud.store, cloud.direct, race)
      expect(conflicts).toBeGreaterThan(0)
      checkLosses(cloud)
    })

    it('holds a log and its table, through a network that fails', { timeout: 300_000 }, async () => {
      const cloud = await faultyS3(service, 3, { ...options, prefix: 'lake/' })
      await checkTieredLog(cloud.store, cloud.direct, 4)
      expect(await unnamedIn(cloud.direct)).toEqual([])
      checkLosses(cloud)
    })

    let prefix = ''
    objectStoreConformance(
      { describe, it },
      {
        name,
        capabilities: { multipart: true, attemptIds: true },
        durability: 'region',
        listOrder: options.listOrder ?? 'bytes',
        largeBytes: 6 * MIB,
        manyKeys: 1_100,
        // Names between two slashes have 255 bytes at most where folders are real ones.
        maxKeyBytes: 255,
        cannot,
        create: () => {
          prefix = `suite-${++prefixes}/`
          return Promise.resolve(opened({ prefix }))
        },
        reopen: () => opened({ prefix }),
        close: () => Promise.resolve(),
        async at(location) {
          const whole = opened({})
          const key = location.slice(whole.root.length)
          return await whole.get(key).then(
            ({ bytes }) => bytes,
            (error: unknown) => {
              if (isKind(error, 'not-found')) return undefined
              throw error
            },
          )
        },
      },
    )
  })
})
