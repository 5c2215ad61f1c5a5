import { createHash } from 'node:crypto'
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  HeadBucketCommand,
  HeadObjectCommand,
} from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { signedPut } from './signed-put.test-support.ts'
import { fakeWithClient, said } from './s3-fake.test-support.ts'

describe('s3Fake: objects', () => {
  it('keeps bytes, type, metadata, class and encryption, and tells them', async () => {
    const { fake, client, Bucket, put, text } = await fakeWithClient()
    const more = { ContentType: 'application/x-test', Metadata: { 'moulin-attempt': 'a1' }, CacheControl: 'no-cache' }
    const kept = await put('a/b', 'bytes', { ...more, StorageClass: 'ONEZONE_IA', ServerSideEncryption: 'aws:kms' })
    expect(await text('a/b')).toBe('bytes')
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'a/b' }))
    expect(head).toMatchObject({
      ...more,
      ContentLength: 5,
      StorageClass: 'ONEZONE_IA',
      ServerSideEncryption: 'aws:kms',
    })
    expect(head.ETag).toBe(kept.ETag)
    expect(fake.objects('lake').map(({ key, metadata }) => [key, metadata])).toEqual([['a/b', more.Metadata]])
    const plain = await put('plain', 'bytes')
    expect(plain.ETag).toBe(`"${createHash('md5').update('bytes').digest('hex')}"`)
  })

  it('says what is not there, by its name', async () => {
    const { client, Bucket, get, put } = await fakeWithClient()
    expect(await said(get('none'))).toBe('404 NoSuchKey')
    expect(await said(client.send(new HeadObjectCommand({ Bucket, Key: 'none' })))).toBe('404 NotFound')
    expect(await said(put('x', 'x', { Bucket: 'elsewhere' }))).toBe('404 NoSuchBucket')
    expect(await said(client.send(new DeleteObjectCommand({ Bucket, Key: 'none' })))).toBe('204')
  })

  it('reads ranges: inside, to the end, a suffix, one past the end', async () => {
    const { put, get, text } = await fakeWithClient()
    await put('r', '0123456789')
    expect(await text('r', { Range: 'bytes=2-5' })).toBe('2345')
    expect(await text('r', { Range: 'bytes=8-' })).toBe('89')
    expect(await text('r', { Range: 'bytes=-50' })).toBe('0123456789')
    const { ContentRange, $metadata } = await get('r', { Range: 'bytes=9-20' })
    expect([ContentRange, $metadata.httpStatusCode]).toEqual(['bytes 9-9/10', 206])
    for (const Range of ['bytes=10-20', 'bytes=-0']) expect(await said(get('r', { Range }))).toBe('416 InvalidRange')
    await put('empty', '')
    expect(await said(get('empty', { Range: 'bytes=-5' }))).toBe('416 InvalidRange')
  })

  it('reads of an object of 8 GiB what is asked for, and no more', async () => {
    const { fake, get, client, Bucket } = await fakeWithClient()
    const size = 2 ** 33
    fake.putSparse('lake', 'vast', size, [{ at: 2 ** 32 + 5, bytes: Buffer.from('there') }])
    const { Body, ContentRange } = await get('vast', { Range: `bytes=${2 ** 32 + 3}-${2 ** 32 + 10}` })
    expect(await Body!.transformToString('latin1')).toBe('\0\0there\0')
    expect(ContentRange).toBe(`bytes ${2 ** 32 + 3}-${2 ** 32 + 10}/${size}`)
    expect((await client.send(new HeadObjectCommand({ Bucket, Key: 'vast' }))).ContentLength).toBe(size)
  })

  it('takes any key up to 1024 bytes as it stands', async () => {
    const { fake, put, text } = await fakeWithClient()
    const keys = [
      'dots/../x',
      'dots/./y',
      'dots//z',
      "a'b (c)*!",
      'a%2Fb',
      'a+b',
      'é/日本',
      '\u{1F600}',
      'k'.repeat(1024),
    ]
    for (const key of keys) await put(key, key)
    for (const key of keys) expect(await text(key)).toBe(key)
    expect(fake.objects('lake')).toHaveLength(keys.length)
    expect(await said(put('k'.repeat(1025), ''))).toBe('400 KeyTooLongError')
  })

  it('refuses metadata above 2 KB, and a body above what one PUT takes', async () => {
    const { put, fake } = await fakeWithClient({ maxPutBytes: 10 })
    expect(await said(put('m', '', { Metadata: { note: 'x'.repeat(2045) } }))).toBe('400 MetadataTooLarge')
    expect(await said(put('m', '', { Metadata: { note: 'x'.repeat(2044) } }))).toBe('200')
    expect(await said(put('b', '01234567890'))).toBe('400 EntityTooLarge')
    expect(fake.objects('lake').map(({ key }) => key)).toEqual(['m'])
  })

  it('copies, under conditions of source and target', async () => {
    const { client, Bucket, put, text } = await fakeWithClient()
    const { ETag } = await put('from/é', 'source', { Metadata: { a: '1' } })
    const copy = (Key: string, more: object = {}) =>
      client.send(new CopyObjectCommand({ Bucket, Key, CopySource: `lake/${encodeURIComponent('from/é')}`, ...more }))
    expect(await said(copy('to', { CopySourceIfMatch: ETag }))).toBe('200')
    expect(await text('to')).toBe('source')
    expect((await client.send(new HeadObjectCommand({ Bucket, Key: 'to' }))).Metadata).toEqual({ a: '1' })
    expect(await said(copy('to2', { CopySourceIfMatch: '"0"' }))).toBe('412 PreconditionFailed')
    await put('to', 'other')
    expect(await said(copy('to', { IfNoneMatch: '*' }))).toBe('412 PreconditionFailed')
    expect(await text('to')).toBe('other')
  })

  it('reads under conditions', async () => {
    const { put, get } = await fakeWithClient()
    const { ETag } = await put('c', 'first')
    expect(await said(get('c', { IfMatch: ETag }))).toBe('200')
    expect(await said(get('c', { IfNoneMatch: ETag }))).toMatch(/^304/)
    await put('c', 'second')
    expect(await said(get('c', { IfMatch: ETag, Range: 'bytes=0-1' }))).toBe('412 PreconditionFailed')
    expect(await said(get('c', { IfNoneMatch: ETag }))).toBe('200')
  })
})

