import { createHash } from 'node:crypto'
import type { ObjectStore } from '@moulin/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bytesOf, created, failed, LAST_MODIFIED, opened, refusal, toldServer } from './azure.test-support.ts'
import type { Asked, Said, ToldServer } from './azure.test-support.ts'

let server: ToldServer
let store: ObjectStore

beforeEach(async () => {
  server = await toldServer()
  store = opened(server.url)
})
afterEach(() => server.close())

const md5 = (bytes: string): string => createHash('md5').update(bytes).digest('base64')
const facts = { etag: '"0x1"', 'last-modified': LAST_MODIFIED }
/** What a blob of these bytes is read as, by range or whole. */
const blob = (text: string, headers: Record<string, string> = {}): ((request: Asked) => Said) => {
  return ({ method, headers: { 'x-ms-range': range } }) => {
    if (method === 'HEAD')
      return { status: 200, headers: { ...facts, 'content-length': String(text.length), ...headers } }
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(String(range)) ?? []
    if (from === undefined) return { status: 200, headers: { ...facts, ...headers }, body: text }
    const end = Math.min(to === '' ? Infinity : Number(to) + 1, text.length)
    const body = text.slice(Number(from), end)
    return {
      status: 206,
      headers: { ...facts, 'content-range': `bytes ${from}-${end - 1}/${text.length}`, ...headers },
      body,
    }
  }
}
const page = (blobs: string, next = ''): Said => ({
  status: 200,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="${server.url}/lake" ContainerName="logs"><Blobs>${blobs}</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`,
})
const listed = (name: string, metadata = ''): string =>
  `<Blob><Name>${name}</Name><Properties><Last-Modified>${LAST_MODIFIED}</Last-Modified><Etag>0x1</Etag><Content-Length>2</Content-Length><BlobType>BlockBlob</BlobType></Properties>${metadata}</Blob>`
const keysOf = async (): Promise<readonly string[]> => {
  const keys: string[] = []
  for await (const { key } of store.list()) keys.push(key)
  return keys
}

describe('writes', () => {
  it('say under which condition, by whom, and what the bytes are', async () => {
    store = opened(server.url, { storageClass: 'Cool', encryptionScope: 'scope1', userAgent: 'flights' })
    await store.put('a b', bytesOf('v'), { mode: 'create', attemptId: 'attempt-1' })
    await store.put('a b', bytesOf('v'), { mode: { ifMatch: '"0x1"' } })
    const [create, swap] = server.asked
    expect(create).toMatchObject({ method: 'PUT', path: '/logs/a b', body: 'v' })
    expect(create!.headers).toMatchObject({
      'if-none-match': '*',
      'x-ms-meta-moulinattempt': 'attempt-1',
      'content-md5': md5('v'),
      'x-ms-access-tier': 'Cool',
      'x-ms-encryption-scope': 'scope1',
    })
    expect(create!.headers['user-agent']).toMatch(/^moulin\/0\.1\.0 flights azsdk-js/)
    expect(swap!.headers).toMatchObject({ 'if-match': '"0x1"' })
    expect(swap!.headers['x-ms-meta-moulinattempt']).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('send each request once, whatever the SDK would', async () => {
    server.answer = () => refusal(503, 'ServerBusy')
    expect(await failed(store.put('k', bytesOf('v')))).toMatchObject({ code: 'SLOW_DOWN' })
    expect(await failed(store.get('k'))).toMatchObject({ code: 'SLOW_DOWN' })
    expect(server.asked.length).toBe(2)
  })

  it('of a stream name blocks that no other writer has, at one length, and commit them in order under the condition', async () => {
    const plain = (id: string): string => Buffer.from(id, 'base64').toString()
    const stream = async (): Promise<readonly string[]> => {
      server.asked.length = 0
      await store.putStream('k', [bytesOf('a'.repeat(250))], { mode: 'create', partBytes: 24 })
      const blocks = server.asked.filter(({ query }) => query.get('comp') === 'block')
      for (const { headers, body } of blocks) expect(headers['content-md5']).toBe(md5(body))
      const ids = blocks.map(({ query }) => query.get('blockid')!)
      const commit = server.asked.at(-1)!
      expect(commit.query.get('comp')).toBe('blocklist')
      expect(commit.headers).toMatchObject({ 'if-none-match': '*' })
      expect(commit.headers['x-ms-meta-moulinattempt']).toMatch(/^[0-9a-f-]{36}$/)
      expect([...commit.body.matchAll(/<Latest>([^<]*)</g)].map(([, id]) => plain(id!))).toEqual(ids.map(plain).sort())
      return ids
    }
    const ids = [...(await stream()), ...(await stream())]
    expect(new Set(ids).size).toBe(22)
    const lengths = new Set(ids.map((id) => plain(id).length))
    expect([...lengths]).toEqual([42])
  })

  it('whose blocks another has dropped look who wrote, and may be tried again', async () => {
    server.answer = ({ method, query }) => {
      if (query.get('comp') === 'blocklist') return refusal(400, 'InvalidBlockList')
      if (method === 'HEAD')
        return { status: 200, headers: { ...facts, 'content-length': '1', 'x-ms-meta-moulinattempt': 'b' } }
      return created
    }
    const put = (mode: 'create' | 'overwrite'): Promise<unknown> =>
      store.putStream('k', [new Uint8Array(250)], { mode, partBytes: 100, attemptId: 'a' })
    expect(await failed(put('overwrite'))).toMatchObject({ code: 'WRITE_RACED', outcome: 'rejected', retryable: true })
    expect(await failed(put('create'))).toMatchObject({ kind: 'exists', outcome: 'rejected' })
  })

  it('refuse what is too large before a byte is sent, and names that Azure changes', async () => {
    store = opened(server.url, { maxPutBytes: 10 })
    expect(await failed(store.put('k', new Uint8Array(11)))).toMatchObject({ code: 'OBJECT_TOO_LARGE' })
    for (const key of ['a\\b', 'a.', 'a./b'])
      expect(await failed(store.put(key, bytesOf('v'))), key).toMatchObject({ code: 'KEY', outcome: 'rejected' })
    expect(await failed(store.get('a\\b'))).toMatchObject({ code: 'KEY' })
    expect(server.asked).toEqual([])
  })

  it('do not believe an answer without a tag', async () => {
    server.answer = () => ({ status: 201, headers: { 'content-type': 'text/html' }, body: '<html>welcome</html>' })
    expect(await failed(store.put('k', bytesOf('v')))).toMatchObject({ code: 'STORE_FAILED', outcome: 'unknown' })
  })
})

describe('reads', () => {
  it('have the service make a checksum of a range, and hold the bytes against it', async () => {
    server.answer = blob('0123456789', { 'content-md5': md5('234') })
    expect((await store.get('k', { range: { start: 2, end: 5 } })).bytes).toEqual(bytesOf('234'))
    expect(server.asked[0]!.headers['x-ms-range-get-content-md5']).toBe('true')
    expect(await failed(store.get('k', { range: { start: 3, end: 6 } }))).toMatchObject({
      kind: 'unavailable',
      retryable: true,
      context: { answer: 'Md5OfAnswer' },
    })
    expect(await failed(store.get('k'))).toMatchObject({ context: { answer: 'Md5OfAnswer' } })
    await failed(store.get('k', { range: { start: 0, end: 4 * 1024 * 1024 + 1 } }))
    expect(server.asked.at(-1)!.headers['x-ms-range-get-content-md5']).toBeUndefined()
  })

  it('ask for the size before a suffix, which Azure does not know', async () => {
    server.answer = blob('0123456789')
    const { bytes, size } = await store.get('k', { range: { suffix: 3 } })
    expect([bytes, size]).toEqual([bytesOf('789'), 10])
    expect(server.asked.map(({ method, headers }) => [method, headers['x-ms-range']])).toEqual([
      ['HEAD', undefined],
      ['GET', 'bytes=7-9'],
    ])
  })

  it('read a suffix again when it is of a version of another size by then', async () => {
    let asked = 0
    server.answer = (request) => blob(asked++ === 0 ? '0123456789' : 'abcdefghijklm')(request)
    expect((await store.get('k', { range: { suffix: 3 } })).bytes).toEqual(bytesOf('klm'))
    server.answer = (request) => blob('x'.repeat(10 + asked++))(request)
    expect(await failed(store.get('k', { range: { suffix: 3 } }))).toMatchObject({
      code: 'OVERWRITTEN',
      retryable: true,
    })
  })

  it('refuse a range past the end, also of a server that answers 206', async () => {
    server.answer = blob('0123456789')
    expect(await failed(store.get('k', { range: { start: 10, end: 12 } }))).toMatchObject({ code: 'RANGE' })
    server.answer = (request) =>
      request.method === 'HEAD' ? blob('0123456789')(request) : refusal(416, 'InvalidRange')
    expect(await failed(store.get('k', { range: { start: 10 } }))).toMatchObject({ code: 'RANGE' })
  })

  it('take bytes of another range, or a whole object in place of one, for no answer', async () => {
    const range = { start: 2, end: 5 }
    const strange = { kind: 'unavailable', context: { answer: 'NotAnAnswer' } }
    server.answer = () => ({ status: 200, headers: facts, body: '0123456789' })
    expect(await failed(store.get('k', { range }))).toMatchObject(strange)
    server.answer = () => ({ status: 206, headers: { ...facts, 'content-range': 'bytes 3-5/10' }, body: '345' })
    expect(await failed(store.get('k', { range }))).toMatchObject(strange)
    server.answer = () => ({ status: 206, headers: { ...facts, 'content-range': 'bytes 3-4/10' }, body: '34' })
    expect(await failed(store.get('k', { range }))).toMatchObject(strange)
    server.answer = () => ({ status: 206, headers: { ...facts, 'content-range': 'bytes 2-3/10' }, body: '23' })
    expect(await failed(store.get('k', { range }))).toMatchObject(strange)
    server.answer = blob('0123456789')
    expect((await store.get('k', { range })).bytes).toEqual(bytesOf('234'))
    expect((await store.get('k', { range: { start: 0 } })).bytes.length).toBe(10)
  })

  it('end where the service says nothing', async () => {
    store = opened(server.url, { deadlineMs: 50 })
    server.answer = () => ({ status: 200, headers: { ...facts, 'content-length': '100' }, body: 'half' })
    expect(await failed(store.get('k'))).toMatchObject({ code: 'DEADLINE', outcome: 'rejected' })
  })
})

describe('lists', () => {
  it('quote tags as headers do, go on by the marker, and leave out the folders of a hierarchical namespace', async () => {
    const folder = listed('a', '<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>')
    const last = listed('b', '<Metadata><moulinattempt>1</moulinattempt></Metadata>')
    server.answer = ({ query }) => (query.get('marker') === 'next' ? page(last) : page(folder + listed('a/1'), 'next'))
    const infos = []
    for await (const info of store.list()) infos.push(info)
    expect(infos.map(({ key, etag }) => [key, etag])).toEqual([
      ['a/1', '"0x1"'],
      ['b', '"0x1"'],
    ])
    expect(server.asked.map(({ query }) => query.get('include'))).toEqual(['metadata', 'metadata'])
  })

  it('take a page of something between for no empty list', async () => {
    for (const type of ['text/html', 'application/xml']) {
      server.answer = () => ({
        status: 200,
        headers: { 'content-type': type },
        body: '<html><body>welcome</body></html>',
      })
      expect(await failed(keysOf()), type).toMatchObject({ kind: 'unavailable' })
    }
    const other = '<Other><Blobs></Blobs></Other>'
    server.answer = () => ({ status: 200, headers: { 'content-type': 'application/xml' }, body: other })
    expect(await failed(keysOf())).toMatchObject({ kind: 'unavailable', context: { answer: 'NotAnAnswer' } })
    server.answer = () => page('')
    expect(await keysOf()).toEqual([])
  })
})

describe('deletes', () => {
  const sub = (at: number, status: number, code = ''): string =>
    `--b\r\nContent-Type: application/http\r\nContent-ID: ${at}\r\n\r\nHTTP/1.1 ${status} Said\r\n${code === '' ? '' : `x-ms-error-code: ${code}\r\n`}x-ms-version: 1\r\n\r\n`
  const batch = (parts: string): Said => ({
    status: 202,
    headers: { 'content-type': 'multipart/mixed; boundary=b' },
    body: `${parts}--b--\r\n`,
  })
  const outcomes = async (keys: readonly string[]): Promise<readonly string[]> =>
    (await store.deleteMany(keys)).failed.map(({ key, error }) => `${key} ${(error as { code: string }).code}`)

  it('take the page of something between for no delete', async () => {
    const welcome = { status: 202, headers: { 'content-type': 'text/html' }, body: '<html>welcome</html>' }
    server.answer = () => ({ ...welcome, isStranger: true })
    expect(await failed(store.delete('k'))).toMatchObject({ kind: 'unavailable', context: { answer: 'NotAnAnswer' } })
    server.answer = () => ({ status: 202 })
    await store.delete('k')
  })

  it('believe of a batch what it says of each key', async () => {
    server.answer = () =>
      batch(
        sub(0, 202) +
          sub(1, 404, 'BlobNotFound') +
          sub(2, 403, 'AuthorizationFailure') +
          sub(3, 404, 'ContainerNotFound'),
      )
    expect(await outcomes(['a', 'b', 'c', 'd'])).toEqual(['c FORBIDDEN', 'd BUCKET_MISSING'])
    server.answer = () => batch(sub(1, 202))
    expect(await outcomes(['a', 'b'])).toEqual(['a STORE_FAILED'])
  })

  it('go one by one where batches are refused, and do not ask again', async () => {
    server.answer = ({ query, path }) => {
      if (query.get('comp') === 'batch') return refusal(403, 'AuthorizationPermissionMismatch')
      if (path.endsWith('/c')) return refusal(409, 'SnapshotsPresent')
      return path.endsWith('/b') ? refusal(404, 'BlobNotFound') : { status: 202 }
    }
    expect(await outcomes(['a', 'b', 'c', 'a.'])).toEqual(['c REQUEST_REFUSED', 'a. KEY'])
    expect(await outcomes(['a', 'b'])).toEqual([])
    expect(server.asked.filter(({ query }) => query.get('comp') === 'batch').length).toBe(1)
  })

  it('fail as one where a batch is not answered', async () => {
    server.answer = () => refusal(503, 'ServerBusy')
    expect(await outcomes(['a', 'b'])).toEqual(['a SLOW_DOWN', 'b SLOW_DOWN'])
    expect(server.asked.length).toBe(1)
  })
})
