import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectTaggingCommand,
  GetObjectAclCommand,
  GetObjectAttributesCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectTaggingCommand,
} from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { signedPut } from './signed-put.test-support.ts'
import { fakeWithClient, said } from './s3-fake.test-support.ts'

describe('s3Fake: what is not there does not look like success', () => {
  it('of requests about an object that are none of its bytes', async () => {
    const { client, Bucket, put, text, get } = await fakeWithClient()
    await put('k', 'bytes')
    const about = { Bucket, Key: 'k' }
    for (const command of [
      new GetObjectTaggingCommand(about),
      new DeleteObjectTaggingCommand(about),
      new PutObjectTaggingCommand({ ...about, Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } }),
      new GetObjectAclCommand(about),
      new GetObjectAttributesCommand({ ...about, ObjectAttributes: ['ETag'] }),
      new DeleteObjectCommand({ ...about, VersionId: 'v1' }),
    ])
      expect(await said(client.send(command as GetObjectTaggingCommand)), command.constructor.name).toBe(
        '501 NotImplemented',
      )
    expect(await said(get('k', { ResponseContentType: 'text/plain' }))).toBe('501 NotImplemented')
    expect(await text('k')).toBe('bytes')
  })

  it('of writes and deletes that ask for more than it does', async () => {
    const { client, Bucket, put, text } = await fakeWithClient()
    await put('k', 'bytes')
    for (const more of [
      { WriteOffsetBytes: 5 },
      { ObjectLockLegalHoldStatus: 'ON' },
      { ObjectLockMode: 'COMPLIANCE', ObjectLockRetainUntilDate: new Date(2_000_000_000_000) },
      { Tagging: 'a=b' },
      { GrantRead: 'id="x"' },
      { WebsiteRedirectLocation: '/x' },
    ])
      expect(await said(put('k', 'other', more)), JSON.stringify(more)).toBe('501 NotImplemented')
    expect(await said(put('k', 'other', { ACL: 'public-read' }))).toBe('400 AccessControlListNotSupported')
    const sized = new DeleteObjectCommand({ Bucket, Key: 'k', IfMatchSize: 1 })
    expect(await said(client.send(sized))).toBe('501 NotImplemented')
    expect(await text('k')).toBe('bytes')
    expect(await said(put('k', 'bytes', { ACL: 'bucket-owner-full-control' }))).toBe('200')
  })
})

