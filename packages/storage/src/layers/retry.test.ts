import type { ObjectInfo, ObjectStore } from '@moulin/core'
import { conflict, isKind, unavailable } from '@moulin/core'
import { partedStore, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { memory } from '../memory.ts'
import { bytesOf, errorOf, keysOf, outcomeOf, retryScene, settled, textOf } from './layers.test-support.ts'
import type { RetryOptions } from './retry.ts'
import { retry } from './retry.ts'

describe('reads', () => {
  it.each(['before', 'after'] as const)('are tried again, whatever the outcome (%s), up to maxTries', async (fault) => {
    const { store, faulty, runtime, below } = retryScene([{ fault, operation: ['get', 'head'], times: 3 }])
    await below.put('k', bytesOf('v'))
    expect(textOf((await settled(runtime, store.get('k'))).bytes)).toBe('v')
    expect(faulty.countCalls({ operation: 'get' })).toBe(4)
    faulty.addRule({ fault, operation: ['get', 'head'], times: Infinity })
    for (const call of [() => store.get('k'), () => store.head('k'), () => store.getRanges('k', [{ start: 0 }])]) {
      const before = faulty.countCalls()
      expect(isKind(await errorOf(settled(runtime, call())), 'unavailable', 'FAULT')).toBe(true)
      expect(faulty.countCalls() - before).toBe(8)
    }
  })

  it('are not tried again where that cannot help', async () => {
    const { store, faulty } = retryScene([])
    expect(isKind(await errorOf(store.get('missing')), 'not-found')).toBe(true)
    expect(isKind(await errorOf(store.get('../k')), 'invalid')).toBe(true)
    expect(faulty.countCalls()).toBe(2)
    let asked = 0
    const refusing = retry({
      ...memory(),
      async head() {
        asked++
        throw unavailable('CREDENTIALS', 'they have run out')
      },
    })
    expect(isKind(await errorOf(refusing.head('k')), 'unavailable', 'CREDENTIALS')).toBe(true)
    expect(asked).toBe(1)
  })
})

describe('waits', () => {
  /** When each try came. */
  async function times(options: RetryOptions, hint?: number): Promise<number[]> {
    const runtime = virtualRuntime({ seed: 5 })
    const at: number[] = []
    const store = retry(
      {
        ...memory(),
        async head() {
          at.push(runtime.clock.monotonic())
          throw unavailable('BUSY', 'busy', { context: { retryAfterMs: hint } })
        },
      },
      { runtime, ...options },
    )
    const failing = errorOf(store.head('k'))
    let isOver = false
    void failing.then(() => (isOver = true))
    while (!isOver) await runtime.clock.advance(1)
    return at
  }
  const gaps = (at: readonly number[]): number[] => at.slice(1).map((ms, i) => ms - at[i]!)

  it('are random, below a bound that doubles up to maxWaitMs', async () => {
    const waits = gaps(await times({ maxTries: 8, minWaitMs: 100, maxWaitMs: 1000 }))
    expect(waits.length).toBe(7)
    waits.forEach((ms, i) => expect(ms).toBeLessThanOrEqual(Math.min(1000, 100 * 2 ** i) + 1))
    expect(Math.max(...waits)).toBeGreaterThan(200)
    expect(new Set(waits.map((ms, i) => Math.round((100 * ms) / Math.min(1000, 100 * 2 ** i)))).size).toBeGreaterThan(4)
  })

  it('are as long as the service asks for, and some more', async () => {
    const waits = gaps(await times({ maxTries: 4, minWaitMs: 100 }, 1500))
    expect(waits.length).toBe(3)
    for (const ms of waits) expect(ms).toBeGreaterThan(1500)
    expect(new Set(waits).size).toBe(3)
  })

  it('end at maxRetryMs: no try begins later, and none is waited for in vain', async () => {
    const at = await times({ maxTries: 100, minWaitMs: 400, maxWaitMs: 400, maxRetryMs: 2000 })
    expect(at.at(-1)!).toBeLessThan(2000)
    expect(at.length).toBeGreaterThan(4)
    expect(await times({ maxRetryMs: 2000 }, 2500)).toEqual([0])
  })
})

describe('the budget', () => {
  it('is one for all calls, and comes back with time and with successes', async () => {
    const options = { maxTries: 3, budget: { tokens: 4, perSecond: 0, perSuccess: 0.5 } }
    const { store, faulty, runtime } = retryScene([], options)
    const rule = faulty.addRule({ fault: 'before', times: Infinity })
    const tries = async (): Promise<number> => {
      const before = faulty.countCalls()
      await errorOf(settled(runtime, store.head('k')))
      return faulty.countCalls() - before
    }
    expect([await tries(), await tries(), await tries(), await tries()]).toEqual([3, 3, 1, 1])
    rule.remove()
    for (let i = 0; i < 2; i++) await store.head('k')
    faulty.addRule({ fault: 'before', times: Infinity })
    expect(await tries()).toBe(2)

    const timed = retryScene([{ fault: 'before', times: Infinity }], {
      maxTries: 3,
      budget: { tokens: 2, perSecond: 1 },
    })
    const triesThen = async (): Promise<number> => {
      const before = timed.faulty.countCalls()
      await errorOf(settled(timed.runtime, timed.store.head('k')))
      return timed.faulty.countCalls() - before
    }
    expect(await triesThen()).toBe(3)
    await timed.runtime.clock.advance(10_000)
    expect(await triesThen()).toBe(3)
  })
})

describe('lists', () => {
  /** Fails at the steps that are named, counted over all lists. */
  function breaking(
    store: ObjectStore,
    at: ReadonlySet<number>,
  ): { store: ObjectStore; afters: (string | undefined)[] } {
    const afters: (string | undefined)[] = []
    let steps = 0
    return {
      afters,
      store: {
        ...store,
        async *list(options): AsyncIterable<ObjectInfo> {
          afters.push(options?.after)
          for await (const info of store.list(options)) {
            if (at.has(++steps)) throw unavailable('RESET', 'reset', { outcome: 'unknown' })
            yield info
          }
        },
      },
    }
  }

  it('go on behind the last key where there is order', async () => {
    const whole = memory()
    const keys = Array.from({ length: 20 }, (_, i) => `k/${String(i).padStart(2, '0')}`)
    for (const key of keys) await whole.put(key, bytesOf(key))
    const { store, afters } = breaking(whole, new Set([1, 6, 7, 15]))
    const runtime = virtualRuntime({ seed: 2 })
    expect(await settled(runtime, keysOf(retry(store, { runtime, maxTries: 3 }), { prefix: 'k/' }))).toEqual(keys)
    expect(afters).toEqual([undefined, undefined, 'k/03', 'k/03', 'k/10'])
  })

  it('begin anew and leave out what was told where there is none', async () => {
    const whole = partedStore({ seed: 3 })
    const keys = Array.from({ length: 20 }, (_, i) => `k/${String(i).padStart(2, '0')}`)
    for (const key of keys) await whole.put(key, bytesOf(key))
    const { store, afters } = breaking(whole, new Set([12, 30]))
    const runtime = virtualRuntime({ seed: 2 })
    const listed = await settled(runtime, keysOf(retry(store, { runtime }), { after: 'k/' }))
    expect(listed.toSorted()).toEqual(keys)
    expect(afters).toEqual(['k/', 'k/', 'k/'])
  })

  it('are tried maxTries for each key, and then fail', async () => {
    const whole = memory()
    for (const key of ['a', 'b', 'c']) await whole.put(key, bytesOf(key))
    const { store, afters } = breaking(whole, new Set([2, 3, 4, 5]))
    const runtime = virtualRuntime({ seed: 2 })
    const error = await errorOf(settled(runtime, keysOf(retry(store, { runtime, maxTries: 3 }))))
    expect(isKind(error, 'unavailable', 'RESET')).toBe(true)
    expect(afters).toEqual([undefined, 'a', 'a'])
  })
})

describe('signals and deadlines', () => {
  it('end a wait at once, with the outcome of the tries before', async () => {
    for (const [fault, outcome] of [
      ['before', 'rejected'],
      ['after', 'unknown'],
    ] as const) {
      const { store, faulty, runtime } = retryScene([{ fault, times: Infinity }], { minWaitMs: 5000 })
      const controller = new AbortController()
      const put = errorOf(store.put('k', bytesOf('v'), { signal: controller.signal }))
      await runtime.clock.advance(1)
      controller.abort()
      expect(outcomeOf(await put)).toEqual(['aborted', outcome])
      expect([faulty.countCalls(), runtime.clock.waiting]).toEqual([1, 0])
    }
  })

  it('end a read that is stuck, and the request with it', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const signals: AbortSignal[] = []
    const stuck = async (signal: AbortSignal | undefined): Promise<never> => {
      signals.push(signal!)
      return new Promise(() => {})
    }
    const store = retry(
      {
        ...memory(),
        get: (_, options) => stuck(options?.signal),
        async *list(options) {
          yield await stuck(options?.signal)
        },
      },
      { runtime, deadlineMs: 700 },
    )
    for (const call of [() => store.get('k'), () => keysOf(store)]) {
      const error = errorOf(call())
      await runtime.clock.advance(699)
      expect(signals.at(-1)!.aborted).toBe(false)
      await runtime.clock.advance(1)
      expect(isKind(await error, 'unavailable', 'DEADLINE')).toBe(true)
      expect(signals.at(-1)!.aborted).toBe(true)
    }
    expect(runtime.clock.waiting).toBe(0)
  })

  it('end all tries of a call together, unknown where a write may have happened', async () => {
    const { store, runtime } = retryScene([{ fault: 'after', times: Infinity }], { deadlineMs: 300, minWaitMs: 4000 })
    const failed = errorOf(settled(runtime, store.put('k', bytesOf('v'))))
    expect(outcomeOf(await failed)).toEqual(['unavailable', 'unknown'])
    expect(await failed).toMatchObject({ code: 'DEADLINE', context: { deadlineMs: 300 } })
    expect(runtime.clock.waiting).toBe(0)
  })
})

