import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import type { Durability, ListOrder, OptionCheck, OptionTable, Runtime } from '@moulin/core'
import { MAX_REQUEST_BYTES, option } from '@moulin/core'

export interface S3Options {
  readonly bucket: string
  /** Where in the bucket the store lies: a key and a slash, `orders/`. Default: the whole bucket. */
  readonly prefix?: string
  /** A client of your own, used as it is, with its retries; else one is made of the options below, without retries (the layer `retry` does them). */
  readonly client?: S3Client
  /** Default: the SDK's own chain. */
  readonly region?: string
  /** Of a store that speaks S3: `http://localhost:8333`. Default: Amazon's. */
  readonly endpoint?: string
  /** The bucket in the path, not in the name of the host, as most S3-compatibles want it. Default: where an `endpoint` is given, or `AWS_ENDPOINT_URL` is. */
  readonly pathStyle?: boolean
  /** Default: the SDK's own chain of environment, files and roles. */
  readonly credentials?: NonNullable<S3ClientConfig['credentials']>
  /** Of all new objects. Default: the bucket's. */
  readonly storageClass?: string
  /** Of all new objects. Default: the bucket's. `keyId` of a KMS key. */
  readonly encryption?:
    { readonly type: 'AES256' } | { readonly type: 'aws:kms' | 'aws:kms:dsse'; readonly keyId?: string }
  /** Whoever asks pays, in buckets of others. */
  readonly requesterPays?: boolean
  /** Said to the service beside the SDK's own. */
  readonly userAgent?: string
  /** `none` for stores that do not list by bytes, such as SeaweedFS. Default `bytes`; `none` for directory buckets (S3 Express). */
  readonly listOrder?: ListOrder
  /** What the bucket survives. Default `region`; `zone` for directory buckets. */
  readonly durability?: Durability
  /** `dropped`: the store does not keep user metadata. A write whose answer was lost is then settled by its bytes. Default `kept`. */
  readonly userMetadata?: 'kept' | 'dropped'
  /** How long a request may say nothing. Default 30 000; each MiB that is sent is worth another second. */
  readonly deadlineMs?: number
  /** Of uploads in parts, all equal but the last. From 5 MiB; 10 000 of them are the longest stream. Default 8 MiB. */
  readonly partBytes?: number
  /** Parts of one stream that are sent at a time. Default 4. */
  readonly parallelParts?: number
  /** Default, and at most, a byte below 2 GiB: Node hashes no more at a time. A larger object goes by putStream. */
  readonly maxPutBytes?: number
  readonly runtime?: Pick<Runtime, 'timers' | 'random'>
}

/** What the REST specification's properties do not say of a table's files. */
export type S3SharedOptions = Omit<
  S3Options,
  'bucket' | 'prefix' | 'client' | 'region' | 'endpoint' | 'credentials' | 'encryption'
>

export const sharedOptions: OptionTable<S3SharedOptions> = {
  pathStyle: option.flag,
  storageClass: option.textOf('a storage class'),
  requesterPays: option.flag,
  userAgent: option.textOf('a name'),
  listOrder: option.oneOf('bytes', 'none'),
  durability: option.oneOf('memory', 'disk', 'zone', 'region'),
  userMetadata: option.oneOf('kept', 'dropped'),
  deadlineMs: option.milliseconds(1),
  partBytes: option.integer('bytes', 5 * 1024 * 1024, MAX_REQUEST_BYTES),
  parallelParts: option.integer('parts', 1, 100),
  maxPutBytes: option.integer('bytes', 1, MAX_REQUEST_BYTES),
  runtime: option.runtimeOf('timers', 'random'),
}

// What is given in the place of either may be a secret, a URL too.
const endpoint: OptionCheck = option.secret({
  expected: 'an http: or https: URL without user or password',
  accepts: isEndpoint,
})
const credentials: OptionCheck = option.secret({
  expected: 'a function or { accessKeyId, secretAccessKey, sessionToken? }',
  accepts: (value) => typeof value === 'function' || isWritten(value),
})

/** Of `defaults` of `s3Stores`. */
export const accessOptions: OptionTable<Pick<S3Options, 'region' | 'endpoint' | 'pathStyle' | 'credentials'>> = {
  region: option.textOf('a region'),
  endpoint,
  pathStyle: option.flag,
  credentials,
}

function isEndpoint(endpoint: unknown): boolean {
  if (typeof endpoint !== 'string' || !URL.canParse(endpoint)) return false
  const { protocol, username, password } = new URL(endpoint)
  return /^https?:$/.test(protocol) && username === '' && password === ''
}

/** A pair of texts, with a token or without. */
export function isIdentity(value: unknown): boolean {
  const { accessKeyId, secretAccessKey, sessionToken = '' } = (value ?? {}) as Readonly<Record<string, unknown>>
  const isText = (text: unknown): boolean => typeof text === 'string'
  return isText(accessKeyId) && accessKeyId !== '' && isText(secretAccessKey) && isText(sessionToken)
}

/** What somebody writes down, not what a provider of the SDK gives, which may say more: a misspelt token would be left out. */
function isWritten(value: unknown): boolean {
  return isIdentity(value) && Object.keys(value as object).every((name) => names.has(name))
}
/** Those of the SDK's `AwsCredentialIdentity`. */
const names: ReadonlySet<string> = new Set([
  'accessKeyId',
  'secretAccessKey',
  'sessionToken',
  'expiration',
  'credentialScope',
  'accountId',
  '$source',
])

export const s3OptionTable: OptionTable<S3Options> = {
  ...sharedOptions,
  bucket: option.required(option.textOf('the name of a bucket')),
  prefix: option.text,
  client: option.secret(option.door('an S3Client', ['send'], ['config'])),
  region: option.textOf('a region'),
  endpoint,
  credentials,
  encryption: option.anyOf(
    option.nested({
      type: option.required(option.oneOf('AES256', 'aws:kms', 'aws:kms:dsse')),
      keyId: option.textOf('a key'),
    }),
  ),
}
