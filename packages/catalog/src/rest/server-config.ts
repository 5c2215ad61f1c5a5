import { invalid, requireCapability, shown, unsupported } from '@moulin/core'
import type { CatalogCapabilities } from '@moulin/core'
import type { CatalogConfig } from './wire/messages.ts'
import { defaultRoutes, endpointText, routes } from './wire/routes.ts'
import type { RouteName } from './wire/routes.ts'
import { DEFAULT_SEPARATOR } from './wire/url-names.ts'

/** What a server says of itself, once: REST specification, `getConfig`. */
export interface ServerConfig {
  /** Without a slash at its end. */
  readonly uri: string
  readonly prefix: string
  readonly separator: string
  readonly routes: ReadonlySet<RouteName>
  /** Whether it remembers `Idempotency-Key`s. */
  readonly takesKeys: boolean
  /** What it says of the files of all tables. May hold secrets. */
  readonly fileProperties: Readonly<Record<string, string>>
}

const fileProperty = /^(s3|gcs|adls|client)\./

/**
 * @param uri The catalog's own. Another one that the server names counts only where it is of the same origin: our credentials go to no
 * other. `onIgnored` is told of one that does not.
 * @throws `invalid` code `SEPARATOR` for one that leaves no levels apart, or none in one path.
 */
export function serverConfig(config: CatalogConfig, uri: string, onIgnored: (uri: string) => void): ServerConfig {
  const { defaults, overrides } = config
  const said = { ...defaults, ...overrides }
  const listed = config.endpoints ?? []
  return {
    uri: ownUri(overrides['uri'], uri, onIgnored),
    prefix: said['prefix'] ?? '',
    separator: checkSeparator(said['namespace-separator'] ?? DEFAULT_SEPARATOR),
    routes: new Set(listed.length === 0 ? defaultRoutes : routesOf(listed)),
    takesKeys: config['idempotency-key-lifetime'] !== undefined,
    fileProperties: Object.fromEntries(Object.entries(said).filter(([name]) => fileProperty.test(name))),
  }
}

/** Encoded, as it goes into URLs. */
function checkSeparator(separator: string): string {
  if (separator !== '' && !/[/\\?#]|%(?![0-9a-f]{2})/i.test(separator) && isEncoded(separator)) return separator
  const message = `The catalog separates the levels of namespaces by ${shown(separator)}, which no path can have between them; it must name another.`
  throw invalid('SEPARATOR', message)
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function ownUri(named: string | undefined, uri: string, onIgnored: (uri: string) => void): string {
  if (named === undefined || !URL.canParse(named)) return uri
  const { origin, pathname } = new URL(named)
  if (origin === new URL(uri).origin) return origin + pathname.replace(/\/+$/, '')
  onIgnored(origin)
  return uri
}

/** Whatever a server calls the parameters of its paths. */
function routesOf(listed: readonly string[]): RouteName[] {
  const plain = (text: string): string => text.trim().replaceAll(/\{[^}]*\}/g, '{}')
  const served = new Set(listed.map(plain))
  return (Object.keys(routes) as RouteName[]).filter((name) => served.has(plain(endpointText(routes[name]))))
}

/** What the protocol has, for as long as the server was not asked. */
export const protocolCapabilities: CatalogCapabilities = {
  register: true,
  rename: true,
  transactions: true,
  views: false,
  namespaceProperties: true,
}

export function capabilitiesOf({ routes: served }: ServerConfig): CatalogCapabilities {
  return {
    register: served.has('registerTable'),
    rename: served.has('renameTable'),
    transactions: served.has('commitTransaction'),
    views: false,
    namespaceProperties: served.has('setNamespaceProperties'),
  }
}

const capabilityOf: Partial<Record<RouteName, keyof CatalogCapabilities>> = {
  registerTable: 'register',
  renameTable: 'rename',
  commitTransaction: 'transactions',
  setNamespaceProperties: 'namespaceProperties',
}

/** @throws `unsupported` code `CATALOG_CAPABILITY` for what the server does not list. */
export function requireRoute(name: string, server: ServerConfig, route: RouteName): void {
  if (server.routes.has(route)) return
  const capability = capabilityOf[route]
  if (capability !== undefined) requireCapability({ name, capabilities: capabilitiesOf(server) }, capability)
  const message = `${name} does not serve ${endpointText(routes[route])}: its configuration does not list it.`
  throw unsupported('CATALOG_CAPABILITY', message, {
    context: { catalog: name, endpoint: endpointText(routes[route]) },
  })
}
