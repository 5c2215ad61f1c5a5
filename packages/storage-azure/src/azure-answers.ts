import type { StoreAnswer } from '@moulin/core'

const vendor = 'Azure Storage, error codes and conditional headers'
const identity = 'Azure SDK for JavaScript: no request was sent'

/** Words of ours for what the SDK says without one. */
export const OWN_CODES = {
  /** An answer of 2xx that lacks what every such answer of the service has. */
  strange: 'NotAnAnswer',
  /** Other bytes came than their checksum says. */
  checksum: 'Md5OfAnswer',
} as const

/**
 * What Azure Blob Storage answers, and what it means. Azure's own words are from its documents; where Azurite says it otherwise, the row
 * names it.
 */
export const azureAnswers: readonly StoreAnswer[] = [
  { code: 'CredentialUnavailableError', means: 'noCredentials', source: identity },
  { code: 'AuthenticationRequiredError', means: 'noCredentials', source: identity },
  { code: 'AuthenticationError', means: 'credentials', source: identity },
  { code: 'AggregateAuthenticationError', means: 'noCredentials', source: identity },
  { code: OWN_CODES.strange, means: 'failed', source: 'ours: an answer of 2xx without a tag, of something between' },
  { code: OWN_CODES.checksum, means: 'failed', source: 'ours: the bytes read are not those of their MD5' },
  { status: 304, means: 'unchanged', source: vendor },
  { status: 400, code: 'Md5Mismatch', means: 'damaged', source: vendor },
  { status: 400, code: 'Crc64Mismatch', means: 'damaged', source: vendor },
  { status: 400, code: 'InvalidMd5', means: 'damaged', source: vendor },
  {
    status: 400,
    code: 'InvalidBlockList',
    means: 'raced',
    source: `${vendor}: another put or commit of the key has dropped the blocks`,
  },
  { status: 400, code: 'IncompleteBody', means: 'damaged', source: vendor },
  { status: 400, code: 'AuthenticationFailed', means: 'credentials', source: vendor },
  { status: 401, means: 'credentials', source: vendor },
  { status: 403, code: 'AuthenticationFailed', means: 'credentials', source: vendor },
  { status: 403, code: 'InvalidAuthenticationInfo', means: 'credentials', source: vendor },
  {
    status: 403,
    code: 'UnauthorizedBlobOverwrite',
    on: ['create'],
    means: 'taken',
    source: `${vendor}: a signature that permits to create and not to write`,
  },
  { status: 403, means: 'forbidden', source: vendor },
  { status: 404, code: 'ContainerNotFound', means: 'noBucket', source: vendor },
  { status: 404, code: 'ResourceNotFound', means: 'noBucket', source: `${vendor}: the account or container` },
  { status: 404, code: 'BlobNotFound', on: ['swap'], means: 'moved', source: vendor },
  { status: 404, code: 'BlobNotFound', means: 'missing', source: vendor },
  { status: 404, code: 'PathNotFound', on: ['swap'], means: 'moved', source: `${vendor}: hierarchical namespace` },
  { status: 404, code: 'PathNotFound', means: 'missing', source: `${vendor}: hierarchical namespace` },
  { status: 409, code: 'BlobAlreadyExists', on: ['create'], means: 'taken', source: `${vendor}; Azurite, seen` },
  { status: 409, code: 'ContainerBeingDeleted', means: 'noBucket', source: vendor },
  { status: 409, code: 'ContainerDisabled', means: 'noBucket', source: vendor },
  { status: 409, code: 'AccountBeingCreated', means: 'failed', source: vendor },
  { status: 409, code: 'BlobBeingRehydrated', means: 'failed', source: vendor },
  { status: 409, code: 'BlobImmutableDueToPolicy', means: 'forbidden', source: vendor },
  { status: 409, means: 'refused', source: `${vendor}: leases, snapshots, other kinds of blob, folders` },
  { status: 412, code: 'LeaseIdMissing', means: 'forbidden', source: `${vendor}: another holds a lease` },
  { status: 412, code: 'LeaseLost', means: 'forbidden', source: vendor },
  { status: 412, on: ['create'], means: 'taken', source: vendor },
  {
    status: 412,
    on: ['swap', 'get'],
    means: 'moved',
    source: `${vendor}; Azurite, seen, also for a key that is missing`,
  },
  { status: 413, means: 'tooLarge', source: vendor },
  { status: 416, means: 'pastEnd', source: `${vendor}; Azurite answers 206, seen` },
  { status: 429, means: 'slowDown', source: vendor },
  { status: 500, code: 'OperationTimedOut', means: 'failed', source: `${vendor}: the write may have happened` },
  { status: 501, means: 'lacking', source: vendor },
  { status: 503, code: 'ServerBusy', means: 'slowDown', source: vendor },
  { status: 503, means: 'failed', source: vendor },
]
