import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { crc32c } from '@moulin/format'
import { describe, expect, it } from 'vitest'
import { fakeWithClient, said } from './s3-fake.test-support.ts'

const parts = ['first part.', 'second part', 'tail']

describe('s3Fake: multipart uploads', () => {
  it('joins parts, and tells by the tag how many', async () => {
    const { fake, upload, text, client } = await fakeWithClient({ minPartBytes: 10 })
    const begun = await upload('m', parts, { Metadata: { a: '1' }, ContentType: 'x/y', StorageClass: 'STANDARD_IA' })
    expect(fake.uploads('lake').map(({ key, parts: { size } }) => [key, size])).toEqual([['m', 3]])
    expect(await said(client.send(new HeadObjectCommand({ Bucket: 'lake', Key: 'm' })))).toBe('404 NotFound')
    expect((await begun.complete()).ETag).toMatch(/^"[0-9a-f]{32}-3"$/)
    expect(await text('m')).toBe(parts.join(''))
    expect(await text('m', { Range: 'bytes=8-13' })).toBe('rt.sec')
    const head = await client.send(new HeadObjectCommand({ Bucket: 'lake', Key: 'm' }))
    expect(head).toMatchObject({ Metadata: { a: '1' }, ContentType: 'x/y', StorageClass: 'STANDARD_IA' })
    expect(fake.uploads('lake')).toEqual([])
  })

  it('answers a second completion like the first', async () => {
    const { upload } = await fakeWithClient()
    const begun = await upload('m', ['one'])
    expect((await begun.complete({ IfNoneMatch: '*' })).ETag).toBe((await begun.complete({ IfNoneMatch: '*' })).ETag)
  })

  it('completes under conditions, and keeps an upload whose condition failed', async () => {
    const { fake, put, text, upload } = await fakeWithClient()
    const { ETag } = await put('m', 'there')
    const create = await upload('m', ['created'])
    expect(await said(create.complete({ IfNoneMatch: '*' }))).toBe('412 PreconditionFailed')
    expect(await text('m')).toBe('there')
    expect(fake.uploads('lake')).toHaveLength(1)
    expect(await said((await upload('m', ['swapped'])).complete({ IfMatch: ETag }))).toBe('200')
    expect(await said((await upload('m', ['late'])).complete({ IfMatch: ETag }))).toBe('412 PreconditionFailed')
    expect(await text('m')).toBe('swapped')
  })

  it('lets one of eight completions win', async () => {
    const { upload } = await fakeWithClient()
    const begun = await Promise.all(Array.from({ length: 8 }, (_, i) => upload('m', [`w${i}`])))
    const told = await Promise.all(begun.map(({ complete }) => said(complete({ IfNoneMatch: '*' }))))
    expect(told.filter((one) => one === '200')).toHaveLength(1)
  })

  it('forgets what is aborted', async () => {
    const { fake, client, upload } = await fakeWithClient()
    const { UploadId, complete } = await upload('m', ['one'])
    const abort = () => said(client.send(new AbortMultipartUploadCommand({ Bucket: 'lake', Key: 'm', UploadId })))
    expect(await abort()).toBe('204')
    expect(await abort()).toBe('404 NoSuchUpload')
    expect(await said(complete())).toBe('404 NoSuchUpload')
    expect(fake.uploads('lake')).toEqual([])
  })

  it('refuses parts that are too small, in the wrong order, not there, or none', async () => {
    const { client, upload } = await fakeWithClient()
    const { UploadId, Parts, complete } = await upload('m', ['one', 'two'])
    const completeWith = (parts: object[]) => {
      const asked = { Bucket: 'lake', Key: 'm', UploadId, MultipartUpload: { Parts: parts } }
      return said(client.send(new CompleteMultipartUploadCommand(asked)))
    }
    expect(await said(complete())).toBe('400 EntityTooSmall')
    expect(await completeWith(Parts.toReversed())).toBe('400 InvalidPartOrder')
    expect(await completeWith([{ PartNumber: 1, ETag: Parts[1]!.ETag }])).toBe('400 InvalidPart')
    expect(await completeWith([{ PartNumber: 3, ETag: Parts[1]!.ETag }])).toBe('400 InvalidPart')
    expect(await completeWith([])).toBe('400 MalformedXML')
    expect(await completeWith([Parts[1]!])).toBe('200')
    const part = (PartNumber: number) =>
      said(client.send(new UploadPartCommand({ Bucket: 'lake', Key: 'm', UploadId, PartNumber, Body: '' })))
    expect(await part(10_001)).toBe('400 InvalidArgument')
    expect(await part(1)).toBe('404 NoSuchUpload')
  })

  it('lists uploads and parts by pages', async () => {
    const { client, upload } = await fakeWithClient()
    for (const key of ['u/a', 'u/b', 'u/b', 'v']) await upload(key, ['1', '2', '3'])
    const first = await client.send(new ListMultipartUploadsCommand({ Bucket: 'lake', Prefix: 'u/', MaxUploads: 2 }))
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = first
    const rest = await client.send(
      new ListMultipartUploadsCommand({ Bucket: 'lake', Prefix: 'u/', KeyMarker, UploadIdMarker }),
    )
    expect([first.IsTruncated, rest.IsTruncated]).toEqual([true, false])
    const all = [...first.Uploads!, ...rest.Uploads!]
    expect(all.map(({ Key }) => Key)).toEqual(['u/a', 'u/b', 'u/b'])
    const { Key, UploadId } = all[0]!
    const page = await client.send(new ListPartsCommand({ Bucket: 'lake', Key, UploadId, MaxParts: 2 }))
    expect(page.Parts!.map(({ PartNumber, Size }) => [PartNumber, Size])).toEqual([
      [1, 1],
      [2, 1],
    ])
    const { NextPartNumberMarker: PartNumberMarker } = page
    const last = await client.send(new ListPartsCommand({ Bucket: 'lake', Key, UploadId, PartNumberMarker }))
    expect(last.Parts!.map(({ PartNumber }) => PartNumber)).toEqual([3])
  })

  it('makes the checksum of the whole, or of the parts, as the upload was begun', async () => {
    const { client, upload } = await fakeWithClient({ minPartBytes: 1 })
    const sum = (text: string | Uint8Array) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32BE(crc32c(Buffer.from(text)))
      return bytes
    }
    const head = async () => client.send(new HeadObjectCommand({ Bucket: 'lake', Key: 'm', ChecksumMode: 'ENABLED' }))

    const whole = await upload('m', parts, { ChecksumAlgorithm: 'CRC32C', ChecksumType: 'FULL_OBJECT' })
    expect(await said(whole.complete({ ChecksumCRC32C: 'AAAAAA==' }))).toBe('400 BadDigest')
    expect(await said(whole.complete({ MpuObjectSize: 5 }))).toBe('400 InvalidRequest')
    const told = { ChecksumCRC32C: sum(parts.join('')).toString('base64'), MpuObjectSize: parts.join('').length }
    expect((await whole.complete(told)).ChecksumCRC32C).toBe(sum(parts.join('')).toString('base64'))
    expect(await head()).toMatchObject({ ChecksumType: 'FULL_OBJECT' })

    const composite = await upload('m', parts, { ChecksumAlgorithm: 'CRC32C' })
    expect(await said(composite.complete())).toBe('400 InvalidRequest')
    const Parts = composite.Parts.map((part, i) => ({ ...part, ChecksumCRC32C: sum(parts[i]!).toString('base64') }))
    const { ChecksumCRC32C } = await composite.complete({ MultipartUpload: { Parts } })
    expect(ChecksumCRC32C).toBe(`${sum(Buffer.concat(parts.map(sum))).toString('base64')}-3`)
    expect(await head()).toMatchObject({ ChecksumCRC32C, ChecksumType: 'COMPOSITE' })
  })
})