describe('s3Fake: conditional writes', () => {
  it('creates once, swaps what is there, and deletes by tag', async () => {
    const { client, Bucket, put, text } = await fakeWithClient()
    const first = await put('c', 'one', { IfNoneMatch: '*' })
    expect(await said(put('c', 'two', { IfNoneMatch: '*' }))).toBe('412 PreconditionFailed')
    expect(await said(put('c', 'two', { IfMatch: first.ETag }))).toBe('200')
    expect(await said(put('c', 'three', { IfMatch: first.ETag }))).toBe('412 PreconditionFailed')
    expect(await text('c')).toBe('two')
    expect(await said(put('none', 'x', { IfMatch: first.ETag }))).toBe('404 NoSuchKey')
    const remove = (IfMatch: string) => said(client.send(new DeleteObjectCommand({ Bucket, Key: 'c', IfMatch })))
    expect(await remove(first.ETag!)).toBe('412 PreconditionFailed')
    expect(await remove(`"${createHash('md5').update('two').digest('hex')}"`)).toBe('204')
    expect(await said(put('c', 'again', { IfNoneMatch: '*' }))).toBe('200')
  })

  it.each(['precondition', 'conflict'] as const)(
    'decides when the body is whole: overtaken means %s',
    async (overtaken) => {
      const { fake, put, text } = await fakeWithClient({ overtaken })
      const slow = signedPut(fake, 'lake', 'c', 8, { 'if-none-match': '*' })
      slow.write('slow')
      await slow.arrived()
      await put('c', 'quick', { IfNoneMatch: '*' })
      slow.end('body')
      const refused = overtaken === 'conflict' ? '409 ConditionalRequestConflict' : '412 PreconditionFailed'
      expect(await slow.answer).toBe(refused)
      expect(await text('c')).toBe('quick')
    },
  )

  it('lets one of twenty win', async () => {
    const { put, text } = await fakeWithClient()
    const told = await Promise.all(Array.from({ length: 20 }, (_, i) => said(put('c', `w${i}`, { IfNoneMatch: '*' }))))
    expect(told.filter((one) => one === '200')).toHaveLength(1)
    expect(told.filter((one) => one === '412 PreconditionFailed')).toHaveLength(19)
    expect(await text('c')).toBe(`w${told.indexOf('200')}`)
  })

  it('loses no increment of a counter', async () => {
    const { fake, get, put } = await fakeWithClient()
    await put('c', '0')
    const increment = async (): Promise<void> => {
      for (let told = ''; told !== '200';) {
        const { Body, ETag } = await get('c')
        told = await said(put('c', String(Number(await Body!.transformToString()) + 1), { IfMatch: ETag }))
      }
    }
    const workers = Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 5; i++) await increment()
    })
    await Promise.all(workers)
    expect(Buffer.from(fake.read('lake', 'c')!).toString()).toBe('20')
    expect(fake.requests.filter(({ code }) => code === 'PreconditionFailed').length).toBeGreaterThan(0)
  })

  it('makes nothing of a body that is cut short', async () => {
    const { fake, put, text } = await fakeWithClient()
    await put('c', 'old')
    const cut = signedPut(fake, 'lake', 'c', 1000)
    cut.write('x'.repeat(400))
    await cut.arrived()
    cut.destroy()
    expect(await cut.answer).toBe('no answer')
    expect(await text('c')).toBe('old')
    expect(fake.requests[1]).toMatchObject({ operation: 'PutObject', bodyBytes: undefined, status: undefined })
  })

  it('lies when it is told to: conditions ignored, metadata dropped', async () => {
    const { client, Bucket, put, text } = await fakeWithClient({ ignoreConditions: true, dropMetadata: true })
    await put('c', 'one', { IfNoneMatch: '*' })
    expect(await said(put('c', 'two', { IfNoneMatch: '*', Metadata: { a: '1' } }))).toBe('200')
    expect(await text('c')).toBe('two')
    expect((await client.send(new HeadObjectCommand({ Bucket, Key: 'c' }))).Metadata).toEqual({})
    expect(await said(client.send(new DeleteObjectCommand({ Bucket, Key: 'c', IfMatch: '"0"' })))).toBe('204')
  })
})

