import type { ObjectStore, PutOptions } from '@moulin/core'
import { unavailable } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { memory } from '../memory.ts'
import { bytesOf, errorOf, outcomeOf, retryScene, settled, textOf } from './layers.test-support.ts'
import { retry } from './retry.ts'

const withoutIds = (): ObjectStore => {
  const store = memory()
  return { ...store, capabilities: { ...store.capabilities, attemptIds: false } }
}

describe('conditional writes', () => {
  const modes = async (store: ObjectStore): Promise<readonly (readonly [string, PutOptions])[]> => {
    const { etag } = await store.put('swapped', bytesOf('old'))
    return [
      ['created', { mode: 'create' }],
      ['swapped', { mode: { ifMatch: etag } }],
    ]
  }

  it('are sent again under one attempt id where the store knows them, streams of an array too', async () => {
    for (const fault of ['after', 'before'] as const) {
      const { store, faulty, runtime, below } = retryScene([])
      for (const [key, options] of await modes(below)) {
        faulty.addRule({ fault, operation: 'put', key })
        const { etag } = await settled(runtime, store.put(key, bytesOf('mine'), options))
        expect(await below.head(key)).toMatchObject({ etag, size: 4 })
        expect(faulty.countCalls({ operation: 'put', key })).toBe(2)
      }
      faulty.addRule({ fault, operation: 'put', key: 'streamed' })
      await settled(runtime, store.putStream('streamed', [bytesOf('a'), bytesOf('b')], { mode: 'create' }))
      expect(textOf((await below.get('streamed')).bytes)).toBe('ab')
    }
  })

  it('keep the attempt id of the caller, and make one for each put otherwise', async () => {
    const ids: unknown[] = []
    const whole = memory()
    let fails = 2
    const store = retry(
      {
        ...whole,
        async put(key, bytes, options) {
          ids.push(options?.attemptId)
          if (fails-- > 0) throw unavailable('LOST', 'lost', { outcome: 'unknown' })
          return whole.put(key, bytes, options)
        },
      },
      { minWaitMs: 0 },
    )
    await store.put('a', bytesOf('a'), { mode: 'create' })
    await store.put('b', bytesOf('b'), { mode: 'create' })
    await store.put('c', bytesOf('c'), { mode: 'create', attemptId: 'own' })
    await store.put('d', bytesOf('d'))
    expect(ids.slice(0, 3)).toEqual([ids[0], ids[0], ids[0]])
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/)
    expect(ids[3]).not.toBe(ids[0])
    expect(ids.slice(4)).toEqual(['own', undefined])
  })

  it('are not sent again after an unknown outcome where the store has no attempt ids', async () => {
    const { store, faulty, runtime, below } = retryScene([], {}, withoutIds())
    for (const [key, options] of await modes(below)) {
      faulty.addRule({ fault: 'after', operation: 'put', key })
      expect(outcomeOf(await errorOf(settled(runtime, store.put(key, bytesOf('x'), options))))).toEqual([
        'unavailable',
        'unknown',
      ])
      expect(faulty.countCalls({ operation: 'put', key })).toBe(1)
      expect((await below.head(key))?.size).toBe(1)
      // What is known not to have happened is.
      const { etag } = (await below.head(key))!
      faulty.addRule({ fault: 'before', operation: 'put', key })
      await settled(runtime, store.put(key, bytesOf('later'), { mode: { ifMatch: etag } }))
    }
  })

  it('report a refusal as unknown once a try was: what is there may be its own', async () => {
    const { below, runtime } = retryScene([])
    let tries = 0
    const [, [, swap]] = (await modes(below)) as [unknown, readonly [string, PutOptions]]
    // A store that says that it knows attempts and takes its own for another's.
    const store = retry(
      {
        ...below,
        async put(key, bytes, { attemptId: _, ...options } = {}) {
          const answer = await below.put(key, bytes, options)
          if (++tries % 2 === 1) throw unavailable('LOST', 'lost', { outcome: 'unknown' })
          return answer
        },
      },
      { runtime },
    )
    const failed = async (work: Promise<unknown>): Promise<unknown> => outcomeOf(await errorOf(settled(runtime, work)))
    expect(await failed(store.put('created', bytesOf('x'), { mode: 'create' }))).toEqual(['exists', 'unknown'])
    tries = 0
    expect(await failed(store.put('swapped', bytesOf('x'), swap))).toEqual(['conflict', 'unknown'])
    // One that was refused at the first try is known to be.
    expect(await failed(store.put('created', bytesOf('x'), { mode: 'create' }))).toEqual(['exists', 'rejected'])
  })
})

