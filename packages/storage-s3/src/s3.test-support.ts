import { isMoulinError } from '@moulin/core'
import type { MoulinError, ObjectStore } from '@moulin/core'
import { faultProxy, s3Fake } from '@moulin/testing'
import type { FaultProxy, ProxyRule, S3Fake, S3FakeOptions } from '@moulin/testing'
import { onTestFinished } from 'vitest'
import { s3 } from './s3.ts'
import type { S3Options } from './s3-options.ts'

export interface S3Bench {
  readonly fake: S3Fake
  readonly proxy: FaultProxy
  /** Behind the proxy. */
  readonly store: ObjectStore
  /** Another, past it. */
  readonly direct: ObjectStore
}

/** A fake, a proxy before it, and stores; all gone with the test. */
export async function s3Bench(
  rules: readonly ProxyRule[] = [],
  options: Partial<S3Options> = {},
  fakeOptions: S3FakeOptions = {},
): Promise<S3Bench> {
  const fake = await s3Fake(fakeOptions)
  const proxy = await faultProxy({ target: fake.endpoint, rules })
  onTestFinished(async () => {
    await proxy.close()
    await fake.close()
  })
  const { credentials } = fake
  const access = options.client === undefined ? { endpoint: proxy.endpoint, credentials } : {}
  return {
    fake,
    proxy,
    store: s3({ bucket: 'moulin', ...access, ...options }),
    direct: s3({ bucket: 'moulin', endpoint: fake.endpoint, credentials }),
  }
}

export const MIB = 1024 * 1024

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export const textIn = (fake: S3Fake, key: string): string | undefined => {
  const bytes = keysIn(fake).includes(key) ? fake.read('moulin', key) : undefined
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
}

export const keysIn = (fake: S3Fake): readonly string[] => fake.objects('moulin').map(({ key }) => key)

/** What a call failed with. */
export async function failed(call: Promise<unknown>): Promise<MoulinError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (isMoulinError(error)) return error
  throw new TypeError(`It did not fail by an error of ours: ${String(error)}`, { cause: error })
}

export async function keysOf(store: ObjectStore, prefix = ''): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list({ prefix })) keys.push(key)
  return keys
}
