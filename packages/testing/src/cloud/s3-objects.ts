import type { FakeAnswer } from './http-fake.ts'
import { decodePercent } from './http-fake.ts'
import type { ChecksumName } from './checksums.ts'
import { checksumOf, md5Of } from './checksums.ts'
import type { FakeObject } from './object-bucket.ts'
import { bytesContent } from './object-content.ts'
import { noSuchKey, s3Refusal, s3Xml } from './s3-answers.ts'
import { checkedBody, checkLength } from './s3-body.ts'
import { checkIfMatch, isUnchanged, unmet, writeCondition } from './s3-conditions.ts'
import { checkCustomerKey, checkReadable, headersTold, isTagOpaque, metadataOf, storedHeaders } from './s3-headers.ts'
import { rangeOf } from './s3-ranges.ts'
import type { S3Bucket, S3Call } from './s3-state.ts'

export async function putObject(call: S3Call): Promise<FakeAnswer> {
  const { request, settings, key } = call
  checkLength(request, settings)
  const condition = writeCondition(call)
  const metadata = metadataOf(request.headers, settings)
  const { bytes, checksums } = await checkedBody(request, settings.minChunkBytes)
  // Amazon makes one where the client gave none.
  const known = Object.keys(checksums).length > 0 ? checksums : { crc64nvme: checksumOf('crc64nvme', bytes) }
  const headers = storedHeaders(request.headers)
  const { objects, isDirectory } = call.bucket()
  const etag = isTagOpaque(headers, isDirectory) ? call.nextTag() : `"${md5Of(bytes, 'hex')}"`
  const object = { content: bytesContent(bytes), etag, metadata, checksums: known, headers }
  const put = objects.put(key, object, condition)
  return { status: 200, headers: { etag: put.etag, ...checksumHeaders(put), ...encryptionOf(put) } }
}

export function getObject(call: S3Call): FakeAnswer {
  const { request, key } = call
  if (request.query.has('partNumber') || request.query.has('versionId'))
    throw s3Refusal('NotImplemented', 'This fake reads whole objects and ranges only.')
  const object = call.bucket().objects.get(key)
  if (object === undefined) throw noSuchKey(key)
  checkCustomerKey(request.headers, object.headers)
  if (request.method === 'GET') checkReadable(object)
  if (isUnchanged(request.headers, object)) return { status: 304, headers: { etag: object.etag } }
  const range = rangeOf(request.headers['range'], object.content.size)
  const { start, end } = range ?? { start: 0, end: object.content.size }
  const isWhole = start === 0 && end === object.content.size
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...headersTold(object),
      'accept-ranges': 'bytes',
      'content-length': String(end - start),
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${object.content.size}` }),
      ...(isWhole && request.headers['x-amz-checksum-mode']?.toUpperCase() === 'ENABLED'
        ? checksumHeaders(object)
        : {}),
    },
    body: object.content.chunks(start, end),
  }
}

export function deleteObject(call: S3Call): FakeAnswer {
  const { request, settings, key } = call
  const tag = request.headers['if-match']
  const isAsked = tag !== undefined && !settings.ignoreConditions
  call.bucket().objects.delete(key, isAsked ? (present) => checkIfMatch(tag, present, key) : undefined)
  return { status: 204 }
}

export function copyObject(call: S3Call): FakeAnswer {
  const { request, settings, key } = call
  const { headers } = request
  const source = decodePercent(headers['x-amz-copy-source']!).replace(/^\//, '')
  const slash = source.indexOf('/')
  if (slash < 1)
    throw s3Refusal('InvalidArgument', 'Copy Source must mention the source bucket and key: sourcebucket/sourcekey')
  const from = call.bucketNamed(source.slice(0, slash)).objects.get(source.slice(slash + 1))
  if (from === undefined) throw noSuchKey(source.slice(slash + 1))
  if (isUnchanged(headers, from, 'x-amz-copy-source-')) throw unmet('x-amz-copy-source-If-None-Match')
  checkCustomerKey(headers, from.headers, 'x-amz-copy-source-')
  checkReadable(from)
  if (from.content.size > settings.maxPutBytes)
    throw s3Refusal('InvalidRequest', `The specified copy source is larger than ${settings.maxPutBytes} bytes.`)
  const isReplaced = headers['x-amz-metadata-directive']?.toUpperCase() === 'REPLACE'
  const told = storedHeaders(headers)
  const { objects, isDirectory } = call.bucket()
  const isOntoItself = from === objects.get(key)
  if (isOntoItself && !isReplaced && !Object.keys(headers).some((name) => changing.test(name)))
    throw s3Refusal(
      'InvalidRequest',
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
    )
  const storageClass = headers['x-amz-storage-class'] ?? 'STANDARD'
  const kept = { ...withoutEncryption(from.headers), ...encryptionOf({ headers: told }) }
  const after = { ...(isReplaced ? told : kept), 'x-amz-storage-class': storageClass }
  const put = objects.put(
    key,
    {
      content: from.content,
      etag: isTagOpaque(after, isDirectory)
        ? call.nextTag()
        : tagOfBytes(from, call.bucketNamed(source.slice(0, slash))),
      metadata: isReplaced ? metadataOf(headers, settings) : from.metadata,
      headers: after,
      checksums: from.checksums,
    },
    writeCondition(call),
  )
  return s3Xml('CopyObjectResult', { LastModified: new Date(put.modifiedMs).toISOString(), ETag: put.etag })
}

/** Of what a copy onto itself must change something. */
const changing = /^x-amz-(storage-class|server-side-encryption)/

/** Of the bytes, also where the source was made of parts, or has a tag that says nothing of them. */
function tagOfBytes({ etag, partSizes, headers, content }: FakeObject, { isDirectory }: S3Bucket): string {
  if (partSizes === undefined && !isTagOpaque(headers, isDirectory)) return etag
  return `"${md5Of(content.slice(0, content.size), 'hex')}"`
}

/** A copy is encrypted as it asks for, never as its source was. */
function withoutEncryption(headers: FakeObject['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !name.startsWith('x-amz-server-side-encryption')),
  )
}

/** A composite one is told with the number of its parts, and what it is. */
export function checksumHeaders({ checksums }: Pick<FakeObject, 'checksums'>): Record<string, string> {
  const told: Record<string, string> = {}
  for (const [name, value] of Object.entries(checksums)) {
    told[`x-amz-checksum-${name satisfies string as ChecksumName}`] = value
    told['x-amz-checksum-type'] = value.includes('-') ? 'COMPOSITE' : 'FULL_OBJECT'
  }
  return told
}

export function encryptionOf({ headers }: Pick<FakeObject, 'headers'>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-amz-server-side-encryption')))
}
