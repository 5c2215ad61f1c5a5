import type { Clock, OptionTable } from '@moulin/core'
import { checkOptions, notFound, option, systemRuntime } from '@moulin/core'
import type { FakeAnswer, FakeRequest, SeenRequest } from './http-fake.ts'
import { httpFake } from './http-fake.ts'
import type { FakeListOrder } from './key-order.ts'
import type { FakeObject } from './object-bucket.ts'
import { objectBucket } from './object-bucket.ts'
import type { SparsePiece } from './object-content.ts'
import { sparseContent } from './object-content.ts'
import { s3Refusal, s3Xml } from './s3-answers.ts'
import { deleteObjects, lifecycleOf, listObjects, versioningOf } from './s3-bucket-calls.ts'
import { copyObject, deleteObject, getObject, putObject } from './s3-objects.ts'
import { addressOf, s3OperationOf } from './s3-route.ts'
import type { FakeCredentials } from './s3-signature.ts'
import { checkSignature } from './s3-signature.ts'
import type { FakeLifecycleRule, S3Bucket, S3Call, S3Settings, S3Upload } from './s3-state.ts'
import { abortUpload, completeUpload, createUpload, listParts, listUploads, uploadPart } from './s3-uploads.ts'

export interface S3FakeOptions {
  /** Buckets that are there. Default `moulin`. */
  readonly buckets?: readonly string[]
  /** Those of `buckets` whose readers pay: a request must say that it knows. */
  readonly requesterPays?: readonly string[]
  /** Pairs that are let in. Default one, which `credentials` of the fake tells. */
  readonly credentials?: readonly FakeCredentials[]
  /** Default `us-east-1`. A request that is signed for another is refused. */
  readonly region?: string
  /** Dates objects, and judges the dates of signatures. Default the machine's own. */
  readonly clock?: Pick<Clock, 'now'>
  /** Default `bytes`, as Amazon lists. */
  readonly listOrder?: FakeListOrder
  /** Of every part but the last. Default Amazon's 5 MiB. */
  readonly minPartBytes?: number
  /** Of every chunk of a streamed body but the last. Default Amazon's 8192. */
  readonly minChunkBytes?: number
  /** Of one PUT and of a copy. Default Amazon's 5 GiB. */
  readonly maxPutBytes?: number
  /** Takes user metadata and forgets them. */
  readonly dropMetadata?: boolean
  /** Writes and deletes whatever the preconditions say. */
  readonly ignoreConditions?: boolean
  /** What a conditional write hears that was overtaken while its body came: 412, or `conflict` for `ConditionalRequestConflict`. */
  readonly overtaken?: 'precondition' | 'conflict'
}

/** A server that speaks S3, and what a test can see of it and do to it. */
export interface S3Fake {
  /** For `endpoint` of a client, with `forcePathStyle`. */
  readonly endpoint: string
  readonly region: string
  /** The first pair that is let in. */
  readonly credentials: FakeCredentials
  /** What came, in order. */
  readonly requests: readonly SeenRequest[]
  forgetRequests(): void
  /** Those of a bucket, in its order. @throws `not-found` code `BUCKET`. */
  objects(bucket: string): readonly FakeObject[]
  /** Bytes of an object; undefined where there is none. */
  read(bucket: string, key: string): Uint8Array | undefined
  /** Uploads that are neither complete nor aborted. */
  uploads(bucket: string): readonly S3Upload[]
  /** Puts an object that may be larger than memory: zeros but for the pieces. */
  putSparse(bucket: string, key: string, size: number, pieces?: readonly SparsePiece[]): void
  createBucket(bucket: string): void
  /** With all that is in it; what is on its way to it hears `NoSuchBucket`. */
  deleteBucket(bucket: string): void
  setVersioning(bucket: string, status: 'Enabled' | 'Suspended' | undefined): void
  setLifecycle(bucket: string, rules: readonly FakeLifecycleRule[]): void
  /** From now on `ExpiredToken` for all pairs that are known. */
  expireCredentials(): void
  /** A pair more, or the same with another secret or token. */
  addCredentials(credentials: FakeCredentials): void
  close(): Promise<void>
}

