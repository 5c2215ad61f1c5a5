import { getEventListeners } from 'node:events'
import { systemRuntime } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { virtualRuntime } from '@moulin/testing'
import type { ProxyRule } from '@moulin/testing'
import { describe, expect, it } from 'vitest'
import { bytesOf, failed, keysOf, s3Bench } from './s3.test-support.ts'

const page = { status: 200, body: '<html><body>Log in</body></html>', headers: { 'content-type': 'text/html' } }
const { timers } = systemRuntime()

describe('s3: a read', () => {
  it.each<[string, ProxyRule]>([
    ['is cut', { fault: 'torn-answer', bytes: 100 }],
    ['is cut before its first byte', { fault: 'torn-answer', bytes: 0 }],
    ['is a reset', { fault: 'before' }],
    ['is a page of HTML', { fault: 'before', answer: 'html' }],
    ['is a page of HTML and a 200', { fault: 'before', answer: page }],
  ])('fails, to be tried again, where its answer %s', async (_, rule) => {
    const { store, direct } = await s3Bench([{ ...rule, operation: 'get', times: 2 }])
    await direct.put('k', new Uint8Array(1000))
    const told = { kind: 'unavailable', outcome: 'rejected', retryable: true }
    expect(await failed(store.get('k'))).toMatchObject(told)
    expect(await failed(store.get('k', { range: { start: 0, end: 500 } }))).toMatchObject(told)
    expect((await store.get('k')).bytes).toHaveLength(1000)
  })

  it('takes no other part for the one that was asked for', async () => {
    const { store, direct, proxy } = await s3Bench()
    await direct.put('k', bytesOf('0123456789'))
    const told = { status: 200, body: '0123456789', headers: { etag: '"1"' } }
    proxy.addRule({ fault: 'before', operation: 'get', answer: told })
    expect(await failed(store.get('k', { range: { start: 2, end: 4 } }))).toMatchObject({ kind: 'unavailable' })
    const other = { status: 206, body: '01', headers: { etag: '"1"', 'content-range': 'bytes 0-1/10' } }
    proxy.addRule({ fault: 'before', operation: 'get', answer: other })
    expect(await failed(store.get('k', { range: { start: 2, end: 4 } }))).toMatchObject({ kind: 'unavailable' })
    const short = { status: 206, body: '2', headers: { etag: '"1"', 'content-range': 'bytes 2-2/10' } }
    proxy.addRule({ fault: 'before', operation: 'get', answer: short })
    expect(await failed(store.get('k', { range: { start: 2, end: 4 } }))).toMatchObject({ kind: 'unavailable' })
    expect((await store.get('k', { range: { start: 2, end: 4 } })).bytes).toEqual(bytesOf('23'))
  })

  it('takes the whole of an empty object for its last bytes, as versitygw tells them, and no page', async () => {
    const { store, proxy } = await s3Bench()
    const headers = { etag: '"1"', 'content-length': '0' }
    proxy.addRule({ fault: 'before', operation: 'get', answer: { status: 200, body: '', headers } })
    expect(await store.get('k', { range: { suffix: 4 } })).toMatchObject({
      bytes: new Uint8Array(0),
      size: 0,
      etag: '"1"',
    })
    proxy.addRule({ fault: 'before', operation: 'get', answer: { status: 200, body: '' } })
    expect(await failed(store.get('k', { range: { suffix: 4 } }))).toMatchObject({ kind: 'unavailable' })
    proxy.addRule({ fault: 'before', operation: 'get', answer: { status: 200, body: '', headers } })
    expect(await failed(store.get('k', { range: { start: 0 } }))).toMatchObject({ kind: 'unavailable' })
  })

  it('ends where nothing comes any more, and lasts while something does', async () => {
    const runtime = virtualRuntime({ seed: 1 })
    const { store, direct, proxy } = await s3Bench([], { runtime, deadlineMs: 1_000 })
    await direct.put('k', new Uint8Array(3000))
    proxy.addRule({ fault: 'drip', operation: 'get', bytes: 1000, everyMs: 3_600_000 })
    await expectDeadline(store.get('k'), runtime)
    proxy.addRule({ fault: 'before', operation: 'head', answer: 'silence' })
    await expectDeadline(store.head('k'), runtime)
    proxy.addRule({ fault: 'before', operation: 'list', answer: 'silence' })
    await expectDeadline(keysOf(store), runtime)
  })

  it('leaves nothing at its signal, however it ends', async () => {
    const { store, direct, proxy } = await s3Bench([{ fault: 'before', operation: 'get', nth: 2 }])
    await direct.put('k', bytesOf('x'))
    const stop = new AbortController()
    const { signal } = stop
    await store.get('k', { signal })
    await failed(store.get('k', { signal }))
    await store.put('l', bytesOf('x'), { mode: 'create', signal })
    await failed(store.put('l', bytesOf('x'), { mode: 'create', signal }))
    await store.head('none', { signal })
    await store.deleteMany(['l'], { signal })
    expect(getEventListeners(signal, 'abort')).toEqual([])
    proxy.addRule({ fault: 'before', operation: 'put', answer: 'silence' })
    const before = proxy.calls.length
    const over = failed(store.put('l', bytesOf('x'), { mode: 'create', signal }))
    while (proxy.calls.length === before) await timers.turn()
    stop.abort()
    expect(await over).toMatchObject({ kind: 'aborted', outcome: 'unknown' })
    expect(await failed(store.put('l', bytesOf('x'), { signal }))).toMatchObject({
      kind: 'aborted',
      outcome: 'rejected',
    })
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(proxy.calls).toHaveLength(before + 1)
  })

  it('reads behind 4 GiB', async () => {
    const { fake, store } = await s3Bench()
    const start = 5 * 2 ** 32 + 1
    fake.putSparse('moulin', 'k', start + 10, [{ at: start, bytes: bytesOf('found') }])
    expect((await store.get('k', { range: { start, end: start + 5 } })).bytes).toEqual(bytesOf('found'))
    expect((await store.get('k', { range: { suffix: 10 } })).bytes.subarray(0, 5)).toEqual(bytesOf('found'))
    expect(await store.head('k')).toMatchObject({ size: start + 10 })
    const { parts, size } = await store.getRanges('k', [
      { start, end: start + 5 },
      { start: 0, end: 2 },
    ])
    expect([size, parts]).toEqual([start + 10, [bytesOf('found'), new Uint8Array(2)]])
    const beyond = store.get('k', { range: { start: start + 10 } })
    expect(await failed(beyond)).toMatchObject({ kind: 'invalid', code: 'RANGE' })
  })

  it('keeps to keys of the longest length', async () => {
    const { store } = await s3Bench([], { prefix: 'p/' })
    const key = 'ü'.repeat(511)
    await store.put(key, bytesOf('x'), { mode: 'create' })
    expect(await keysOf(store)).toEqual([key])
    expect(await failed(store.put(`${key}x`, bytesOf('x')))).toMatchObject({ kind: 'invalid' })
  })
})