describe('s3Fake: what Amazon refuses', () => {
  it('a copy of an object onto itself that changes nothing', async () => {
    const { client, Bucket, put } = await fakeWithClient()
    await put('k', 'bytes')
    const copy = (more: object) =>
      said(client.send(new CopyObjectCommand({ Bucket, Key: 'k', CopySource: 'lake/k', ...more })))
    expect(await copy({})).toBe('400 InvalidRequest')
    expect(await copy({ MetadataDirective: 'REPLACE' })).toBe('200')
    expect(await copy({ StorageClass: 'STANDARD_IA' })).toBe('200')
    expect(await copy({ Key: 'l' })).toBe('200')
  })

  it('a storage class that there is not, and reads of one that is archived', async () => {
    const { client, Bucket, put, get } = await fakeWithClient()
    expect(await said(put('k', 'x', { StorageClass: 'STANDART' }))).toBe('400 InvalidStorageClass')
    for (const StorageClass of ['GLACIER', 'DEEP_ARCHIVE']) {
      expect(await said(put('cold', 'x', { StorageClass }))).toBe('200')
      expect(await said(get('cold'))).toBe('403 InvalidObjectState')
      expect(await said(client.send(new HeadObjectCommand({ Bucket, Key: 'cold' })))).toBe('200')
      const copy = new CopyObjectCommand({ Bucket, Key: 'warm', CopySource: 'lake/cold' })
      expect(await said(client.send(copy))).toBe('403 InvalidObjectState')
    }
    expect(await said(put('ir', 'x', { StorageClass: 'GLACIER_IR' }))).toBe('200')
    expect(await said(get('ir'))).toBe('200')
  })

  it("a read without the customer's key, or with another one", async () => {
    const { client, Bucket, put, get, text, upload } = await fakeWithClient({ minPartBytes: 1 })
    const keyed = (byte: number) => ({
      SSECustomerAlgorithm: 'AES256',
      SSECustomerKey: Buffer.alloc(32, byte) as never,
    })
    await put('k', 'bytes', keyed(1))
    expect(await text('k', keyed(1))).toBe('bytes')
    expect(await said(get('k'))).toBe('400 InvalidRequest')
    expect(await said(get('k', keyed(2)))).toBe('403 AccessDenied')
    expect(await said(client.send(new HeadObjectCommand({ Bucket, Key: 'k' })))).toMatch(/^400/)
    const copy = new CopyObjectCommand({ Bucket, Key: 'l', CopySource: 'lake/k' })
    expect(await said(client.send(copy))).toBe('400 InvalidRequest')
    expect(await said(upload('m', ['part'], keyed(1)))).toBe('400 InvalidRequest')
    await put('plain', 'x')
    expect(await said(get('plain', keyed(1)))).toBe('400 InvalidRequest')
  })

  it('headers of its own that are not signed', async () => {
    const { fake } = await fakeWithClient()
    const added = async (headers: Record<string, string>): Promise<string> => {
      const sent = signedPut(fake, 'lake', 'k', 1, {}, { unsigned: headers })
      sent.end('x')
      return sent.answer
    }
    expect(await added({ 'x-amz-meta-late': '1' })).toBe('403 AccessDenied')
    expect(await added({ 'x-other': '1' })).toBe('200')
  })

  it('a list of a directory bucket by what is no folder', async () => {
    const { client } = await fakeWithClient({ buckets: ['lake--use1-az4--x-s3'] })
    const list = (more: object) =>
      said(client.send(new ListObjectsV2Command({ Bucket: 'lake--use1-az4--x-s3', ...more })))
    expect(await list({ Prefix: 'a/b' })).toBe('400 InvalidRequest')
    expect(await list({ Prefix: 'a/', Delimiter: '-' })).toBe('400 InvalidRequest')
    expect(await list({ Prefix: 'a/', Delimiter: '/' })).toBe('200')
    expect(await list({})).toBe('200')
  })

  it('to go on with an upload whose completion was overtaken: it is to be begun anew', async () => {
    const { fake, put, upload } = await fakeWithClient({ overtaken: 'conflict', minPartBytes: 1 })
    const { UploadId, Parts } = await upload('k', ['mine'])
    const body = `<CompleteMultipartUpload><Part><ETag>${Parts[0]!.ETag}</ETag><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>`
    const more = { method: 'POST', query: `uploadId=${UploadId}` }
    const complete = () => signedPut(fake, 'lake', 'k', body.length, { 'if-none-match': '*' }, more)
    const overtaken = complete()
    await overtaken.arrived()
    await put('k', 'theirs')
    overtaken.end(body)
    expect(await overtaken.answer).toBe('409 ConditionalRequestConflict')
    expect(fake.uploads('lake')).toEqual([])
    const again = complete()
    again.end(body)
    expect(await again.answer).toBe('404 NoSuchUpload')
  })
})

describe('s3Fake: tags', () => {
  it('are no MD5 of what is encrypted by keys of its owner, nor in a directory bucket', async () => {
    const { client, put, fake } = await fakeWithClient({ buckets: ['lake', 'lake--use1-az4--x-s3'] })
    const twice = async (more: object = {}): Promise<(string | undefined)[]> => [
      (await put('k', 'same', more)).ETag,
      (await put('k', 'same', more)).ETag,
    ]
    const plain = '"51037a4a37730f52c8732586d3aaa316"'
    expect(await twice()).toEqual([plain, plain])
    expect(await twice({ ServerSideEncryption: 'AES256' })).toEqual([plain, plain])
    for (const more of [{ ServerSideEncryption: 'aws:kms' }, { Bucket: 'lake--use1-az4--x-s3' }]) {
      const tags = await twice(more)
      expect(new Set([...tags, plain]).size).toBe(3)
    }
    const copy = new CopyObjectCommand({ Bucket: 'lake', Key: 'copy', CopySource: 'lake/k' })
    await put('k', 'same', { ServerSideEncryption: 'aws:kms' })
    await client.send(new CopyObjectCommand({ ...copy.input, ServerSideEncryption: 'AES256' }))
    expect(fake.objects('lake').find(({ key }) => key === 'copy')!.etag).toBe(plain)
  })
})
