import { createHash } from 'node:crypto'
import { CRC32C } from '@google-cloud/storage'
import { compareKeys } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { virtualClock } from '../virtual-clock.ts'
import { gcsBenchOf, gcsSaid, gcsWithClient, slowRequest } from './gcs-fake.test-support.ts'

const md5 = (text: string): string => createHash('md5').update(text).digest('base64')
const crc32c = (text: string): string => {
  const sum = new CRC32C()
  sum.update(Buffer.from(text))
  return sum.toString()
}

describe('gcsFake: objects', () => {
  it('keeps bytes, type, metadata, class and key, and tells them with their sums', async () => {
    const { fake, put, text, told, file } = await gcsWithClient()
    const more = { contentType: 'application/x-test', metadata: { 'moulin-attempt': 'a1' }, storageClass: 'NEARLINE' }
    const made = file('a/b', { kmsKeyName: 'projects/p/key' })
    await made.save('bytes', { resumable: false, metadata: more })
    expect(await text('a/b')).toBe('bytes')
    expect(await told('a/b')).toMatchObject({
      ...more,
      name: 'a/b',
      size: '5',
      md5Hash: md5('bytes'),
      crc32c: crc32c('bytes'),
      kmsKeyName: 'projects/p/key',
      metageneration: '1',
    })
    expect(fake.objects('lake').map(({ key, metadata }) => [key, metadata])).toEqual([['a/b', more.metadata]])
    const next = await put('a/b', 'more')
    expect(Number(next)).toBeGreaterThan(Number(made.metadata.generation))
  })

  it('says what is not there, an object and a bucket apart', async () => {
    const { client, file, put } = await gcsWithClient()
    await expect(file('none').getMetadata()).rejects.toMatchObject({ code: 404, message: 'No such object: lake/none' })
    await expect(file('none').download()).rejects.toMatchObject({ code: 404, message: 'No such object: lake/none' })
    expect(await gcsSaid(file('none').delete())).toBe('404 notFound')
    const gone = client.bucket('elsewhere').file('x')
    const missing = { code: 404, message: 'The specified bucket does not exist.' }
    await expect(gone.getMetadata()).rejects.toMatchObject(missing)
    await expect(gone.save('x', { resumable: false })).rejects.toMatchObject(missing)
    expect(await gcsSaid(put('.', 'x'))).toBe('400 invalid')
    expect(await gcsSaid(put('k'.repeat(1025), 'x'))).toBe('400 invalid')
  })

  it('reads ranges, also beyond 4 GiB', async () => {
    const { fake, put, file } = await gcsWithClient()
    await put('r', '0123456789')
    const range = async (start: number, end?: number): Promise<string> =>
      (await file('r').download({ start, ...(end === undefined ? {} : { end }) }))[0].toString()
    expect([await range(2, 5), await range(8), await range(9, 20)]).toEqual(['2345', '89', '9'])
    expect((await file('r').download({ end: -3 }))[0].toString()).toBe('789')
    await expect(range(10, 20)).rejects.toMatchObject({ code: 416 })
    fake.putSparse('lake', 'vast', 2 ** 33, [{ at: 2 ** 32 + 5, bytes: Buffer.from('there') }])
    const [part] = await file('vast').download({ start: 2 ** 32 + 3, end: 2 ** 32 + 10 })
    expect(part.toString('latin1')).toBe('\0\0there\0')
  })

  it('holds bodies against the sums that come with them', async () => {
    const { fake, put, file } = await gcsWithClient()
    const wrong = { metadata: { crc32c: 'AAAAAA==' } }
    expect(await gcsSaid(put('c', 'body', undefined, wrong))).toBe('400 invalid')
    expect(await gcsSaid(put('c', 'body', undefined, { metadata: { md5Hash: md5('other') } }))).toBe('400 invalid')
    expect(fake.objects('lake')).toEqual([])
    await put('c', 'body', undefined, { metadata: { crc32c: crc32c('body'), md5Hash: md5('body') } })
    expect((await file('c').download({ validation: 'crc32c' })).toString()).toBe('body')
    expect((await file('c').download({ validation: 'md5' })).toString()).toBe('body')
  })

  it('copies, changes metadata, and shows the new metageneration', async () => {
    const { file, put, text, told } = await gcsWithClient()
    await put('from/é', 'source', undefined, { metadata: { metadata: { a: '1' } } })
    await file('from/é').copy(file('to'))
    expect(await text('to')).toBe('source')
    expect(await gcsSaid(file('from/é').copy(file('to'), { preconditionOpts: { ifGenerationMatch: 0 } }))).toBe(
      '412 conditionNotMet',
    )
    const before = await told('to')
    await file('to').setMetadata({ metadata: { b: '2' } }, { ifMetagenerationMatch: 1 })
    expect(await told('to')).toMatchObject({
      metadata: { a: '1', b: '2' },
      generation: before.generation,
      metageneration: '2',
    })
    expect(await gcsSaid(file('to').setMetadata({ metadata: {} }, { ifMetagenerationMatch: 1 }))).toBe(
      '412 conditionNotMet',
    )
  })

  it('lists by bytes, page by page, from a key on, and by folders', async () => {
    const { bucket, put } = await gcsWithClient()
    const keys = ['a b', 'a+b', 'a-b', 'a/b', 'a/c', 'a%2Fb', 'é', '\uFFFD', '\u{1F600}']
    for (const key of keys) await put(key, key)
    const inOrder = [...keys].sort(compareKeys)
    const got: string[] = []
    for (let query: object | null = { maxResults: 2, autoPaginate: false }; query !== null;) {
      const [files, next] = (await bucket.getFiles(query)) as unknown as [{ name: string }[], object | null]
      got.push(...files.map(({ name }) => name))
      query = next
    }
    expect(got).toEqual(inOrder)
    const [within] = await bucket.getFiles({ startOffset: 'a-b', endOffset: 'a/c' })
    expect(within.map(({ name }) => name)).toEqual(['a-b', 'a/b'])
    const [files, , answer] = await bucket.getFiles({ delimiter: '/', prefix: 'a', autoPaginate: false })
    expect([files.map(({ name }) => name), (answer as { prefixes: string[] }).prefixes]).toEqual([
      ['a b', 'a%2Fb', 'a+b', 'a-b'],
      ['a/'],
    ])
  })
})

