import { S3Client } from '@aws-sdk/client-s3'
import type { ObjectStore, PutOptions } from '@moulin/core'
import { s3Fake } from '@moulin/testing'
import type { ProxyRule } from '@moulin/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bytesOf, failed, keysIn, MIB, s3Bench, textIn } from './s3.test-support.ts'
import { s3 } from './s3.ts'

const create = { mode: 'create' } as const
const put = (store: ObjectStore, text: string, options: PutOptions = create, key = 'k'): Promise<{ etag: string }> =>
  store.put(key, bytesOf(text), options)
const parts = [new Uint8Array(5 * MIB), new Uint8Array(MIB)]
const stream = (store: ObjectStore, options: PutOptions = create, key = 'k'): Promise<{ etag: string }> =>
  store.putStream(key, parts, { ...options, partBytes: 5 * MIB })

describe('s3: a conditional write', () => {
  it.each<[string, ProxyRule]>([
    ['was lost', { fault: 'after', operation: 'put' }],
    ['was a 503', { fault: 'after', operation: 'put', answer: 'error' }],
    ['was a 412 of its own object', { fault: 'after', operation: 'put', answer: 'precondition' }],
    ['was a 409 of its own object', { fault: 'after', operation: 'put', answer: 'conflict' }],
    ['was a page of HTML', { fault: 'after', operation: 'put', answer: 'html' }],
    [
      'was a page of HTML and a 200',
      { fault: 'after', operation: 'put', answer: { status: 200, body: '<html></html>' } },
    ],
  ])('has succeeded although its answer %s', async (_, rule) => {
    const { fake, store, direct } = await s3Bench([rule])
    const { etag } = await put(store, 'mine')
    expect(await direct.head('k')).toMatchObject({ etag })
    expect(textIn(fake, 'k')).toBe('mine')
  })

  it.each<[string, ProxyRule]>([
    ['reset', { fault: 'before', operation: 'put' }],
    ['torn body', { fault: 'torn-request', operation: 'put' }],
    ['page of HTML', { fault: 'before', operation: 'put', answer: 'html' }],
    ['page of HTML and a 200', { fault: 'before', operation: 'put', answer: { status: 200, body: '<html></html>' } }],
    ['500', { fault: 'before', operation: 'put', answer: 'error' }],
  ])('that nothing came of is unknown after a %s', async (_, rule) => {
    const { fake, store } = await s3Bench([rule])
    expect(await failed(put(store, 'mine'))).toMatchObject({
      kind: 'unavailable',
      outcome: 'unknown',
      retryable: false,
    })
    expect(keysIn(fake)).toEqual([])
  })

  it('stays unknown while it may still land, and lands', async () => {
    const { fake, proxy, store } = await s3Bench([{ fault: 'late', operation: 'put' }])
    expect(await failed(put(store, 'late', { ...create, attemptId: 'one' }))).toMatchObject({ outcome: 'unknown' })
    await proxy.applyLate()
    expect(textIn(fake, 'k')).toBe('late')
    // Under the same id it is known again.
    expect(await put(store, 'late', { ...create, attemptId: 'one' })).toEqual({ etag: fake.objects('moulin')[0]!.etag })
    expect(await failed(put(store, 'late', { ...create, attemptId: 'two' }))).toMatchObject({
      kind: 'exists',
      outcome: 'rejected',
    })
  })

  it('that raced is to be tried again, and is told from one that lost', async () => {
    const { store } = await s3Bench([{ fault: 'before', operation: 'put', answer: 'conflict', times: 2 }])
    expect(await failed(put(store, 'mine'))).toMatchObject({
      kind: 'unavailable',
      code: 'WRITE_RACED',
      outcome: 'rejected',
      retryable: true,
    })
    const { store: second, direct } = await s3Bench([
      { fault: 'before', operation: 'put', answer: 'conflict', times: Infinity },
    ])
    const { etag } = await put(direct, 'of another')
    expect(await failed(put(second, 'mine'))).toMatchObject({ kind: 'exists', outcome: 'rejected' })
    expect(await failed(put(second, 'mine', { mode: { ifMatch: '"0"' } }))).toMatchObject({ kind: 'conflict' })
    expect(await failed(put(second, 'mine', { mode: { ifMatch: etag } }))).toMatchObject({ code: 'WRITE_RACED' })
  })

  it('hears how long it is to wait', async () => {
    const answer = { status: 503, code: 'SlowDown', headers: { 'retry-after': '3' } }
    const { store } = await s3Bench([
      { fault: 'before', answer },
      { fault: 'before', answer: 'throttled', nth: 2 },
    ])
    const told = { kind: 'unavailable', code: 'SLOW_DOWN', outcome: 'rejected', retryable: true }
    expect(await failed(put(store, 'x'))).toMatchObject({ ...told, context: { retryAfterMs: 3_000, status: 503 } })
    expect(await failed(put(store, 'x'))).toMatchObject({ ...told, context: { status: 429 } })
  })

  it('is not taken for a success by its tag: A, B, A', async () => {
    const { fake, proxy, store, direct } = await s3Bench()
    const a = await put(direct, 'A')
    const rule = proxy.addRule({ fault: 'before', operation: 'put' })
    expect(await failed(put(store, 'B', { mode: { ifMatch: a.etag } }))).toMatchObject({ outcome: 'unknown' })
    rule.remove()
    // Two others make B and A again: the tag is the first one's, and the object is not.
    const b = await put(direct, 'B', { mode: { ifMatch: a.etag } })
    const again = await put(direct, 'A', { mode: { ifMatch: b.etag } })
    expect(again.etag).toBe(a.etag)
    proxy.addRule({ fault: 'before', operation: 'put', times: Infinity })
    // An equal value of another is there: neither a lost swap from another tag nor one to this value has succeeded.
    expect(await failed(put(store, 'A', { mode: { ifMatch: b.etag } }))).toMatchObject({
      kind: 'conflict',
      outcome: 'unknown',
    })
    expect(await failed(put(store, 'C', { mode: { ifMatch: a.etag } }))).toMatchObject({ outcome: 'unknown' })
    expect(textIn(fake, 'k')).toBe('A')
  })

  it('knows a swap of equal bytes by its id, for their tag says nothing', async () => {
    const { store, direct } = await s3Bench([{ fault: 'after', operation: 'put' }])
    const { etag } = await put(direct, 'same')
    expect(await put(store, 'same', { mode: { ifMatch: etag } })).toEqual({ etag })
  })

  it.each(['overwrite', 'delete'])('an %s whose answer was lost is unknown', async (call) => {
    const { fake, store } = await s3Bench([{ fault: 'after' }])
    const made = call === 'delete' ? store.delete('k') : put(store, 'x', {})
    expect(await failed(made)).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    expect(keysIn(fake)).toEqual(call === 'delete' ? [] : ['k'])
  })
})

