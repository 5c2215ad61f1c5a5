import { checkOptions, option, propertiesAt, systemRuntime, tableAccess, timeOf, unsupported } from '@moulin/core'
import type { ObjectStore, RenewAccess, Runtime, StorageCredential, StoreProperties, TableStores } from '@moulin/core'
import { s3 } from './s3.ts'
import { accessOptions, sharedOptions } from './s3-options.ts'
import type { S3Options, S3SharedOptions } from './s3-options.ts'

export interface S3StoresOptions extends Omit<S3SharedOptions, 'runtime'> {
  /**
   * Where new credentials come from before those that a table came with run out: the credentials endpoint of its catalog, for instance.
   * Without it the catalog is asked for the table again once the service refuses the old ones.
   */
  readonly renew?: RenewAccess
  /** Where the properties say nothing: the region, endpoint and credentials of your own. */
  readonly defaults?: Pick<S3Options, 'region' | 'endpoint' | 'pathStyle' | 'credentials'>
  readonly runtime?: Pick<Runtime, 'clock' | 'timers' | 'random'>
}

type Identity = Extract<NonNullable<S3Options['credentials']>, { accessKeyId: string }>

const EXPIRY = 's3.session-token-expires-at-ms'
const location = /^(s3|s3a|s3n):\/\/([^/]+)\//

/**
 * The stores of tables whose files lie in S3, by the properties that an Iceberg REST catalog hands out: `s3.endpoint`, `s3.region` or
 * `client.region`, `s3.path-style-access`, `s3.access-key-id`, `s3.secret-access-key`, `s3.session-token`,
 * `s3.session-token-expires-at-ms`, `s3.sse.type` and `s3.sse.key`; of vended credentials those with the longest prefix. Locations may say
 * `s3:`, `s3a:` or `s3n:`.
 *
 * @throws `invalid` for a bad option. The function that it gives throws `unsupported` code `STORE_SCHEME` for other locations, and code
 * `REMOTE_SIGNING` for a catalog that wants to sign each request itself.
 *
 * @example
 * const stores = s3Stores({ defaults: { region: 'eu-west-1' } })
 */
export function s3Stores(options: S3StoresOptions = {}): TableStores {
  checkOptions('s3Stores', options, {
    ...sharedOptions,
    renew: option.callback,
    defaults: option.secret(option.nested(accessOptions)),
    runtime: option.runtimeOf('clock', 'timers', 'random'),
  })
  const { renew, defaults = {}, ...shared } = options
  const { runtime = systemRuntime() } = options
  return (place, config, credentials): ObjectStore => {
    const [, , bucket] = location.exec(place) ?? []
    if (bucket === undefined)
      throw unsupported(
        'STORE_SCHEME',
        `s3Stores reads s3:, s3a: and s3n: locations, not ${place.slice(0, place.indexOf(':') + 1)}.`,
      )
    const { properties, current } = tableAccess({
      runtime,
      location: place,
      config,
      credentials,
      renew,
      propertiesOf,
      isAccess: (known) => identityOf(known) !== undefined,
      expiresAtMs: (known) => timeOf(EXPIRY, known[EXPIRY]),
    })
    if (isTrue(properties['s3.remote-signing-enabled']))
      throw unsupported(
        'REMOTE_SIGNING',
        `The catalog of ${place} wants to sign requests itself: ask it for vended credentials.`,
      )
    const identity = identityOf(properties)
    const region = properties['s3.region'] ?? properties['client.region']
    const endpoint = properties['s3.endpoint']
    const pathStyle = properties['s3.path-style-access']
    const encryption = encryptionOf(properties)
    return s3({
      ...defaults,
      ...shared,
      bucket,
      ...(region === undefined ? {} : { region }),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(pathStyle === undefined ? {} : { pathStyle: isTrue(pathStyle) }),
      // Without an expiry the SDK keeps an identity for good: one that has long run out it asks for anew with each request.
      ...(identity === undefined
        ? {}
        : { credentials: async () => ({ ...identityOf(await current())!, expiration: new Date(0) }) }),
      ...(encryption === undefined ? {} : { encryption }),
    })
  }
}

/** The schemes are names of one place: a catalog may vend for `s3:` what its metadata calls `s3a:`. */
function propertiesOf(
  place: string,
  config: StoreProperties,
  credentials: readonly StorageCredential[],
): StoreProperties {
  const plain = (uri: string): string => uri.replace(/^s3[an](?=:|$)/, 's3')
  return propertiesAt(
    plain(place),
    config,
    credentials.map((each) => ({ ...each, prefix: plain(each.prefix) })),
  )
}

function identityOf(properties: StoreProperties): Identity | undefined {
  const accessKeyId = properties['s3.access-key-id']
  const secretAccessKey = properties['s3.secret-access-key']
  const sessionToken = properties['s3.session-token']
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
}

function encryptionOf(properties: StoreProperties): S3Options['encryption'] {
  const keyId = properties['s3.sse.key']
  switch (properties['s3.sse.type']) {
    case undefined:
    case 'none':
      return undefined
    case 's3':
      return { type: 'AES256' }
    case 'kms':
      return { type: 'aws:kms', ...(keyId === undefined ? {} : { keyId }) }
    case 'dsse-kms':
      return { type: 'aws:kms:dsse', ...(keyId === undefined ? {} : { keyId }) }
    default:
      throw unsupported(
        'ENCRYPTION',
        'The catalog asks for an encryption (s3.sse.type) that is none of none, s3, kms and dsse-kms.',
      )
  }
}

/** Catalogs in Python write it their way. */
function isTrue(text: string | undefined): boolean {
  return text?.toLowerCase() === 'true'
}
