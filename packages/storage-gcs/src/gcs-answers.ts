import type { StoreAnswer, StoreCall } from '@moulin/core'

const google = 'Google Cloud Storage, HTTP status and error codes for JSON'
const sdk = 'Google Cloud Storage SDK for Node.js: no request for an object was sent'
const writes: readonly StoreCall[] = ['create', 'swap', 'overwrite']

/**
 * Codes that Google has no word for: its reason `notFound` is said of a bucket as of an object, `invalid` of a checksum as of a name. They
 * are read off the message, which is all there is in answer to a request for bytes.
 */
export const OWN_CODES = {
  bucketMissing: 'bucketNotFound',
  checksum: 'checksumMismatch',
  credentials: 'noCredentials',
  payer: 'userProjectMissing',
} as const

/** What Google Cloud Storage and its likes answer, and what it means. The code is the first error's `reason`. */
export const gcsAnswers: readonly StoreAnswer[] = [
  { code: OWN_CODES.credentials, means: 'noCredentials', source: sdk },
  { code: 'invalid_grant', means: 'credentials', source: `${sdk}: RFC 6749, an answer of the token endpoint` },
  { code: 'invalid_client', means: 'credentials', source: `${sdk}: RFC 6749, an answer of the token endpoint` },
  { code: 'unauthorized_client', means: 'credentials', source: `${sdk}: RFC 6749, an answer of the token endpoint` },
  { status: 304, means: 'unchanged', source: google },
  { status: 308, means: 'failed', source: `${google}: a resumable upload that lacks bytes` },
  { status: 400, code: OWN_CODES.checksum, means: 'damaged', source: google },
  { status: 400, code: OWN_CODES.payer, means: 'forbidden', source: `${google}: requester pays, and nobody said who` },
  { status: 400, code: 'uploadTooLarge', means: 'tooLarge', source: google },
  { status: 413, means: 'tooLarge', source: google },
  { status: 401, means: 'credentials', source: google },
  { status: 403, code: 'rateLimitExceeded', means: 'slowDown', source: google },
  { status: 403, code: 'userRateLimitExceeded', means: 'slowDown', source: google },
  { status: 403, code: 'quotaExceeded', means: 'slowDown', source: google },
  { status: 403, means: 'forbidden', source: google },
  { status: 404, code: OWN_CODES.bucketMissing, means: 'noBucket', source: google },
  { status: 404, on: ['list'], means: 'noBucket', source: google },
  { status: 404, on: writes, means: 'noBucket', source: `${google}: a generation that is missing is 412` },
  { status: 404, means: 'missing', source: google },
  { status: 409, means: 'raced', source: `${google}: another request changed the object meanwhile` },
  { status: 410, means: 'failed', source: `${google}: a resumable upload that is no more` },
  { status: 412, on: ['create'], means: 'taken', source: google },
  { status: 412, means: 'moved', source: `${google}, also for an object that is missing` },
  { status: 416, means: 'pastEnd', source: google },
  { status: 429, means: 'slowDown', source: `${google}: one write per second of one name, among others` },
  { status: 499, means: 'failed', source: google },
  { status: 501, means: 'lacking', source: 'gcsFake' },
]
