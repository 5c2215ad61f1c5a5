/** What a service counts: one HTTP request of its kind. An upload in parts is a put for its beginning, for each part and for its end. */
export type RequestKind = 'get' | 'head' | 'list' | 'put' | 'delete'

/** How a service charges a request. */
export type RequestClass = 'a' | 'b' | 'free'

/**
 * What a service asks for requests and bytes, at list price, without what its free tier and discounts take off, and without data that
 * leaves the region. Data: give one of your own where it is out of date or your contract says otherwise.
 */
export interface PriceTable {
  readonly name: string
  /** ISO 4217. */
  readonly currency: string
  /** The day on which it was read, `2026-11-29`. */
  readonly date: string
  /** Where, and of which region and redundancy it is. */
  readonly source: string
  readonly classes: Readonly<Record<RequestKind, RequestClass>>
  /** Of 1 000 requests of the class. */
  readonly perThousand: { readonly a: number; readonly b: number }
  /** Of 2^30 bytes that are written or read, where the service charges them inside its region. */
  readonly perGiB: { readonly sent: number; readonly received: number }
  /** Of 2^30 bytes kept for a month. */
  readonly perGiBMonth: number
}

/** What went to a service and came from it. */
export interface StoreUsage {
  readonly requests: Readonly<Record<RequestKind, number>>
  readonly sentBytes: number
  readonly receivedBytes: number
}

/** Money for a {@link StoreUsage}. */
export interface StoreCost {
  readonly currency: string
  readonly requests: number
  readonly bytes: number
  /** Of both. */
  readonly total: number
  /** The table that says so. */
  readonly prices: PriceTable
}

const GIB = 2 ** 30

// Everywhere alike: deletes are free, reads of one object are the cheap class, all else the dear one.
const classes: PriceTable['classes'] = { get: 'b', head: 'b', list: 'a', put: 'a', delete: 'free' }
const noBytes = { sent: 0, received: 0 }

/** List prices of the common services, each with its date and source. */
export const priceTables: Readonly<Record<'s3' | 's3Express' | 'gcs' | 'azure' | 'r2', PriceTable>> = {
  s3: {
    name: 'Amazon S3 Standard',
    currency: 'USD',
    date: '2026-11-29',
    source: 'aws.amazon.com/s3/pricing, US East (N. Virginia), as mirrors of the page show it',
    classes,
    perThousand: { a: 0.005, b: 0.0004 },
    perGiB: noBytes,
    perGiBMonth: 0.023,
  },
  s3Express: {
    name: 'Amazon S3 Express One Zone',
    currency: 'USD',
    date: '2026-11-29',
    source: 'aws.amazon.com/s3/faqs, the worked example for US East (N. Virginia)',
    classes,
    perThousand: { a: 0.00113, b: 0.00003 },
    perGiB: { sent: 0.0032, received: 0.0006 },
    perGiBMonth: 0.11,
  },
  gcs: {
    name: 'Google Cloud Storage Standard',
    currency: 'USD',
    date: '2026-11-29',
    source: 'cloud.google.com/storage/pricing-examples, a bucket in us-east1',
    classes,
    perThousand: { a: 0.005, b: 0.0004 },
    perGiB: noBytes,
    perGiBMonth: 0.02,
  },
  azure: {
    name: 'Azure Blob Storage hot, LRS',
    currency: 'USD',
    date: '2026-11-29',
    source: 'not read from the vendor: about what East US is known for; check it before you rely on it',
    classes,
    perThousand: { a: 0.005, b: 0.0004 },
    perGiB: noBytes,
    perGiBMonth: 0.018,
  },
  r2: {
    name: 'Cloudflare R2 Standard',
    currency: 'USD',
    date: '2026-11-29',
    source: 'developers.cloudflare.com/r2/pricing',
    classes,
    perThousand: { a: 0.0045, b: 0.00036 },
    perGiB: noBytes,
    perGiBMonth: 0.015,
  },
}

/**
 * The table for a store's root, by its scheme; what speaks like S3 is taken for Amazon's, of S3 Express where the bucket is a directory
 * bucket. Undefined where the scheme says nothing.
 */
export function pricesOf(root: string): PriceTable | undefined {
  const scheme = /^[a-z0-9+.-]+(?=:)/i.exec(root)?.[0]?.toLowerCase()
  if (scheme === 's3') return /^s3:\/\/[^/]+--x-s3\//i.test(root) ? priceTables.s3Express : priceTables.s3
  if (scheme === 'gs') return priceTables.gcs
  return scheme === 'abfss' ? priceTables.azure : undefined
}

export function costOf(usage: StoreUsage, prices: PriceTable): StoreCost {
  const { requests, sentBytes, receivedBytes } = usage
  const { classes, perThousand, perGiB, currency } = prices
  const kinds = Object.keys(requests) as RequestKind[]
  const priceOf = (kind: RequestKind): number => (classes[kind] === 'free' ? 0 : perThousand[classes[kind]] / 1000)
  const ofRequests = kinds.reduce((sum, kind) => sum + requests[kind] * priceOf(kind), 0)
  const ofBytes = (sentBytes * perGiB.sent + receivedBytes * perGiB.received) / GIB
  return { currency, requests: ofRequests, bytes: ofBytes, total: ofRequests + ofBytes, prices }
}
