import type { ChecksumName } from './checksums.ts'
import { checksumNames, checksumOf, isCrc, md5Of } from './checksums.ts'
import type { FakeAnswer } from './http-fake.ts'
import { Refusal } from './http-fake.ts'
import { bytesContent, joinedContent } from './object-content.ts'
import { s3Refusal, s3Xml } from './s3-answers.ts'
import { checkedBody, checkLength } from './s3-body.ts'
import { writeCondition } from './s3-conditions.ts'
import { checkCustomerKey, isTagOpaque, metadataOf, storedHeaders } from './s3-headers.ts'
import { checksumHeaders, encryptionOf } from './s3-objects.ts'
import type { S3Bucket, S3Call, S3Part, S3Upload } from './s3-state.ts'
import type { XmlElement } from './xml.ts'
import { childText, parseXml } from './xml.ts'

const MAX_PARTS = 10_000

export async function createUpload(call: S3Call): Promise<FakeAnswer> {
  const { request, settings, key } = call
  const { headers } = request
  await request.body()
  const bucket = call.bucket()
  const id = call.nextUploadId()
  bucket.uploads.set(id, {
    id,
    key,
    startedMs: settings.clock.now(),
    metadata: metadataOf(headers, settings),
    headers: storedHeaders(headers),
    checksum: checksumAsked(headers),
    parts: new Map(),
  })
  return s3Xml('InitiateMultipartUploadResult', { Bucket: bucket.objects.name, Key: key, UploadId: id })
}

