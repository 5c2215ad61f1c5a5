import { checkOptions, option, systemRuntime, tableAccess, timeOf, unsupported } from '@moulin/core'
import type { ObjectStore, RenewAccess, Runtime, StoreProperties, TableStores } from '@moulin/core'
import { gcs } from './gcs.ts'
import { isGoogles } from './gcs-client.ts'
import { accessOptions, sharedOptions } from './gcs-options.ts'
import type { GcsOptions, GcsSharedOptions } from './gcs-options.ts'

export interface GcsStoresOptions extends Omit<GcsSharedOptions, 'runtime'> {
  /**
   * Where a new token comes from before the one that a table came with runs out: the credentials endpoint of its catalog, for instance.
   * Without it the catalog is asked for the table again once the service refuses the old one.
   */
  readonly renew?: RenewAccess
  /** Where the properties say nothing: the project, endpoint and credentials of your own. */
  readonly defaults?: Pick<GcsOptions, 'projectId' | 'apiEndpoint' | 'credentials' | 'token' | 'userProject'>
  readonly runtime?: Pick<Runtime, 'clock' | 'timers' | 'random'>
}

const TOKEN = 'gcs.oauth2.token'
const EXPIRY = 'gcs.oauth2.token-expires-at'
const location = /^gs:\/\/([^/]+)\//

/**
 * The stores of tables whose files lie in Google Cloud Storage, by the properties that an Iceberg REST catalog hands out:
 * `gcs.oauth2.token`, `gcs.oauth2.token-expires-at`, `gcs.project-id`, `gcs.service.host` and `gcs.user-project`; of vended credentials those
 * with the longest prefix.
 *
 * @throws `invalid` for a bad option. The function that it gives throws `unsupported` code `STORE_SCHEME` for locations that are not
 * `gs:`, code `ENCRYPTION` for a catalog that hands out keys of the customer's own, and code `CREDENTIALS_ELSEWHERE` for one that would
 * have yours sent to an endpoint that is neither Google's nor in `defaults`.
 *
 * @example
 * const stores = gcsStores({ defaults: { projectId: 'orders' } })
 */
export function gcsStores(options: GcsStoresOptions = {}): TableStores {
  checkOptions('gcsStores', options, {
    ...sharedOptions,
    renew: option.callback,
    defaults: option.secret(option.nested(accessOptions)),
    runtime: option.runtimeOf('clock', 'timers', 'random'),
  })
  const { renew, defaults = {}, ...shared } = options
  const { runtime = systemRuntime() } = options
  return (place, config, credentials): ObjectStore => {
    const [, bucket] = location.exec(place) ?? []
    if (bucket === undefined)
      throw unsupported('STORE_SCHEME', `gcsStores reads gs: locations, not ${place.slice(0, place.indexOf(':') + 1)}.`)
    const { properties, current } = tableAccess({
      runtime,
      location: place,
      config,
      credentials,
      renew,
      isAccess: (known) => known[TOKEN] !== undefined,
      expiresAtMs: (known) => timeOf(EXPIRY, known[EXPIRY]),
    })
    checkKeys(place, properties)
    const projectId = properties['gcs.project-id']
    const apiEndpoint = properties['gcs.service.host']
    const userProject = properties['gcs.user-project']
    const { credentials: _credentials, token: _token, ...others } = defaults
    const hasToken = properties[TOKEN] !== undefined
    if (!hasToken) checkOwn(place, apiEndpoint, defaults)
    return gcs({
      ...(hasToken ? others : defaults),
      ...shared,
      bucket,
      ...(projectId === undefined ? {} : { projectId }),
      ...(apiEndpoint === undefined ? {} : { apiEndpoint }),
      ...(userProject === undefined ? {} : { userProject }),
      ...(hasToken ? { token: async () => ({ token: (await current())[TOKEN]! }) } : {}),
    })
  }
}

/** A token that is shown to an endpoint is that endpoint's: yours goes to Google, and where you say. */
function checkOwn(
  place: string,
  apiEndpoint: string | undefined,
  defaults: NonNullable<GcsStoresOptions['defaults']>,
): void {
  if (defaults.credentials === undefined && defaults.token === undefined) return
  if (apiEndpoint === undefined || apiEndpoint === defaults.apiEndpoint || isGoogles(apiEndpoint)) return
  throw unsupported(
    'CREDENTIALS_ELSEWHERE',
    `The catalog of ${place} names an endpoint that is not Google's and gives no token: yours is not sent there. Give that endpoint in defaults, too.`,
  )
}

function checkKeys(place: string, properties: StoreProperties): void {
  for (const name of ['gcs.encryption-key', 'gcs.decryption-key']) {
    if (properties[name] === undefined) continue
    throw unsupported('ENCRYPTION', `The catalog of ${place} gives ${name}: keys of the customer's own are not sent.`)
  }
}