describe('gcsFake: conditional writes', () => {
  it('creates once, swaps what is there, and deletes by generation', async () => {
    const { file, put, text } = await gcsWithClient()
    const first = await put('c', 'one', 0)
    expect(await gcsSaid(put('c', 'two', 0))).toBe('412 conditionNotMet')
    const second = await put('c', 'two', first)
    expect(await gcsSaid(put('c', 'three', first))).toBe('412 conditionNotMet')
    expect(await text('c')).toBe('two')
    expect(await gcsSaid(put('none', 'x', first))).toBe('412 conditionNotMet')
    expect(await gcsSaid(file('c').delete({ ifGenerationMatch: first }))).toBe('412 conditionNotMet')
    expect(await gcsSaid(file('c').delete({ ifGenerationMatch: second }))).toBe('200')
    expect(Number(await put('c', 'again', 0))).toBeGreaterThan(Number(second))
    expect(await gcsSaid(file('c', { generation: first }).download())).toBe('404')
  })

  it('decides when the body is whole', async () => {
    const { fake, put, text } = await gcsWithClient()
    const target = '/upload/storage/v1/b/lake/o?uploadType=media&name=c&ifGenerationMatch=0'
    const slow = slowRequest(fake, 'POST', target, 8)
    slow.write('slow')
    await slow.arrived()
    await put('c', 'quick', 0)
    slow.end('body')
    expect(await slow.answer).toBe('412')
    expect(await text('c')).toBe('quick')
  })

  it('makes nothing of a body that is cut short', async () => {
    const { fake, put, text } = await gcsWithClient()
    await put('c', 'old')
    const cut = slowRequest(fake, 'POST', '/upload/storage/v1/b/lake/o?uploadType=media&name=c', 1000)
    cut.write('x'.repeat(400))
    await cut.arrived()
    cut.destroy()
    expect(await cut.answer).toBe('no answer')
    expect(await text('c')).toBe('old')
  })

  it('lets one of twenty win', async () => {
    const { put, text } = await gcsWithClient()
    const told = await Promise.all(Array.from({ length: 20 }, (_, i) => gcsSaid(put('c', `w${i}`, 0))))
    expect(told.filter((one) => one === '200')).toHaveLength(1)
    expect(await text('c')).toBe(`w${told.indexOf('200')}`)
  })

  it('takes one write of a name in its time, by option, and says how long to wait', async () => {
    const clock = virtualClock()
    const { put, file, text } = await gcsWithClient({ everyMs: 1_000, clock })
    const first = await put('c', 'one')
    await put('d', 'other')
    const early = put('c', 'two', first)
    await expect(early).rejects.toMatchObject({ code: 429, errors: [{ reason: 'rateLimitExceeded' }] })
    const { response } = (await early.catch((error: unknown) => error)) as {
      readonly response: { readonly headers: Readonly<Record<string, string>> }
    }
    expect(response.headers['retry-after']).toBe('1')
    expect(await gcsSaid(file('c').delete())).toBe('429 rateLimitExceeded')
    await clock.advance(1_000)
    await put('c', 'two', first)
    expect(await text('c')).toBe('two')
  })

  it('lies when it is told to: conditions ignored, metadata dropped', async () => {
    const { file, put, text, told } = await gcsWithClient({ ignoreConditions: true, dropMetadata: true })
    await put('c', 'one', 0)
    await put('c', 'two', 0, { metadata: { metadata: { a: '1' } } })
    expect(await text('c')).toBe('two')
    expect(await told('c')).not.toHaveProperty('metadata')
    expect(await gcsSaid(file('c').delete({ ifGenerationMatch: 5 }))).toBe('200')
  })
})

