import type { ObjectStore, PutOptions } from '@moulin/core'
import { exists, isKind, isMoulinError, unavailable } from '@moulin/core'
import { partedStore, virtualRuntime, wrongStores } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { fileSystem } from './file-system.ts'
import { memory } from './memory.ts'
import { prefix } from './layers/prefix.ts'
import { probeStore } from './probe.ts'

const runtime = virtualRuntime({ seed: 1 })

/** The lies that endanger a log, and what the probe calls them. Finer points are for the conformance suite. */
const dangerous: Record<string, string> = {
  'create by the last writer': 'CREATE_OVERWRITES',
  'create that says yes and keeps what is there': 'CREATE_OVERWRITES',
  'create that refuses and overwrites all the same': 'CREATE_CHANGES_OBJECT',
  'create that looks first and writes later': 'CREATE_RACE',
  'swap that ignores the tag': 'SWAP_IGNORES_TAG',
  'swap that looks first and writes later': 'SWAP_RACE',
  'swap that creates a missing object': 'SWAP_CREATES',
  'delete that errs on a missing object': 'DELETE_MISSING',
  'delete that lists still show': 'DELETE_KEEPS',
  'get of a missing object that is empty': 'MISSING_KEY',
  'get that shows the version before': 'STALE_READ',
  'head that is cached': 'STALE_READ',
  'range that is one byte short': 'RANGE_WRONG',
  'range that counts the end in': 'RANGE_WRONG',
  'range past the end that is empty': 'RANGE_PAST_END',
  'suffix that is taken for a start': 'SUFFIX_WRONG',
  'suffix that is lost': 'SUFFIX_WRONG',
  'tag that never changes': 'TAG_CONSTANT',
  'tag of the size alone': 'TAG_CONSTANT',
  'list that counts the key after which it begins in': 'LIST_AFTER',
  'list that takes its prefix for a folder': 'LIST_INCOMPLETE',
  'list that is a put behind': 'LIST_INCOMPLETE',
  'list in the order of a tree': 'LIST_ORDER',
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list()) keys.push(key)
  return keys
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('probeStore', () => {
  it('passes the stores of this package and leaves nothing behind', async () => {
    const parted = partedStore({ seed: 3, runtime })
    const stores = [memory(), fileSystem({ root: '/srv/lake', runtime }), prefix(memory(), 'a/'), parted]
    for (const store of stores) {
      await store.put('log/probe/of-another', new Uint8Array(1))
      await probeStore(store, { runtime })
      expect(await keysOf(store), store.name).toEqual(['log/probe/of-another'])
    }
  })

  it.each(Object.entries(dangerous))('refuses a store with a %s, as %s', async (name, code) => {
    const store = memory()
    const wrong = wrongStores.find((candidate) => candidate.name === name)!.wrap(store)
    const error = await errorOf(probeStore(wrong, { runtime }))
    expect(isKind(error, 'unsupported', code), String(error)).toBe(true)
    expect(isMoulinError(error) && error.context['store']).toBe(wrong.name)
    expect(await keysOf(store)).toEqual([])
  })

  it('refuses a store that does not know its attempts again, or takes those of others for them', async () => {
    const store = memory()
    const own: ObjectStore = {
      ...store,
      put: (key, bytes, { attemptId, ...options } = {}) =>
        store.put(key, bytes, attemptId === undefined ? options : { ...options, attemptId: 'one-for-all' }),
    }
    const dropping: ObjectStore = {
      ...store,
      put: (key, bytes, { attemptId: _, ...options } = {}) => store.put(key, bytes, options),
    }
    expect(isKind(await errorOf(probeStore(dropping, { runtime })), 'unsupported', 'ATTEMPT_IDS_DROPPED')).toBe(true)
    expect(isKind(await errorOf(probeStore(own, { runtime })), 'unsupported', 'ATTEMPT_IDS_EQUAL')).toBe(true)
    const capabilities = { ...store.capabilities, attemptIds: false }
    expect(await errorOf(probeStore({ ...dropping, capabilities }, { runtime }))).toBeUndefined()
    expect(await keysOf(store)).toEqual([])
  })

  it('does not take an answer that was lost on the way for a lie', async () => {
    const store = memory()
    const lost = new Set<string>()
    /** The first answer to a repeated, or to the winning, write is lost, and the head cannot be read. */
    const lossy: ObjectStore = {
      ...store,
      async put(key, bytes, options) {
        const answer = await store.put(key, bytes, options)
        const name = key.slice(key.lastIndexOf('/') + 1)
        const isMeant = name === 'attempt' ? (await keysOf(store)).includes(`${key}-again`) : name === 'race-1'
        if (name === 'attempt') await store.put(`${key}-again`, new Uint8Array(1))
        if (!isMeant || lost.has(name)) return answer
        lost.add(name)
        throw exists('KEY_EXISTS', 'Somebody has it.', { outcome: 'unknown' })
      },
    }
    await probeStore(lossy, { runtime })
    expect([...lost]).toEqual(['race-1', 'attempt'])
  })

  it.each([
    ['delete', 'missing'],
    ['get', 'missing'],
    ['put', 'delete'],
  ] as const)('does not take a permission that is missing for a lie: %s of %s', async (method, name) => {
    const store = memory()
    let calls = 0
    const refusing = (key: string, options: PutOptions = {}): boolean =>
      key.endsWith(`/${name}`) && ++calls > 0 && (method !== 'put' || options.mode === 'create')
    const denied = (): Promise<never> => Promise.reject(unavailable('FORBIDDEN', 'No.', { retryable: false }))
    const shut: ObjectStore = {
      ...store,
      get: (key, options) => (method === 'get' && refusing(key) ? denied() : store.get(key, options)),
      delete: (key, options) => (method === 'delete' && refusing(key) ? denied() : store.delete(key, options)),
      put: (key, bytes, options) =>
        method === 'put' && refusing(key, options) ? denied() : store.put(key, bytes, options),
    }
    expect(await errorOf(probeStore(shut, { runtime }))).toSatisfy((error) => isKind(error, 'unavailable', 'FORBIDDEN'))
    expect(calls).toBeGreaterThan(0)
  })

  it('refuses a store that claims no atomic create, without touching it', async () => {
    const untouchable = (): never => expect.unreachable()
    const store = {
      ...memory(),
      put: untouchable,
      capabilities: { createIfAbsent: false, compareAndSwap: true, multipart: false },
    }
    expect(isKind(await errorOf(probeStore(store, { runtime })), 'unsupported', 'NO_CREATE_IF_ABSENT')).toBe(true)
  })

  it('passes an error of the environment on as it is, and cleans up as far as it can', async () => {
    const store = memory()
    let puts = 0
    const failing: ObjectStore = {
      ...store,
      async put(key, bytes, options) {
        if (++puts === 6) throw unavailable('ECONNRESET', 'The connection broke.')
        return store.put(key, bytes, options)
      },
    }
    expect(isKind(await errorOf(probeStore(failing, { runtime })), 'unavailable', 'ECONNRESET')).toBe(true)
    expect(await keysOf(store)).toEqual([])
  })

  it('stops at its signal and cleans up all the same', async () => {
    const store = memory()
    const controller = new AbortController()
    const aborting: ObjectStore = {
      ...store,
      head: async (key, options) => {
        if (key.endsWith('overwrite')) controller.abort()
        return store.head(key, options)
      },
    }
    expect(isKind(await errorOf(probeStore(aborting, { runtime, signal: controller.signal })), 'aborted')).toBe(true)
    expect(await keysOf(store)).toEqual([])
  })

  it('keeps two probes of one store apart', async () => {
    const store = memory()
    await Promise.all([1, 2, 3].map((seed) => probeStore(store, { runtime: virtualRuntime({ seed }) })))
    expect(await keysOf(store)).toEqual([])
  })
})