describe('s3: a list', () => {
  const filled = async (rules: readonly ProxyRule[] = []): Promise<ObjectStore> => {
    const { store, direct } = await s3Bench(rules)
    for (const key of ['a', 'b', 'c']) await direct.put(key, bytesOf(key))
    return store
  }

  it.each<[string, ProxyRule]>([
    ['a page of HTML', { fault: 'before', operation: 'list', answer: 'html' }],
    ['a page of HTML and a 200', { fault: 'before', operation: 'list', answer: page }],
    ['cut', { fault: 'torn-answer', operation: 'list' }],
    [
      'to be continued nowhere',
      {
        fault: 'before',
        operation: 'list',
        answer: { status: 200, body: '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>' },
      },
    ],
  ])('that is %s is no empty one', async (_, rule) => {
    const store = await filled([rule])
    expect(await failed(keysOf(store))).toMatchObject({ kind: 'unavailable', retryable: true })
    expect(await keysOf(store)).toEqual(['a', 'b', 'c'])
  })

  it('that is out of order says so', async () => {
    const store = await filled([{ fault: 'shuffled-list' }])
    expect(await failed(keysOf(store))).toMatchObject({ kind: 'unsupported', code: 'LIST_ORDER' })
  })

  it('that leads back to a page of before ends', async () => {
    const body = `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>`
    const { store } = await s3Bench(
      [{ fault: 'before', operation: 'list', answer: { status: 200, body }, times: Infinity }],
      { listOrder: 'none' },
    )
    expect(await failed(keysOf(store))).toMatchObject({ kind: 'unavailable' })
  })

  it('tells keys as they are where a server does not encode them', async () => {
    const body =
      '<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>50%25+1</Key><Size>1</Size></Contents></ListBucketResult>'
    const { store } = await s3Bench([{ fault: 'before', operation: 'list', answer: { status: 200, body } }])
    expect(await keysOf(store)).toEqual(['50%25+1'])
  })
})