it('waits out one write a second to one name', async () => {
  const runtime = virtualRuntime({ seed: 9 })
  const whole = memory()
  let nextMs = 0
  const store = retry(
    {
      ...whole,
      async put(key, bytes, options) {
        if (runtime.clock.monotonic() < nextMs)
          throw unavailable('TOO_MANY_WRITES', 'one a second', { context: { retryAfterMs: 1000 } })
        nextMs = runtime.clock.monotonic() + 1000
        return whole.put(key, bytes, options)
      },
    },
    { runtime },
  )
  const writers = Promise.all(Array.from({ length: 6 }, (_, i) => store.put('hint', bytesOf(String(i)))))
  expect((await settled(runtime, writers)).length).toBe(6)
})

it('passes what is no error of ours, once', async () => {
  let asked = 0
  const odd = retry(
    {
      ...memory(),
      async head() {
        asked++
        throw new TypeError('a bug')
      },
      async delete() {
        throw conflict('BUSY', 'come again', { retryable: asked++ < 3 })
      },
    },
    { minWaitMs: 0 },
  )
  expect(await errorOf(odd.head('k'))).toBeInstanceOf(TypeError)
  expect(asked).toBe(1)
  expect(isKind(await errorOf(odd.delete('k')), 'conflict')).toBe(true)
  expect(asked).toBe(4)
})
