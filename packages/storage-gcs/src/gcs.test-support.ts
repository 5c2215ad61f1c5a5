import { faultProxy, gcsFake } from '@moulin/testing'
import type { FaultProxy, GcsFake, GcsFakeOptions, ProxyRule } from '@moulin/testing'
import type { MoulinError, ObjectStore } from '@moulin/core'
import { isMoulinError } from '@moulin/core'
import { onTestFinished } from 'vitest'
import { gcs } from './gcs.ts'
import type { GcsOptions } from './gcs-options.ts'

export interface GcsBench {
  readonly fake: GcsFake
  readonly proxy: FaultProxy
  /** Behind the proxy. */
  readonly store: ObjectStore
  /** Another, past it. */
  readonly direct: ObjectStore
}

/** A fake, a proxy before it, and stores; all gone with the test. */
export async function gcsBench(
  rules: readonly ProxyRule[] = [],
  options: Partial<GcsOptions> = {},
  fakeOptions: GcsFakeOptions = {},
): Promise<GcsBench> {
  const fake = await gcsFake(fakeOptions)
  const proxy = await faultProxy({ target: fake.endpoint, rules })
  onTestFinished(async () => {
    await proxy.close()
    await fake.close()
  })
  const common = { bucket: 'moulin', token: async () => ({ token: fake.token }) }
  const ownPlace = options.client === undefined ? { ...common, apiEndpoint: proxy.endpoint } : { bucket: 'moulin' }
  return {
    fake,
    proxy,
    store: gcs({ ...ownPlace, ...options }),
    direct: gcs({ ...common, apiEndpoint: fake.endpoint }),
  }
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export const textIn = (fake: GcsFake, key: string): string | undefined => {
  const bytes = fake.read('moulin', key)
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
}

/** What a call failed with. */
export async function failed(call: Promise<unknown>): Promise<MoulinError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (isMoulinError(error)) return error
  throw new TypeError(`It did not fail by an error of ours: ${String(error)}`)
}
