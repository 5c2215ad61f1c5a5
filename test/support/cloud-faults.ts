/** Stores of the clouds behind a network that refuses, races and loses answers. */
import { S3Client } from '@aws-sdk/client-s3'
import type { ObjectStore } from '@moulin/core'
import { limit, retry } from '@moulin/storage'
import { gcs } from '@moulin/storage-gcs'
import type { GcsOptions } from '@moulin/storage-gcs'
import { s3 } from '@moulin/storage-s3'
import type { S3Options } from '@moulin/storage-s3'
import { faultProxy, gcsFake, s3Fake } from '@moulin/testing'
import type { FaultProxy, ProxyRule } from '@moulin/testing'
import { expect, onTestFinished } from 'vitest'

const PATIENCE_MS = 600_000

/** One bucket, and the way to it. */
export interface FaultyCloud {
  readonly proxy: FaultProxy
  /** Behind the proxy, each request sent once. */
  bare(): ObjectStore
  /** The same, what passes tried again. */
  store(): ObjectStore
  /** Past it. */
  readonly direct: ObjectStore
}

/** So many of the writes race with another's, and of what is done as many are never heard of; a few for certain, however short the test. */
export const lossyBy = (chance: number): readonly ProxyRule[] => [
  { fault: 'after', operation: 'put', nth: 5, times: 2 },
  { fault: 'before', operation: 'put', answer: 'conflict', nth: 9, times: 2 },
  { fault: 'before', operation: 'put', answer: 'conflict', chance, times: Infinity },
  { fault: 'after', operation: ['put', 'delete', 'delete-many'], chance, times: Infinity },
]
export const lossy: readonly ProxyRule[] = lossyBy(0.05)

/** A network that has lost nothing would prove nothing. */
export function checkLosses({ proxy }: FaultyCloud): void {
  const lost = proxy.calls.filter(({ result, operation }) => result === 'after' && operation === 'put')
  expect(lost.filter(({ status }) => status! < 300).length).toBeGreaterThan(0)
  expect(proxy.calls.some(({ result }) => result === 'before')).toBe(true)
}

/** A cloud that is a fake of ours. */
export interface FakeCloud extends FaultyCloud {
  /** The bucket goes, with all that is in it. */
  vanish(): void
}

/** What is tried again comes back soon: the faults are the network's, which is not busy. A busy machine is no fault, however long it takes. */
export const tried = (store: ObjectStore): ObjectStore =>
  retry(limit(store), { minWaitMs: 1, maxWaitMs: 20, maxRetryMs: PATIENCE_MS, budget: { tokens: 1e6 } })

/** For adapters, how long a request may say nothing. */
export const patient = { deadlineMs: PATIENCE_MS }

export async function faultyS3Fake(seed: number, rules = lossy): Promise<FakeCloud> {
  const fake = await s3Fake()
  onTestFinished(() => fake.close())
  const cloud = await faultyS3({ ...fake, bucket: 'moulin' }, seed, {}, rules)
  return { ...cloud, vanish: () => fake.deleteBucket('moulin') }
}

/** Before a server that is there. */
export async function faultyS3(
  { endpoint, bucket, credentials }: Required<Pick<S3Options, 'endpoint' | 'bucket' | 'credentials'>>,
  seed: number,
  options: Partial<S3Options> = {},
  rules = lossy,
): Promise<FaultyCloud> {
  const proxy = await proxyBefore(endpoint, seed, rules)
  const common = { region: 'us-east-1', forcePathStyle: true, maxAttempts: 1 }
  const client = new S3Client({ ...common, credentials, endpoint: proxy.endpoint })
  onTestFinished(() => client.destroy())
  const bare = (): ObjectStore => s3({ bucket, client, ...options, ...patient })
  return {
    proxy,
    bare,
    store: () => tried(bare()),
    direct: s3({ bucket, endpoint, credentials, ...options, ...patient }),
  }
}

export async function faultyGcsFake(seed: number, rules = lossy): Promise<FakeCloud> {
  const fake = await gcsFake()
  onTestFinished(() => fake.close())
  const cloud = await faultyGcs({ ...fake, bucket: 'moulin' }, seed, {}, rules)
  return { ...cloud, vanish: () => fake.deleteBucket('moulin') }
}

/** Before a server that is there. */
export async function faultyGcs(
  { endpoint, bucket }: { readonly endpoint: string; readonly bucket: string },
  seed: number,
  options: Partial<GcsOptions> = {},
  rules = lossy,
): Promise<FaultyCloud> {
  const proxy = await proxyBefore(endpoint, seed, rules)
  const bare = (): ObjectStore => gcs({ bucket, apiEndpoint: proxy.endpoint, ...options, ...patient })
  return {
    proxy,
    bare,
    store: () => tried(bare()),
    direct: gcs({ bucket, apiEndpoint: endpoint, ...options, ...patient }),
  }
}

export async function proxyBefore(target: string, seed: number, rules: readonly ProxyRule[]): Promise<FaultProxy> {
  const proxy = await faultProxy({ target, rules, seed })
  onTestFinished(() => proxy.close())
  return proxy
}
