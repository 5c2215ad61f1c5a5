import type { ObjectInfo, ObjectStore, StoredObject } from '@moulin/core'
import { isKind, systemRuntime, unavailable } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { memory } from '../memory.ts'
import { bytesOf, errorOf, keysOf, textOf } from './layers.test-support.ts'
import { limit } from './limit.ts'

const { timers } = systemRuntime()

interface Held {
  readonly key: string
  readonly end: (error?: Error) => void
}

/** A store whose gets and puts are under way until the test ends them. */
function held(): { readonly store: ObjectStore; readonly under: Held[]; readonly begun: string[] } {
  const under: Held[] = []
  const begun: string[] = []
  const hold = async <T>(key: string, answer: T): Promise<T> => {
    begun.push(key)
    const mine = await new Promise<Error | undefined>((resolve) => {
      const one: Held = {
        key,
        end(error) {
          under.splice(under.indexOf(one), 1)
          resolve(error)
        },
      }
      under.push(one)
    })
    if (mine !== undefined) throw mine
    return answer
  }
  const info: ObjectInfo = { key: 'k', size: 1, etag: '1', modifiedMs: 0 }
  const object: StoredObject = { ...info, bytes: new Uint8Array(1) }
  const store: ObjectStore = {
    ...memory(),
    get: (key) => hold(key, object),
    getRanges: (key) => hold(key, { ...info, parts: [] }),
    put: (key) => hold(key, { etag: '1' }),
    putStream: (key) => hold(key, { etag: '1' }),
  }
  return { store, under, begun }
}

