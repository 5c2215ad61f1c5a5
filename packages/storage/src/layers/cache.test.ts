import type { ObjectInfo, ObjectStore } from '@moulin/core'
import { conflict, isKind, systemRuntime, unavailable } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memory } from '../memory.ts'
import { always, cacheScene, sized, watched } from './cache.test-support.ts'
import { cache } from './cache.ts'
import { bytesOf, errorOf, textOf } from './layers.test-support.ts'

const { timers } = systemRuntime()

describe('cache', () => {
  it('asks the store once for what never changes, in blocks, and for nothing that it holds', async () => {
    const { store, whole, asked } = cacheScene(always)
    const bytes = sized(95)
    await whole.put('k', bytes)
    const range = (start: number, end: number): Promise<Uint8Array> =>
      store.get('k', { range: { start, end } }).then((object) => object.bytes)
    expect(await range(12, 15)).toEqual(bytes.subarray(12, 15))
    expect(await range(10, 20)).toEqual(bytes.subarray(10, 20))
    expect(asked).toEqual(['getRanges k 10-20'])
    expect(await range(5, 45)).toEqual(bytes.subarray(5, 45))
    expect(asked.slice(1)).toEqual(['getRanges k 0-10,20-50'])
    const { parts, ...info } = await store.getRanges('k', [{ start: 0, end: 1 }, { suffix: 3 }, { start: 88 }])
    expect([...parts]).toEqual([bytes.slice(0, 1), bytes.slice(92), bytes.slice(88)])
    expect(info).toEqual(await whole.head('k'))
    expect(asked.slice(2)).toEqual(['getRanges k 80-95'])
    expect((await store.get('k')).bytes).toEqual(bytes)
    expect(asked.slice(3)).toEqual(['getRanges k 50-80'])
    for (const again of [() => store.get('k'), () => store.get('k', { range: { suffix: 50 } })]) await again()
    expect(asked.length).toBe(4)
    expect(store.cacheStats()).toMatchObject({ reads: 7, hits: 3, heldBytes: 95, heldBlocks: 10, fetchedBytes: 95 })
  })

  it('asks what is there now before it uses what it holds, unless the key never changes', async () => {
    const { store, whole, asked } = cacheScene()
    await whole.put('k', bytesOf('first'))
    expect(textOf((await store.get('k')).bytes)).toBe('first')
    expect(textOf((await store.get('k')).bytes)).toBe('first')
    expect(asked).toEqual(['get k', 'head k'])
    await whole.put('k', bytesOf('2nd'))
    const { bytes, ...info } = await store.get('k')
    expect([textOf(bytes), info]).toEqual(['2nd', await whole.head('k')])
    await whole.delete('k')
    expect(isKind(await errorOf(store.get('k')), 'not-found')).toBe(true)
    expect(store.cacheStats()).toMatchObject({ heldBytes: 0, heldBlocks: 0 })
    // A swap A, B, A is another object of another time.
    const old = await whole.put('k', bytesOf('A'))
    await store.get('k')
    await whole.put('k', bytesOf('B'))
    await whole.put('k', bytesOf('A'))
    const now = await store.get('k')
    expect([now.etag === old.etag, now.modifiedMs]).toEqual([false, (await whole.head('k'))!.modifiedMs])
  })

  it('mixes no versions: neither of held blocks and new ones nor of two requests', async () => {
    const { store, whole } = cacheScene()
    const version = (value: number): Uint8Array => new Uint8Array(50).fill(value)
    await whole.put('k', version(1))
    await store.get('k', { range: { start: 0, end: 20 } })
    await whole.put('k', version(2))
    expect((await store.get('k', { range: { start: 10, end: 40 } })).bytes).toEqual(version(2).subarray(0, 30))
    // Longer by now, and read where the old version had no bytes.
    await whole.put('k', sized(90))
    expect((await store.get('k', { range: { start: 60, end: 70 } })).bytes).toEqual(sized(90).subarray(60, 70))
    await whole.put('k', sized(5))
    expect(isKind(await errorOf(store.get('k', { range: { start: 60, end: 70 } })), 'invalid', 'RANGE')).toBe(true)
    expect((await store.get('k', { range: { suffix: 3 } })).bytes).toEqual(sized(5).subarray(2))
  })

  it('lets go of a key that is written or deleted through it, and of what was read meanwhile', async () => {
    const { store, whole } = cacheScene(always)
    const read = async (): Promise<string> => textOf((await store.get('k')).bytes)
    const changes: [string, () => Promise<unknown>][] = [
      ['put', () => store.put('k', bytesOf('put'))],
      ['streamed', () => store.putStream('k', [bytesOf('stream'), bytesOf('ed')])],
    ]
    await whole.put('k', bytesOf('old'))
    for (const [now, change] of changes) {
      await read()
      await change()
      expect(await read()).toBe(now)
    }
    for (const gone of [() => store.delete('k'), () => store.deleteMany(['k'])]) {
      await store.put('k', bytesOf('x'))
      await read()
      await gone()
      expect(isKind(await errorOf(read()), 'not-found')).toBe(true)
    }
    // A read that began before the write, and ends after it.
    let answer = (): void => {}
    const slow = cacheScene(always, {
      ...whole,
      async get(key, options) {
        const object = await whole.get(key, options)
        await new Promise<void>((resolve) => (answer = resolve))
        return object
      },
    })
    await whole.put('k', bytesOf('before'))
    const early = slow.store.get('k')
    await timers.turn()
    const ended = answer
    await slow.store.put('k', bytesOf('after'))
    const late = slow.store.get('k')
    await timers.turn()
    ended()
    answer()
    expect([textOf((await early).bytes), textOf((await late).bytes)]).toEqual(['before', 'after'])
    expect(textOf((await slow.store.get('k')).bytes)).toBe('after')
  })

  it('lets a get by ifNoneMatch, heads, lists and no ranges pass', async () => {
    const { store, whole, asked } = cacheScene(always)
    const { etag } = await whole.put('k', bytesOf('v'))
    await store.get('k')
    expect(isKind(await errorOf(store.get('k', { ifNoneMatch: etag })), 'exists', 'NOT_MODIFIED')).toBe(true)
    await store.head('k')
    await store.getRanges('k', [])
    expect(asked).toEqual(['get k', 'get k', 'head k', 'getRanges k '])
  })

  it('gives copies: nobody changes what it holds', async () => {
    const { store, whole } = cacheScene(always)
    await whole.put('k', bytesOf('0123456789abc'))
    for (let i = 0; i < 3; i++) {
      const { bytes } = await store.get('k')
      expect(textOf(bytes)).toBe('0123456789abc')
      bytes.fill(0)
    }
  })

  it('never holds more than maxBytes, and lets go of what was used last the longest ago', async () => {
    const { store, whole, asked } = cacheScene({ ...always, maxBytes: 400 })
    for (const key of ['a', 'b', 'c', 'd', 'e']) await whole.put(key, sized(100))
    const read = async (...keys: string[]): Promise<string[]> => {
      asked.length = 0
      for (const key of keys) await store.get(key)
      expect(store.cacheStats().heldBytes).toBeLessThanOrEqual(400)
      return asked
    }
    expect(await read('a', 'b', 'c', 'd')).toEqual(['get a', 'get b', 'get c', 'get d'])
    expect(await read('a', 'b', 'e')).toEqual(['get e'])
    expect(await read('a', 'b', 'd', 'e')).toEqual([])
    expect((await read('c')).length).toBe(1)
    expect(store.cacheStats()).toMatchObject({ heldBytes: 400, evicted: 20 })
    // A quarter is the most that one read may take.
    await whole.put('large', sized(101))
    expect(await read('large', 'large')).toEqual(['get large', 'get large'])
    expect(() => cache(whole, { maxBytes: 100, blockBytes: 26 })).toThrow('a quarter of maxBytes (100)')
  })

  it('asks once for what several want at once, and again where that fails or its caller leaves', async () => {
    const whole = memory()
    await whole.put('k', sized(50))
    const open: { end: (error?: Error) => void; signal: AbortSignal | undefined }[] = []
    const below: ObjectStore = {
      ...whole,
      getRanges: async (key, ranges, options) => {
        const failed = await new Promise<Error | undefined>((end) => open.push({ end, signal: options?.signal }))
        if (failed !== undefined) throw failed
        return whole.getRanges(key, ranges, options)
      },
    }
    const store = cache(below, { maxBytes: 1000, blockBytes: 10, ...always })
    const range = { start: 0, end: 20 }
    const get = (signal?: AbortSignal): Promise<unknown> =>
      store.get('k', signal === undefined ? { range } : { range, signal })
    const three = [get(), get(), store.get('k', { range: { start: 5, end: 45 } })]
    await timers.turn()
    // The third one wants more, and asks for the rest alone.
    expect(open.length).toBe(2)
    for (const one of open) one.end()
    await Promise.all(three)
    expect(store.cacheStats()).toMatchObject({ joined: 2, fetchedBytes: 50 })

    await store.delete('k')
    await whole.put('k', sized(50))
    open.length = 0
    const [first, second] = [errorOf(get()), get()]
    await timers.turn()
    open[0]!.end(unavailable('DOWN', 'down'))
    await timers.turn()
    expect(isKind(await first, 'unavailable')).toBe(true)
    expect(open.length).toBe(2)
    open[1]!.end()
    await second

    await store.delete('k')
    await whole.put('k', sized(50))
    open.length = 0
    const controller = new AbortController()
    const [leaving, staying] = [errorOf(get(controller.signal)), get()]
    await timers.turn()
    controller.abort()
    expect(isKind(await leaving, 'aborted')).toBe(true)
    expect(open.map(({ signal }) => signal?.aborted)).toEqual([false])
    open[0]!.end()
    await staying
  })

  it('does not take the answer to an older question for what is there now', async () => {
    const whole = memory()
    await whole.put('k', bytesOf('old'))
    let hold = true
    let answer = (): void => {}
    const asked: string[] = []
    const below = watched(
      {
        ...whole,
        async get(key, options) {
          const object = await whole.get(key, options)
          if (hold) await new Promise<void>((resolve) => (answer = resolve))
          return object
        },
      },
      asked,
    )
    const store = cache(below, { maxBytes: 1000 })
    const early = store.get('k')
    await timers.turn()
    // Somebody else writes; who asks from now on must see it.
    await whole.put('k', bytesOf('new'))
    const late = store.get('k')
    await timers.turn()
    hold = false
    answer()
    expect([textOf((await early).bytes), textOf((await late).bytes)]).toEqual(['old', 'new'])
    expect(asked).toEqual(['get k', 'head k', 'get k'])
  })

  it('leaves an object that changes under every read to the store', async () => {
    const whole = memory()
    let version = 0
    const next = async (): Promise<unknown> => whole.put('k', bytesOf(`v${version++}`))
    await next()
    const store = cache(
      {
        ...whole,
        async head(key, options) {
          await next()
          return whole.head(key, options)
        },
      },
      { maxBytes: 1000 },
    )
    await store.get('k')
    expect(textOf((await store.get('k')).bytes)).toBe(`v${version - 1}`)
  })
})

