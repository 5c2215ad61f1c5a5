import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ObjectStore } from '@moulin/core'
import { isKind } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fileSystem } from '../file-system.ts'
import { memory } from '../memory.ts'
import { hedge } from './hedge.ts'
import { limit } from './limit.ts'
import { meter } from './meter.ts'
import { prefix } from './prefix.ts'
import { retry } from './retry.ts'

let dir = ''
beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'moulin-checked-'))))
afterAll(() => rm(dir, { recursive: true }))

/** What plain JavaScript gives by mistake. */
const controller = new AbortController() as never
const bytes = new Uint8Array(1)
const none = [null, 5, 'text', {}, [5], Symbol('s')] as never[]

const stores: Record<string, (runtime: ReturnType<typeof virtualRuntime>) => ObjectStore> = {
  memory: () => memory(),
  'a folder': () => fileSystem({ root: dir }),
  retry: (runtime) => retry(memory(), { runtime }),
  limit: () => limit(memory()),
  hedge: (runtime) => hedge(memory(), { afterMs: 5, runtime }),
  stack: (runtime) => prefix(retry(limit(hedge(meter(memory()), { afterMs: 5, runtime })), { runtime }), 'lake/'),
}

const calls: Record<string, (store: ObjectStore) => Promise<unknown>[]> = {
  get: (store) => [store.get('k', { signal: controller })],
  getRanges: (store) => [store.getRanges('k', [{ start: 0 }], { signal: controller })],
  head: (store) => [store.head('k', { signal: controller })],
  put: (store) => [store.put('k', bytes, { signal: controller }), ...none.map((body) => store.put('k', body))],
  putStream: (store) => [
    store.putStream('k', [bytes], { signal: controller }),
    ...none.slice(0, 4).map((chunks) => store.putStream('k', chunks)),
  ],
  delete: (store) => [store.delete('k', { signal: controller })],
  deleteMany: (store) => [store.deleteMany(['k'], { signal: controller })],
  list: (store) => [store.list({ signal: controller })[Symbol.asyncIterator]().next()],
  'a key that is no text': (store) =>
    none.filter((key) => !['string', 'symbol'].includes(typeof key)).map((key) => store.head(key)),
}

describe.each(Object.entries(stores))('%s', (_, make) => {
  it.each(Object.entries(calls))('refuses what is none before anything begins: %s', async (_name, call) => {
    const runtime = virtualRuntime({ seed: 1 })
    const store = make(runtime)
    for (const { status, reason } of (await Promise.allSettled(call(store))) as PromiseRejectedResult[]) {
      expect(status).toBe('rejected')
      expect(isKind(reason, 'invalid'), String(reason)).toBe(true)
    }
    // A timer that was left would send a request that nobody waits for.
    await runtime.clock.advance(1_000)
    expect(await store.head('k')).toBeUndefined()
  })
})
