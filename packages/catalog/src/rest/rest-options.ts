import { checkOptions, invalid, option } from '@moulin/core'
import type { OptionTable, Runtime } from '@moulin/core'
import type { RestAuth } from './auth.ts'
import type { Fetch } from './exchange.ts'

export interface RestCatalogOptions {
  /** Of the catalog, up to `/v1`: `https://polaris.example/api/catalog`. Without credentials: `auth` has those. */
  readonly uri: string | URL
  /** Which of the server's warehouses, by the name or location that it knows. */
  readonly warehouse?: string
  /** {@link bearer}, {@link oauth2} or {@link sigV4}. Default: nobody asks. */
  readonly auth?: RestAuth
  /** With every request. Values are taken for secrets. */
  readonly headers?: Readonly<Record<string, string>>
  /** How long one call may take, all that it sends taken together; of a list, one page. Default 60 000. */
  readonly requestTimeoutMs?: number
  /** Whether tables come with credentials for their files, where the server hands them out. Default true. */
  readonly vendedCredentials?: boolean
  /** Of lists; default: all at once, which every server can. */
  readonly pageSize?: number
  /** Above it an answer is refused; default 100 000 000. */
  readonly maxAnswerBytes?: number
  /** JSON of tables that is kept, for as long as the server says by its ETag that it is the present one. Default 64 MiB. */
  readonly keptTableBytes?: number
  /** Where the server refuses metadata that is too large: what it is to stay below. Default: 4 000 000 for Amazon S3 Tables, which takes 5 MB. */
  readonly metadataWarnBytes?: number
  /** Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'clock' | 'timers' | 'random' | 'logger'>
  /** Default: the global one. */
  readonly fetch?: Fetch
}

const optionTable: OptionTable<RestCatalogOptions> = {
  uri: option.required(option.secret(option.anyOf(option.textOf('a URI'), option.objectOf('a URL object')))),
  warehouse: option.textOf('a name or location'),
  auth: option.secret(option.door('a RestAuth: bearer(), oauth2() or sigV4()', ['open'], ['name'])),
  headers: option.secret(option.recordOf(option.text)),
  requestTimeoutMs: option.milliseconds(1),
  vendedCredentials: option.flag,
  pageSize: option.integer('', 1),
  maxAnswerBytes: option.positiveBytes,
  keptTableBytes: option.integer('bytes', 0),
  metadataWarnBytes: option.positiveBytes,
  runtime: option.runtimeOf('clock', 'timers', 'random', 'logger'),
  fetch: option.callback,
}

/** @throws `invalid` code `OPTION`; `URI` and `HEADER` for what no request can have, without showing it. */
export function checkRestOptions(options: RestCatalogOptions): URL {
  checkOptions('restCatalog', options, optionTable)
  try {
    new Headers(options.headers as Record<string, string> | undefined)
  } catch {
    throw invalid('HEADER', 'restCatalog: one of headers has a name or a value that no request takes.')
  }
  let uri: URL
  try {
    uri = new URL(String(options.uri))
  } catch {
    throw invalid('URI', 'restCatalog: uri is no URL; give one such as https://host/api/catalog.')
  }
  const fault =
    uri.protocol !== 'http:' && uri.protocol !== 'https:'
      ? `has the scheme ${uri.protocol}`
      : uri.username !== '' || uri.password !== ''
        ? 'has credentials in it, which belong into auth'
        : uri.search !== '' || uri.hash !== ''
          ? 'has a query or a fragment'
          : undefined
  if (fault !== undefined) throw invalid('URI', `restCatalog: uri ${fault}; give one such as https://host/api/catalog.`)
  return uri
}