describe('s3: a client that sends four times', () => {
  const retrying = async (rules: readonly ProxyRule[]) => {
    const bench = await s3Bench(rules)
    const client = new S3Client({
      endpoint: bench.proxy.endpoint,
      region: bench.fake.region,
      credentials: bench.fake.credentials,
      forcePathStyle: true,
      maxAttempts: 4,
    })
    onTestFinished(() => client.destroy())
    return { ...bench, store: s3({ bucket: 'moulin', client }) }
  }

  it('has created what its second sending found there', async () => {
    const { fake, proxy, store } = await retrying([{ fault: 'after', operation: 'put' }])
    const { etag } = await put(store, 'mine')
    expect(proxy.calls.map(({ operation, status }) => `${operation} ${status}`)).toEqual([
      'put 200',
      'put 412',
      'head 200',
    ])
    expect(fake.objects('moulin')).toMatchObject([{ key: 'k', etag }])
  })

  it('has completed an upload that its second sending found complete', async () => {
    const { fake, store } = await retrying([{ fault: 'after', operation: 'upload-complete' }])
    const { etag } = await stream(store)
    expect(fake.objects('moulin')).toMatchObject([{ key: 'k', etag }])
    expect(fake.uploads('moulin')).toEqual([])
  })

  it("does not know what became of a sending before another's object was found", async () => {
    const { direct, store } = await retrying([{ fault: 'before', operation: 'put' }])
    await put(direct, 'of another')
    expect(await failed(put(store, 'mine'))).toMatchObject({ kind: 'exists', outcome: 'unknown' })
  })

  it.each(['overwrite', 'delete'])(
    'does not call an %s rejected whose first sending may have been done',
    async (call) => {
      const { fake, store } = await retrying([{ fault: 'after' }, { fault: 'before', nth: 2, answer: 'forbidden' }])
      const made = call === 'delete' ? store.delete('k') : put(store, 'x', {})
      expect(await failed(made)).toMatchObject({ code: 'FORBIDDEN', outcome: 'unknown' })
      expect(keysIn(fake)).toEqual(call === 'delete' ? [] : ['k'])
    },
  )
})