it('gives what the store gives, whatever is asked, held, written and damaged', async () => {
  const step = fc.oneof(
    fc.record({
      op: fc.constant('put' as const),
      key: fc.constantFrom('a', 'b'),
      size: fc.nat(70),
      through: fc.boolean(),
    }),
    fc.record({ op: fc.constant('delete' as const), key: fc.constantFrom('a', 'b'), through: fc.boolean() }),
    fc.record({
      op: fc.constant('read' as const),
      key: fc.constantFrom('a', 'b'),
      ranges: fc.array(
        fc.oneof(
          fc.record({ suffix: fc.integer({ min: 1, max: 80 }) }),
          fc
            .tuple(fc.nat(80), fc.integer({ min: 1, max: 40 }))
            .map(([start, length]) => ({ start, end: start + length })),
          fc.nat(80).map((start) => ({ start })),
        ),
        { minLength: 1, maxLength: 3 },
      ),
    }),
    fc.record({ op: fc.constant('get' as const), key: fc.constantFrom('a', 'b') }),
  )
  const answerOf = async (
    work: Promise<ObjectInfo & { bytes?: Uint8Array; parts?: readonly Uint8Array[] }>,
  ): Promise<unknown> =>
    work.then(
      ({ bytes, parts, ...info }) => [info, ...[bytes ?? [], ...(parts ?? [])].map((one) => [...one])],
      (error: unknown) => (error as { kind: unknown }).kind,
    )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.boolean(), async (steps, inFolder) => {
      const runtime = virtualRuntime({ seed: 1 })
      const { store, whole } = cacheScene({
        maxBytes: 200,
        blockBytes: 8,
        ...(inFolder ? { folder: '/cache', runtime, maxBytes: 2000 } : {}),
      })
      let seed = 0
      for (const one of steps) {
        if (one.op === 'put') await (one.through ? store : whole).put(one.key, sized(one.size, seed++))
        else if (one.op === 'delete') await (one.through ? store : whole).delete(one.key)
        else if (one.op === 'get')
          expect(await answerOf(store.get(one.key))).toEqual(await answerOf(whole.get(one.key)))
        else
          expect(await answerOf(store.getRanges(one.key, one.ranges))).toEqual(
            await answerOf(whole.getRanges(one.key, one.ranges)),
          )
        expect(store.cacheStats().heldBytes).toBeLessThanOrEqual(inFolder ? 2000 : 200)
      }
    }),
  )
})

