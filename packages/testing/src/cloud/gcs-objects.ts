import type { JsonValue } from '@moulin/core'
import { isMoulinError, parseJson } from '@moulin/core'
import { checksumOf, md5Of } from './checksums.ts'
import { gcsJson, gcsRefusal, noSuchObject } from './gcs-answers.ts'
import { gcsCondition, isChanged } from './gcs-conditions.ts'
import { relatedParts } from './gcs-multipart.ts'
import { changedMetadata, mediaHeaders, resourceOf, wordsOf } from './gcs-resource.ts'
import type { GcsCall, ObjectWords } from './gcs-state.ts'
import type { FakeAnswer } from './http-fake.ts'
import type { Condition, FakeObject } from './object-bucket.ts'
import { bytesContent } from './object-content.ts'
import { byteRangeOf } from './byte-ranges.ts'

type Query = ReadonlyMap<string, string>

export async function insertObject(call: GcsCall): Promise<FakeAnswer> {
  const { request, settings } = call
  const { query, headers } = request
  if (Number(headers['content-length'] ?? 0) > settings.maxPutBytes) throw tooLarge(call)
  const body = await request.body()
  if (query.get('uploadType') === 'media') {
    const words = wordsOf({}, query, headers['content-type'], settings)
    return written(call, call.key, { ...words, ...hashesOf(headers['x-goog-hash']) }, body, query)
  }
  const { metadata, contentType, bytes } = relatedParts(headers['content-type'], body)
  const resource = jsonOf(metadata)
  const words = wordsOf(resource, query, contentType, settings)
  return written(call, call.key || nameIn(resource), words, bytes, query)
}

/** All of a write that is decided when its bytes are there: nothing comes between, which is the lock of its name. */
export function written(
  call: GcsCall,
  key: string,
  { metadata, headers, ...sums }: ObjectWords,
  bytes: Uint8Array,
  query: Query,
): FakeAnswer {
  const { settings, bucketName } = call
  checkName(key)
  if (bytes.length > settings.maxPutBytes) throw tooLarge(call)
  const checksums = { crc32c: checksumOf('crc32c', bytes), md5: md5Of(bytes, 'base64') }
  if (sums.crc32c !== undefined && sums.crc32c !== checksums.crc32c)
    throw gcsRefusal(
      'invalid',
      `Provided CRC32C "${sums.crc32c}" doesn't match calculated CRC32C "${checksums.crc32c}".`,
    )
  if (sums.md5 !== undefined && sums.md5 !== checksums.md5)
    throw gcsRefusal('invalid', `Provided MD5 hash "${sums.md5}" doesn't match calculated MD5 hash "${checksums.md5}".`)
  const { objects } = call.bucket()
  const object = { content: bytesContent(bytes), etag: '', metadata, headers, checksums }
  return gcsJson(resourceOf(bucketName, withTag(objects.put(key, object, conditionOf(call, key, query)))))
}

/** Of Google's own: it changes with the metadata too, and is not what conditions go by. */
function withTag(object: FakeObject): FakeObject {
  return { ...object, etag: Buffer.from(`${object.generation}/${object.metageneration}`).toString('base64') }
}

/** The preconditions, and that the name has had its rest. */
function conditionOf(call: GcsCall, key: string, query: Query): Condition {
  const { settings, bucketName } = call
  const condition = gcsCondition(query, settings)
  const { writtenMs } = call.bucket()
  return (present) => {
    const now = settings.clock.now()
    const leftMs = (writtenMs.get(key) ?? -Infinity) + settings.everyMs - now
    if (leftMs > 0)
      throw gcsRefusal(
        'rateLimitExceeded',
        `The object ${bucketName}/${key} exceeded the rate limit for object mutation operations.`,
        { 'retry-after': String(Math.ceil(leftMs / 1_000)) },
      )
    condition(present)
    if (settings.everyMs > 0) writtenMs.set(key, now)
  }
}

export function getObject(call: GcsCall): FakeAnswer {
  const { request, bucketName } = call
  const object = found(call)
  if (!isChanged(request.query, object)) return { status: 304 }
  if (request.query.get('alt') !== 'media') return gcsJson(resourceOf(bucketName, withTag(object)))
  const { size } = object.content
  const range = byteRangeOf(request.headers['range'], size)
  if (range === 'outside')
    throw gcsRefusal('requestedRangeNotSatisfiable', 'The requested range cannot be satisfied.', {
      'content-range': `bytes */${size}`,
    })
  const { start, end } = range ?? { start: 0, end: size }
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...mediaHeaders(withTag(object)),
      'accept-ranges': 'bytes',
      'content-length': String(end - start),
      ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
    },
    body: object.content.chunks(start, end),
  }
}

