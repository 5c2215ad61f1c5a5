import type { FakeRequest } from './http-fake.ts'
import { decodePercent } from './http-fake.ts'

/** What a request is about: '' for no bucket, or no key. */
export interface S3Address {
  readonly bucket: string
  readonly key: string
}

/** Of S3 Express: its names end so. */
export function isDirectoryBucket(name: string): boolean {
  return name.endsWith('--x-s3')
}

/** By path (`/bucket/key`) or, where the host is `bucket.localhost`, by that. */
export function addressOf({ path, headers }: FakeRequest): S3Address {
  const [, host] = /^(.+)\.localhost(?::\d+)?$/.exec(headers['host'] ?? '') ?? []
  const rest = path.slice(1)
  if (host !== undefined) return { bucket: host, key: decodePercent(rest) }
  const slash = rest.indexOf('/')
  if (slash < 0) return { bucket: decodePercent(rest), key: '' }
  const bucket = decodePercent(rest.slice(0, slash))
  const key = decodePercent(rest.slice(slash + 1))
  // By path the vendor's client names what is in a directory bucket with two slashes.
  return { bucket, key: isDirectoryBucket(bucket) ? key.replace(/^\//, '') : key }
}

/** Amazon's name of what is asked for; '' for what is none of these. */
export function s3OperationOf(request: FakeRequest): string {
  const { bucket, key } = addressOf(request)
  if (key !== '') return objectOperation(request)
  return bucket === '' ? (request.method === 'GET' ? 'ListBuckets' : '') : bucketOperation(request)
}

function objectOperation({ method, query, headers }: FakeRequest): string {
  const isOfUpload = query.has('uploadId')
  switch (method) {
    case 'PUT':
      return isOfUpload ? 'UploadPart' : isOfBytes(query) ? copyOrPut(headers) : ''
    case 'GET':
      return isOfUpload ? 'ListParts' : isOfBytes(query) ? 'GetObject' : ''
    case 'HEAD':
      return isOfBytes(query) ? 'HeadObject' : ''
    case 'DELETE':
      return isOfUpload ? 'AbortMultipartUpload' : isOfBytes(query) ? 'DeleteObject' : ''
    case 'POST':
      return query.has('uploads') ? 'CreateMultipartUpload' : isOfUpload ? 'CompleteMultipartUpload' : ''
    default:
      return ''
  }
}

function copyOrPut(headers: Readonly<Record<string, string>>): string {
  return 'x-amz-copy-source' in headers ? 'CopyObject' : 'PutObject'
}

/** What else stands in a query asks for something else of the object: `DELETE key?tagging` leaves the object alone. */
function isOfBytes(query: ReadonlyMap<string, string>): boolean {
  return [...query.keys()].every((name) => name === 'x-id' || /^x-amz-/i.test(name))
}

function bucketOperation({ method, query }: FakeRequest): string {
  switch (method) {
    case 'PUT':
      return query.size === 0 ? 'CreateBucket' : ''
    case 'HEAD':
      return 'HeadBucket'
    case 'DELETE':
      return query.size === 0 ? 'DeleteBucket' : ''
    case 'POST':
      return query.has('delete') ? 'DeleteObjects' : ''
    case 'GET':
      if (query.get('list-type') === '2') return 'ListObjectsV2'
      if (query.has('session')) return 'CreateSession'
      if (query.has('uploads')) return 'ListMultipartUploads'
      if (query.has('versioning')) return 'GetBucketVersioning'
      if (query.has('lifecycle')) return 'GetBucketLifecycleConfiguration'
      return query.has('location') ? 'GetBucketLocation' : ''
    default:
      return ''
  }
}
