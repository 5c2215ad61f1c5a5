import { getRequestListener } from '@hono/node-server'
import type { HttpBindings } from '@hono/node-server'
import { checkOptions, guardedLogger, invalid, option, systemRuntime, withDefaults } from '@moulin/core'
import type { Catalog, Log, ObjectStore, OptionTable, Runtime, TableStores } from '@moulin/core'
import type { GatewayAuth } from './auth/caller.ts'
import { Lines } from './commit/lines.ts'
import { FreshTables } from './fresh/fresh-tables.ts'
import { defaultGatewayLimits, gatewayLimitsCheck } from './gateway-limits.ts'
import type { GatewayLimits } from './gateway-limits.ts'
import type { Gateway } from './gateway.ts'
import { gatewayApp } from './http/app.ts'
import { httpServer } from './http/http-server.ts'
import type { GatewayTls } from './http/http-server.ts'
import { isLoopback, listenAddress } from './http/listen-address.ts'
import { answerOfError, responseOf } from './http/responses.ts'
import { Calls } from './serve-call.ts'
import type { CallCounts } from './serve-call.ts'

export interface ServeCatalogOptions {
  /** Whose tables are served. It stays the caller's: `close` leaves it open. */
  readonly catalog: Catalog
  /** `host:port`, such as `127.0.0.1:8181` or `[::1]:0`; port 0 is any that is free. */
  readonly listen: string
  /** Logs, open for writing, whose tables this catalog has: a load tiers what is hot in them for too long. */
  readonly logs?: readonly Log[]
  /** With `logs`: how long a record may be durable and not in a table that is loaded; default 5000. */
  readonly maxStalenessMs?: number
  /** How long a load waits for that; then it is answered as the table is. Default 10 000. */
  readonly maxWaitMs?: number
  /** Who may do what. Without it only this machine is listened to. */
  readonly auth?: GatewayAuth
  /** Serve HTTPS. */
  readonly tls?: GatewayTls
  /** Where the tables' files lie, for DROP TABLE … PURGE. Without it nothing is purged. */
  readonly stores?: ObjectStore | TableStores
  /** Where a client wants a table at a place that the catalog cannot give: give it the catalog's own. Default false: refuse. */
  readonly overrideLocations?: boolean
  /** Make tables in namespaces that nobody has created. Default false, as the specification has it. */
  readonly implicitNamespaces?: boolean
  /** Hand on what the catalog says of a table's files, credentials too, to whoever may load it and asks for it. Default false. */
  readonly passCredentials?: boolean
  /** Configuration that clients take before their own, or in its place. Every caller reads it. */
  readonly defaults?: Readonly<Record<string, string>>
  readonly overrides?: Readonly<Record<string, string>>
  readonly limits?: Partial<GatewayLimits>
  /** Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'clock' | 'random' | 'timers' | 'logger' | 'meter'>
}

const DEFAULT_STALENESS_MS = 5000
const DEFAULT_WAIT_MS = 10_000
const DEFAULT_DRAIN_MS = 30_000

const optionTable: OptionTable<ServeCatalogOptions> = {
  catalog: option.required(option.catalogCheck),
  listen: option.required(option.textOf('host:port')),
  logs: option.listOf(option.door('a Log', ['topicOfTable'], ['access'])),
  maxStalenessMs: option.milliseconds(),
  maxWaitMs: option.milliseconds(),
  auth: option.door('who may do what', ['authenticate']),
  tls: option.secret(option.door('a certificate and its key as PEM', [], ['cert', 'key'])),
  stores: option.anyOf(option.storeCheck, option.callback),
  overrideLocations: option.flag,
  implicitNamespaces: option.flag,
  passCredentials: option.flag,
  defaults: option.recordOf(option.text),
  overrides: option.recordOf(option.text),
  limits: gatewayLimitsCheck,
  runtime: option.runtimeOf('clock', 'random', 'timers', 'logger'),
}

export interface GatewayStats extends CallCounts {
  readonly connections: number
  /** Commits of logs that loads have asked for. */
  readonly tieredLoads: number
  /** Loads that were answered with a table older than `maxStalenessMs`. */
  readonly staleLoads: number
}