describe('s3: a place that is not as it was said', () => {
  const calls: Readonly<Record<string, (store: ObjectStore) => Promise<unknown>>> = {
    get: (store) => store.get('k'),
    head: (store) => store.head('k'),
    put: (store) => store.put('k', bytesOf('x')),
    create: (store) => store.put('k', bytesOf('x'), { mode: 'create' }),
    swap: (store) => store.put('k', bytesOf('x'), { mode: { ifMatch: '"1"' } }),
    delete: (store) => store.delete('k'),
    list: (store) => keysOf(store),
  }
  const each = Object.keys(calls)
  const told = async (store: ObjectStore, name: string): Promise<unknown> => {
    const { kind, code, outcome, retryable } = await failed(calls[name]!(store))
    return { kind, code, outcome, retryable }
  }
  const refused = { outcome: 'rejected', retryable: false }

  it.each(each)('a bucket that is none, %s', async (name) => {
    const { store } = await s3Bench([], { bucket: 'other' })
    expect(await told(store, name)).toEqual({ kind: 'unavailable', code: 'BUCKET_MISSING', ...refused })
  })

  it.each(each)('a bucket that vanishes, %s', async (name) => {
    const { fake, store } = await s3Bench()
    await store.put('k', bytesOf('x'))
    fake.deleteBucket('moulin')
    expect(await told(store, name)).toEqual({ kind: 'unavailable', code: 'BUCKET_MISSING', ...refused })
  })

  it.each(each)('another region, %s', async (name) => {
    const { store } = await s3Bench([], { region: 'eu-west-1' })
    expect(await told(store, name)).toEqual({ kind: 'invalid', code: 'REGION', ...refused })
  })

  it.each(each)('credentials that have run out, %s', async (name) => {
    const { fake, store } = await s3Bench()
    fake.expireCredentials()
    expect(await told(store, name)).toEqual({ kind: 'unavailable', code: 'CREDENTIALS', ...refused })
  })

  it.each(each)('credentials of another, %s', async (name) => {
    const { store } = await s3Bench([], { credentials: { accessKeyId: 'FAKEACCESSKEYID', secretAccessKey: 'other' } })
    expect(await told(store, name)).toEqual({ kind: 'unavailable', code: 'CREDENTIALS', ...refused })
  })

  it.each(each)('a clock that is wrong, %s', async (name) => {
    const clock = { now: () => systemRuntime().clock.now() + 3_600_000 }
    const { store } = await s3Bench([], {}, { clock })
    // A refused head asks why, by which time the SDK knows how late it is.
    if (name === 'head') expect(await store.head('k')).toBeUndefined()
    else expect(await told(store, name)).toEqual({ kind: 'unavailable', code: 'CLOCK_SKEW', ...refused })
    await store.put('new', bytesOf('x'))
  })

  it.each(each)('what is forbidden, %s', async (name) => {
    const { store } = await s3Bench([{ fault: 'before', answer: 'forbidden', times: Infinity }])
    expect(await told(store, name)).toEqual({ kind: 'unavailable', code: 'FORBIDDEN', ...refused })
  })

  it.each(each)('a server that is gone, %s', async (name) => {
    const { proxy, store } = await s3Bench()
    await proxy.close()
    const passing = { outcome: 'rejected', retryable: true }
    expect(await told(store, name)).toEqual({ kind: 'unavailable', code: 'STORE_UNREACHABLE', ...passing })
  })

  it.each(each)('a function of credentials that fails, %s', async (name) => {
    const { store } = await s3Bench([], { credentials: () => Promise.reject(new Error('down')) })
    expect(await told(store, name)).toEqual({ kind: 'unavailable', code: 'CREDENTIALS', ...refused })
  })
})

async function expectDeadline(call: Promise<unknown>, runtime: ReturnType<typeof virtualRuntime>): Promise<void> {
  const over = failed(call)
  let isOver = false
  void over.finally(() => (isOver = true))
  for (let turns = 0; !isOver; turns++) {
    await timers.turn()
    if (turns % 200 === 199) await runtime.clock.advance(1_001)
  }
  expect(await over).toMatchObject({ kind: 'unavailable', code: 'DEADLINE', outcome: 'rejected' })
}
