import { isMoulinError, systemRuntime } from '@moulin/core'
import { retry } from '@moulin/storage'
import { gcs } from '@moulin/storage-gcs'
import { faultProxy, gcsFake, virtualRuntime } from '@moulin/testing'
import type { GcsFakeOptions, ProxyRule } from '@moulin/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

const { timers } = systemRuntime()
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function opened(fakeOptions: (clock: { now(): number }) => GcsFakeOptions, rules: readonly ProxyRule[] = []) {
  const runtime = virtualRuntime({ seed: 1 })
  const fake = await gcsFake(fakeOptions(runtime.clock))
  const proxy = await faultProxy({ target: fake.endpoint, rules })
  onTestFinished(async () => {
    await proxy.close()
    await fake.close()
  })
  // Time runs ahead of the requests that are under way: none ends by it.
  const adapter = gcs({ bucket: 'moulin', apiEndpoint: proxy.endpoint, runtime, deadlineMs: 1e9 })
  const store = retry(adapter, { runtime, maxTries: 3, maxRetryMs: 1e9 })
  /** Lets time pass until the call is over, and tells how much. */
  const timed = async <T>(call: Promise<T>): Promise<{ readonly value: T; readonly ms: number }> => {
    const before = runtime.clock.now()
    let isOver = false
    const over = call.finally(() => (isOver = true))
    over.catch(() => {})
    while (!isOver) {
      await timers.turn()
      await runtime.clock.advance(10)
    }
    return { value: await over, ms: runtime.clock.now() - before }
  }
  return { fake, proxy, store, timed }
}

describe('retry over Google Cloud Storage', () => {
  it('waits until a name may be written again', async () => {
    const { fake, store, timed } = await opened((clock) => ({ clock, everyMs: 1_000 }))
    const { etag } = await store.put('k', bytes('one'))
    const { ms } = await timed(store.put('k', bytes('two'), { mode: { ifMatch: etag } }))
    expect(ms).toBeGreaterThanOrEqual(1_000)
    expect(fake.requests.map(({ status }) => status)).toEqual([200, 429, 200])
  })

  it('takes for its own what a first try has left, whose answer was lost with its head', async () => {
    const rules = [
      { fault: 'after', operation: 'put' },
      { fault: 'before', operation: 'head' },
    ] as const
    const { fake, proxy, store, timed } = await opened(() => ({}), rules)
    const { value } = await timed(store.put('k', bytes('one'), { mode: 'create' }))
    expect(value.etag).toBe(String(fake.objects('moulin')[0]!.generation))
    expect(proxy.calls.map(({ operation, result }) => [operation, result])).toEqual([
      ['put', 'after'],
      ['head', 'before'],
      ['put', 'passed'],
      ['head', 'passed'],
    ])
  })

  it('leaves alone what no other try would change', async () => {
    const { proxy, store } = await opened(
      () => ({}),
      [{ fault: 'before', operation: 'put', answer: 'expired', times: Infinity }],
    )
    const error = await store.put('k', bytes('one')).catch((thrown: unknown) => thrown)
    expect(isMoulinError(error) && error.code).toBe('CREDENTIALS')
    expect(proxy.calls).toHaveLength(1)
  })
})