describe('limit', () => {
  it('has so many calls under way, lets the others in one by one in their order, and has them all answered', async () => {
    const { store, under, begun } = held()
    const limited = limit(store, { concurrency: 3 })
    const calls = Array.from({ length: 10 }, (_, i) =>
      i % 2 === 0 ? limited.get(`k${i}`) : limited.put(`k${i}`, new Uint8Array(1)),
    )
    const settling = Promise.allSettled(calls)
    for (let ended = 0; ended < 10; ended++) {
      await timers.turn()
      expect(under.length).toBe(Math.min(3, 10 - ended))
      // Not the oldest: a place is a place.
      under.at(-1)!.end(ended === 4 ? unavailable('DOWN', 'down') : undefined)
    }
    const results = await settling
    expect(results.filter(({ status }) => status === 'rejected').length).toBe(1)
    expect(begun).toEqual(calls.map((_, i) => `k${i}`))
  })

  it('counts the bytes of puts, ranges and what is not known, and lets nobody overtake', async () => {
    const { store, under, begun } = held()
    const limited = limit(store, { bytes: 100, assumedBytes: 30 })
    void limited.put('60', new Uint8Array(60))
    void limited.get('20', { range: { start: 5, end: 25 } })
    void limited.get('30')
    void limited.getRanges('10', [{ start: 1, end: 4 }, { suffix: 7 }])
    void limited.get('0', { range: { start: 0, end: 1 } })
    await timers.turn()
    expect(begun).toEqual(['60', '20'])
    under[1]!.end()
    await timers.turn()
    expect(begun).toEqual(['60', '20', '30', '10'])
    under.find(({ key }) => key === '60')!.end()
    await timers.turn()
    expect(begun).toEqual(['60', '20', '30', '10', '0'])
    // More than all: alone.
    void limited.put('1000', new Uint8Array(1000))
    void limited.put('1', new Uint8Array(1))
    while (under.length > 0) {
      expect(begun).not.toContain('1000')
      under[0]!.end()
      if (under.length > 0) await timers.turn()
    }
    await timers.turn()
    expect([begun.at(-1), under.length]).toEqual(['1000', 1])
    under[0]!.end()
    await timers.turn()
    expect(begun.at(-1)).toBe('1')
    under[0]!.end()
  })

  it('lets go of who waits when his signal fires, and lets in those behind him', async () => {
    const { store, under, begun } = held()
    const limited = limit(store, { bytes: 100 })
    void limited.put('first', new Uint8Array(60))
    const controller = new AbortController()
    const large = errorOf(limited.put('large', new Uint8Array(90), { signal: controller.signal }))
    void limited.put('small', new Uint8Array(10))
    await timers.turn()
    expect(begun).toEqual(['first'])
    controller.abort()
    expect(isKind(await large, 'aborted')).toBe(true)
    await timers.turn()
    expect(begun).toEqual(['first', 'small'])
    for (const one of [...under]) one.end()
    await timers.turn()
    const last = limited.put('last', new Uint8Array(100))
    await timers.turn()
    under[0]!.end()
    await last
  })

  it('refuses by name what would wait behind too many', async () => {
    const { store, under } = held()
    const limited = limit(store, { concurrency: 1, maxQueue: 2 })
    const calls = ['a', 'b', 'c'].map((key) => limited.get(key))
    const error = await errorOf(limited.get('d'))
    expect(isKind(error, 'exhausted', 'QUEUE_FULL') && error.outcome).toBe('rejected')
    expect(String(error)).toContain('2 calls wait already for one of 1 places')
    for (let i = 0; i < 3; i++) {
      await timers.turn()
      under[0]!.end()
    }
    await Promise.all(calls)
  })

  it('counts streams by themselves, so that the source of one may read from the store', async () => {
    const whole = memory()
    await whole.put('source', bytesOf('bytes'))
    const limited = limit(whole, { concurrency: 1, streams: 1, bytes: 10 })
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 2; i++) yield (await limited.get('source')).bytes
    }
    await Promise.all(['a', 'b'].map((key) => limited.putStream(key, source())))
    expect(textOf((await limited.get('b')).bytes)).toBe('bytesbytes')

    const { store, under } = held()
    const two = limit(store, { streams: 2, bytes: 1000 })
    for (const key of ['a', 'b', 'c']) void two.putStream(key, [], { partBytes: 1 })
    void two.get('k')
    await timers.turn()
    expect(under.map(({ key }) => key)).toEqual(['a', 'b', 'k'])
    for (const one of [...under]) one.end()
    await timers.turn()
    // Five parts of 150 bytes, and no room for five more.
    for (const key of ['d', 'e']) void two.putStream(key, [], { partBytes: 150 })
    for (const one of under.filter(({ key }) => key === 'c')) one.end()
    await timers.turn()
    expect(under.map(({ key }) => key)).toEqual(['d'])
  })

  it('takes no place for a list while its caller is busy, and keeps what came before a failure', async () => {
    const whole = memory()
    const keys = Array.from({ length: 2_300 }, (_, i) => `k${String(i).padStart(5, '0')}`)
    for (const key of keys) await whole.put(key, new Uint8Array(0))
    const limited = limit(whole, { concurrency: 1 })
    const seen: string[] = []
    for await (const { key } of limited.list()) seen.push((await limited.get(key)).key)
    expect(seen).toEqual(keys)
    let isStopped = false
    const breaking = limit({
      ...whole,
      async *list() {
        try {
          for (const key of ['a', 'b']) yield { key, size: 0, etag: '1', modifiedMs: 0 }
          throw unavailable('RESET', 'reset')
        } finally {
          isStopped = true
        }
      },
    })
    const found: string[] = []
    const listing = (async () => {
      for await (const { key } of breaking.list()) found.push(key)
    })()
    expect(isKind(await errorOf(listing), 'unavailable', 'RESET')).toBe(true)
    expect([found, isStopped]).toEqual([['a', 'b'], true])
    expect(await keysOf(limited, { after: keys[2_297]! })).toEqual(keys.slice(2_298))
  })
})

it('is not held up by a call whose size is no number: what is below refuses it', async () => {
  const store = limit(memory(), { bytes: 100 })
  const late = Promise.allSettled([
    store.put('k', new ArrayBuffer(4) as never),
    store.putStream('k', [new Uint8Array(1)], { partBytes: Number.NaN }),
    store.get('k', { range: { start: 0, end: Number.NaN } }),
  ])
  const early = Promise.all([store.put('a', new Uint8Array(1)), store.putStream('b', [new Uint8Array(1)])])
  let isOver = false
  void Promise.all([late, early]).then(() => (isOver = true))
  for (let turns = 0; turns < 50 && !isOver; turns++) await timers.turn()
  expect(isOver).toBe(true)
})
