import type { StoreAnswer } from '@moulin/core'

const amazon = 'Amazon S3, error responses and conditional writes'
const sdk = 'AWS SDK for JavaScript: no request was sent'
const network = 'Node.js: there was no connection'

/**
 * What S3 and its likes answer, and what it means. Amazon's own words are from its documents; where another server says it otherwise, the
 * row names the server that was seen to.
 */
export const s3Answers: readonly StoreAnswer[] = [
  { code: 'CredentialsProviderError', means: 'noCredentials', source: sdk },
  { code: 'RegionMissing', means: 'noRegion', source: `${sdk}: neither the options nor its own chain name a region` },
  { code: 'ECONNREFUSED', means: 'unreachable', source: network },
  { code: 'ENOTFOUND', means: 'unreachable', source: network },
  { code: 'EAI_AGAIN', means: 'unreachable', source: network },
  { status: 304, means: 'unchanged', source: amazon },
  { status: 301, means: 'elsewhere', source: amazon },
  { status: 307, means: 'elsewhere', source: amazon },
  { status: 400, code: 'AuthorizationHeaderMalformed', means: 'elsewhere', source: `${amazon}: the region is another` },
  { status: 400, code: 'IllegalLocationConstraintException', means: 'elsewhere', source: amazon },
  { status: 400, code: 'ExpiredToken', means: 'credentials', source: amazon },
  { status: 400, code: 'InvalidToken', means: 'credentials', source: amazon },
  { status: 400, code: 'TokenRefreshRequired', means: 'credentials', source: amazon },
  { status: 400, code: 'BadDigest', means: 'damaged', source: amazon },
  { status: 400, code: 'InvalidDigest', means: 'damaged', source: amazon },
  { status: 400, code: 'XAmzContentChecksumMismatch', means: 'damaged', source: 'MinIO, seen' },
  { status: 400, code: 'XAmzContentSHA256Mismatch', means: 'damaged', source: amazon },
  { status: 400, code: 'IncompleteBody', means: 'damaged', source: amazon },
  { status: 400, code: 'RequestTimeout', means: 'failed', source: amazon },
  { status: 400, code: 'EntityTooLarge', means: 'tooLarge', source: amazon },
  { status: 413, means: 'tooLarge', source: 'proxies before S3-compatibles' },
  { status: 401, means: 'credentials', source: 'Cloudflare R2' },
  { status: 403, code: 'RequestTimeTooSkewed', means: 'clockSkew', source: amazon },
  { status: 403, code: 'InvalidAccessKeyId', means: 'credentials', source: amazon },
  { status: 403, code: 'SignatureDoesNotMatch', means: 'credentials', source: amazon },
  { status: 403, code: 'ExpiredToken', means: 'credentials', source: 'Amazon S3 Express One Zone' },
  { status: 403, means: 'forbidden', source: amazon },
  { status: 404, code: 'NoSuchBucket', means: 'noBucket', source: amazon },
  {
    status: 404,
    code: 'NoSuchUpload',
    means: 'failed',
    source: `${amazon}; MinIO, seen, to a completion that is repeated`,
  },
  { status: 404, on: ['swap'], means: 'moved', source: `${amazon}: If-Match on a key that is missing` },
  { status: 404, means: 'missing', source: amazon },
  { status: 409, code: 'ConditionalRequestConflict', means: 'raced', source: amazon },
  { status: 409, code: 'OperationAborted', means: 'raced', source: amazon },
  { status: 409, means: 'refused', source: 'versitygw, seen: a key below an object of another' },
  { status: 412, on: ['create'], means: 'taken', source: amazon },
  { status: 412, means: 'moved', source: `${amazon}; SeaweedFS, seen, also for a key that is missing` },
  { status: 416, means: 'pastEnd', source: amazon },
  { status: 429, means: 'slowDown', source: 'Cloudflare R2' },
  { status: 499, means: 'raced', source: 'MinIO, seen: a slow body that was overtaken by a swap' },
  { status: 500, code: 'InternalError', means: 'failed', source: amazon },
  { status: 501, means: 'lacking', source: amazon },
  { status: 503, code: 'SlowDown', means: 'slowDown', source: amazon },
  { status: 503, means: 'failed', source: `${amazon}; MinIO, seen: a slow body that was overtaken by a create` },
]
