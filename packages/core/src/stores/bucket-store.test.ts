import { objectStoreConformance, virtualRuntime } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import type { ObjectStore } from '../doors/object-store.ts'
import { bucketStore, MAX_REQUEST_BYTES } from './bucket-store.ts'
import { bucketOptions, opened, thrown } from './bucket.test-support.ts'
import type { MemoryBucket } from './bucket.test-support.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const failOnce = (bucket: MemoryBucket, when: 'before' | 'after', call: string, error: Error): void => {
  let isDue = true
  bucket[when] = (made) => {
    if (made !== call || !isDue) return
    isDue = false
    throw error
  }
}

objectStoreConformance(
  { describe, it },
  {
    name: 'bucketStore',
    create: () => opened().store,
    capabilities: { multipart: true, attemptIds: true },
    durability: 'region',
    largeBytes: 2 * 1024 * 1024,
    maxKeyBytes: 1_020,
  },
)

describe('bucketStore', () => {
  it('takes a create whose answer was lost for its own', async () => {
    const { bucket, store } = opened()
    failOnce(bucket, 'after', 'put', thrown(undefined))
    const { etag } = await store.put('k', bytes('mine'), { mode: 'create' })
    expect(bucket.objects.get('a b/k')).toMatchObject({ etag })
    expect(bucket.calls).toEqual(['put', 'head'])
  })

  it('leaves a create unknown that may still land', async () => {
    const { bucket, store } = opened()
    failOnce(bucket, 'before', 'put', thrown(undefined))
    await expect(store.put('k', bytes('mine'), { mode: 'create' })).rejects.toMatchObject({
      kind: 'unavailable',
      outcome: 'unknown',
    })
  })

  it('rounds the size of parts up to what the service counts in', async () => {
    const { bucket, store } = opened({ minPartBytes: 4, partStepBytes: 6 })
    for (const [partBytes, parts] of [
      [1, 4],
      [6, 4],
      [7, 2],
      [24, 0],
    ] as const) {
      bucket.calls.splice(0)
      await store.putStream('k', [new Uint8Array(24)], { partBytes })
      expect(bucket.calls.filter((call) => call === 'part')).toHaveLength(parts)
    }
  })

  it('compares bytes where the service drops ids', async () => {
    const { bucket, store } = opened({ attemptIds: false })
    bucket.keepsIds = false
    await store.put('k', bytes('first'), { mode: 'create' })
    await expect(store.put('k', bytes('other'), { mode: 'create' })).rejects.toMatchObject({
      kind: 'exists',
      outcome: 'rejected',
    })
    await expect(store.put('k', bytes('first'), { mode: 'create' })).rejects.toMatchObject({
      kind: 'exists',
      outcome: 'unknown',
    })
  })

  it('settles an upload whose completion was not answered, and leaves no parts', async () => {
    const { bucket, store } = opened({ partBytes: 16 })
    failOnce(bucket, 'after', 'complete', thrown(undefined))
    const { etag } = await store.putStream('k', [new Uint8Array(100)], { mode: 'create' })
    expect(bucket.objects.get('a b/k')).toMatchObject({ etag, size: 100 })

    failOnce(bucket, 'before', 'part', thrown(500))
    await expect(store.putStream('l', [new Uint8Array(100)])).rejects.toMatchObject({
      kind: 'unavailable',
      outcome: 'rejected',
    })
    await expect(store.putStream('k', [new Uint8Array(100)], { mode: 'create' })).rejects.toMatchObject({
      kind: 'exists',
    })
    expect(bucket.uploads.size).toBe(0)
  })

  it('refuses what is too large before a byte is sent', async () => {
    const { bucket, store } = opened({ maxPutBytes: 10 })
    await expect(store.put('k', new Uint8Array(11))).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'OBJECT_TOO_LARGE',
      context: { bytes: 11, maxPutBytes: 10 },
    })
    expect(bucket.calls).toEqual([])
  })

  it('ends a stream that has more parts than the service takes', async () => {
    const { bucket, store } = opened({ partBytes: 16, maxParts: 3 })
    await store.putStream('k', [new Uint8Array(48)])
    await expect(store.putStream('l', [new Uint8Array(49)])).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'TOO_MANY_PARTS',
      context: { partBytes: 16, maxParts: 3 },
    })
    expect(bucket.uploads.size).toBe(0)
    expect([...bucket.objects.keys()]).toEqual(['a b/k'])
  })

  it('ends a request at its deadline, which counts anew with every byte that comes', async () => {
    const { bucket, store, runtime } = opened()
    let onBytes: () => void = () => {}
    bucket.get = (_key, _ask, signal, more) =>
      new Promise((_resolve, reject) => {
        onBytes = more
        signal.addEventListener('abort', () => reject(thrown(undefined)))
      })
    let ended: unknown
    const got = store.get('k').catch((error: unknown) => (ended = error))
    for (let step = 0; step < 3; step++) {
      await runtime.clock.advance(900)
      onBytes()
    }
    expect(ended).toBeUndefined()
    await runtime.clock.advance(1_001)
    await got
    expect(ended).toMatchObject({ kind: 'unavailable', code: 'DEADLINE', outcome: 'rejected' })
    bucket.put = () => new Promise(() => {})
    const put = store.put('k', bytes('x')).catch((error: unknown) => error)
    await runtime.clock.advance(1_001)
    expect(await put).toMatchObject({ code: 'DEADLINE', outcome: 'unknown', retryable: false })
  })

  it('ends a write at the signal of its caller, who does not know whether it happened', async () => {
    const { bucket, store } = opened()
    const stop = new AbortController()
    bucket.before = () => (stop.abort(), new Promise(() => {}))
    await expect(store.put('k', bytes('x'), { signal: stop.signal })).rejects.toMatchObject({
      kind: 'aborted',
      outcome: 'unknown',
    })
    await expect(store.put('k', bytes('x'), { signal: stop.signal })).rejects.toMatchObject({
      kind: 'aborted',
      outcome: 'rejected',
    })
  })

  it('tells which keys of a batch are left', async () => {
    const { bucket, store } = opened()
    const keys = Array.from({ length: 120 }, (_, at) => (at % 40 === 7 ? `kept-${at}` : `k-${at}`))
    for (const key of keys) await store.put(key, bytes(key))
    bucket.calls.length = 0
    const { failed } = await store.deleteMany(keys)
    expect(bucket.calls).toEqual(['deleteBatch', 'deleteBatch', 'deleteBatch'])
    expect(failed).toMatchObject([7, 47, 87].map((at) => ({ key: `kept-${at}`, error: { kind: 'unavailable' } })))
    expect(bucket.objects.size).toBe(3)
  })

  it('takes a failure of no key that was asked for as one of all', async () => {
    const { bucket, store } = opened()
    bucket.deleteBatch = () => Promise.resolve([{ key: '', thrown: thrown(503) }])
    const { failed } = await store.deleteMany(['a', 'b'])
    expect(failed.map(({ key }) => key)).toEqual(['a', 'b'])
  })

  it('asks three times to remove parts, as long as that may help', async () => {
    const { bucket, store } = opened({ partBytes: 16 })
    let refusals = 2
    bucket.before = (call) => {
      if (call === 'part') throw thrown(500)
      if (call === 'abort' && refusals-- > 0) throw thrown(undefined)
    }
    await expect(store.putStream('k', [new Uint8Array(100)])).rejects.toMatchObject({ outcome: 'rejected' })
    expect(bucket.uploads.size).toBe(0)
    refusals = Infinity
    await expect(store.putStream('k', [new Uint8Array(100)])).rejects.toMatchObject({ outcome: 'rejected' })
    expect(bucket.calls.filter((call) => call === 'abort')).toHaveLength(6)
  })

  it('says where a service does not list in the order of bytes, and hands it no start', async () => {
    const { bucket, store } = opened()
    const asked: unknown[] = []
    const listPage = (order: readonly string[]): void => {
      bucket.listPage = (ask) => {
        asked.push(ask)
        const infos = order.map((key) => ({ key: `a b/${key}`, size: 1, etag: '"1"', modifiedMs: 0 }))
        return Promise.resolve({ infos, token: undefined })
      }
    }
    const keysOf = async (from: ObjectStore, after?: string): Promise<string[]> => {
      const keys: string[] = []
      for await (const { key } of from.list(after === undefined ? {} : { after })) keys.push(key)
      return keys
    }
    listPage(['a/b', 'a-b'])
    await expect(keysOf(store)).rejects.toMatchObject({ kind: 'unsupported', code: 'LIST_ORDER' })
    const unordered = bucketStore(bucket, { ...bucketOptions, listOrder: 'none', runtime: virtualRuntime({ seed: 1 }) })
    expect(await keysOf(unordered, 'a.b')).toEqual(['a/b'])
    expect(asked.at(-1)).toEqual({ prefix: 'a b/' })
  })

  // A service would take the first for any version, the second for a list, and the last is no header.
  it.each(['*', '"0", "1"', '"a"b"', '', 'a\nb', '"é"'])('takes %j for the tag of no version', async (tag) => {
    const { bucket, store } = opened()
    const { etag } = await store.put('k', bytes('first'))
    bucket.put = () => Promise.reject(new Error('sent'))
    expect(etag).toBe('"1"')
    await expect(store.put('k', bytes('x'), { mode: { ifMatch: tag } })).rejects.toMatchObject({
      kind: 'conflict',
      code: 'TAG_MISMATCH',
      outcome: 'rejected',
    })
    const stream = store.putStream('k', [bytes('x')], { mode: { ifMatch: tag } })
    await expect(stream).rejects.toMatchObject({ kind: 'conflict', outcome: 'rejected' })
    const asked: unknown[] = []
    const { get } = bucket
    bucket.get = (key, ask, ...rest) => (asked.push(ask), get(key, ask, ...rest))
    expect((await store.get('k', { ifNoneMatch: tag })).bytes).toEqual(bytes('first'))
    expect(asked).toEqual([{}])
  })

  it('keeps the conditions of reads that the service passes over', async () => {
    const { bucket, store } = opened({ attemptIds: false })
    bucket.keepsIds = false
    const { etag } = await store.put('k', bytes('theirs'))
    const { get } = bucket
    bucket.get = (key, { range }, ...rest) => get(key, range === undefined ? {} : { range }, ...rest)
    await expect(store.get('k', { ifNoneMatch: etag })).rejects.toMatchObject({ kind: 'exists', code: 'NOT_MODIFIED' })
    expect((await store.get('k', { ifNoneMatch: '"0"' })).bytes).toEqual(bytes('theirs'))
    // Another version comes between the head and the bytes, which then tell nothing of whose the first one was.
    bucket.before = async (call) => {
      if (call !== 'get') return
      bucket.before = () => {}
      await store.put('k', bytes('newer'))
    }
    await expect(store.put('k', bytes('mine'), { mode: 'create' })).rejects.toMatchObject({
      kind: 'exists',
      outcome: 'unknown',
    })
  })

  it.each(['', ' x', 'a\nb', 'é', '=?UTF-8?B?eA==?=', 'x'.repeat(201)])(
    'takes %j for no attempt id',
    async (attemptId) => {
      const { bucket, store } = opened()
      const put = store.put('k', bytes('x'), { mode: 'create', attemptId })
      await expect(put).rejects.toMatchObject({ kind: 'invalid', code: 'OPTION' })
      expect(bucket.calls).toEqual([])
    },
  )

  it('sends no request, and no part, that Node could not hash', async () => {
    const { bucket, store } = opened({ maxPutBytes: 5 * 1024 ** 3 })
    // Its memory is never touched.
    await expect(store.put('k', new Uint8Array(MAX_REQUEST_BYTES + 1))).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'OBJECT_TOO_LARGE',
      context: { maxPutBytes: MAX_REQUEST_BYTES },
    })
    const stream = store.putStream('k', [bytes('x')], { partBytes: MAX_REQUEST_BYTES + 1 })
    await expect(stream).rejects.toMatchObject({ kind: 'invalid', code: 'PART_BYTES' })
    expect(bucket.calls).toEqual([])
  })

  it.each([
    { start: 0, stop: 1 },
    { start: 0, length: 1 },
    { suffix: 1, start: 5 },
    { suffix: 1, end: 5 },
  ])('takes %j for no range', async (range) => {
    const { bucket, store } = opened()
    await expect(store.get('k', { range })).rejects.toMatchObject({ kind: 'invalid', code: 'RANGE' })
    await expect(store.getRanges('k', [range])).rejects.toMatchObject({ kind: 'invalid', code: 'RANGE' })
    expect(bucket.calls).toEqual([])
  })

  it.each(['a', '/', 'a//', '../', 'a/./'])('takes %j for no prefix', (prefix) => {
    expect(() => opened({ prefix })).toThrow(expect.objectContaining({ code: 'PREFIX' }) as Error)
  })
})
