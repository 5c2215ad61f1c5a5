import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { describe, expect, it } from 'vitest'
import { checksumOf } from './checksums.ts'
import type { ChecksumName } from './checksums.ts'
import { benchOf, fakeWithClient, said } from './s3-fake.test-support.ts'

const checksums: readonly (readonly [ChecksumName, string, string])[] = [
  ['crc32', 'ChecksumCRC32', 'AAAAAA=='],
  ['crc32c', 'ChecksumCRC32C', 'AAAAAA=='],
  ['crc64nvme', 'ChecksumCRC64NVME', 'AAAAAAAAAAA='],
  ['sha1', 'ChecksumSHA1', Buffer.alloc(20).toString('base64')],
  ['sha256', 'ChecksumSHA256', Buffer.alloc(32).toString('base64')],
]

describe('s3Fake: checksums', () => {
  it.each(checksums)('holds a body against its %s, keeps it and tells it', async (name, member, wrong) => {
    const { fake, client, Bucket, put } = await fakeWithClient()
    expect(await said(put('c', 'the real body', { [member]: wrong }))).toBe('400 BadDigest')
    expect(fake.objects('lake')).toEqual([])
    const right = checksumOf(name, Buffer.from('the real body'))
    expect(await put('c', 'the real body', { [member]: right })).toMatchObject({ [member]: right })
    const head = await client.send(new HeadObjectCommand({ Bucket, Key: 'c', ChecksumMode: 'ENABLED' }))
    expect(head).toMatchObject({ [member]: right, ChecksumType: 'FULL_OBJECT' })
  })

  it('works the sums out as others do', () => {
    const sums = checksums.map(([name]) => checksumOf(name, Buffer.from('123456789')))
    // The check values of the CRCs' catalogue, and of FIPS 180-4 by `openssl dgst`.
    const hex = ['cbf43926', 'e3069283', 'ae8b14860a799888', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441']
    expect(sums.slice(0, 4)).toEqual(hex.map((digits) => Buffer.from(digits, 'hex').toString('base64')))
  })

  it('refuses a wrong Content-MD5, and one that is none', async () => {
    const { put } = await fakeWithClient()
    const md5 = (bytes: number) => Buffer.alloc(bytes).toString('base64')
    expect(await said(put('c', 'x', { ContentMD5: md5(16) }))).toBe('400 BadDigest')
    expect(await said(put('c', 'x', { ContentMD5: md5(5) }))).toBe('400 InvalidDigest')
  })

  it('refuses a body that is not the signed one', async () => {
    const { fake, client, put } = await fakeWithClient()
    client.middlewareStack.add(
      (next) => (sent) => {
        const { request } = sent as { request: { body: unknown; headers: Record<string, string> } }
        request.body = 'y'
        return next(sent)
      },
      { step: 'finalizeRequest', priority: 'low' },
    )
    expect(await said(put('c', 'x'))).toBe('400 XAmzContentSHA256Mismatch')
    expect(fake.objects('lake')).toEqual([])
  })
})

describe('s3Fake: streamed bodies', () => {
  const body = randomBytes(300_000)
  const pieces = () => Readable.from([body.subarray(0, 5), body.subarray(5)])

  it('takes them in chunks with the checksum behind', async () => {
    const { fake } = await fakeWithClient()
    const { put } = benchOf(fake, { requestStreamBufferSize: 65_536 })
    const more = { ContentLength: body.length, ChecksumAlgorithm: 'CRC32C', ContentEncoding: 'zstd' }
    const { ChecksumCRC32C } = await put('s', pieces() as never, more)
    expect(fake.requests[0]!.headers).toMatchObject({ 'x-amz-trailer': 'x-amz-checksum-crc32c' })
    expect(ChecksumCRC32C).toBe(checksumOf('crc32c', body))
    expect(Buffer.compare(fake.read('lake', 's')!, body)).toBe(0)
    expect(fake.objects('lake')[0]!.headers['content-encoding']).toBe('zstd')
  })

  it('refuses chunks below 8 KiB but the last, as Amazon does, unless told otherwise', async () => {
    const strict = await fakeWithClient()
    expect(await said(strict.put('s', pieces() as never, { ContentLength: body.length }))).toMatch(
      /InvalidChunkSizeError/,
    )
    const lax = await fakeWithClient({ minChunkBytes: 1 })
    expect(await said(lax.put('s', pieces() as never, { ContentLength: body.length }))).toBe('200')
  })

  it('refuses a body whose length nobody told', async () => {
    const { fake } = await fakeWithClient()
    const { put } = benchOf(fake, { requestChecksumCalculation: 'WHEN_REQUIRED' })
    expect(await said(put('s', pieces() as never))).toBe('411 MissingContentLength')
    expect(fake.objects('lake')).toEqual([])
  })

  it('refuses bytes that were changed on their way', async () => {
    const { fake } = await fakeWithClient()
    const { client, put } = benchOf(fake, { requestStreamBufferSize: 65_536 })
    client.middlewareStack.add(
      (next) => (sent) => {
        const { request } = sent as { request: { body: Readable } }
        request.body = Readable.from(changed(request.body))
        return next(sent)
      },
      { step: 'finalizeRequest', priority: 'low' },
    )
    expect(await said(put('s', pieces() as never, { ContentLength: body.length }))).toBe('400 BadDigest')
    expect(fake.objects('lake')).toEqual([])
  })

  async function* changed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      const bytes = Buffer.from(chunk)
      if (bytes.length > 50_000) bytes[20_000]! ^= 1
      yield bytes
    }
  }
})
