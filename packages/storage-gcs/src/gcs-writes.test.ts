import { IdempotencyStrategy, Storage } from '@google-cloud/storage'
import { isKind, systemRuntime } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { virtualClock } from '@moulin/testing'
import { gcs } from './gcs.ts'
import { bytesOf, failed, gcsBench, textIn } from './gcs.test-support.ts'

const { timers } = systemRuntime()

const MIB = 1024 * 1024

describe('gcs: conditional writes', () => {
  it('takes a create and a swap whose answers were lost for its own', async () => {
    const { fake, proxy, store } = await gcsBench([{ fault: 'after', operation: 'put', times: 2 }])
    const { etag } = await store.put('k', bytesOf('one'), { mode: 'create' })
    expect(etag).toBe(String(fake.objects('moulin')[0]!.generation))
    const swapped = await store.put('k', bytesOf('two'), { mode: { ifMatch: etag } })
    expect(swapped.etag).toBe(String(fake.objects('moulin')[0]!.generation))
    expect(textIn(fake, 'k')).toBe('two')
    expect(proxy.calls.map(({ operation }) => operation)).toEqual(['put', 'head', 'put', 'head'])
  })

  it('leaves a create unknown whose request may still arrive, and knows it when it has', async () => {
    const { fake, proxy, store } = await gcsBench([{ fault: 'late', operation: 'put' }])
    const put = { mode: 'create', attemptId: 'a1' } as const
    expect(await failed(store.put('k', bytesOf('one'), put))).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    await proxy.applyLate()
    const { etag } = await store.put('k', bytesOf('one'), put)
    expect(etag).toBe(String(fake.objects('moulin')[0]!.generation))
    expect(proxy.countCalls({ operation: 'put' })).toBe(2)
  })

  it("tells another's object from its own", async () => {
    const { proxy, store, direct } = await gcsBench()
    await direct.put('k', bytesOf('theirs'), { mode: 'create' })
    expect(await failed(store.put('k', bytesOf('theirs'), { mode: 'create' }))).toMatchObject({
      kind: 'exists',
      outcome: 'rejected',
    })
    proxy.addRule({ fault: 'before', operation: 'put' })
    // It may have been there first, and been overwritten.
    expect(await failed(store.put('k', bytesOf('mine'), { mode: 'create' }))).toMatchObject({
      kind: 'exists',
      outcome: 'unknown',
    })
  })

  it('never swaps by a tag that came before, nor by one that is none', async () => {
    const { fake, store } = await gcsBench()
    const first = await store.put('k', bytesOf('A'))
    const second = await store.put('k', bytesOf('B'), { mode: { ifMatch: first.etag } })
    await store.put('k', bytesOf('A'), { mode: { ifMatch: second.etag } })
    for (const ifMatch of [first.etag, '0', '"5"', '99999999999999999999', 'other'])
      expect(await failed(store.put('k', bytesOf('C'), { mode: { ifMatch } }))).toMatchObject({ kind: 'conflict' })
    // 0 means to Google that there is none: a swap that creates.
    expect(await failed(store.put('none', bytesOf('C'), { mode: { ifMatch: '0' } }))).toMatchObject({
      kind: 'conflict',
    })
    expect(fake.objects('moulin').map(({ key }) => key)).toEqual(['k'])
    expect(textIn(fake, 'k')).toBe('A')
  })

  it('stores nothing of bytes that were changed while nobody waited', async () => {
    const { fake, store } = await gcsBench([], { maxPutBytes: 64 * MIB })
    const bytes = new Uint8Array(16 * MIB)
    const control = new AbortController()
    const put = failed(store.put('k', bytes, { signal: control.signal }))
    control.abort()
    expect(await put).toMatchObject({ kind: 'aborted', outcome: 'unknown' })
    bytes.fill(1)
    while (fake.requests.at(-1)?.status === undefined) await timers.turn()
    expect(fake.requests.at(-1)).toMatchObject({ status: 400, code: 'invalid' })
    expect(fake.objects('moulin')).toEqual([])
  })

  it('settles by the head alone what a client has sent again', async () => {
    const retryOptions = {
      autoRetry: true,
      maxRetries: 4,
      // The least that the SDK takes.
      maxRetryDelay: 1,
      retryDelayMultiplier: 1,
      idempotencyStrategy: IdempotencyStrategy.RetryAlways,
    }
    const { fake, proxy } = await gcsBench()
    const client = new Storage({ apiEndpoint: proxy.endpoint, retryOptions })
    const store = gcs({ bucket: 'moulin', client })
    proxy.addRule({ fault: 'after', operation: 'put', answer: 'busy' })
    const { etag } = await store.put('k', bytesOf('mine'), { mode: 'create' })
    expect(proxy.calls.map(({ operation, status }) => [operation, status])).toEqual([
      ['put', 200],
      ['put', 412],
      ['head', 200],
    ])
    expect(etag).toBe(String(fake.objects('moulin')[0]!.generation))
    // Its first sending may have landed, and been overwritten by whom the second one met.
    await store.put('k', bytesOf('theirs'))
    proxy.addRule({ fault: 'before', operation: 'put', answer: 'busy' })
    expect(await failed(store.put('k', bytesOf('late'), { mode: 'create' }))).toMatchObject({
      kind: 'exists',
      outcome: 'unknown',
    })
  })

  it('has a client of its own send again only what that client would', async () => {
    const { proxy } = await gcsBench()
    const tries = async (strategy: IdempotencyStrategy, call: (store: ObjectStore) => Promise<unknown>) => {
      const retryOptions = { maxRetries: 1, maxRetryDelay: 1, idempotencyStrategy: strategy }
      const client = new Storage({ apiEndpoint: proxy.endpoint, retryOptions })
      const before = proxy.calls.length
      const rule = proxy.addRule({ fault: 'before', answer: 'busy' })
      await call(gcs({ bucket: 'moulin', client })).catch(() => {})
      rule.remove()
      return proxy.calls.slice(before).map(({ operation }) => operation)
    }
    const { RetryNever, RetryConditional, RetryAlways } = IdempotencyStrategy
    const overwrite = (store: ObjectStore) => store.put('k', bytesOf('x'))
    const create = (key: string) => (store: ObjectStore) => store.put(key, bytesOf('x'), { mode: 'create' })
    const remove = (store: ObjectStore) => store.delete('k')
    expect(await tries(RetryConditional, overwrite)).toEqual(['put'])
    expect(await tries(RetryAlways, overwrite)).toEqual(['put', 'put'])
    expect(await tries(RetryConditional, create('a'))).toEqual(['put', 'put'])
    expect(await tries(RetryNever, create('b'))).toEqual(['put', 'head'])
    expect(await tries(RetryConditional, remove)).toEqual(['delete'])
  })

  it('says how long a name rests after a write', async () => {
    const clock = virtualClock()
    const { store } = await gcsBench([], {}, { everyMs: 1_000, clock })
    const { etag } = await store.put('hint', bytesOf('1'))
    const error = await failed(store.put('hint', bytesOf('2'), { mode: { ifMatch: etag } }))
    expect(error).toMatchObject({
      kind: 'unavailable',
      code: 'SLOW_DOWN',
      outcome: 'rejected',
      retryable: true,
      context: { verdict: 'slowDown', status: 429, retryAfterMs: 1_000 },
    })
    await clock.advance(1_000)
    await store.put('hint', bytesOf('2'), { mode: { ifMatch: etag } })
  })

  it('reckons with a second of rest where the service names none', async () => {
    const { store } = await gcsBench([{ fault: 'before', operation: 'put', answer: 'throttled' }])
    const error = await failed(store.put('k', bytesOf('1')))
    expect(error).toMatchObject({ code: 'SLOW_DOWN', context: { retryAfterMs: 1_000 } })
  })
})