describe('overwrites, deletes and streams', () => {
  it('are sent again after any outcome', async () => {
    const { store, faulty, runtime, below } = retryScene([{ fault: 'after', operation: ['put', 'delete'], times: 2 }])
    await settled(runtime, store.put('k', bytesOf('v')))
    expect(textOf((await below.get('k')).bytes)).toBe('v')
    faulty.addRule({ fault: 'after', operation: 'delete', times: 2 })
    await settled(runtime, store.delete('k'))
    expect(await below.head('k')).toBeUndefined()
    expect(faulty.calls.map(({ operation }) => operation)).toEqual(['put', 'put', 'put', 'delete', 'delete', 'delete'])
  })

  it('are unknown in the end where one try was', async () => {
    const { store, faulty, runtime } = retryScene([{ fault: 'after', operation: 'put' }], { maxTries: 3 })
    faulty.addRule({ fault: 'before', operation: 'put', times: Infinity })
    expect(outcomeOf(await errorOf(settled(runtime, store.put('k', bytesOf('v')))))).toEqual(['unavailable', 'unknown'])
    expect(outcomeOf(await errorOf(settled(runtime, store.put('k', bytesOf('v')))))).toEqual([
      'unavailable',
      'rejected',
    ])
  })

  it('read a source once: a generator is sent again only before its first chunk', async () => {
    const { store, faulty, runtime, below } = retryScene([{ fault: 'before', operation: 'put' }])
    let begun = 0
    function* chunks(): Generator<Uint8Array> {
      begun++
      yield bytesOf('ab')
    }
    expect(outcomeOf(await errorOf(settled(runtime, store.putStream('k', chunks()))))).toEqual([
      'unavailable',
      'rejected',
    ])
    expect([begun, faulty.countCalls()]).toEqual([1, 1])
    let refusals = 2
    const shy = retry(
      {
        ...below,
        async putStream(key, source, options) {
          if (refusals-- > 0) throw unavailable('BUSY', 'busy')
          return below.putStream(key, source, options)
        },
      },
      { runtime },
    )
    for (const source of [
      chunks(),
      (async function* () {
        yield* chunks()
      })(),
    ]) {
      refusals = 2
      await settled(runtime, shy.putStream('k', source))
      expect(textOf((await below.get('k')).bytes)).toBe('ab')
    }
  })

  it('of many keys send again only the keys that failed, and say what stays', async () => {
    const below = memory()
    const runtime = virtualRuntime({ seed: 1 })
    const sent: (readonly string[])[] = []
    const stubborn = unavailable('READ_ONLY', 'never', { retryable: false })
    const store = retry(
      {
        ...below,
        async deleteMany(keys) {
          sent.push(keys)
          const failed = keys.flatMap((key) => {
            if (key === 'never') return [{ key, error: stubborn }]
            return key.startsWith('later') && sent.length < 3 ? [{ key, error: unavailable('BUSY', 'busy') }] : []
          })
          return { failed }
        },
      },
      { runtime, maxTries: 4 },
    )
    const { failed } = await settled(runtime, store.deleteMany(['later2', 'a', 'never', 'later1', 'a']))
    expect(failed).toEqual([{ key: 'never', error: stubborn }])
    expect(sent).toEqual([
      ['later2', 'a', 'never', 'later1', 'a'],
      ['later2', 'later1'],
      ['later2', 'later1'],
    ])
    // Busy for good: the keys that are left are told, not thrown.
    const endless = retry(
      {
        ...below,
        async deleteMany(keys) {
          return { failed: keys.filter((key) => key !== 'a').map((key) => ({ key, error: unavailable('BUSY', key) })) }
        },
      },
      { runtime, maxTries: 2 },
    )
    const left = await settled(runtime, endless.deleteMany(['c', 'a', 'b']))
    expect(left.failed.map(({ key, error }) => [key, (error as Error).message])).toEqual([
      ['c', 'c'],
      ['b', 'b'],
    ])
  })
})

describe('a delete of many', () => {
  const failing = (outcomes: readonly ('unknown' | 'rejected')[], isWhole: boolean): ObjectStore => {
    let tries = 0
    return {
      ...memory(),
      async deleteMany(keys) {
        const outcome = outcomes[tries++]!
        const error = unavailable('LOST', 'lost', { outcome, retryable: tries < outcomes.length })
        if (isWhole && tries === 1) throw error
        return { failed: [{ key: keys[0]!, error }] }
      },
    }
  }

  it.each([true, false])(
    'says of no key that it was rejected of which a try was unknown (whole: %s)',
    async (isWhole) => {
      const runtime = virtualRuntime({ seed: 1 })
      const store = retry(failing(['unknown', 'rejected'], isWhole), { runtime })
      const { failed } = await settled(runtime, store.deleteMany(['a', 'b']))
      expect(failed.map(({ key, error }) => [key, outcomeOf(error)])).toEqual([['a', ['unavailable', 'unknown']]])
    },
  )

  it('says so of a key whose tries were all rejected', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const store = retry(failing(['rejected', 'rejected'], false), { runtime })
    const { failed } = await settled(runtime, store.deleteMany(['a', 'b']))
    expect(failed.map(({ key, error }) => [key, outcomeOf(error)])).toEqual([['a', ['unavailable', 'rejected']]])
  })
})