describe('s3: an upload in parts', () => {
  it('is settled by its id where the answer of its completion was lost', async () => {
    const { fake, store } = await s3Bench([{ fault: 'after', operation: 'upload-complete' }])
    const { etag } = await stream(store)
    expect(fake.objects('moulin')).toMatchObject([{ key: 'k', etag, content: { size: 6 * MIB } }])
    expect(fake.uploads('moulin')).toEqual([])
  })

  it('is settled where the service says 200 and then that it failed', async () => {
    const body = '<?xml version="1.0"?><Error><Code>InternalError</Code><Message>x</Message></Error>'
    const { fake, store } = await s3Bench([
      { fault: 'before', operation: 'upload-complete', answer: { status: 200, body } },
    ])
    expect(await failed(stream(store))).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    expect(keysIn(fake)).toEqual([])
    expect(fake.uploads('moulin')).toEqual([])
  })

  it.each<[string, readonly ProxyRule[], object]>([
    [
      'a part is refused',
      [{ fault: 'before', operation: 'upload-part', nth: 2, answer: 'busy' }],
      { code: 'SLOW_DOWN' },
    ],
    ['a part is torn', [{ fault: 'torn-request', operation: 'upload-part', bytes: 1000 }], { outcome: 'rejected' }],
    ['the answer of a part is lost', [{ fault: 'after', operation: 'upload-part' }], { outcome: 'rejected' }],
    [
      'a part is answered by a page and a 200',
      [{ fault: 'before', operation: 'upload-part', answer: { status: 200, body: '<html></html>' } }],
      { outcome: 'rejected', retryable: true },
    ],
    [
      'its completion races',
      [{ fault: 'before', operation: 'upload-complete', answer: 'conflict' }],
      { code: 'WRITE_RACED' },
    ],
    ['its completion never arrives', [{ fault: 'before', operation: 'upload-complete' }], { outcome: 'unknown' }],
    [
      'the first removal of its parts fails, too',
      [
        { fault: 'before', operation: 'upload-part' },
        { fault: 'before', operation: 'upload-abort', times: 2 },
      ],
      { outcome: 'rejected' },
    ],
    [
      'its credentials run out',
      [{ fault: 'before', operation: ['upload-part', 'upload-complete'], nth: 2, answer: 'expired', times: Infinity }],
      { kind: 'unavailable', code: 'CREDENTIALS', outcome: 'rejected', retryable: false },
    ],
  ])('leaves nothing where %s', async (_, rules, told) => {
    const { fake, store } = await s3Bench(rules)
    expect(await failed(stream(store))).toMatchObject(told)
    expect(keysIn(fake)).toEqual([])
    expect(fake.uploads('moulin')).toEqual([])
  })

  it("leaves nothing where another's object is there, or the caller gives up", async () => {
    const { fake, store, direct, proxy } = await s3Bench()
    await put(direct, 'of another')
    expect(await failed(stream(store))).toMatchObject({ kind: 'exists', outcome: 'rejected' })
    const stop = new AbortController()
    const rule = proxy.addRule({ fault: 'before', operation: 'upload-part', nth: 2, answer: 'silence' })
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield* parts
      stop.abort()
      yield new Uint8Array(5 * MIB)
    }
    const given = { partBytes: 5 * MIB, signal: stop.signal }
    expect(await failed(store.putStream('l', source(), given))).toMatchObject({ kind: 'aborted', outcome: 'rejected' })
    rule.remove()
    expect(keysIn(fake)).toEqual(['k'])
    expect(fake.uploads('moulin')).toEqual([])
  })

  it('whose bucket vanishes fails by that, and not by a missing key', async () => {
    const { fake, store } = await s3Bench()
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield* parts
      fake.deleteBucket('moulin')
      yield new Uint8Array(5 * MIB)
    }
    const told = { kind: 'unavailable', code: 'BUCKET_MISSING', outcome: 'rejected', retryable: false }
    expect(await failed(store.putStream('k', source(), { ...create, partBytes: 5 * MIB }))).toMatchObject(told)
  })

  it('of many parts arrives whole, in order, whatever order they arrive in', async () => {
    const { fake, store } = await s3Bench([{ fault: 'held', operation: 'upload-part', lateAfterCalls: 2 }])
    const given = Array.from({ length: 4 }, (_, at) => new Uint8Array(5 * MIB).fill(at))
    await store.putStream('k', given, { partBytes: 5 * MIB })
    const stored = fake.read('moulin', 'k')!
    expect([0, 1, 2, 3].map((at) => stored[at * 5 * MIB])).toEqual([0, 1, 2, 3])
  })
})