export interface CatalogServer {
  /** `http://127.0.0.1:8181` */
  readonly url: string
  stats(): Promise<GatewayStats>
  /**
   * Takes no more requests, and ends when those that were begun are answered, or after `drainMs` (default 30 000). Idempotent. Catalog and
   * logs stay open.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>
}

/**
 * An Iceberg REST catalog server over any catalog, for engines that know only Iceberg: they read and write its tables, and with `logs`
 * find in them what was sent a moment ago. What is served, what is refused and why: docs/gateway.md.
 *
 * @throws `invalid` for a bad option, a log that is open for reading only, or an address that others reach without `auth`, code
 * `AUTH_REQUIRED`; `unavailable` code `LISTEN`.
 * @example const server = await serveCatalog({ catalog, logs: [log], listen: '127.0.0.1:8181', maxStalenessMs: 5_000 })
 */
export async function serveCatalog(options: ServeCatalogOptions): Promise<CatalogServer> {
  checkOptions('serveCatalog', options, optionTable)
  const address = listenAddress(options.listen)
  const gateway = gatewayOf(options)
  const { limits, runtime, fresh } = gateway
  const { auth, tls } = options
  if (auth === undefined && !isLoopback(address.host)) {
    const message = `serveCatalog: listen is ${options.listen}, which others than this machine reach: give it auth, or listen on 127.0.0.1.`
    throw invalid('AUTH_REQUIRED', message, { context: { option: 'auth' } })
  }
  const calls = new Calls(gateway, auth)
  const app = gatewayApp(calls)
  const listener = getRequestListener((request, env) => app.fetch(request, env as HttpBindings), {
    overrideGlobalObjects: false,
    // What is no request at all.
    errorHandler: (cause) =>
      responseOf(answerOfError(invalid('BAD_REQUEST', 'The request cannot be read.', { cause })), true),
  })
  const server = await httpServer({
    address,
    tls,
    limits,
    isLocalOnly: auth === undefined,
    listener: (incoming, outgoing) => void listener(incoming, outgoing),
  })
  if (auth !== undefined && tls === undefined && !isLoopback(address.host))
    runtime.logger.warn(
      { listen: options.listen },
      'tokens are sent in the clear: give the server tls, or have a proxy that does',
    )
  let closing: Promise<void> | undefined
  const close = async (drainMs: number): Promise<void> => {
    let end = (): void => {}
    const late = new Promise<void>((resolve) => (end = resolve))
    const timer = runtime.timers.after(
      drainMs,
      () => {
        server.cut()
        end()
      },
      { ref: true },
    )
    // A catalog that hangs is not waited for beyond that.
    await Promise.all([Promise.race([calls.stop(), late]), server.stop()]).finally(() => timer.cancel())
  }
  return {
    url: server.url,
    async stats() {
      const { commits: tieredLoads = 0, stale: staleLoads = 0 } = fresh ?? {}
      return { ...calls.counts, connections: await server.connections(), tieredLoads, staleLoads }
    },
    close(given = {}) {
      checkOptions('close', given, { drainMs: option.milliseconds() })
      closing ??= close(given.drainMs ?? DEFAULT_DRAIN_MS)
      return closing
    },
  }
}

function gatewayOf(options: ServeCatalogOptions): Gateway {
  const limits = withDefaults(defaultGatewayLimits, options.limits)
  const given = options.runtime ?? systemRuntime()
  const runtime = { ...given, logger: guardedLogger(given.logger) }
  return {
    catalog: options.catalog,
    limits,
    lines: new Lines(),
    runtime,
    fresh: freshTables(options, limits, runtime),
    stores: options.stores,
    defaults: options.defaults ?? {},
    overrides: options.overrides ?? {},
    overrideLocations: options.overrideLocations ?? false,
    implicitNamespaces: options.implicitNamespaces ?? false,
    passCredentials: options.passCredentials ?? false,
  }
}

function freshTables(
  { logs = [], maxStalenessMs = DEFAULT_STALENESS_MS, maxWaitMs = DEFAULT_WAIT_MS }: ServeCatalogOptions,
  { requestTimeoutMs }: GatewayLimits,
  runtime: Gateway['runtime'],
): FreshTables | undefined {
  if (logs.length === 0) return undefined
  const reading = logs.find(({ access }) => access !== 'read-write')
  if (reading !== undefined) {
    const message = `serveCatalog: the log ${reading.name} is open for reading only; a load cannot have it tiered.`
    throw invalid('OPTION', message, { context: { option: 'logs' } })
  }
  if (maxWaitMs >= requestTimeoutMs) {
    const message = `serveCatalog: maxWaitMs is ${maxWaitMs}; it must be below limits.requestTimeoutMs, ${requestTimeoutMs}.`
    throw invalid('OPTION', message, { context: { option: 'maxWaitMs' } })
  }
  return new FreshTables({ logs, maxStalenessMs, maxWaitMs, runtime })
}
