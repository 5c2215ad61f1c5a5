import { DeleteObjectsCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import type { ListObjectsV2CommandInput, ListObjectsV2CommandOutput } from '@aws-sdk/client-s3'
import { compareKeys } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import type { S3FakeOptions } from './s3-options.ts'
import { benchOf, fakeWithClient, said } from './s3-fake.test-support.ts'

/** A bucket with these keys, and how to list it. */
async function filled(keys: readonly string[], options: S3FakeOptions = {}) {
  const bench = await fakeWithClient(options)
  for (const key of keys) await bench.put(key, key)
  const page = (more: Partial<ListObjectsV2CommandInput> = {}): Promise<ListObjectsV2CommandOutput> =>
    bench.client.send(new ListObjectsV2Command({ Bucket: 'lake', ...more }))
  return {
    ...bench,
    page,
    /** All pages, one after the other by their tokens. */
    async list(more: Partial<ListObjectsV2CommandInput> = {}) {
      const pages = [await page(more)]
      while (pages.at(-1)!.IsTruncated)
        pages.push(await page({ ...more, ContinuationToken: pages.at(-1)!.NextContinuationToken }))
      return {
        pages: pages.length,
        keys: pages.flatMap(({ Contents = [] }) => Contents.map(({ Key }) => Key!)),
        folders: pages.flatMap(({ CommonPrefixes = [] }) => CommonPrefixes.map(({ Prefix }) => Prefix!)),
      }
    },
  }
}

const around = ['o/a-b/1', 'o/a.b/1', 'o/a/1', 'o/a/2', 'o/a0/1', 'o/a-c']
const odd = [
  'A',
  'a b',
  "a'b",
  'a+b',
  'a%2Fb',
  'a&b=c',
  'a#b?c',
  'a"<>',
  'é',
  'e\u0301',
  '日本',
  '\uFFFD',
  '\u{1F600}',
  'z',
]

describe('s3Fake: lists', () => {
  it('goes by bytes, page by page', async () => {
    const { list } = await filled([...odd, ...around])
    const inOrder = [...odd, ...around].sort(compareKeys)
    expect(await list({ MaxKeys: 3 })).toEqual({ pages: 7, keys: inOrder, folders: [] })
    expect((await list()).keys).toEqual(inOrder)
  })

  it('starts after a key, there or not', async () => {
    const { list } = await filled(around)
    const inOrder = around.toSorted(compareKeys)
    for (const [i, key] of inOrder.entries()) {
      expect((await list({ StartAfter: key, MaxKeys: 2 })).keys).toEqual(inOrder.slice(i + 1))
      expect((await list({ StartAfter: `${key}!` })).keys).toEqual(inOrder.slice(i + 1))
    }
  })

  it('folds folders, once each, over pages', async () => {
    const { list } = await filled(['d/a/1', 'd/a/2', 'd/b/1', 'd/c', 'e/1'])
    const folders = ['d/a/', 'd/b/']
    expect(await list({ Prefix: 'd/', Delimiter: '/' })).toEqual({ pages: 1, keys: ['d/c'], folders })
    expect(await list({ Prefix: 'd/', Delimiter: '/', MaxKeys: 1 })).toEqual({ pages: 3, keys: ['d/c'], folders })
    expect((await list({ Delimiter: '/', StartAfter: 'd/b/0' })).folders).toEqual(['d/', 'e/'])
    expect((await list({ Prefix: 'd/a' })).keys).toEqual(['d/a/1', 'd/a/2'])
  })

  it('tells size, tag and class', async () => {
    const { put, page } = await filled([])
    const { ETag } = await put('x', '12345', { StorageClass: 'GLACIER_IR' })
    expect((await page()).Contents).toMatchObject([{ Key: 'x', ETag, Size: 5, StorageClass: 'GLACIER_IR' }])
  })

  it('encodes keys when it is asked to', async () => {
    const { page } = await filled(['a b/é+', 'line\nfeed'])
    const { Contents, EncodingType } = await page({ EncodingType: 'url' })
    expect(EncodingType).toBe('url')
    expect(Contents!.map(({ Key }) => Key)).toEqual(['a+b/%C3%A9%2B', 'line%0Afeed'])
  })

  it('refuses a token that it did not make, and a number that is none', async () => {
    const { page } = await filled(['a', 'b'])
    expect(await said(page({ ContinuationToken: 'made up' }))).toBe('400 InvalidArgument')
    expect(await said(page({ MaxKeys: -1 }))).toBe('400 InvalidArgument')
    expect(await page({ MaxKeys: 0 })).toMatchObject({ KeyCount: 0, IsTruncated: false })
  })

  it('lists in tree order, where start-after loses keys and tokens do not', async () => {
    const { list } = await filled(around, { listOrder: 'tree' })
    const inTree = ['o/a/1', 'o/a/2', 'o/a-b/1', 'o/a-c', 'o/a.b/1', 'o/a0/1']
    expect((await list({ MaxKeys: 1 })).keys).toEqual(inTree)
    // As SeaweedFS does: bytes would have `o/a/1` behind `o/a-b/1`.
    expect((await list({ StartAfter: 'o/a-b/1' })).keys).toEqual(['o/a-c', 'o/a.b/1', 'o/a0/1'])
  })

  it('lists in no order at all, each key once', async () => {
    const keys = Array.from({ length: 40 }, (_, i) => `k/${i}`).sort(compareKeys)
    const { list } = await filled(keys, { listOrder: 'none' })
    const listed = (await list({ MaxKeys: 7, Prefix: 'k/' })).keys
    expect(listed).not.toEqual(keys)
    expect(listed.toSorted(compareKeys)).toEqual(keys)
    const inFolders = await filled(['a/1', 'b/1', 'a/2', 'c', 'b/2', 'a/3/x'], { listOrder: 'none' })
    const { keys: flat, folders } = await inFolders.list({ Delimiter: '/', MaxKeys: 1 })
    expect([flat, folders.toSorted()]).toEqual([['c'], ['a/', 'b/']])
  })

  it('of a directory bucket: in no order, no start-after, by sessions alone', async () => {
    const Bucket = 'lake--use1-az4--x-s3'
    const { fake, client } = await fakeWithClient({ buckets: [Bucket] })
    for (const Key of ['a', 'b', 'c', 'd']) await client.send(new PutObjectCommand({ Bucket, Key, Body: Key }))
    const list = (more: object = {}) => client.send(new ListObjectsV2Command({ Bucket, ...more }))
    const listed = (await list()).Contents!.map(({ Key }) => Key)
    expect(listed).not.toEqual(['a', 'b', 'c', 'd'])
    expect(listed.toSorted()).toEqual(['a', 'b', 'c', 'd'])
    expect(fake.objects(Bucket)).toHaveLength(4)
    expect(await said(list({ StartAfter: 'a' }))).toBe('501 NotImplemented')
    expect(fake.requests.filter(({ operation }) => operation === 'CreateSession')).toHaveLength(1)
    const put = benchOf(fake, { disableS3ExpressSessionAuth: true }).put('a', 'x', { Bucket })
    expect(await said(put)).toBe('403 AccessDenied')
  })
})

describe('s3Fake: deletes of many', () => {
  it('tells of each key what became of it', async () => {
    const { fake, client, put } = await filled(['a', 'b', 'c'])
    const { ETag } = await put('b', 'new')
    const Objects = [{ Key: 'a' }, { Key: 'b', ETag: '"0"' }, { Key: 'none' }, { Key: 'c & <d>' }]
    const { Deleted, Errors } = await client.send(new DeleteObjectsCommand({ Bucket: 'lake', Delete: { Objects } }))
    expect(Deleted).toEqual([{ Key: 'a' }, { Key: 'none' }, { Key: 'c & <d>' }])
    expect(Errors).toMatchObject([{ Key: 'b', Code: 'PreconditionFailed' }])
    const quiet = { Objects: [{ Key: 'b', ETag }], Quiet: true }
    expect((await client.send(new DeleteObjectsCommand({ Bucket: 'lake', Delete: quiet }))).Deleted).toBeUndefined()
    expect(fake.objects('lake').map(({ key }) => key)).toEqual(['c'])
  })

  it('takes a thousand at once and no more', async () => {
    const { client } = await filled([])
    const remove = (count: number) => {
      const Objects = Array.from({ length: count }, (_, i) => ({ Key: `k${i}` }))
      return said(client.send(new DeleteObjectsCommand({ Bucket: 'lake', Delete: { Objects } })))
    }
    expect(await remove(1000)).toBe('200')
    expect(await remove(1001)).toBe('400 MalformedXML')
  })
})