function checksumAsked(headers: Readonly<Record<string, string>>): S3Upload['checksum'] {
  const asked = headers['x-amz-checksum-algorithm']
  if (asked === undefined) return undefined
  const name = checksumNames.find((one) => one === asked.toLowerCase())
  if (name === undefined) throw s3Refusal('InvalidRequest', `Checksum algorithm provided is unsupported: ${asked}.`)
  const type = headers['x-amz-checksum-type']?.toUpperCase() ?? (name === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE')
  if (type === 'FULL_OBJECT' ? !isCrc(name) : type !== 'COMPOSITE' || name === 'crc64nvme')
    throw s3Refusal('InvalidRequest', `The ${type} checksum type cannot be used with the ${name} checksum algorithm.`)
  return { name, type: type as 'COMPOSITE' | 'FULL_OBJECT' }
}

export async function uploadPart(call: S3Call): Promise<FakeAnswer> {
  const { request, settings } = call
  if ('x-amz-copy-source' in request.headers)
    throw s3Refusal('NotImplemented', 'This fake makes parts of bodies alone.')
  const number = Number(request.query.get('partNumber'))
  if (!Number.isInteger(number) || number < 1 || number > MAX_PARTS)
    throw s3Refusal('InvalidArgument', `Part number must be an integer between 1 and ${MAX_PARTS}, inclusive`)
  checkLength(request, settings)
  checkCustomerKey(request.headers, uploadOf(call).headers)
  const { bytes, checksums } = await checkedBody(request, settings.minChunkBytes)
  const { parts, headers } = uploadOf(call)
  const isOpaque = isTagOpaque(headers, call.bucket().isDirectory)
  const etag = isOpaque ? call.nextTag() : `"${md5Of(bytes, 'hex')}"`
  parts.set(number, { bytes, etag, checksums, modifiedMs: settings.clock.now() })
  return { status: 200, headers: { etag, ...checksumHeaders({ checksums }) } }
}

function uploadOf(call: S3Call): S3Upload {
  const found = call.bucket().uploads.get(call.request.query.get('uploadId') ?? '')
  if (found === undefined || found.key !== call.key) throw noSuchUpload()
  return found
}

function noSuchUpload(): Error {
  const message = 'The specified upload does not exist. It may have been aborted or completed.'
  return s3Refusal('NoSuchUpload', message)
}

export async function completeUpload(call: S3Call): Promise<FakeAnswer> {
  const { request, settings, key } = call
  // Checksums of the head are the object's, not this body's.
  const body = await request.body()
  const bucket = call.bucket()
  const id = request.query.get('uploadId') ?? ''
  const before = bucket.completed.get(id)
  if (before !== undefined) return before
  const upload = uploadOf(call)
  const parts = partsAsked(parseXml(Buffer.from(body).toString()), upload, settings.minPartBytes)
  const content = joinedContent(parts.map(({ bytes }) => bytesContent(bytes)))
  const tags = Buffer.concat(parts.map(({ etag }) => Buffer.from(etag.replaceAll('"', ''), 'hex')))
  const checksums = checksumOfParts(upload, parts, () => content.slice(0, content.size))
  checkTotals(request.headers, checksums, content.size)
  const condition = writeCondition(call)
  const put = bucket.objects.put(
    key,
    {
      content,
      etag: `"${md5Of(tags, 'hex')}-${parts.length}"`,
      metadata: upload.metadata,
      headers: upload.headers,
      checksums,
      partSizes: parts.map(({ bytes }) => bytes.length),
    },
    (present) => {
      try {
        condition?.(present)
      } catch (error) {
        // Amazon wants an upload that was overtaken to be begun anew.
        if (error instanceof Refusal && error.code === 'ConditionalRequestConflict') bucket.uploads.delete(id)
        throw error
      }
    },
  )
  const told = Object.entries(checksumHeaders(put)).map(([name, value]) => [xmlNameOf(name), value])
  const answer = s3Xml(
    'CompleteMultipartUploadResult',
    { Location: request.path, Bucket: bucket.objects.name, Key: key, ETag: put.etag, ...Object.fromEntries(told) },
    encryptionOf(put),
  )
  bucket.uploads.delete(id)
  bucket.completed.set(id, answer)
  return answer
}

/** What a completion says of the whole object. */
function checkTotals(
  headers: Readonly<Record<string, string>>,
  checksums: Readonly<Partial<Record<ChecksumName, string>>>,
  size: number,
): void {
  for (const name of checksumNames) {
    const given = headers[`x-amz-checksum-${name}`]
    // Of a composite one the number of parts may be left out.
    if (given !== undefined && checksums[name] !== given && checksums[name]?.split('-')[0] !== given)
      throw s3Refusal('BadDigest', `The ${name.toUpperCase()} you specified did not match the calculated checksum.`)
  }
  const told = headers['x-amz-mp-object-size']
  if (told !== undefined && Number(told) !== size)
    throw s3Refusal('InvalidRequest', `The object is of ${size} bytes, not of ${told}.`)
}

/** `x-amz-checksum-crc32c` is `ChecksumCRC32C` in XML. */
function xmlNameOf(header: string): string {
  const name = header.slice('x-amz-checksum-'.length)
  return `Checksum${name === 'type' ? 'Type' : name.toUpperCase()}`
}

function partsAsked(sent: XmlElement | undefined, upload: S3Upload, minPartBytes: number): readonly S3Part[] {
  const listed = sent?.children.filter(({ name }) => name === 'Part') ?? []
  if (sent?.name !== 'CompleteMultipartUpload' || listed.length === 0 || listed.length > MAX_PARTS)
    throw s3Refusal(
      'MalformedXML',
      'The XML you provided was not well-formed or did not validate against our published schema',
    )
  const numbers = listed.map((one) => Number(childText(one, 'PartNumber')))
  if (!numbers.every((number, i) => number > (numbers[i - 1] ?? 0)))
    throw s3Refusal('InvalidPartOrder', 'The list of parts was not in ascending order.')
  return listed.map((one, i) => {
    const number = numbers[i]!
    const part = upload.parts.get(number)
    const tag = (childText(one, 'ETag') ?? '').replaceAll('"', '')
    if (part === undefined || part.etag !== `"${tag}"` || !isSumOf(one, part, upload, number))
      throw s3Refusal('InvalidPart', 'One or more of the specified parts could not be found.', { PartNumber: number })
    if (i < listed.length - 1 && part.bytes.length < minPartBytes)
      throw s3Refusal('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
        ProposedSize: part.bytes.length,
        MinSizeAllowed: minPartBytes,
        PartNumber: number,
      })
    return part
  })
}

