import { once } from 'node:events'
import { createServer } from 'node:http'
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob'
import { DeleteObjectCommand, HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { Storage } from '@google-cloud/storage'
import { systemRuntime } from '@moulin/core'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { FaultProxy } from './fault-proxy.ts'
import { faultProxy } from './fault-proxy.ts'
import type { ProxyRule } from './proxy-rules.ts'
import { benchOf, fakeWithClient, said } from './s3-fake.test-support.ts'

const { timers } = systemRuntime()

/** A fake, a proxy before it, the vendor's client at the proxy, and at the fake itself what the test looks with. */
async function behindProxy(rules: readonly ProxyRule[] = []) {
  const direct = await fakeWithClient({ minPartBytes: 1 })
  const { fake } = direct
  const proxy = await faultProxy({ target: fake.endpoint, rules })
  onTestFinished(() => proxy.close())
  return { fake, proxy, direct, ...benchOf({ ...fake, endpoint: proxy.endpoint }) }
}

const results = ({ calls }: FaultProxy) => calls.map(({ operation, result, status }) => [operation, result, status])

describe('faultProxy', () => {
  it('lets through what no rule is about: signatures, bodies, heads, lists', async () => {
    const { proxy, put, text, upload, client } = await behindProxy([{ fault: 'before', key: 'other' }])
    const body = Buffer.alloc(3_000_000, 'x')
    expect(await said(put('a/é b', body, { Metadata: { a: '1' } }))).toBe('200')
    expect(Buffer.from(await text('a/é b')).equals(body)).toBe(true)
    await (await upload('m', ['one', 'two'])).complete()
    expect(await text('m', { Range: 'bytes=-3' })).toBe('two')
    const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: 'lake', Prefix: 'a' }))
    expect(Contents!.map(({ Key }) => Key)).toEqual(['a/é b'])
    const seen = proxy.calls.map(({ operation, key }) => `${operation} ${key}`)
    expect(seen).toEqual([
      'put a/é b',
      'get a/é b',
      'upload-begin m',
      'upload-part m',
      'upload-part m',
      'upload-complete m',
      'get m',
      'list a',
    ])
    expect(proxy.countCalls({ operation: ['upload-part', 'list'] })).toBe(3)
  })

  it.each([
    ['precondition', '412 PreconditionFailed'],
    ['conflict', '409 ConditionalRequestConflict'],
    ['throttled', '429 TooManyRequests'],
    ['busy', '503 SlowDown'],
    ['error', '500 InternalError'],
    ['forbidden', '403 AccessDenied'],
    ['expired', '400 ExpiredToken'],
    ['wrong-region', '400 AuthorizationHeaderMalformed'],
    ['reset', 'no answer'],
  ] as const)('says %s in the words of S3, and nothing arrives', async (answer, wanted) => {
    const { fake, put } = await behindProxy([{ fault: 'before', answer }])
    expect(await said(put('a', 'x'))).toBe(wanted)
    expect(fake.requests).toEqual([])
    expect(await said(put('a', 'x'))).toBe('200')
  })

  it('answers with a page of a gateway, or as the test says', async () => {
    const own = { status: 200, body: '<html></html>', headers: { 'content-type': 'text/html' } }
    const { get, put } = await behindProxy([
      { fault: 'before', operation: 'put', answer: 'html' },
      { fault: 'before', operation: 'get', answer: own },
    ])
    expect(await said(put('a', 'x'))).toMatch(/^502/)
    expect(await (await get('a')).Body!.transformToString()).toBe('<html></html>')
  })

  it('takes the nth, so many times, by method and path', async () => {
    const { proxy, put } = await behindProxy([
      { fault: 'before', answer: 'busy', method: 'PUT', path: /^\/lake\/b/, nth: 2, times: 2 },
    ])
    const told = []
    for (const key of ['b1', 'a', 'b2', 'b3', 'b4']) told.push((await said(put(key, ''))).slice(0, 3))
    expect(told).toEqual(['200', '200', '503', '503', '200'])
    const { remove } = proxy.addRule({ fault: 'before', times: Infinity })
    expect(await said(put('c', ''))).toBe('no answer')
    remove()
    expect(await said(put('c', ''))).toBe('200')
  })

  it('draws by its seed which ones it takes', async () => {
    const takenBy = async (seed: number) => {
      const { fake } = await fakeWithClient()
      const rules = [{ fault: 'before', answer: 'busy', chance: 0.3, times: Infinity } as const]
      const proxy = await faultProxy({ target: fake.endpoint, rules, seed })
      onTestFinished(() => proxy.close())
      const { put } = benchOf({ ...fake, endpoint: proxy.endpoint })
      for (let i = 0; i < 40; i++) await said(put(`k${i}`, ''))
      return proxy.calls.map(({ result }) => result)
    }
    const taken = await takenBy(7)
    const count = taken.filter((result) => result === 'before').length
    expect(count).toBeGreaterThan(4)
    expect(count).toBeLessThan(20)
    expect(await takenBy(7)).toEqual(taken)
    expect(await takenBy(8)).not.toEqual(taken)
  })

  it('loses the answer after the effect', async () => {
    const { fake, proxy, put } = await behindProxy([{ fault: 'after', operation: 'put' }])
    expect(await said(put('a', 'mine', { IfNoneMatch: '*' }))).toBe('no answer')
    expect(Buffer.from(fake.read('lake', 'a')!).toString()).toBe('mine')
    expect(await said(put('a', 'mine', { IfNoneMatch: '*' }))).toBe('412 PreconditionFailed')
    expect(results(proxy)).toEqual([
      ['put', 'after', 200],
      ['put', 'passed', 412],
    ])
  })

  it('delivers late: when the test says', async () => {
    const { fake, proxy, put, text } = await behindProxy([{ fault: 'late', operation: 'put', answer: 'busy' }])
    expect(await said(put('a', 'first', { IfNoneMatch: '*' }))).toBe('503 SlowDown')
    expect(fake.objects('lake')).toEqual([])
    expect(proxy.countLate()).toBe(1)
    await proxy.applyLate()
    expect(await text('a')).toBe('first')
    expect(proxy.calls[0]).toMatchObject({ result: 'late', status: 200 })
  })

  it('delivers late: between a second try and its answer', async () => {
    const { put, text } = await behindProxy([{ fault: 'late', operation: 'put', lateAfterCalls: 0 }])
    expect(await said(put('a', 'first', { IfNoneMatch: '*' }))).toBe('no answer')
    expect(await said(put('a', 'second', { IfNoneMatch: '*' }))).toBe('412 PreconditionFailed')
    expect(await text('a')).toBe('first')
  })

  it('holds a request back, and its client waits', async () => {
    const { proxy, put, text } = await behindProxy([{ fault: 'held', operation: 'put', lateAfterCalls: 1 }])
    const held = said(put('a', 'held', { IfNoneMatch: '*' }))
    while (proxy.countLate() === 0) await timers.turn()
    expect(await said(put('a', 'quick', { IfNoneMatch: '*' }))).toBe('200')
    expect(await text('a')).toBe('quick')
    expect(await held).toBe('412 PreconditionFailed')
  })

  it('tears the body of a request, of which nothing comes', async () => {
    const { fake, proxy, put } = await behindProxy([{ fault: 'torn-request', operation: 'put', bytes: 400 }])
    expect(await said(put('a', 'x'.repeat(1000)))).toBe('no answer')
    while (fake.requests.length === 0) await timers.turn()
    expect(fake.requests[0]).toMatchObject({ operation: 'PutObject', bodyBytes: undefined, status: undefined })
    expect(fake.objects('lake')).toEqual([])
    expect(results(proxy)).toEqual([['put', 'torn-request', undefined]])
  })

  it('tears the body of an answer', async () => {
    const { direct, get } = await behindProxy([{ fault: 'torn-answer', operation: 'get', bytes: 10 }])
    await direct.put('a', '0123456789abcdef')
    const { Body, ContentLength } = await get('a')
    expect(ContentLength).toBe(16)
    await expect(Body!.transformToString()).rejects.toThrow()
    expect(await (await get('a')).Body!.transformToString()).toBe('0123456789abcdef')
  })

  it('drips an answer, a piece each time', async () => {
    const waited: number[] = []
    const direct = await fakeWithClient()
    const sleep = async (ms: number): Promise<void> => void waited.push(ms)
    const rules = [{ fault: 'drip', operation: 'get', bytes: 4, everyMs: 50 } as const]
    const proxy = await faultProxy({ target: direct.fake.endpoint, rules, timers: { sleep, turn: timers.turn } })
    onTestFinished(() => proxy.close())
    await direct.put('a', '0123456789')
    expect(await benchOf({ ...direct.fake, endpoint: proxy.endpoint }).text('a')).toBe('0123456789')
    expect(waited).toEqual([50, 50, 50])
  })

  it('says nothing until the client gives up', async () => {
    const { proxy, put } = await behindProxy([{ fault: 'before', answer: 'silence' }])
    const stop = new AbortController()
    const { client } = benchOf({
      endpoint: proxy.endpoint,
      region: 'r',
      credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    })
    const silent = client.send(new DeleteObjectCommand({ Bucket: 'lake', Key: 'a' }), { abortSignal: stop.signal })
    while (proxy.calls[0]?.result !== 'before') await timers.turn()
    stop.abort()
    await expect(silent).rejects.toThrow(/abort/i)
    expect(await said(put('a', 'x'))).toBe('200')
  })

  it('lets credentials run out in the middle of an upload', async () => {
    const { fake, upload } = await behindProxy([
      {
        fault: 'before',
        operation: ['upload-part', 'upload-complete', 'upload-abort'],
        nth: 2,
        times: Infinity,
        answer: 'expired',
      },
    ])
    await expect(upload('m', ['one', 'two'])).rejects.toMatchObject({ name: 'ExpiredToken' })
    expect(fake.uploads('lake').map(({ parts }) => parts.size)).toEqual([1])
  })

  it('shows a list as it was, or the other way round', async () => {
    const { direct, client, proxy } = await behindProxy()
    const list = async () =>
      ((await client.send(new ListObjectsV2Command({ Bucket: 'lake' }))).Contents ?? []).map(({ Key }) => Key)
    const stale = { fault: 'stale-list', operation: 'list' } as const
    for (const key of ['a', 'b', 'c']) await direct.put(key, key)
    proxy.addRule(stale)
    expect(await list()).toEqual([])
    expect(await list()).toEqual(['a', 'b', 'c'])
    await direct.client.send(new DeleteObjectCommand({ Bucket: 'lake', Key: 'a' }))
    await direct.put('d', 'd')
    proxy.addRule(stale)
    expect(await list()).toEqual(['a', 'b', 'c'])
    proxy.addRule({ fault: 'shuffled-list' })
    expect(await list()).toEqual(['d', 'c', 'b'])
    expect(await list()).toEqual(['b', 'c', 'd'])
  })

  it('cuts connections, and tells a service that is not there from a fault', async () => {
    const gone = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => gone.once('listening', resolve))
    const { port } = gone.address() as { port: number }
    await new Promise((resolve) => gone.close(resolve))
    const proxy = await faultProxy({ target: `http://127.0.0.1:${port}` })
    onTestFinished(() => proxy.close())
    const { fake } = await fakeWithClient()
    expect(await said(benchOf({ ...fake, endpoint: proxy.endpoint }).put('a', 'x'))).toBe('no answer')
    expect(results(proxy)).toEqual([['put', 'unreachable', undefined]])

    const held = await behindProxy([{ fault: 'held', operation: 'put' }])
    const put = said(held.put('a', 'x'))
    while (held.proxy.countLate() === 0) await timers.turn()
    held.proxy.cutConnections()
    expect(await put).toBe('no answer')
  })

  it('delivers what was held although its client has gone, and goes on', async () => {
    const { fake, proxy, direct, put, get } = await behindProxy([{ fault: 'held', times: 2 }])
    await direct.put('large', Buffer.alloc(3_000_000))
    const gone = [said(put('a', 'x')), said(get('large'))]
    while (proxy.countLate() < 2) await timers.turn()
    proxy.cutConnections()
    await Promise.all(gone)
    await proxy.applyLate()
    expect(Buffer.from(fake.read('lake', 'a')!).toString()).toBe('x')
    expect(await said(put('b', 'y'))).toBe('200')
    expect(results(proxy).slice(0, 2)).toEqual(
      expect.arrayContaining([
        ['put', 'held', 200],
        ['get', 'held', 200],
      ]),
    )
  })

  it('tears an answer that has no body before its head', async () => {
    const { fake, client, put } = await behindProxy([{ fault: 'torn-answer', operation: ['put', 'head'], times: 2 }])
    expect(await said(put('a', 'bytes'))).toBe('no answer')
    expect(Buffer.from(fake.read('lake', 'a')!).toString()).toBe('bytes')
    const head = new HeadObjectCommand({ Bucket: 'lake', Key: 'a' })
    expect(await said(client.send(head))).toBe('no answer')
    expect((await client.send(head)).ContentLength).toBe(5)
  })

  it('leaves no connection to the service behind when it is closed', async () => {
    const open = new Set<object>()
    const deaf = createServer(() => {}).listen(0, '127.0.0.1')
    deaf.on('connection', (socket) => {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
    })
    await once(deaf, 'listening')
    onTestFinished(() => void deaf.close())
    const proxy = await faultProxy({ target: `http://127.0.0.1:${(deaf.address() as { port: number }).port}` })
    const { fake } = await fakeWithClient()
    const put = said(benchOf({ ...fake, endpoint: proxy.endpoint }).put('a', 'x'))
    while (open.size === 0) await timers.turn()
    await proxy.close()
    expect(await put).toBe('no answer')
    for (let turns = 0; turns < 1_000 && open.size > 0; turns++) await timers.turn()
    expect(open.size).toBe(0)
  })

  it('refuses rules that mean nothing, and services elsewhere', async () => {
    const { proxy } = await behindProxy()
    expect(() => proxy.addRule({ fault: 'after', bytes: 5 })).toThrow(/has no bytes; torn-request/)
    expect(() => proxy.addRule({ fault: 'gone' as never })).toThrow(/fault is "gone"/)
    await expect(faultProxy({ target: 'http://example.org' })).rejects.toThrow(/loopback/)
  })
})

