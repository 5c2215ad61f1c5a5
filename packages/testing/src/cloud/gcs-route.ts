import type { FakeRequest } from './http-fake.ts'
import { decodePercent } from './http-fake.ts'

/** What a request is about. An insert names its object in the query, or in the metadata that it sends. */
export interface GcsAddress {
  readonly bucket: string
  readonly key: string
}

export function gcsAddressOf({ path, query }: FakeRequest): GcsAddress {
  const [, bucket = '', , key] = /^\/(?:upload\/|download\/)?storage\/v1\/b\/?([^/]*)(\/o\/?([^/]*))?/.exec(path) ?? []
  return { bucket: decodePercent(bucket), key: decodePercent(key ?? '') || (query.get('name') ?? '') }
}

/** Google's name of what is asked for, `storage.objects.insert` without its first word; '' for what is none of these. */
export function gcsOperationOf(request: FakeRequest): string {
  const { method, path, query } = request
  if (/^\/upload\/storage\/v1\/b\/[^/]+\/o$/.test(path)) return uploadOperation(method, query)
  if (/^\/storage\/v1\/b\/?$/.test(path)) return { POST: 'buckets.insert', GET: 'buckets.list' }[method] ?? ''
  if (/^\/storage\/v1\/b\/[^/]+\/?$/.test(path)) return { GET: 'buckets.get', DELETE: 'buckets.delete' }[method] ?? ''
  if (/^\/storage\/v1\/b\/[^/]+\/o\/?$/.test(path)) return method === 'GET' ? 'objects.list' : ''
  if (/^\/storage\/v1\/b\/[^/]+\/o\/[^/]+\/rewriteTo\/b\/[^/]+\/o\/[^/]+$/.test(path))
    return method === 'POST' ? 'objects.rewrite' : ''
  if (!/^\/(download\/)?storage\/v1\/b\/[^/]+\/o\/[^/]+$/.test(path)) return ''
  switch (method) {
    case 'GET':
      return query.get('alt') === 'media' ? 'objects.get.media' : 'objects.get'
    case 'DELETE':
      return 'objects.delete'
    case 'PATCH':
      return 'objects.patch'
    default:
      return ''
  }
}

function uploadOperation(method: string, query: ReadonlyMap<string, string>): string {
  if (query.has('upload_id')) return { PUT: 'uploads.put', DELETE: 'uploads.cancel' }[method] ?? ''
  if (method !== 'POST') return ''
  switch (query.get('uploadType')) {
    case 'multipart':
    case 'media':
      return 'objects.insert'
    case 'resumable':
      return 'uploads.begin'
    default:
      return ''
  }
}
