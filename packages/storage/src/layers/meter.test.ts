import type { ObjectStore } from '@moulin/core'
import { isKind, unavailable } from '@moulin/core'
import { recordingMeter, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { memory } from '../memory.ts'
import { bytesOf, errorOf, keysOf, settled } from './layers.test-support.ts'
import { meter } from './meter.ts'
import { costOf, priceTables, pricesOf } from './price-table.ts'
import { retry } from './retry.ts'

describe('meter', () => {
  it('counts requests by kind, bytes both ways and calls that fail', async () => {
    const store = meter(memory(), { pageKeys: 10, partBytes: 100 })
    await store.put('a', new Uint8Array(7))
    await errorOf(store.put('a', new Uint8Array(5), { mode: 'create' }))
    await store.get('a', { range: { start: 2, end: 5 } })
    await errorOf(store.get('missing'))
    await store.head('a')
    await store.getRanges('a', [])
    await store.getRanges('a', [{ start: 0, end: 2 }, { start: 2, end: 4 }, { suffix: 1 }])
    await store.getRanges(
      'a',
      [
        { start: 0, end: 1 },
        { start: 5, end: 6 },
      ],
      { maxGapBytes: 0 },
    )
    await store.delete('a')
    await store.deleteMany(Array.from({ length: 11 }, (_, i) => `k${i}`))
    expect(store.usage()).toEqual({
      requests: { get: 1 + 1 + 2 + 2, head: 2, list: 0, put: 2, delete: 3 },
      sentBytes: 12,
      receivedBytes: 3 + 5 + 2,
    })
  })

  it('takes a stream for its parts, its beginning and its end, and a list for its pages', async () => {
    const puts = async (chunks: readonly number[], partBytes?: number): Promise<number> => {
      const store = meter(memory(), { partBytes: 100 })
      const source = chunks.map((length) => new Uint8Array(length))
      await store.putStream('k', source, partBytes === undefined ? {} : { partBytes })
      expect(store.usage().sentBytes).toBe(chunks.reduce((sum, length) => sum + length, 0))
      return store.usage().requests.put
    }
    expect(await puts([])).toBe(1)
    expect(await puts([60, 40])).toBe(1)
    expect(await puts([60, 41])).toBe(4)
    expect(await puts([250, 250, 1])).toBe(8)
    expect(await puts([501], 200)).toBe(5)

    const pages = async (keys: number, taken = Infinity): Promise<number> => {
      const whole = memory()
      for (let i = 0; i < keys; i++) await whole.put(`k${i}`, new Uint8Array(0))
      const store = meter(whole, { pageKeys: 3 })
      for await (const _ of store.list()) if (--taken === 0) break
      return store.usage().requests.list
    }
    expect([await pages(0), await pages(3), await pages(4), await pages(7)]).toEqual([1, 1, 2, 3])
    expect(await pages(7, 2)).toBe(1)
  })

  it('tells a meter of durations, requests and bytes, by method', async () => {
    const told = recordingMeter()
    const runtime = virtualRuntime({ seed: 1 })
    const whole = memory()
    const slow: ObjectStore = {
      ...whole,
      async get(key, options) {
        await runtime.timers.sleep(250)
        return whole.get(key, options)
      },
      async *list(options) {
        await runtime.timers.sleep(100)
        yield* whole.list(options)
      },
    }
    await whole.put('k', bytesOf('four'))
    const store = meter(slow, { meter: told, runtime, name: 'lake' })
    await settled(runtime, store.get('k'))
    await errorOf(settled(runtime, store.get('missing')))
    expect(await settled(runtime, keysOf(store))).toEqual(['k'])
    const get = { 'moulin.store.name': 'lake', 'moulin.store.operation': 'get' }
    expect(told.seen('moulin.store.call.duration', get)).toEqual([
      { value: 0.25, attributes: get },
      { value: 0.25, attributes: { ...get, 'error.type': 'KEY_MISSING' } },
    ])
    const list = { ...get, 'moulin.store.operation': 'list' }
    expect(told.seen('moulin.store.call.duration', list)).toEqual([{ value: 0.1, attributes: list }])
    expect(told.total('moulin.store.requests', get)).toBe(2)
    expect(told.total('moulin.store.received', get)).toBe(4)
    expect(told.instruments.get('moulin.store.call.duration')?.unit).toBe('s')
  })

  it('ends the list below when its caller leaves, and passes what it throws', async () => {
    const whole = memory()
    for (const key of ['a', 'b']) await whole.put(key, new Uint8Array(0))
    let open = 0
    const store = meter({
      ...whole,
      async *list(options) {
        open++
        try {
          yield* whole.list(options)
        } finally {
          open--
        }
      },
    })
    for await (const _ of store.list()) break
    expect(open).toBe(0)
    expect(isKind(await errorOf(keysOf(store, { signal: AbortSignal.abort() })), 'aborted')).toBe(true)
    expect(open).toBe(0)
  })
})

describe('prices', () => {
  it('turn requests and bytes into money, by class', async () => {
    const usage = {
      requests: { get: 2_000_000, head: 500_000, list: 1_000, put: 99_000, delete: 1_000_000 },
      sentBytes: 10 * 2 ** 30,
      receivedBytes: 100 * 2 ** 30,
    }
    expect(costOf(usage, priceTables.s3)).toMatchObject({ currency: 'USD', requests: 1 + 0.5, bytes: 0 })
    const express = costOf(usage, priceTables.s3Express)
    expect(express.requests).toBeCloseTo(0.075 + 0.113, 10)
    expect(express.bytes).toBeCloseTo(0.032 + 0.06, 10)
    expect(express.total).toBe(express.requests + express.bytes)
    const free = { ...priceTables.s3, classes: { ...priceTables.s3.classes, get: 'free', head: 'free' } } as const
    expect(costOf(usage, free).total).toBe(0.5)
  })

  it('are those of the scheme, or those that are given', async () => {
    const at = (root: string): ObjectStore => ({ ...memory(), root })
    expect(
      ['s3://b/', 's3://b--use1-az4--x-s3/p/', 'gs://b/', 'abfss://c@a/', 'file:///x/'].map(
        (root) => pricesOf(root)?.name,
      ),
    ).toEqual([
      priceTables.s3.name,
      priceTables.s3Express.name,
      priceTables.gcs.name,
      priceTables.azure.name,
      undefined,
    ])
    expect(meter(memory()).cost()).toBeUndefined()
    const store = meter(at('s3://b/'), { prices: priceTables.r2 })
    for (let i = 0; i < 10; i++) await store.put('k', new Uint8Array(1))
    expect(store.cost()?.total).toBeCloseTo(0.000045, 12)
    expect(store.cost()?.prices.source).toContain('r2/pricing')
    const wrong = { ...priceTables.r2, perThousand: { a: -1, b: 0 } }
    expect(() => meter(memory(), { prices: wrong })).toThrow('prices.perThousand.a is -1')
    for (const { date, source } of Object.values(priceTables)) {
      expect(date).toMatch(/^\d{4}-\d\d-\d\d$/)
      expect(source.length).toBeGreaterThan(10)
    }
  })
})

it('leaves a stream that can be had again what it is: a retry below sends it again, and both are counted', async () => {
  const whole = memory()
  let tries = 0
  const below: ObjectStore = {
    ...whole,
    async putStream(key, chunks, options) {
      const tag = await whole.putStream(key, chunks, options)
      if (++tries === 1) throw unavailable('LOST', 'lost', { outcome: 'unknown' })
      return tag
    },
  }
  const runtime = virtualRuntime({ seed: 1 })
  const store = meter(retry(below, { runtime }), { runtime, partBytes: 100 })
  const chunks = [new Uint8Array(60), new Uint8Array(60)]
  await settled(runtime, store.putStream('k', chunks))
  expect([tries, store.usage().requests.put, store.usage().sentBytes]).toEqual([2, 2 * 4, 2 * 120])
})