const bytes = option.integer('bytes', 1)
const credentialTable: OptionTable<FakeCredentials> = {
  accessKeyId: option.required(option.textOf('a name')),
  secretAccessKey: option.required(option.textOf('a secret')),
  sessionToken: option.text,
  expiresMs: option.integer('ms since the epoch', 0),
}
const optionTable: OptionTable<S3FakeOptions> = {
  buckets: option.listOf(option.textOf('a name')),
  requesterPays: option.listOf(option.textOf('a name')),
  credentials: option.listOf(option.nested(credentialTable)),
  region: option.textOf('a region'),
  clock: option.clockCheck,
  listOrder: option.oneOf('bytes', 'tree', 'none'),
  minPartBytes: bytes,
  minChunkBytes: bytes,
  maxPutBytes: bytes,
  dropMetadata: option.flag,
  ignoreConditions: option.flag,
  overtaken: option.oneOf('precondition', 'conflict'),
}

/**
 * Starts a server on loopback that speaks enough S3 for the vendor's own SDKs, path style (or `bucket.localhost`): objects, ranges, conditions,
 * lists, multipart uploads, copies, deletes of many. Bodies are held against every checksum that comes with them and signatures worked out anew.
 * It keeps everything in memory; it has no versions, no ACLs, no policies.
 *
 * @example
 * const fake = await s3Fake({ buckets: ['lake'] })
 * const client = new S3Client({ endpoint: fake.endpoint, region: fake.region, credentials: fake.credentials, forcePathStyle: true })
 *
 * @throws `invalid` code `OPTION`.
 */
export async function s3Fake(options: S3FakeOptions = {}): Promise<S3Fake> {
  checkOptions('s3Fake', options, optionTable)
  const { requesterPays = [], listOrder = 'bytes' } = options
  const settings = settingsOf(options)
  const pairs = new Map((options.credentials ?? [standard]).map((pair) => [pair.accessKeyId, pair]))
  const [first = standard] = pairs.values()
  const buckets = new Map<string, S3Bucket>()
  let uploads = 0

  const createBucket = (name: string): void => {
    const objects = objectBucket({ name, clock: settings.clock, order: listOrder })
    const state = { uploads: new Map(), completed: new Map(), versioning: undefined, lifecycle: [] }
    buckets.set(name, { ...state, objects, requesterPays: requesterPays.includes(name) })
  }
  for (const name of options.buckets ?? ['moulin']) createBucket(name)

  const bucketNamed = (name: string): S3Bucket => {
    const found = buckets.get(name)
    if (found === undefined)
      throw s3Refusal('NoSuchBucket', 'The specified bucket does not exist', { BucketName: name })
    return found
  }
  const bucketOfTest = (name: string): S3Bucket => {
    const found = buckets.get(name)
    if (found === undefined)
      throw notFound('BUCKET', `There is no bucket ${name}: ${[...buckets.keys()].join(', ')}.`, { context: { name } })
    return found
  }

  const handle = async (request: FakeRequest): Promise<FakeAnswer> => {
    checkSignature(request, { ...settings, credentials: (id) => pairs.get(id) })
    const operation = s3OperationOf(request)
    const { bucket: name, key } = addressOf(request)
    if (operation === 'ListBuckets') return listBuckets([...buckets.keys()])
    if (operation === 'CreateBucket') return makeBucket(name)
    const bucket = bucketNamed(name)
    if (bucket.requesterPays && request.headers['x-amz-request-payer'] !== 'requester')
      throw s3Refusal('AccessDenied', 'Access Denied')
    const answer =
      key === ''
        ? await answerOfBucket(operation, request, name)
        : await answerOfObject(operation, {
            request,
            settings,
            key: checkedKey(key),
            bucket: () => bucketNamed(name),
            bucketNamed,
            atStart: bucket.objects.get(key),
            nextUploadId: () => `upload-${String(++uploads).padStart(8, '0')}`,
          })
    return bucket.requesterPays ? withHeaders(answer, { 'x-amz-request-charged': 'requester' }) : answer
  }

  const makeBucket = (name: string): FakeAnswer => {
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name))
      throw s3Refusal('InvalidBucketName', 'The specified bucket is not valid.', { BucketName: name })
    if (buckets.has(name))
      throw s3Refusal('BucketAlreadyOwnedByYou', 'Your previous request to create the named bucket succeeded.')
    createBucket(name)
    return { status: 200, headers: { location: `/${name}` } }
  }

  const answerOfBucket = async (operation: string, request: FakeRequest, name: string): Promise<FakeAnswer> => {
    const bucket = bucketNamed(name)
    switch (operation) {
      case 'HeadBucket':
        return { status: 200, headers: { 'x-amz-bucket-region': settings.region } }
      case 'ListObjectsV2':
        return listObjects(bucket, request)
      case 'ListMultipartUploads':
        return listUploads(bucket, request.query)
      case 'GetBucketVersioning':
        return versioningOf(bucket)
      case 'GetBucketLifecycleConfiguration':
        return lifecycleOf(bucket)
      case 'GetBucketLocation':
        return s3Xml('LocationConstraint', settings.region === 'us-east-1' ? '' : settings.region)
      case 'DeleteObjects':
        return deleteObjects(() => bucketNamed(name), request, settings)
      case 'DeleteBucket':
        if (bucket.objects.objects().length > 0)
          throw s3Refusal('BucketNotEmpty', 'The bucket you tried to delete is not empty')
        buckets.delete(name)
        return { status: 204 }
      default:
        throw notImplemented(request)
    }
  }

  const server = await httpFake({ handle, operationOf: s3OperationOf })
  return {
    endpoint: server.url,
    region: settings.region,
    credentials: first,
    requests: server.requests,
    forgetRequests: server.forgetRequests,
    objects: (bucket) => bucketOfTest(bucket).objects.objects(),
    read(bucket, key) {
      const content = bucketOfTest(bucket).objects.get(key)?.content
      return content?.slice(0, content.size)
    },
    uploads: (bucket) => [...bucketOfTest(bucket).uploads.values()],
    putSparse(bucket, key, size, pieces = []) {
      const content = sparseContent(size, pieces)
      const etag = `"sparse-${size}-1"`
      const headers = { 'content-type': 'binary/octet-stream' }
      bucketOfTest(bucket).objects.put(key, { content, etag, headers, metadata: {}, checksums: {} })
    },
    createBucket,
    deleteBucket: (bucket) => void buckets.delete(bucketOfTest(bucket).objects.name),
    setVersioning: (bucket, status) => void (bucketOfTest(bucket).versioning = status),
    setLifecycle: (bucket, rules) => void (bucketOfTest(bucket).lifecycle = rules),
    expireCredentials() {
      for (const [id, pair] of pairs) pairs.set(id, { ...pair, expiresMs: settings.clock.now() })
    },
    addCredentials: (pair) => void pairs.set(pair.accessKeyId, pair),
    close: server.close,
  }
}