it('asks for no more than a quarter of what it holds, however far apart the ranges of a read lie', async () => {
  const { store, whole, asked } = cacheScene({ maxBytes: 4000, blockBytes: 100 })
  await whole.put('k', sized(10_000))
  const ranges = Array.from({ length: 50 }, (_, i) => ({ start: i * 200, end: i * 200 + 2 }))
  for (const more of [[], [{ suffix: 3 }], [{ suffix: 3 }]])
    expect((await store.getRanges('k', [...ranges, ...more])).parts.length).toBe(50 + more.length)
  expect(store.cacheStats().fetchedBytes).toBe(0)
  expect(asked.length).toBe(3)
})

it('gives no answer to a get that only several ranges may have', async () => {
  const whole = memory()
  await whole.put('k', sized(50))
  const { store } = cacheScene(always, {
    ...whole,
    getRanges: () => Promise.reject(conflict('OVERWRITTEN', 'It was overwritten meanwhile.')),
  })
  expect((await store.get('k', { range: { start: 12, end: 15 } })).bytes).toEqual(sized(50).subarray(12, 15))
})

it('keeps no block of one version under the name of another, when two versions come in while a third goes', async () => {
  const whole = memory()
  const answers: (() => void)[] = []
  let isHeld = false
  const { store } = cacheScene(
    { maxBytes: 4000 },
    {
      ...whole,
      async getRanges(key, ranges, options) {
        const found = await whole.getRanges(key, ranges, options)
        if (isHeld) await new Promise<void>((resolve) => answers.push(resolve))
        return found
      },
    },
  )
  await whole.put('k', sized(600, 0))
  await store.get('k', { range: { start: 0, end: 500 } })
  isHeld = true
  const reads: Promise<unknown>[] = []
  for (const [version, start] of [
    [1, 510],
    [2, 530],
  ] as const) {
    await whole.put('k', sized(600, version))
    reads.push(store.get('k', { range: { start, end: start + 10 } }))
    await timers.turn()
  }
  // The newer answer is the first to come in, and has the blocks of the first version to let go of.
  for (const answer of answers.splice(0).reverse()) answer()
  isHeld = false
  await Promise.all(reads)
  for (const start of [510, 530])
    expect((await store.get('k', { range: { start, end: start + 10 } })).bytes).toEqual(
      sized(600, 2).subarray(start, start + 10),
    )
})
