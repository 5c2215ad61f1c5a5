import type { ObjectStore } from '@moulin/core'
import { isKind, unavailable } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { expect, it } from 'vitest'
import { memory } from '../memory.ts'
import type { CachedStore } from './cache.ts'
import { cache } from './cache.ts'
import type { HedgedStore } from './hedge.ts'
import { hedge } from './hedge.ts'
import { bytesOf, errorOf, keysOf, settled, textOf } from './layers.test-support.ts'
import { limit } from './limit.ts'
import type { MeteredStore } from './meter.ts'
import { meter } from './meter.ts'
import { prefix } from './prefix.ts'
import { retry } from './retry.ts'

interface Stack {
  readonly runtime: VirtualRuntime
  readonly store: ObjectStore
  readonly cached: CachedStore
  readonly hedged: HedgedStore
  readonly metered: MeteredStore
}

/** In the order of docs/stores.md, over `adapter`. */
function stack(adapter: (runtime: VirtualRuntime) => ObjectStore): Stack {
  const runtime = virtualRuntime({ seed: 8 })
  const metered = meter(adapter(runtime), { runtime })
  const hedged = hedge(metered, { afterMs: 50, maxExtra: 1, runtime })
  const tried = retry(limit(hedged, { concurrency: 4 }), { maxTries: 4, runtime })
  const cached = cache(tried, { maxBytes: 100_000, isImmutable: (key) => key.endsWith('.parquet'), runtime })
  return { runtime, metered, hedged, cached, store: prefix(cached, 'lake/') }
}

it('tries a call that fails as often as retry says, whatever layers there are', async () => {
  const tries: Record<string, number> = {}
  const down = (name: string): Error => {
    tries[name] = (tries[name] ?? 0) + 1
    return unavailable('DOWN', 'down')
  }
  const { store, runtime, metered } = stack(() => ({
    ...memory(),
    get: async () => Promise.reject(down('get')),
    getRanges: async () => Promise.reject(down('getRanges')),
    head: async () => Promise.reject(down('head')),
    put: async () => Promise.reject(down('put')),
    putStream: async () => Promise.reject(down('putStream')),
    delete: async () => Promise.reject(down('delete')),
    deleteMany: async () => Promise.reject(down('deleteMany')),

    async *list() {
      throw down('list')
    },
  }))
  const calls: readonly (() => Promise<unknown>)[] = [
    () => store.get('k'),
    () => store.getRanges('k', [{ start: 0, end: 5 }]),
    () => store.head('k'),
    () => store.put('k', bytesOf('v'), { mode: 'create' }),
    () => store.putStream('k', [bytesOf('v')]),
    () => store.delete('k'),
    () => store.deleteMany(['k', 'l']),
    () => keysOf(store),
  ]
  for (const call of calls) expect(isKind(await errorOf(settled(runtime, call())), 'unavailable', 'DOWN')).toBe(true)
  const names = ['get', 'getRanges', 'head', 'put', 'putStream', 'delete', 'deleteMany', 'list']
  expect(tries).toEqual(Object.fromEntries(names.map((name) => [name, 4])))
  expect(metered.usage().requests).toEqual({ get: 8, head: 4, put: 8, delete: 8, list: 4 })
})

it('answers again from the cache, asks slow reads a second time and counts what really went out', async () => {
  const whole = memory()
  let slow = 0
  const { store, runtime, metered, hedged, cached } = stack((own) => ({
    ...whole,
    async get(key, options) {
      if (slow-- > 0) await own.timers.sleep(5000, options?.signal)
      return whole.get(key, options)
    },
  }))
  await settled(runtime, store.put('a.parquet', bytesOf('immutable'), { mode: 'create' }))
  slow = 1
  const startMs = runtime.clock.monotonic()
  expect(textOf((await settled(runtime, store.get('a.parquet'))).bytes)).toBe('immutable')
  expect(runtime.clock.monotonic() - startMs).toBeLessThan(200)
  expect(hedged.hedgeStats()).toEqual({ reads: 1, extra: 1, won: 1 })
  const { requests } = metered.usage()
  expect(requests).toMatchObject({ get: 2, put: 1 })
  for (let i = 0; i < 10; i++) expect(textOf((await store.get('a.parquet')).bytes)).toBe('immutable')
  expect(metered.usage().requests).toEqual(requests)
  expect(cached.cacheStats()).toMatchObject({ reads: 11, hits: 10 })
  // What may change is asked about, and by one small request.
  await settled(runtime, store.put('hint', bytesOf('1')))
  await store.get('hint')
  await store.get('hint')
  expect(metered.usage().requests).toMatchObject({ get: 3, head: 1 })
  await whole.put('lake/hint', bytesOf('2'))
  expect(textOf((await store.get('hint')).bytes)).toBe('2')
})

it('carries an attempt id through all layers, and settles a create whose answer was lost', async () => {
  const whole = memory()
  const ids: (string | undefined)[] = []
  const { store, runtime } = stack(() => ({
    ...whole,
    async put(key, bytes, options) {
      ids.push(options?.attemptId)
      const answer = await whole.put(key, bytes, options)
      if (ids.length === 1) throw unavailable('LOST', 'lost', { outcome: 'unknown' })
      return answer
    },
  }))
  const { etag } = await settled(runtime, store.put('k', bytesOf('v'), { mode: 'create' }))
  expect((await whole.head('lake/k'))?.etag).toBe(etag)
  expect([ids.length, ids[0] === ids[1], typeof ids[0]]).toEqual([2, true, 'string'])
  expect(isKind(await errorOf(settled(runtime, store.put('k', bytesOf('w'), { mode: 'create' }))), 'exists')).toBe(true)
})

it('ends everything with the signal of its caller, wherever the call is', async () => {
  const { store, runtime, metered } = stack((own) => ({
    ...memory(),
    async get(_, options) {
      await own.timers.sleep(10_000, options?.signal)
      throw unavailable('DOWN', 'down')
    },
  }))
  const controller = new AbortController()
  const { signal } = controller
  // Four are under way, each asked twice; the others wait for a place.
  const reads = Promise.all(Array.from({ length: 9 }, (_, i) => errorOf(store.get(`k${i}`, { signal }))))
  await runtime.clock.advance(100)
  expect(metered.usage().requests.get).toBe(8)
  controller.abort()
  for (const error of await reads) expect(isKind(error, 'aborted')).toBe(true)
  await runtime.clock.advance(0)
  expect([runtime.clock.waiting, metered.usage().requests.get]).toEqual([0, 8])
})