describe('s3Fake: buckets', () => {
  it('makes them, knows their region, and tells versioning and lifecycle as the test sets them', async () => {
    const { fake, client, Bucket } = await fakeWithClient({ region: 'eu-west-1' })
    const lifecycle = () => client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))
    expect(await said(client.send(new CreateBucketCommand({ Bucket })))).toBe('409 BucketAlreadyOwnedByYou')
    expect(await said(client.send(new CreateBucketCommand({ Bucket: 'new' })))).toBe('200')
    expect((await client.send(new HeadBucketCommand({ Bucket: 'new' }))).BucketRegion).toBe('eu-west-1')
    expect((await client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBeUndefined()
    expect(await said(lifecycle())).toBe('404 NoSuchLifecycleConfiguration')
    fake.setVersioning('lake', 'Enabled')
    fake.setLifecycle('lake', [{ id: 'old', prefix: 'log/', expirationDays: 30 }])
    expect((await client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe('Enabled')
    expect((await lifecycle()).Rules).toEqual([
      { ID: 'old', Status: 'Enabled', Filter: { Prefix: 'log/' }, Expiration: { Days: 30 } },
    ])
  })

  it('is gone under a write whose body is on the way', async () => {
    const { fake } = await fakeWithClient()
    const slow = signedPut(fake, 'lake', 'c', 4)
    slow.write('sl')
    await slow.arrived()
    fake.deleteBucket('lake')
    slow.end('ow')
    expect(await slow.answer).toBe('404 NoSuchBucket')
  })

  it('asks readers to pay', async () => {
    const { put } = await fakeWithClient({ requesterPays: ['lake'] })
    expect(await said(put('c', 'x'))).toBe('403 AccessDenied')
    expect((await put('c', 'x', { RequestPayer: 'requester' })).RequestCharged).toBe('requester')
  })

  it('answers to bucket.localhost', async () => {
    const { fake } = await fakeWithClient()
    const signed = signedPut(fake, '', 'virtual', 2, { host: `lake.localhost:${new URL(fake.endpoint).port}` })
    signed.end('ok')
    expect(await signed.answer).toBe('200')
    expect(Buffer.from(fake.read('lake', 'virtual')!).toString()).toBe('ok')
  })
})