describe('gcs: streams', () => {
  const KIB = 1024
  const parts = (count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => new Uint8Array(256 * KIB).fill(i + 1))
  const stream = { partBytes: 256 * KIB, mode: 'create' } as const

  it('sends parts in order, of a size that Google takes, with a sum of the whole', async () => {
    const { fake, store } = await gcsBench()
    await store.putStream('k', [new Uint8Array(700 * KIB).fill(7), bytesOf('end')], { partBytes: 257 * KIB })
    const puts = fake.requests.filter(({ operation }) => operation === 'uploads.put')
    expect(puts.map(({ headers, status }) => [headers['content-range'], status])).toEqual([
      ['bytes 0-262143/*', 308],
      ['bytes 262144-524287/*', 308],
      ['bytes 524288-716802/716803', 200],
    ])
    expect(puts.map(({ headers }) => headers['x-goog-hash'] !== undefined)).toEqual([false, false, true])
    expect(fake.read('moulin', 'k')).toHaveLength(700 * KIB + 3)
  })

  it('goes on where the service kept less than it was sent, and gives up where it keeps nothing', async () => {
    const { fake, store, proxy } = await gcsBench([], {}, { chunkBytes: 1 })
    const kept = (to: number, times: number): void =>
      void proxy.addRule({
        fault: 'after',
        operation: 'upload-part',
        times,
        answer: { status: 308, headers: { range: `bytes=0-${to}` } },
      })
    kept(99_999, 1)
    await store.putStream('k', parts(2), stream)
    const ranges = fake.requests.slice(1).map(({ headers }) => headers['content-range'])
    expect(ranges).toEqual(['bytes 0-262143/*', 'bytes 100000-262143/*', 'bytes 262144-524287/524288'])
    expect(fake.read('moulin', 'k')![99_999]).toBe(1)
    kept(99_999, 2)
    expect(await failed(store.putStream('l', parts(2), stream))).toMatchObject({
      code: 'UPLOAD_CUT',
      outcome: 'rejected',
    })
    expect(fake.objects('moulin').map(({ key }) => key)).toEqual(['k'])
    expect(fake.uploads('moulin')).toEqual([])
  })

  it('takes an end whose answer was lost for its own', async () => {
    const { fake, store } = await gcsBench([{ fault: 'after', operation: 'upload-complete' }])
    const { etag } = await store.putStream('k', parts(2), stream)
    expect(etag).toBe(String(fake.objects('moulin')[0]!.generation))
  })

  it('knows its own object when the session is refused for it', async () => {
    const { fake, store } = await gcsBench()
    const once = await store.putStream('k', parts(2), { ...stream, attemptId: 'a1' })
    expect(await store.putStream('k', parts(2), { ...stream, attemptId: 'a1' })).toEqual(once)
    expect(await failed(store.putStream('k', parts(2), { ...stream, attemptId: 'a2' }))).toMatchObject({
      kind: 'exists',
      outcome: 'rejected',
    })
    expect(fake.uploads('moulin')).toEqual([])
  })

  it('cancels a session that began when nobody waited any more', async () => {
    const { fake, proxy, store } = await gcsBench([{ fault: 'held', operation: 'upload-begin' }])
    const control = new AbortController()
    const put = failed(store.putStream('k', parts(2), { ...stream, signal: control.signal }))
    while (proxy.countLate() === 0) await timers.turn()
    control.abort()
    expect(await put).toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    await proxy.applyLate()
    while (proxy.countCalls({ operation: 'upload-abort' }) === 0 || fake.uploads('moulin').length > 0)
      await timers.turn()
    expect(fake.requests.map(({ operation }) => operation)).toEqual(['uploads.begin', 'uploads.cancel'])
  })

  it('leaves nothing of a stream that was aborted or failed', async () => {
    const control = new AbortController()
    const { fake, store } = await gcsBench([{ fault: 'before', operation: 'upload-part', nth: 2, answer: 'expired' }])
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield* parts(2)
      control.abort()
      yield* parts(2)
    }
    const aborted = await failed(store.putStream('k', slow(), { ...stream, signal: control.signal }))
    expect(aborted).toMatchObject({ kind: 'aborted' })
    const expired = await failed(store.putStream('k', parts(4), stream))
    expect(expired).toMatchObject({ code: 'CREDENTIALS', outcome: 'rejected', retryable: false })
    expect(fake.uploads('moulin')).toEqual([])
    expect(fake.objects('moulin')).toEqual([])
    expect(isKind(expired, 'unavailable')).toBe(true)
  })
})