describe('gcsFake: who is let in', () => {
  it('takes a bearer token that it knows, until it has run out', async () => {
    const { fake } = await gcsWithClient({ anonymous: false })
    const target = `${fake.endpoint}/storage/v1/b/lake/o`
    const status = async (authorization?: string): Promise<number> =>
      (await fetch(target, authorization === undefined ? {} : { headers: { authorization } })).status
    expect(await status()).toBe(401)
    expect(await status(`Bearer ${fake.token}`)).toBe(200)
    for (const header of [`bearer ${fake.token}`, `Basic ${fake.token}`, 'Bearer other', 'Bearer a b'])
      expect(await status(header)).toBe(401)
    fake.addToken({ token: 'second' })
    fake.expireTokens()
    expect(await status(`Bearer ${fake.token}`)).toBe(401)
    fake.addToken({ token: 'third' })
    expect(await status('Bearer third')).toBe(200)
  })

  it('asks readers to pay', async () => {
    const { client, put } = await gcsWithClient({ requesterPays: ['lake'] })
    expect(await gcsSaid(put('c', 'x'))).toBe('400 required')
    await client.bucket('lake', { userProject: 'mine' }).file('c').save('x', { resumable: false })
  })

  it('makes buckets, and tells versioning and lifecycle as the test sets them', async () => {
    const { fake, client, bucket } = await gcsWithClient()
    expect(await gcsSaid(client.createBucket('lake'))).toBe('409 conflict')
    await client.createBucket('new')
    expect(await client.bucket('new').exists()).toEqual([true])
    fake.setVersioning('lake', 'Enabled')
    fake.setLifecycle('lake', [{ id: 'old', prefix: 'log/', expirationDays: 30 }])
    const [told] = await bucket.getMetadata()
    expect(told).toMatchObject({
      versioning: { enabled: true },
      lifecycle: { rule: [{ action: { type: 'Delete' }, condition: { age: 30, matchesPrefix: ['log/'] } }] },
    })
    fake.deleteBucket('lake')
    expect(await bucket.exists()).toEqual([false])
    await expect(gcsBenchOf(fake.endpoint).bucket.getFiles()).rejects.toMatchObject({ code: 404 })
  })
})