it('s3: a put above the limit sends nothing', async () => {
  const fake = await s3Fake()
  onTestFinished(() => fake.close())
  const store = s3({ bucket: 'moulin', endpoint: fake.endpoint, credentials: fake.credentials, maxPutBytes: 10 })
  expect(await failed(store.put('k', new Uint8Array(11)))).toMatchObject({
    kind: 'exhausted',
    code: 'OBJECT_TOO_LARGE',
  })
  expect(fake.requests).toEqual([])
})

describe('s3: deletes', () => {
  const page = { status: 200, body: '<html></html>', headers: { 'content-type': 'text/html' } }

  it('have not been done where a gateway answers', async () => {
    const { fake, store } = await s3Bench([
      { fault: 'before', operation: ['delete', 'delete-many'], answer: page, times: 2 },
    ])
    for (const key of ['k', 'l']) await put(store, 'x', {}, key)
    expect(await failed(store.delete('k'))).toMatchObject({ kind: 'unavailable', outcome: 'unknown' })
    const { failed: left } = await store.deleteMany(['k', 'l'])
    expect(left).toMatchObject(['k', 'l'].map((key) => ({ key, error: { kind: 'unavailable', outcome: 'unknown' } })))
    expect(keysIn(fake)).toEqual(['k', 'l'])
    expect(await store.deleteMany(['k', 'l', 'none'])).toEqual({ failed: [] })
    expect(keysIn(fake)).toEqual([])
  })

  it('fail for the keys that are refused, and for those that are not named', async () => {
    const body = `<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code></Error></DeleteResult>`
    const { store } = await s3Bench([{ fault: 'before', operation: 'delete-many', answer: { status: 200, body } }])
    const { failed: left } = await store.deleteMany(['a', 'b', 'c'])
    expect(left).toMatchObject([
      { key: 'b', error: { code: 'FORBIDDEN', outcome: 'rejected' } },
      { key: 'c', error: { code: 'STORE_FAILED', outcome: 'unknown' } },
    ])
  })

  it('take a key that a server calls missing for deleted', async () => {
    const { store } = await s3Bench([{ fault: 'before', answer: { status: 404, code: 'NoSuchKey' } }])
    await store.delete('k')
  })
})