const standard: FakeCredentials = { accessKeyId: 'FAKEACCESSKEYID', secretAccessKey: 'fake-secret-access-key' }

function settingsOf(options: S3FakeOptions): S3Settings {
  return {
    clock: options.clock ?? systemRuntime().clock,
    region: options.region ?? 'us-east-1',
    minPartBytes: options.minPartBytes ?? 5 * 2 ** 20,
    minChunkBytes: options.minChunkBytes ?? 8192,
    maxPutBytes: options.maxPutBytes ?? 5 * 2 ** 30,
    dropMetadata: options.dropMetadata ?? false,
    ignoreConditions: options.ignoreConditions ?? false,
    overtaken: options.overtaken ?? 'precondition',
  }
}

function answerOfObject(operation: string, call: S3Call): FakeAnswer | Promise<FakeAnswer> {
  switch (operation) {
    case 'PutObject':
      return putObject(call)
    case 'CopyObject':
      return copyObject(call)
    case 'GetObject':
    case 'HeadObject':
      return getObject(call)
    case 'DeleteObject':
      return deleteObject(call)
    case 'CreateMultipartUpload':
      return createUpload(call)
    case 'UploadPart':
      return uploadPart(call)
    case 'CompleteMultipartUpload':
      return completeUpload(call)
    case 'AbortMultipartUpload':
      return abortUpload(call)
    case 'ListParts':
      return listParts(call)
    default:
      throw notImplemented(call.request)
  }
}

function checkedKey(key: string): string {
  if (Buffer.byteLength(key) > 1024)
    throw s3Refusal('KeyTooLongError', 'Your key is too long', { MaxSizeAllowed: 1024, Size: Buffer.byteLength(key) })
  return key
}

function notImplemented({ method, target }: FakeRequest): Error {
  return s3Refusal('NotImplemented', `This fake does not know ${method} ${target}.`)
}

function listBuckets(names: readonly string[]): FakeAnswer {
  return s3Xml('ListAllMyBucketsResult', { Buckets: { Bucket: names.map((Name) => ({ Name })) } })
}

function withHeaders(answer: FakeAnswer, headers: Readonly<Record<string, string>>): FakeAnswer {
  return { ...answer, headers: { ...answer.headers, ...headers } }
}
