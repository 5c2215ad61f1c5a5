import { checkOptions, option, systemRuntime, tableAccess, timeOf, unsupported } from '@moulin/core'
import type { ObjectStore, RenewAccess, Runtime, StoreProperties, TableStores } from '@moulin/core'
import { azure } from './azure.ts'
import { accessOptions, sharedOptions } from './azure-options.ts'
import type { AzureCredential, AzureOptions, AzureSharedOptions } from './azure-options.ts'

export interface AzureStoresOptions extends Omit<AzureSharedOptions, 'runtime'> {
  /**
   * Where new credentials come from before those that a table came with run out: the credentials endpoint of its catalog, for instance.
   * Without it the catalog is asked for the table again once the service refuses the old ones.
   */
  readonly renew?: RenewAccess
  /** Where the properties say nothing: the endpoint and credential of your own. */
  readonly defaults?: Pick<AzureOptions, 'endpoint' | 'credential'>
  readonly runtime?: Pick<Runtime, 'clock' | 'timers' | 'random'>
}

interface Place {
  readonly container: string
  readonly account: string
  readonly domain: string
}

const SIGNATURE = 'adls.sas-token'
const EXPIRY = 'adls.sas-token-expires-at-ms'
const location = /^(?:abfss?|wasbs?):\/\/([^@/]+)@([^./]+)\.(?:dfs|blob)\.([^/:]+)\//

/**
 * The stores of tables whose files lie in Azure, by the properties that an Iceberg REST catalog hands out: `adls.sas-token.<account>` and
 * `adls.sas-token-expires-at-ms.<account>`, `adls.connection-string.<account>` (a connection string, or an endpoint, as Iceberg's Java
 * takes it), `adls.auth.shared-key.account.name` and `.key`, `adls.token`; of vended credentials those with the longest prefix. The
 * account stands there as in locations, `lake.dfs.core.windows.net`, or by its name alone. Locations may say `abfss:`, `abfs:`, `wasbs:`
 * or `wasb:`.
 *
 * @throws `invalid` for a bad option. The function that it gives throws `unsupported` code `STORE_SCHEME` for other locations, and code
 * `CREDENTIALS_ELSEWHERE` where your own credentials would go to a host that is neither Azure's nor in `defaults`.
 *
 * @example
 * const stores = azureStores({ defaults: { credential: new DefaultAzureCredential() } })
 */
export function azureStores(options: AzureStoresOptions = {}): TableStores {
  checkOptions('azureStores', options, {
    ...sharedOptions,
    renew: option.callback,
    defaults: option.secret(option.nested(accessOptions)),
    runtime: option.runtimeOf('clock', 'timers', 'random'),
  })
  const { renew, defaults = {}, ...shared } = options
  const { runtime = systemRuntime() } = options
  return (at, config, credentials): ObjectStore => {
    const place = placeOf(at)
    const { properties, current } = tableAccess({
      runtime,
      location: at,
      config,
      credentials,
      renew,
      isAccess: (known) => propertyOf(known, SIGNATURE, place) !== undefined,
      expiresAtMs: (known) => timeOf(EXPIRY, propertyOf(known, EXPIRY, place)),
    })
    const token = async (): Promise<string> => propertyOf(await current(), SIGNATURE, place)!
    const { endpoint, credential } = accessOf(properties, place, token)
    if (credential === undefined) checkOwn(place, endpoint, defaults)
    return azure({
      ...shared,
      ...place,
      ...given(defaults, credential),
      ...(endpoint === undefined ? {} : { endpoint }),
    })
  }
}

function placeOf(at: string): Place {
  const [, container, account, domain] = location.exec(at) ?? []
  if (container !== undefined && account !== undefined && domain !== undefined) return { container, account, domain }
  throw unsupported(
    'STORE_SCHEME',
    `azureStores reads abfss:, abfs:, wasbs: and wasb: locations of an account, abfss://container@account.dfs.core.windows.net/…, not ${at.slice(0, at.indexOf(':') + 1)}.`,
  )
}

/** A signature or a token that is shown to a host is that host's: yours goes to Azure, and where you say, not where a location leads. */
function checkOwn(
  { domain }: Place,
  endpoint: string | undefined,
  defaults: NonNullable<AzureStoresOptions['defaults']>,
): void {
  if (defaults.credential === undefined) return
  if (endpoint === undefined ? defaults.endpoint !== undefined || isAzures(domain) : endpoint === defaults.endpoint)
    return
  throw unsupported(
    'CREDENTIALS_ELSEWHERE',
    `The catalog or a location names a host (${JSON.stringify(domain)}, or an endpoint of its own) that is not Azure's, and there are no credentials for it: yours are not sent there. Give that endpoint in defaults, too.`,
  )
}

/** The clouds of Azure, OneLake, and zones of DNS. */
function isAzures(domain: string): boolean {
  return /^(core\.(windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)|fabric\.microsoft\.com|storage\.azure\.net)$/.test(
    domain,
  )
}

/** What is your own stands behind what the catalog gives; a connection string of your own has an endpoint that goes with it. */
function given(
  defaults: NonNullable<AzureStoresOptions['defaults']>,
  credential: AzureCredential | undefined,
): Pick<AzureOptions, 'endpoint' | 'credential'> {
  if (credential === undefined) return defaults
  if ('connectionString' in credential) return { credential }
  return { ...(defaults.endpoint === undefined ? {} : { endpoint: defaults.endpoint }), credential }
}

function accessOf(
  properties: StoreProperties,
  place: Place,
  token: () => Promise<string>,
): { readonly endpoint?: string; readonly credential?: AzureCredential } {
  const connection = propertyOf(properties, 'adls.connection-string', place)
  const isAddress = connection !== undefined && /^https?:\/\//.test(connection)
  const endpoint = isAddress ? { endpoint: connection } : {}
  if (propertyOf(properties, SIGNATURE, place) !== undefined) return { ...endpoint, credential: { sasToken: token } }
  const accountKey = properties['adls.auth.shared-key.account.key']
  if (accountKey !== undefined && properties['adls.auth.shared-key.account.name'] === place.account)
    return { ...endpoint, credential: { accountKey } }
  const bearer = properties['adls.token']
  if (bearer !== undefined) {
    const getToken = (): Promise<{ token: string; expiresOnTimestamp: number }> =>
      Promise.resolve({ token: bearer, expiresOnTimestamp: Number.MAX_SAFE_INTEGER })
    return { ...endpoint, credential: { getToken } }
  }
  if (connection !== undefined && !isAddress) return { credential: { connectionString: connection } }
  return endpoint
}

/** Of the account, as a catalog may spell it. */
function propertyOf(properties: StoreProperties, name: string, { account, domain }: Place): string | undefined {
  const spellings = [`${account}.dfs.${domain}`, `${account}.blob.${domain}`, account]
  for (const spelling of spellings) {
    const value = properties[`${name}.${spelling}`]
    if (value !== undefined) return value
  }
  return undefined
}
