import type { ObjectStore } from '@moulin/core'
import { conflict, isKind, systemRuntime } from '@moulin/core'
import { memory } from '@moulin/storage'
import { wrongStores } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { checkClock, checkCounter, checkOrder, sample } from './doctor-checks.ts'

const runtime = systemRuntime()

const wrong = (name: string): ObjectStore => wrongStores.find((each) => each.name === name)!.wrap(memory())

describe('what the doctor asks of a store', () => {
  it('finds swaps that are lost, or never let in', async () => {
    expect(await checkCounter({ room: memory(), runtime })).toMatchObject({ verdict: 'good' })
    const room = wrong('swap that looks first and writes later')
    expect(await checkCounter({ room, runtime })).toMatchObject({ verdict: 'fault', code: 'SWAP_LOST' })
    const store = memory()
    const stubborn: ObjectStore = {
      ...store,
      put: (key, bytes, options = {}) =>
        store.put(key, bytes, typeof options.mode === 'object' ? { mode: { ifMatch: '"none"' } } : options),
    }
    expect(await checkCounter({ room: stubborn, runtime })).toMatchObject({ verdict: 'fault', code: 'SWAP_REFUSED' })
  })

  it('finds reads that do not show the write before them', async () => {
    const whole = await sample({ room: memory(), runtime }, 3)
    expect(whole.finding).toMatchObject({ verdict: 'good' })
    expect(whole.latencies.map(({ operation, calls }) => [operation, calls])).toEqual(
      ['create', 'get', 'head', 'put', 'swap', 'list', 'delete'].map((operation) => [operation, 3]),
    )
    for (const { p50Ms, p99Ms } of whole.latencies) expect(p99Ms).toBeGreaterThanOrEqual(p50Ms)
    for (const name of ['get that shows the version before', 'head that is cached', 'list that is a put behind']) {
      const { finding } = await sample({ room: wrong(name), runtime }, 3)
      expect(finding, name).toMatchObject({ verdict: 'fault', code: 'STALE_READ' })
    }
  })

  it('finds lists that leave something out, and an order that is not kept', async () => {
    expect(await checkOrder({ room: memory(), runtime })).toMatchObject({ verdict: 'good' })
    const store = memory()
    const listed = (
      change: (keys: string[]) => string[],
      listOrder: ObjectStore['listOrder'] = 'bytes',
    ): ObjectStore => ({
      ...store,
      listOrder,
      async *list(options) {
        const infos = new Map()
        for await (const info of store.list(options)) infos.set(info.key, info)
        for (const key of change([...infos.keys()])) yield infos.get(key)
      },
    })
    const short = await checkOrder({ room: listed((keys) => keys.slice(1)), runtime })
    expect(short).toMatchObject({ verdict: 'fault', code: 'LIST_INCOMPLETE' })
    const error: unknown = await checkOrder({ room: listed((keys) => keys.reverse()), runtime }).catch(
      (thrown) => thrown,
    )
    expect(isKind(error, 'unsupported', 'LIST_ORDER')).toBe(true)
    expect(await checkOrder({ room: listed((keys) => keys.reverse(), 'none'), runtime })).toMatchObject({
      verdict: 'good',
    })
  })
})

it('takes a count that a lost answer made twice for no lie of the store', async () => {
  const store = memory()
  let swaps = 0
  const room: ObjectStore = {
    ...store,
    async put(key, bytes, options) {
      const tag = await store.put(key, bytes, options)
      if (typeof options?.mode !== 'object' || ++swaps % 3 > 0) return tag
      throw conflict('TAG_MISMATCH', 'It was lost, and is another by now.', { outcome: 'unknown' })
    },
  }
  expect(await checkCounter({ room, runtime })).toMatchObject({ verdict: 'good' })
})

it('takes an object that is not there for a stale read, not for a wrong clock', async () => {
  const room: ObjectStore = { ...memory(), head: () => Promise.resolve(undefined) }
  expect(await checkClock({ room, runtime })).toMatchObject({ verdict: 'fault', code: 'STALE_READ' })
})
