import type { BlobServiceClient, ContainerClient } from '@azure/storage-blob'
import type { Durability, ListOrder, OptionTable, Runtime } from '@moulin/core'
import { MAX_REQUEST_BYTES, option } from '@moulin/core'

/** As every credential of `@azure/identity` is. */
export interface AzureTokenCredential {
  getToken(scopes: string | string[], options?: object): Promise<{ token: string; expiresOnTimestamp: number } | null>
}

/** Who asks: the account's own key, a shared access signature (or where the present one comes from), or a token of Entra ID. */
export type AzureCredential =
  | { readonly accountKey: string }
  | { readonly sasToken: string | (() => Promise<string>) }
  | { readonly connectionString: string }
  | AzureTokenCredential

export interface AzureOptions {
  readonly container: string
  /** Default: that of the client or of the connection string. */
  readonly account?: string
  /** Where in the container the store lies: a key and a slash, `orders/`. Default: the whole container. */
  readonly prefix?: string
  /**
   * A client of your own, of the container or of its account, used as it is, with its retries; else one is made of the options below,
   * without retries (the layer `retry` does them). Of a write that fails by one that may send requests again the outcome is `unknown`,
   * unless the head tells: make it with `retryOptions: { maxTries: 1 }`.
   */
  readonly client?: ContainerClient | BlobServiceClient
  /** Of the account's blobs: `http://127.0.0.1:10000/devstoreaccount1`. Default: `https://<account>.blob.<domain>`. */
  readonly endpoint?: string
  /** Of the account's name in locations: `core.windows.net`. Default: that of the endpoint, else `core.windows.net`. */
  readonly domain?: string
  /** Default: none, as for public containers. Give one of `@azure/identity` for the environment's own. */
  readonly credential?: AzureCredential
  /** The access tier of all new objects. Default: the account's. */
  readonly storageClass?: 'Hot' | 'Cool' | 'Cold'
  /** Of all new objects. Default: the container's. */
  readonly encryptionScope?: string
  /** Said to the service beside the SDK's own. */
  readonly userAgent?: string
  /** `bytes` for accounts without a hierarchical namespace. Default `none`. */
  readonly listOrder?: ListOrder
  /** What the account survives: `region` for zone-redundant storage. Default `zone`, which locally redundant storage is. */
  readonly durability?: Durability
  /** How long a request may say nothing. Default 30 000; each MiB that is sent is worth another second. */
  readonly deadlineMs?: number
  /** Of uploads in blocks, all equal but the last; 10 000 of them are the longest stream. Default 8 MiB. */
  readonly partBytes?: number
  /** Blocks of one stream that are sent at a time. Default 4. */
  readonly parallelParts?: number
  /** Default, and at most, a byte below 2 GiB: Node hashes no more at a time. A larger object goes by putStream. */
  readonly maxPutBytes?: number
  readonly runtime?: Pick<Runtime, 'timers' | 'random'>
}

/** What the REST specification's properties do not say of a table's files. */
export type AzureSharedOptions = Omit<
  AzureOptions,
  'container' | 'account' | 'prefix' | 'client' | 'endpoint' | 'domain' | 'credential'
>

export const sharedOptions: OptionTable<AzureSharedOptions> = {
  storageClass: option.oneOf('Hot', 'Cool', 'Cold'),
  encryptionScope: option.textOf('the name of an encryption scope'),
  userAgent: option.textOf('a name'),
  listOrder: option.oneOf('bytes', 'none'),
  durability: option.oneOf('memory', 'disk', 'zone', 'region'),
  deadlineMs: option.milliseconds(1),
  partBytes: option.integer('bytes', 1, MAX_REQUEST_BYTES),
  parallelParts: option.integer('blocks', 1, 100),
  maxPutBytes: option.integer('bytes', 1, MAX_REQUEST_BYTES),
  runtime: option.runtimeOf('timers', 'random'),
}

/** Of `defaults` of `azureStores`. What is given in the place of either may be a secret, a URL too. */
export const accessOptions: OptionTable<Pick<AzureOptions, 'endpoint' | 'credential'>> = {
  endpoint: option.secret({
    expected: 'an http: or https: URL of an address alone; a signature is a credential { sasToken }',
    accepts: isAddress,
  }),
  credential: option.secret({
    expected: '{ accountKey }, { sasToken }, { connectionString } or a TokenCredential',
    accepts: isCredential,
  }),
}

/** A query would be a signature, which belongs to the credential: an endpoint is shown. */
function isAddress(value: unknown): boolean {
  return typeof value === 'string' && /^https?:\/\/[^?#@]+$/.test(value) && URL.canParse(value)
}

function isCredential(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if ('accountKey' in value)
    return typeof value.accountKey === 'string' && /^[A-Za-z0-9+/]+={0,2}$/.test(value.accountKey)
  if ('sasToken' in value) return typeof value.sasToken === 'string' || typeof value.sasToken === 'function'
  if ('connectionString' in value) return typeof value.connectionString === 'string'
  return 'getToken' in value && typeof value.getToken === 'function'
}

export const azureOptionTable: OptionTable<AzureOptions> = {
  ...sharedOptions,
  container: option.required(option.textOf('the name of a container')),
  account: option.textOf('the name of a storage account'),
  prefix: option.text,
  // A connection string in its place is a secret.
  client: option.secret(option.objectOf('a ContainerClient or a BlobServiceClient')),
  ...accessOptions,
  domain: option.secret({
    expected: "a domain, such as 'core.windows.net'",
    accepts: (value) => typeof value === 'string' && /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(value),
  }),
}
