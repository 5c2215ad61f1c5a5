import type { ObjectStore, StoredObject } from '@moulin/core'
import { isKind, notFound, unavailable } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import type { VirtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { memory } from '../memory.ts'
import type { HedgedStore, HedgeOptions } from './hedge.ts'
import { hedge } from './hedge.ts'
import { bytesOf, errorOf, settled, textOf } from './layers.test-support.ts'

interface Answer {
  readonly afterMs: number
  readonly error?: Error
}

interface Scene {
  readonly runtime: VirtualRuntime
  readonly store: HedgedStore
  /** Requests of reads, with the signal that each was given. */
  readonly requests: { readonly atMs: number; readonly signal: AbortSignal }[]
}

/** Reads are answered as ordered, one request after the other; the last order stays. */
function scene(answers: readonly Answer[], options: HedgeOptions): Scene {
  const runtime = virtualRuntime({ seed: 1 })
  const whole = memory()
  const requests: Scene['requests'] = []
  const request = async (number: number, signal: AbortSignal): Promise<StoredObject> => {
    const { afterMs, error } = answers[Math.min(number, answers.length - 1)]!
    requests.push({ atMs: runtime.clock.monotonic(), signal })
    await runtime.timers.sleep(afterMs, signal)
    if (error !== undefined) throw error
    return { key: 'k', size: 1, etag: String(number), modifiedMs: 0, bytes: bytesOf(String(number)) }
  }
  const below: ObjectStore = {
    ...whole,
    get: (_, given) => request(requests.length, given!.signal!),
    head: (_, given) => request(requests.length, given!.signal!),
  }
  return { runtime, requests, store: hedge(below, { runtime, ...options }) }
}

describe('hedge', () => {
  it('asks a second time when a read is slow, takes the first answer and aborts the other request', async () => {
    const { store, runtime, requests } = scene([{ afterMs: 500 }, { afterMs: 20 }], { afterMs: 50 })
    expect(textOf((await settled(runtime, store.get('k'))).bytes)).toBe('1')
    expect(requests.map(({ atMs }) => atMs)).toEqual([0, 50])
    expect(requests.map(({ signal }) => signal.aborted)).toEqual([true, false])
    expect(store.hedgeStats()).toEqual({ reads: 1, extra: 1, won: 1 })
    expect(runtime.clock.waiting).toBe(0)
  })

  it('asks once where the answer comes in time, and takes the first one where that comes first after all', async () => {
    const quick = scene([{ afterMs: 40 }], { afterMs: 50 })
    await settled(quick.runtime, quick.store.get('k'))
    expect([quick.requests.length, quick.runtime.clock.waiting]).toEqual([1, 0])
    const late = scene([{ afterMs: 60 }, { afterMs: 500 }], { afterMs: 50 })
    expect(textOf((await settled(late.runtime, late.store.get('k'))).bytes)).toBe('0')
    expect(late.requests.map(({ signal }) => signal.aborted)).toEqual([false, true])
    expect(late.store.hedgeStats()).toEqual({ reads: 1, extra: 1, won: 0 })
  })

  it('takes an error for no answer while the other request is under way, unless it is one about the object', async () => {
    const down = unavailable('DOWN', 'down')
    const one = scene([{ afterMs: 60, error: down }, { afterMs: 100 }], { afterMs: 50 })
    expect(textOf((await settled(one.runtime, one.store.get('k'))).bytes)).toBe('1')
    const both = scene([{ afterMs: 60, error: down }], { afterMs: 50 })
    expect(await errorOf(settled(both.runtime, both.store.get('k')))).toBe(down)
    expect(both.requests.length).toBe(2)
    const gone = scene([{ afterMs: 60, error: notFound('KEY_MISSING', 'gone') }, { afterMs: 500 }], { afterMs: 50 })
    expect(isKind(await errorOf(settled(gone.runtime, gone.store.get('k'))), 'not-found')).toBe(true)
    expect(gone.requests[1]!.signal.aborted).toBe(true)
    // What fails before its time is not asked a second time.
    const early = scene([{ afterMs: 10, error: down }], { afterMs: 50 })
    expect(await errorOf(settled(early.runtime, early.store.get('k')))).toBe(down)
    expect(early.requests.length).toBe(1)
  })

  it('ends both requests with the signal of the caller', async () => {
    const { store, runtime, requests } = scene([{ afterMs: 1000 }], { afterMs: 50 })
    const controller = new AbortController()
    const error = errorOf(store.get('k', { signal: controller.signal }))
    await runtime.clock.advance(100)
    controller.abort()
    expect(isKind(await error, 'aborted')).toBe(true)
    expect(requests.map(({ signal }) => signal.aborted)).toEqual([true, true])
    expect(runtime.clock.waiting).toBe(0)
  })

  it('learns from the reads of each method what is slow', async () => {
    const answers: Answer[] = Array.from({ length: 100 }, (_, i) => ({ afterMs: 10 * ((i % 20) + 1) }))
    const { store, runtime, requests } = scene(answers, { percentile: 90 })
    for (let i = 0; i < 19; i++) await settled(runtime, store.get('k'))
    expect(requests.length).toBe(19)
    for (let i = 19; i < 40; i++) await settled(runtime, store.get('k'))
    const before = requests.length
    answers.splice(before, Infinity, { afterMs: 900 }, { afterMs: 5 })
    const startMs = runtime.clock.monotonic()
    const { extra } = store.hedgeStats()
    await settled(runtime, store.get('k'))
    expect(store.hedgeStats().extra - extra).toBe(1)
    const waitedMs = requests[before + 1]!.atMs - startMs
    expect(waitedMs).toBeGreaterThanOrEqual(150)
    expect(waitedMs).toBeLessThanOrEqual(200)
    // Nothing is known of heads yet.
    const heads = scene([{ afterMs: 900 }], {})
    await settled(heads.runtime, heads.store.head('k'))
    expect(heads.requests.length).toBe(1)
  })

  it('sends no more second requests than its share', async () => {
    const { store, runtime } = scene([{ afterMs: 100 }], { afterMs: 10, maxExtra: 0.1 })
    for (let i = 0; i < 100; i++) await settled(runtime, store.get('k'))
    expect(store.hedgeStats()).toMatchObject({ reads: 100, extra: 19 })
    const none = scene([{ afterMs: 100 }], { afterMs: 10, maxExtra: 0 })
    await settled(none.runtime, none.store.get('k'))
    expect(none.store.hedgeStats().extra).toBe(0)
  })

  it('wants one answer to when', () => {
    expect(() => hedge(memory(), { afterMs: 1, percentile: 50 })).toThrow('give one of them')
  })
})

it('asks nobody again where the store throws before it promises anything', async () => {
  const runtime = virtualRuntime({ seed: 1 })
  const thrower: ObjectStore = {
    ...memory(),
    get: () => {
      throw new TypeError('at once')
    },
  }
  const store = hedge(thrower, { afterMs: 10, maxExtra: 1, runtime })
  expect(await errorOf(store.get('k'))).toBeInstanceOf(TypeError)
  await runtime.clock.advance(100)
  expect([runtime.clock.waiting, store.hedgeStats().extra]).toEqual([0, 0])
})
