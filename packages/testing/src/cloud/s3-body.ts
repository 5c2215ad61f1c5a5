import { createHash } from 'node:crypto'
import { joinBytes } from '@moulin/core'
import type { ChecksumName } from './checksums.ts'
import { checksumNames, checksumOf, md5Of } from './checksums.ts'
import type { FakeRequest } from './http-fake.ts'
import { s3Refusal } from './s3-answers.ts'
import type { S3Settings } from './s3-state.ts'

/** A body that has passed all the checks that came with it. */
export interface CheckedBody {
  readonly bytes: Uint8Array
  /** Checksums that the client gave, in base64. */
  readonly checksums: Readonly<Partial<Record<ChecksumName, string>>>
}

/** Of an object or a part: its length comes with the head, and is one that fits. */
export function checkLength({ headers }: FakeRequest, { maxPutBytes }: Pick<S3Settings, 'maxPutBytes'>): void {
  const told = headers['x-amz-decoded-content-length'] ?? headers['content-length']
  if (told === undefined) throw s3Refusal('MissingContentLength', 'You must provide the Content-Length HTTP header.')
  if (Number(told) > maxPutBytes)
    throw s3Refusal('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
      ProposedSize: told,
      MaxSizeAllowed: maxPutBytes,
    })
}

const chunkHead = /^([0-9a-fA-F]+)(?:;[^\r\n]*)?$/

/**
 * The bytes that a request means: out of its chunks where it is `aws-chunked`, held against every checksum of the head and the trailer.
 * @param minChunkBytes Amazon refuses smaller chunks but for the last.
 */
export async function checkedBody(request: FakeRequest, minChunkBytes: number): Promise<CheckedBody> {
  const { headers } = request
  const sent = await request.body()
  const hash = headers['x-amz-content-sha256'] ?? request.query.get('X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD'
  if (hash.startsWith('STREAMING-') && hash !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER')
    throw s3Refusal('NotImplemented', `This fake knows no ${hash}.`)
  const isChunked = hash.startsWith('STREAMING-')
  const { bytes, trailer } = isChunked ? unchunked(sent, minChunkBytes) : { bytes: sent, trailer: new Map() }
  if (isChunked && headers['x-amz-decoded-content-length'] !== String(bytes.length))
    throw s3Refusal('IncompleteBody', 'The request body terminated unexpectedly')
  if (/^[0-9a-f]{64}$/.test(hash) && createHash('sha256').update(bytes).digest('hex') !== hash)
    throw s3Refusal(
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
  checkMd5(headers['content-md5'], bytes)
  return { bytes, checksums: checkedSums(request, trailer, bytes) }
}

function checkedSums(
  { headers }: FakeRequest,
  trailer: ReadonlyMap<string, string>,
  bytes: Uint8Array,
): Partial<Record<ChecksumName, string>> {
  const sums: Partial<Record<ChecksumName, string>> = {}
  const told = headers['x-amz-trailer']
  if (told !== undefined && !trailer.has(told))
    throw s3Refusal('IncompleteBody', `The trailer ${told} was announced and did not come.`)
  for (const name of checksumNames) {
    const given = trailer.get(`x-amz-checksum-${name}`) ?? headers[`x-amz-checksum-${name}`]
    if (given === undefined) continue
    const right = checksumOf(name, bytes)
    if (given.length !== right.length)
      throw s3Refusal('InvalidRequest', `Value for x-amz-checksum-${name} header is invalid.`)
    if (given !== right)
      throw s3Refusal('BadDigest', `The ${name.toUpperCase()} you specified did not match the calculated checksum.`)
    sums[name] = given
  }
  return sums
}

function checkMd5(given: string | undefined, bytes: Uint8Array): void {
  if (given === undefined) return
  if (Buffer.from(given, 'base64').length !== 16)
    throw s3Refusal('InvalidDigest', 'The Content-MD5 you specified was invalid.')
  if (given !== md5Of(bytes, 'base64'))
    throw s3Refusal('BadDigest', 'The Content-MD5 you specified did not match what we received.')
}

/** Takes `aws-chunked` apart: sizes in hex, each with its bytes, then a zero and the trailer's lines. */
function unchunked(
  sent: Uint8Array,
  minChunkBytes: number,
): { readonly bytes: Uint8Array; readonly trailer: ReadonlyMap<string, string> } {
  const source = Buffer.from(sent.buffer, sent.byteOffset, sent.length)
  const chunks: Uint8Array[] = []
  let at = 0
  const line = (): string => {
    const end = source.indexOf('\r\n', at)
    if (end < 0) throw s3Refusal('IncompleteBody', 'The request body terminated unexpectedly')
    const text = source.toString('latin1', at, end)
    at = end + 2
    return text
  }
  for (;;) {
    const [, hex] = chunkHead.exec(line()) ?? []
    if (hex === undefined) throw s3Refusal('InvalidRequest', 'The body is no aws-chunked one.')
    const size = Number.parseInt(hex, 16)
    if (size === 0) break
    const before = chunks.at(-1)
    if (before !== undefined && before.length < minChunkBytes)
      throw s3Refusal(
        'InvalidChunkSizeError',
        `Only the last chunk is allowed to have a size less than ${minChunkBytes} bytes`,
      )
    if (at + size + 2 > source.length) throw s3Refusal('IncompleteBody', 'The request body terminated unexpectedly')
    chunks.push(sent.subarray(at, at + size))
    at += size
    if (line() !== '') throw s3Refusal('InvalidRequest', 'The body is no aws-chunked one.')
  }
  const trailer = new Map<string, string>()
  while (at < source.length) {
    const [, name, value] = /^([^:]+):\s*(.*?)\s*$/.exec(line()) ?? []
    if (name !== undefined) trailer.set(name.toLowerCase(), value!)
  }
  return { bytes: joinBytes(chunks), trailer }
}
