/** Headers of the REST specification, lower case. */
export const restHeaders = {
  accessDelegation: 'x-iceberg-access-delegation',
  etag: 'etag',
  ifNoneMatch: 'if-none-match',
  idempotencyKey: 'idempotency-key',
} as const

/** What {@link restHeaders.accessDelegation} may ask for that we take: credentials that the catalog hands out. */
export const VENDED_CREDENTIALS = 'vended-credentials'
