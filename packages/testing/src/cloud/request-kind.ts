import type { FakeRequest } from './http-fake.ts'
import { decodePercent } from './http-fake.ts'
import { addressOf, s3OperationOf } from './s3-route.ts'

/** Who is spoken to, by the look of a request: which words a refusal must have. */
export type CloudDialect = 's3' | 'gcs' | 'azure'

/** What a request asks for, whoever is asked. */
export type CloudOperation =
  | 'get'
  | 'head'
  | 'put'
  | 'copy'
  | 'delete'
  | 'delete-many'
  | 'list'
  | 'upload-begin'
  | 'upload-part'
  | 'upload-complete'
  | 'upload-abort'
  | 'other'

export interface GuessedRequest {
  readonly dialect: CloudDialect
  readonly operation: CloudOperation
  /** Of the object, decoded; of a list its prefix; '' where there is none. */
  readonly key: string
}

/** By path, query and headers alone; a guess, for nothing says which service a request was made for. */
export function guessRequest(request: FakeRequest): GuessedRequest {
  if (request.headers['x-ms-version'] !== undefined) return { dialect: 'azure', ...azureRequest(request) }
  if (/^\/(upload\/|download\/|batch\/)?storage\/v1(\/|$)/.test(request.path))
    return { dialect: 'gcs', ...gcsRequest(request) }
  return { dialect: 's3', ...s3Request(request) }
}

type Guessed = Omit<GuessedRequest, 'dialect'>

const s3Operations: Readonly<Record<string, CloudOperation>> = {
  GetObject: 'get',
  HeadObject: 'head',
  PutObject: 'put',
  CopyObject: 'copy',
  DeleteObject: 'delete',
  DeleteObjects: 'delete-many',
  ListObjectsV2: 'list',
  CreateMultipartUpload: 'upload-begin',
  UploadPart: 'upload-part',
  CompleteMultipartUpload: 'upload-complete',
  AbortMultipartUpload: 'upload-abort',
}

function s3Request(request: FakeRequest): Guessed {
  const operation = s3Operations[s3OperationOf(request)] ?? 'other'
  return { operation, key: operation === 'list' ? prefixOf(request) : addressOf(request).key }
}

function gcsRequest(request: FakeRequest): Guessed {
  const { method, path, query, headers } = request
  if (path.startsWith('/batch/')) return { operation: 'delete-many', key: '' }
  const [, named] = /\/o\/([^/]+)/.exec(path) ?? []
  const key = decodePercent(named ?? query.get('name') ?? '')
  if (path.startsWith('/upload/')) {
    if (!query.has('upload_id') && method === 'POST')
      return { operation: query.get('uploadType') === 'resumable' ? 'upload-begin' : 'put', key }
    if (method === 'DELETE') return { operation: 'upload-abort', key }
    // The chunk that knows the whole length is the last.
    const isLast = !/(\d|bytes \*)\/\*$/.test(headers['content-range'] ?? '')
    return { operation: isLast ? 'upload-complete' : 'upload-part', key }
  }
  if (named === undefined) {
    const isList = method === 'GET' && /\/b\/[^/]+\/o\/?$/.test(path)
    return isList ? { operation: 'list', key: prefixOf(request) } : { operation: 'other', key: '' }
  }
  if (/\/(rewriteTo|copyTo)\//.test(path)) return { operation: 'copy', key }
  if (method === 'GET') return { operation: query.get('alt') === 'media' ? 'get' : 'head', key }
  return { operation: method === 'DELETE' ? 'delete' : 'other', key }
}

function azureRequest(request: FakeRequest): Guessed {
  const { method, path, query, headers } = request
  const [comp, isContainer] = [query.get('comp'), query.get('restype') === 'container']
  if (comp === 'batch') return { operation: 'delete-many', key: '' }
  if (comp === 'list' && isContainer) return { operation: 'list', key: prefixOf(request) }
  // An address has the account in its path, as of Azurite; a name has it in the host.
  const skipped = /^(\d|localhost|\[)/.test(headers['host'] ?? '') ? 2 : 1
  const key = decodePercent(
    path
      .split('/')
      .slice(skipped + 1)
      .join('/'),
  )
  if (isContainer || key === '') return { operation: 'other', key: '' }
  switch (method) {
    case 'GET':
      return { operation: comp === undefined ? 'get' : 'other', key }
    case 'HEAD':
      return { operation: 'head', key }
    case 'DELETE':
      return { operation: 'delete', key }
    case 'PUT':
      if (comp === 'block') return { operation: 'upload-part', key }
      if (comp === 'blocklist') return { operation: 'upload-complete', key }
      if (comp !== undefined) return { operation: 'other', key }
      return { operation: 'x-ms-copy-source' in headers ? 'copy' : 'put', key }
    default:
      return { operation: 'other', key }
  }
}

function prefixOf({ query }: FakeRequest): string {
  return query.get('prefix') ?? ''
}
