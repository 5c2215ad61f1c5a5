import type { Storage, StorageOptions } from '@google-cloud/storage'
import type { Durability, ListOrder, OptionTable, Runtime } from '@moulin/core'
import { MAX_REQUEST_BYTES, option } from '@moulin/core'

/** An OAuth 2 access token. */
export interface GcsToken {
  readonly token: string
}

export interface GcsOptions {
  readonly bucket: string
  /** Where in the bucket the store lies: a key and a slash, `orders/`. Default: the whole bucket. */
  readonly prefix?: string
  /** A client of your own, used as it is, with its retries; else one is made of the options below, without retries (the layer `retry` does them). */
  readonly client?: Storage
  /** Default: the SDK's own chain. Reading and writing objects needs none. */
  readonly projectId?: string
  /**
   * Of another endpoint than Google's public one: `http://localhost:4443`. To one that is not below googleapis.com credentials are sent only
   * where they are given here.
   */
  readonly apiEndpoint?: string
  /** A service account's key, or what else the SDK takes. Default: the SDK's own chain of environment, files and metadata server. */
  readonly credentials?: NonNullable<StorageOptions['credentials']>
  /** Where each request gets an access token from, in place of credentials: keep it as long as it is good. */
  readonly token?: () => Promise<GcsToken>
  /** Of all new objects: `NEARLINE`. Default: the bucket's. */
  readonly storageClass?: string
  /** A Cloud KMS key for all new objects. Default: the bucket's. */
  readonly kmsKeyName?: string
  /** The project that pays, in buckets of others whose readers pay. */
  readonly userProject?: string
  /** Said to the service beside the SDK's own. */
  readonly userAgent?: string
  /** `none` for servers that do not list by bytes. Default `bytes`. */
  readonly listOrder?: ListOrder
  /** What the bucket survives. Default `region`. */
  readonly durability?: Durability
  /** `dropped`: the server does not keep user metadata. A write whose answer was lost is then settled by its bytes. Default `kept`. */
  readonly userMetadata?: 'kept' | 'dropped'
  /** How long a request may say nothing. Default 30 000; each MiB that is sent is worth another second. */
  readonly deadlineMs?: number
  /** Of streams, which go out in parts, one after the other; rounded up to a multiple of 256 KiB. Default 8 MiB. */
  readonly partBytes?: number
  /**
   * The longest object that is put by one request. Default 1 GiB, at most a byte below 2 GiB, for Node hashes no more at a time: a larger one
   * goes by putStream, up to Google's 5 TiB.
   */
  readonly maxPutBytes?: number
  readonly runtime?: Pick<Runtime, 'timers' | 'random'>
}

/** What the REST specification's properties do not say of a table's files. */
export type GcsSharedOptions = Omit<
  GcsOptions,
  'bucket' | 'prefix' | 'client' | 'projectId' | 'apiEndpoint' | 'credentials' | 'token' | 'userProject'
>

export const sharedOptions: OptionTable<GcsSharedOptions> = {
  storageClass: option.textOf('a storage class'),
  kmsKeyName: option.textOf('a key'),
  userAgent: option.textOf('a name'),
  listOrder: option.oneOf('bytes', 'none'),
  durability: option.oneOf('memory', 'disk', 'zone', 'region'),
  userMetadata: option.oneOf('kept', 'dropped'),
  deadlineMs: option.milliseconds(1),
  partBytes: option.integer('bytes', 256 * 1024, 2 ** 31 - 256 * 1024),
  maxPutBytes: option.integer('bytes', 1, MAX_REQUEST_BYTES),
  runtime: option.runtimeOf('timers', 'random'),
}

/** Of `defaults` of `gcsStores`. What is given in the place of a secret may be one. */
export const accessOptions: OptionTable<
  Pick<GcsOptions, 'projectId' | 'apiEndpoint' | 'credentials' | 'token' | 'userProject'>
> = {
  projectId: option.textOf('a project'),
  apiEndpoint: option.secret({
    expected: 'a host, or an http: or https: URL without user, password or query',
    accepts: isEndpoint,
  }),
  credentials: option.secret({
    expected: '{ client_email, private_key }, or the content of a file of credentials, which has a type',
    accepts: isCredentials,
  }),
  token: option.secret(option.callback),
  userProject: option.textOf('a project'),
}

function isEndpoint(value: unknown): boolean {
  if (typeof value !== 'string' || !/^(?:https?:\/\/)?[^\s/?#@:]+(?::\d+)?(?:\/[^?#@]*)?$/.test(value)) return false
  return URL.canParse(value.startsWith('http') ? value : `https://${value}`)
}

/** The SDK takes any object, and of one that says nothing to it goes its own way to others' credentials. */
function isCredentials(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { client_email: email, private_key: key, type } = value as Readonly<Record<string, unknown>>
  const isText = (text: unknown): boolean => typeof text === 'string' && text !== ''
  return isText(type) || (isText(email) && isText(key))
}

export const gcsOptionTable: OptionTable<GcsOptions> = {
  ...sharedOptions,
  bucket: option.required(option.textOf('the name of a bucket')),
  prefix: option.text,
  client: option.secret(option.door('a Storage', ['bucket', 'request'], ['apiEndpoint'])),
  ...accessOptions,
}
