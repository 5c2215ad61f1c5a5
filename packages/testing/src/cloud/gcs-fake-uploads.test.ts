import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { faultProxy } from './fault-proxy.ts'
import { gcsBenchOf, gcsSaid, gcsWithClient } from './gcs-fake.test-support.ts'

const KIB = 1024

describe('gcsFake: resumable uploads', () => {
  it('takes chunks in order, and tells the whole with its sums', async () => {
    const { fake, file } = await gcsWithClient()
    const body = randomBytes(700 * KIB)
    const metadata = { metadata: { a: '1' } }
    await file('big').save(body, { resumable: true, chunkSize: 256 * KIB, validation: 'crc32c', metadata })
    expect(Buffer.compare(fake.read('lake', 'big')!, body)).toBe(0)
    expect(fake.requests.map(({ operation, status }) => [operation, status])).toEqual([
      ['uploads.begin', 200],
      ['uploads.put', 308],
      ['uploads.put', 308],
      ['uploads.put', 200],
    ])
    expect(fake.objects('lake')[0]).toMatchObject({ metadata: { a: '1' } })
    expect(fake.uploads('lake')).toEqual([])
  })

  it('decides its condition at the end as well as at the beginning', async () => {
    const { fake, file, put, text } = await gcsWithClient()
    const begin = () => file('c').createResumableUpload({ preconditionOpts: { ifGenerationMatch: 0 } })
    const [uri] = await begin()
    await put('c', 'quick', 0)
    expect((await fetch(uri, { method: 'PUT', body: 'slow' })).status).toBe(412)
    expect(await text('c')).toBe('quick')
    expect(await gcsSaid(begin())).toMatch(/^412/)
    expect(fake.uploads('lake')).toEqual([])
  })

  it('tells how far it has come, passes over what it has, and tells its end again', async () => {
    const { fake, file } = await gcsWithClient({ chunkBytes: 4 })
    const [uri] = await file('c').createResumableUpload()
    const put = async (range: string, body = '', headers: Record<string, string> = {}) => {
      const answer = await fetch(uri, {
        method: 'PUT',
        body,
        headers: { 'content-range': `bytes ${range}`, ...headers },
      })
      return [answer.status, answer.headers.get('range')]
    }
    expect(await put('*/*')).toEqual([308, null])
    expect(await put('0-3/*', 'abcd')).toEqual([308, 'bytes=0-3'])
    expect(await put('0-7/*', 'abcdefgh')).toEqual([308, 'bytes=0-7'])
    expect(await put('12-15/*', 'mnop')).toEqual([400, null])
    expect(await put('8-9/*', 'ij')).toEqual([400, null])
    expect(await put('*/*')).toEqual([308, 'bytes=0-7'])
    expect(await put('8-9/10', 'ij')).toEqual([200, null])
    expect(await put('8-9/10', 'ij')).toEqual([200, null])
    expect(Buffer.from(fake.read('lake', 'c')!).toString()).toBe('abcdefghij')
  })

  it('makes no object whose sum is another, nor of a session that was cancelled', async () => {
    const { fake, file } = await gcsWithClient()
    const [wrong] = await file('c').createResumableUpload()
    const headers = { 'x-goog-hash': 'crc32c=AAAAAA==' }
    expect((await fetch(wrong, { method: 'PUT', body: 'body', headers })).status).toBe(400)
    const [cancelled] = await file('c').createResumableUpload()
    expect(fake.uploads('lake')).toHaveLength(1)
    expect((await fetch(cancelled, { method: 'DELETE' })).status).toBe(499)
    expect((await fetch(cancelled, { method: 'PUT', body: 'body' })).status).toBe(404)
    expect(fake.objects('lake')).toEqual([])
    expect(fake.uploads('lake')).toEqual([])
  })

  it('sends a client on through the proxy that it came by', async () => {
    const { fake } = await gcsWithClient()
    const proxy = await faultProxy({ target: fake.endpoint })
    await gcsBenchOf(proxy.endpoint).file('c').save('body', { resumable: true })
    expect(proxy.calls.map(({ operation, key }) => [operation, key])).toEqual([
      ['upload-begin', 'c'],
      ['upload-complete', 'c'],
    ])
    await proxy.close()
  })
})