/** The one that is there, if it is the generation that was asked for: there are no older ones. */
function found({ request, bucket, bucketName, key }: GcsCall, asked = 'generation'): FakeObject {
  const object = bucket().objects.get(key)
  const generation = request.query.get(asked)
  if (object === undefined || (generation !== undefined && generation !== String(object.generation)))
    throw noSuchObject(bucketName, key)
  return object
}

export function deleteObject(call: GcsCall): FakeAnswer {
  const { request, bucketName, key } = call
  if (request.query.has('generation')) found(call)
  const condition = conditionOf(call, key, request.query)
  call.bucket().objects.delete(key, (present) => {
    if (present === undefined) throw noSuchObject(bucketName, key)
    condition(present)
  })
  return { status: 204 }
}

export async function patchObject(call: GcsCall): Promise<FakeAnswer> {
  const { request, settings, bucketName, key } = call
  const said = jsonOf(Buffer.from(await request.body()).toString())
  const present = found(call)
  const others = { ...(said as Readonly<Record<string, JsonValue>>), metadata: null }
  const change = wordsOf(others, new Map(), present.headers['contentType'], settings)
  const metadata = settings.dropMetadata ? {} : changedMetadata(present.metadata, memberOf(said, 'metadata'))
  const condition = gcsCondition(request.query, settings)
  const headers = { ...present.headers, ...change.headers }
  return gcsJson(resourceOf(bucketName, withTag(call.bucket().objects.patch(key, { metadata, headers }, condition)!)))
}

/** A copy, in one go. What its body says of the object counts in place of what was said of the source. */
export async function rewriteObject(
  call: GcsCall,
  bucketNamed: (name: string) => GcsCall['bucket'],
): Promise<FakeAnswer> {
  const { request, settings } = call
  const said = jsonOf(Buffer.from(await request.body()).toString())
  const [, toBucket = '', toKey = ''] = /\/rewriteTo\/b\/([^/]+)\/o\/([^/]+)$/.exec(request.path) ?? []
  const from = found(call, 'sourceGeneration')
  gcsCondition(request.query, settings, 'Source')(from)
  const { content, checksums } = from
  const isSaid = Object.keys(said as object).length > 0
  const { metadata, headers } = isSaid ? wordsOf(said, new Map(), from.headers['contentType'], settings) : from
  const target = { ...call, bucket: bucketNamed(decodeURIComponent(toBucket)), key: decodeURIComponent(toKey) }
  const { objects } = target.bucket()
  const condition = conditionOf(target, target.key, request.query)
  const put = objects.put(target.key, { content, metadata, headers, checksums, etag: '' }, condition)
  const size = String(content.size)
  const resource = resourceOf(objects.name, withTag(put))
  return gcsJson({ kind: 'storage#rewriteResponse', totalBytesRewritten: size, objectSize: size, done: true, resource })
}

export function jsonOf(text: string): JsonValue {
  try {
    return text.trim() === '' ? {} : parseJson(text, 'a resource')
  } catch (error) {
    if (isMoulinError(error)) throw gcsRefusal('badRequest', 'Parse Error')
    throw error
  }
}

function memberOf(value: JsonValue, name: string): JsonValue | undefined {
  return (value as Readonly<Record<string, JsonValue>>)[name]
}

function nameIn(resource: JsonValue): string {
  const name = memberOf(resource, 'name')
  return typeof name === 'string' ? name : ''
}

/** `crc32c=…,md5=…`, as the header has it. */
export function hashesOf(header: string | undefined): Pick<ObjectWords, 'crc32c' | 'md5'> {
  const of = (name: string): string | undefined => new RegExp(`(?:^|,) *${name}=([^,]+)`).exec(header ?? '')?.[1]
  return { crc32c: of('crc32c'), md5: of('md5') }
}

/** Google's rules of names: up to 1024 bytes, no line ends, and neither of the two that mean a folder. */
export function checkName(key: string): void {
  const length = Buffer.byteLength(key)
  if (length >= 1 && length <= 1024 && !/[\r\n]/.test(key) && key !== '.' && key !== '..') return
  throw gcsRefusal(length === 0 ? 'required' : 'invalid', `The name of the object is not valid: ${length} bytes.`)
}

function tooLarge({ settings }: GcsCall): Error {
  return gcsRefusal('uploadTooLarge', `An upload above ${settings.maxPutBytes} bytes is not taken.`)
}
