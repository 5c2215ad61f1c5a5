import { Storage } from '@google-cloud/storage'
import { systemRuntime } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { virtualRuntime } from '@moulin/testing'
import { gcs } from './gcs.ts'
import { bytesOf, failed, gcsBench } from './gcs.test-support.ts'

const { timers } = systemRuntime()

describe('gcs', () => {
  it('refuses options that mean nothing, by name', () => {
    expect(() => gcs({ bucket: 'gs://lake/orders' })).toThrow(/"gs:\/\/lake\/orders" is no name of a bucket/)
    expect(() => gcs({ bucket: 'lake', prefix: '/orders' })).toThrow(/is no prefix/)
    expect(() => gcs({ bucket: 'lake', region: 'eu' } as never)).toThrow(/region/)
    expect(() => gcs({ bucket: 'lake', client: new Storage(), apiEndpoint: 'x' })).toThrow(/apiEndpoint is given with/)
    expect(gcs({ bucket: 'lake', prefix: 'orders/' }).root).toBe('gs://lake/orders/')
  })

  it('takes an endpoint as the SDK does, and no secret in it', () => {
    for (const apiEndpoint of [
      'storage.googleapis.com',
      'https://storage.me-central2.rep.googleapis.com',
      'http://localhost:4443/a',
    ])
      expect(gcs({ bucket: 'lake', apiEndpoint }).root).toBe('gs://lake/')
    for (const apiEndpoint of [
      'https://a:canary@lake',
      'a:canary@lake',
      'ftp://canary',
      'http://lake?canary',
      'can ary',
    ])
      expect(() => gcs({ bucket: 'lake', apiEndpoint })).toThrow(/^gcs: apiEndpoint is none; it must be/)
  })

  it('takes no credentials of which the SDK would use none, and go to others', () => {
    const bad = [
      {},
      { private_key: 'canary' },
      { client_email: 'a', private_key: '' },
      { clientEmail: 'a', privateKey: 'canary' },
    ]
    for (const credentials of bad)
      expect(() => gcs({ bucket: 'lake', credentials })).toThrow(/^gcs: credentials is none; it must be/)
    for (const credentials of [{ client_email: 'a', private_key: 'b' }, { type: 'external_account' }])
      expect(gcs({ bucket: 'lake', credentials: credentials as object }).root).toBe('gs://lake/')
  })

  it('refuses a key that the SDK would write otherwise', async () => {
    const { fake, store } = await gcsBench([], { projectId: 'orders' })
    const key = 'a/{{projectId}}'
    for (const call of [
      () => store.put(key, bytesOf('x')),
      () => store.putStream(key, [new Uint8Array(300_000)], { partBytes: 256 * 1024 }),
      () => store.list({ prefix: key })[Symbol.asyncIterator]().next(),
    ])
      expect(await failed(call())).toMatchObject({ kind: 'invalid', code: 'KEY' })
    expect(fake.requests).toEqual([])
  })

  it('says with each object what it was told to, and who it is', async () => {
    const kept = { storageClass: 'NEARLINE', kmsKeyName: 'projects/p/key', userAgent: 'orders/2' }
    const { fake, store } = await gcsBench([], kept)
    await store.put('small', bytesOf('x'))
    await store.putStream('long', [new Uint8Array(300_000), bytesOf('x')], { partBytes: 256 * 1024 })
    for (const { headers } of fake.objects('moulin'))
      expect(headers).toMatchObject({ storageClass: 'NEARLINE', kmsKeyName: 'projects/p/key' })
    for (const { headers } of fake.requests) {
      expect(headers['user-agent']).toMatch(/^moulin\/[\d.]+ orders\/2 /)
      expect(headers['authorization']).toBe(`Bearer ${fake.token}`)
    }
  })

  it('pays for every kind of request where readers pay', async () => {
    const { fake, store, direct } = await gcsBench([], { userProject: 'mine' }, { requesterPays: ['moulin'] })
    await store.put('k', bytesOf('x'), { mode: 'create' })
    await store.putStream('long', [new Uint8Array(600_000)], { partBytes: 256 * 1024 })
    await failed(store.put('k', bytesOf('x'), { mode: 'create' }))
    expect((await store.get('k')).size).toBe(1)
    expect((await store.getRanges('k', [{ start: 0, end: 1 }])).parts).toHaveLength(1)
    for await (const { key } of store.list()) await store.delete(key)
    expect(fake.objects('moulin')).toEqual([])
    expect(fake.requests.every(({ status }) => status !== 400)).toBe(true)
    expect(await failed(direct.get('k'))).toMatchObject({ code: 'FORBIDDEN', context: { status: 400 } })
  })

  it('tells a missing object from a missing bucket, whoever answers', async () => {
    const { fake, proxy, store } = await gcsBench()
    const calls: readonly (() => Promise<unknown>)[] = [
      () => store.get('k'),
      () => store.head('k'),
      () => store.put('k', bytesOf('x')),
      () => store.put('k', bytesOf('x'), { mode: 'create' }),
      () => store.delete('k'),
      () => store.list()[Symbol.asyncIterator]().next(),
    ]
    expect(await failed(store.get('k'))).toMatchObject({ kind: 'not-found', code: 'KEY_MISSING' })
    expect(await store.head('k')).toBeUndefined()
    await store.delete('k')
    await store.delete('k')
    // Words that are not Google's: the list tells.
    const answer = { status: 404, code: 'notFound', message: 'Not Found' }
    proxy.addRule({ fault: 'before', operation: ['head', 'get', 'delete'], times: 3, answer })
    expect(await store.head('none')).toBeUndefined()
    expect(await failed(store.get('none'))).toMatchObject({ code: 'KEY_MISSING' })
    await store.delete('none')
    fake.deleteBucket('moulin')
    for (const call of calls)
      expect(await failed(call())).toMatchObject({ kind: 'unavailable', code: 'BUCKET_MISSING', retryable: false })
    proxy.addRule({ fault: 'before', operation: ['head', 'get', 'delete'], times: 3, answer })
    for (const call of [calls[0]!, calls[1]!, calls[4]!])
      expect(await failed(call())).toMatchObject({ code: 'BUCKET_MISSING' })
  })

  it('gives no bytes that were cut, or are other than their sum', async () => {
    const { proxy, store, direct, fake } = await gcsBench([{ fault: 'torn-answer', operation: 'get' }])
    await direct.put('k', bytesOf('0123456789'))
    expect(await failed(store.get('k'))).toMatchObject({ kind: 'unavailable', retryable: true })
    const headers = { 'content-type': 'text/plain', 'x-goog-generation': '5' }
    const lie = (hash: string): void =>
      void proxy.addRule({
        fault: 'before',
        operation: 'get',
        answer: { status: 200, headers: { ...headers, 'x-goog-hash': hash }, body: 'other' },
      })
    const { md5, crc32c } = fake.objects('moulin')[0]!.checksums as { md5: string; crc32c: string }
    for (const hash of [`crc32c=${crc32c},md5=${md5}`, `crc32c=${crc32c}`]) {
      lie(hash)
      expect(await failed(store.get('k'))).toMatchObject({ code: 'BODY_DAMAGED', retryable: true })
    }
    proxy.addRule({ fault: 'drip', operation: 'get', bytes: 3 })
    expect(new TextDecoder().decode((await store.get('k')).bytes)).toBe('0123456789')
  })

  it('keeps the conditions of a read that the server passes over', async () => {
    const answer = { status: 200, headers: { 'x-goog-generation': '5', 'content-type': 'text/plain' }, body: 'x' }
    const { store } = await gcsBench([{ fault: 'before', operation: 'get', times: Infinity, answer }])
    expect(await failed(store.get('k', { ifNoneMatch: '5' }))).toMatchObject({ kind: 'exists', code: 'NOT_MODIFIED' })
    expect((await store.get('k', { ifNoneMatch: '4' })).size).toBe(1)
    // Bytes of another version than the head told of say nothing of who wrote that one.
    const dropped = await gcsBench([{ fault: 'before', operation: 'get', answer }], { userMetadata: 'dropped' })
    await dropped.direct.put('k', bytesOf('theirs'))
    expect(await failed(dropped.store.put('k', bytesOf('mine'), { mode: 'create' }))).toMatchObject({
      kind: 'exists',
      outcome: 'unknown',
    })
  })

  it('reads beyond 4 GiB', async () => {
    const { fake, store } = await gcsBench()
    fake.putSparse('moulin', 'vast', 2 ** 33, [{ at: 2 ** 32 + 5, bytes: bytesOf('there') }])
    const { bytes, size } = await store.get('vast', { range: { start: 2 ** 32 + 4, end: 2 ** 32 + 11 } })
    expect([new TextDecoder().decode(bytes), size]).toEqual(['\0there\0', 2 ** 33])
    const { parts } = await store.getRanges('vast', [{ suffix: 4 }, { start: 2 ** 32 + 5, end: 2 ** 32 + 7 }])
    expect(parts.map((part) => new TextDecoder().decode(part))).toEqual(['\0\0\0\0', 'th'])
  })

  it('goes on in a list under the words that it began with', async () => {
    const { fake, store } = await gcsBench()
    for (let i = 0; i < 1_005; i++) fake.putSparse('moulin', `k${String(i).padStart(4, '0')}`, 1)
    const keys: string[] = []
    for await (const { key } of store.list({ prefix: 'k', after: 'k0001' })) keys.push(key)
    expect([keys.length, keys[0]]).toEqual([1_003, 'k0002'])
    const pages = fake.requests.map(({ target }) => new URL(target, fake.endpoint).searchParams)
    expect(pages.map((query) => [query.get('prefix'), query.get('startOffset')])).toEqual([
      ['k', 'k0001'],
      ['k', 'k0001'],
    ])
    expect(pages.map((query) => query.has('pageToken'))).toEqual([false, true])
  })

  it('refuses a put above what one request takes before it sends a byte', async () => {
    const { fake, store } = await gcsBench([], { maxPutBytes: 10 })
    expect(await failed(store.put('k', new Uint8Array(11)))).toMatchObject({ kind: 'exhausted', outcome: 'rejected' })
    expect(fake.requests).toEqual([])
  })

  it('gives up at the deadline, and a write is unknown then', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const { proxy, store } = await gcsBench([{ fault: 'before', times: Infinity, answer: 'silence' }], {
      runtime,
      deadlineMs: 1_000,
    })
    const late = async (call: Promise<unknown>): Promise<unknown> => {
      const before = proxy.calls.length
      const error = failed(call)
      while (proxy.calls.length === before) await timers.turn()
      await runtime.clock.advance(3_000)
      return await error
    }
    expect(await late(store.put('k', bytesOf('x')))).toMatchObject({ code: 'DEADLINE', outcome: 'unknown' })
    expect(await late(store.get('k'))).toMatchObject({ code: 'DEADLINE', outcome: 'rejected' })
    expect(await late(store.delete('k'))).toMatchObject({ code: 'DEADLINE', outcome: 'unknown' })
  })

  it('sends no credentials to an endpoint of its own unless they are given', async () => {
    const { fake, proxy } = await gcsBench()
    await gcs({ bucket: 'moulin', apiEndpoint: proxy.endpoint }).put('k', bytesOf('x'))
    expect(fake.requests.at(-1)!.headers).not.toHaveProperty('authorization')
  })
})
