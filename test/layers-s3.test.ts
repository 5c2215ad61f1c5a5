/** The documented stack of layers over the adapter of S3, the vendor's SDK, and a network that fails by order. */
import type { ObjectStore } from '@moulin/core'
import { isKind } from '@moulin/core'
import { cache, hedge, limit, meter, retry } from '@moulin/storage'
import type { MeteredStore } from '@moulin/storage'
import { s3 } from '@moulin/storage-s3'
import { faultProxy, s3Fake } from '@moulin/testing'
import type { FaultProxy, S3Fake } from '@moulin/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'

let fake: S3Fake
let proxy: FaultProxy
let metered: MeteredStore
let store: ObjectStore

beforeEach(async () => {
  fake = await s3Fake({ buckets: ['lake'] })
  proxy = await faultProxy({ target: fake.endpoint })
  metered = meter(s3({ bucket: 'lake', endpoint: proxy.endpoint, region: fake.region, credentials: fake.credentials }))
  const tried = retry(limit(hedge(metered, { percentile: 99 })), { maxTries: 4, minWaitMs: 1 })
  store = cache(tried, { maxBytes: 1_000_000 })
})
afterEach(async () => {
  await proxy.close()
  await fake.close()
})

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = async (key: string): Promise<string> => new TextDecoder().decode((await store.get(key)).bytes)
const sent = (operation: string): number => proxy.calls.filter((call) => call.operation === operation).length

it('sends a request that fails as often as retry says, whatever the SDK would', async () => {
  proxy.addRule({ fault: 'before', operation: ['get', 'put'], times: Infinity, answer: 'busy' })
  const failed = async (work: Promise<unknown>): Promise<boolean> =>
    isKind(await work.catch((error: unknown) => error), 'unavailable')
  expect(await failed(store.get('k'))).toBe(true)
  expect(await failed(store.put('k', bytesOf('v'), { mode: 'create' }))).toBe(true)
  expect([sent('get'), sent('put')]).toEqual([4, 4])
  expect(metered.usage().requests).toMatchObject({ get: 4, put: 4 })
})

it('creates and swaps once though an answer is lost, or the request itself comes late', async () => {
  for (const fault of ['after', 'late'] as const) {
    const key = `k/${fault}`
    for (const [text, mode] of [
      ['created', () => 'create' as const],
      ['swapped', (etag: string) => ({ ifMatch: etag })],
    ] as const) {
      const before = (await store.head(key))?.etag ?? ''
      const late = fault === 'late' ? { lateAfterCalls: 2 } : {}
      proxy.addRule({ fault, operation: 'put', key: /k\//, ...late })
      const { etag } = await store.put(key, bytesOf(text), { mode: mode(before) })
      await proxy.applyLate()
      expect([(await store.head(key))?.etag, await textOf(key)], `${fault} ${text}`).toEqual([etag, text])
    }
  }
})

it('reads through resets and answers that are cut, and lists on', async () => {
  for (const key of ['a', 'b', 'c']) await store.put(key, bytesOf(key.repeat(1000)))
  proxy.addRule({ fault: 'torn-answer', operation: 'get', bytes: 300 })
  proxy.addRule({ fault: 'after', operation: 'list' })
  expect(await textOf('b')).toBe('b'.repeat(1000))
  const keys: string[] = []
  for await (const { key } of store.list()) keys.push(key)
  expect(keys).toEqual(['a', 'b', 'c'])
  expect([sent('get'), sent('list')]).toEqual([2, 2])
})