describe('faultProxy before other services', () => {
  it('speaks as Azure does', async () => {
    const { proxy } = await behindProxy([
      { fault: 'before', operation: 'put', key: 'a/b', answer: 'busy' },
      { fault: 'before', operation: 'head', answer: 'precondition' },
      { fault: 'before', operation: 'upload-complete', answer: 'expired' },
      { fault: 'before', operation: 'list', key: 'a/', answer: 'html' },
    ])
    const key = new StorageSharedKeyCredential('devstoreaccount1', Buffer.from('key').toString('base64'))
    const service = new BlobServiceClient(`${proxy.endpoint}/devstoreaccount1`, key, { retryOptions: { maxTries: 1 } })
    const container = service.getContainerClient('lake')
    const blob = container.getBlockBlobClient('a/b')
    await expect(blob.upload('x', 1)).rejects.toMatchObject({ statusCode: 503, code: 'ServerBusy' })
    const unmet = { statusCode: 412, details: { errorCode: 'ConditionNotMet' } }
    await expect(blob.getProperties()).rejects.toMatchObject(unmet)
    await expect(blob.commitBlockList(['YQ=='])).rejects.toMatchObject({
      statusCode: 403,
      code: 'AuthenticationFailed',
    })
    await expect(container.listBlobsFlat({ prefix: 'a/' }).next()).rejects.toMatchObject({ statusCode: 502 })
    expect(proxy.calls.map(({ result }) => result)).toEqual(['before', 'before', 'before', 'before'])
  })

  it('speaks as Google does', async () => {
    const { proxy } = await behindProxy([
      { fault: 'before', operation: 'put', key: 'a/b', answer: 'throttled' },
      { fault: 'before', operation: 'get', answer: 'expired' },
      { fault: 'before', operation: 'upload-begin', answer: 'precondition' },
      { fault: 'before', operation: 'list', key: 'a/', answer: 'forbidden' },
    ])
    const storage = new Storage({ apiEndpoint: proxy.endpoint, projectId: 'p', retryOptions: { autoRetry: false } })
    const bucket = storage.bucket('lake')
    const file = bucket.file('a/b')
    const reason = (name: string) => [expect.objectContaining({ reason: name })]
    const plain = { resumable: false, validation: false }
    await expect(file.save('x', plain)).rejects.toMatchObject({ code: 429, errors: reason('rateLimitExceeded') })
    await expect(file.download()).rejects.toMatchObject({ code: 401 })
    await expect(file.createResumableUpload()).rejects.toMatchObject({ code: 412 })
    await expect(bucket.getFiles({ prefix: 'a/' })).rejects.toMatchObject({ code: 403, errors: reason('forbidden') })
    expect(proxy.calls.map(({ result }) => result)).toEqual(['before', 'before', 'before', 'before'])
  })
})