/** Whoever asked for a composite checksum tells that of each part at the end. */
function isSumOf(listed: XmlElement, part: S3Part, { checksum }: S3Upload, number: number): boolean {
  for (const name of checksumNames) {
    const given = childText(listed, `Checksum${name.toUpperCase()}`)
    if (given === undefined) {
      if (checksum?.type !== 'COMPOSITE' || checksum.name !== name) continue
      const message = `The upload was created using a ${name} checksum. The complete request must include the checksum for each part. It was missing for part ${number} in the request.`
      throw s3Refusal('InvalidRequest', message)
    }
    if (given !== checksumOf(name, part.bytes)) return false
  }
  return true
}

/** Of the parts' checksums, or of all bytes, as the upload was begun; by Amazon's own CRC where it asked for none. */
function checksumOfParts(
  { checksum }: S3Upload,
  parts: readonly S3Part[],
  whole: () => Uint8Array,
): Partial<Record<ChecksumName, string>> {
  const { name, type } = checksum ?? ({ name: 'crc64nvme', type: 'FULL_OBJECT' } as const)
  if (type === 'FULL_OBJECT') return { [name]: checksumOf(name, whole()) }
  const sums = Buffer.concat(parts.map(({ bytes }) => Buffer.from(checksumOf(name, bytes), 'base64')))
  return { [name]: `${checksumOf(name, sums)}-${parts.length}` }
}

export function abortUpload(call: S3Call): FakeAnswer {
  const { id } = uploadOf(call)
  call.bucket().uploads.delete(id)
  return { status: 204 }
}

export function listParts(call: S3Call): FakeAnswer {
  const { query } = call.request
  const upload = uploadOf(call)
  const limit = Math.min(1000, Number(query.get('max-parts') ?? 1000))
  const after = Number(query.get('part-number-marker') ?? 0)
  const rest = [...upload.parts].filter(([number]) => number > after).sort(([a], [b]) => a - b)
  const page = rest.slice(0, limit)
  return s3Xml('ListPartsResult', {
    Bucket: call.bucket().objects.name,
    Key: call.key,
    UploadId: upload.id,
    PartNumberMarker: after,
    NextPartNumberMarker: page.at(-1)?.[0] ?? 0,
    MaxParts: limit,
    IsTruncated: rest.length > page.length,
    Part: page.map(([number, { bytes, etag, modifiedMs }]) => ({
      PartNumber: number,
      LastModified: new Date(modifiedMs).toISOString(),
      ETag: etag,
      Size: bytes.length,
    })),
  })
}

export function listUploads(bucket: S3Bucket, query: ReadonlyMap<string, string>): FakeAnswer {
  const prefix = query.get('prefix') ?? ''
  const limit = Math.min(1000, Number(query.get('max-uploads') ?? 1000))
  const [keyMarker, idMarker] = [query.get('key-marker') ?? '', query.get('upload-id-marker') ?? '']
  const inOrder = [...bucket.uploads.values()]
    .filter(({ key }) => key.startsWith(prefix))
    .sort((a, b) => compareText(a.key, b.key) || compareText(a.id, b.id))
  const rest = inOrder.filter(
    ({ key, id }) => key > keyMarker || (key === keyMarker && idMarker !== '' && id > idMarker),
  )
  const page = rest.slice(0, limit)
  const last = rest.length > page.length ? page.at(-1) : undefined
  return s3Xml('ListMultipartUploadsResult', {
    Bucket: bucket.objects.name,
    Prefix: prefix,
    KeyMarker: keyMarker,
    UploadIdMarker: idMarker,
    NextKeyMarker: last?.key,
    NextUploadIdMarker: last?.id,
    MaxUploads: limit,
    IsTruncated: last !== undefined,
    Upload: page.map(({ key, id, startedMs }) => ({
      Key: key,
      UploadId: id,
      StorageClass: 'STANDARD',
      Initiated: new Date(startedMs).toISOString(),
    })),
  })
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
