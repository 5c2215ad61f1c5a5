import { createHash } from 'node:crypto'
import { closed, guardedLogger, hasOutcome, namespaceText, stringifyJson, systemRuntime } from '@moulin/core'
import type { CatalogCapabilities, CatalogCallOptions, Namespace, Runtime } from '@moulin/core'
import { askedOnce } from './asked-once.ts'
import { anonymous } from './auth.ts'
import { withBudget } from './budget.ts'
import type { Budget } from './budget.ts'
import { exchanges } from './exchange.ts'
import { IdempotencyKeys } from './idempotency-keys.ts'
import { checkRestOptions } from './rest-options.ts'
import type { RestCatalogOptions } from './rest-options.ts'
import { capabilitiesOf, protocolCapabilities, requireRoute, serverConfig } from './server-config.ts'
import type { ServerConfig } from './server-config.ts'
import { Transport } from './transport.ts'
import type { RestAnswer } from './transport.ts'
import { readConfig } from './wire/answers.ts'
import { changing } from './wire/error-rows.ts'
import { restHeaders, VENDED_CREDENTIALS } from './wire/headers.ts'
import { routePath, routes } from './wire/routes.ts'
import type { RouteName } from './wire/routes.ts'
import { namespaceParameter } from './wire/url-names.ts'

/** What one request of a call is about. */
export interface RestRequest {
  readonly namespace?: Namespace
  readonly table?: string
  readonly query?: Readonly<Record<string, string>>
  /** Query parameter `parent`. */
  readonly parent?: Namespace
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object
  /** Whether the answer may hold credentials for the table's files. */
  readonly isVended?: boolean
}

/** All that one call of a caller sends, within one budget. */
export interface RestSession {
  readonly server: ServerConfig
  send(route: RouteName, request: RestRequest): Promise<RestAnswer>
}

const REQUEST_TIMEOUT_MS = 60_000
const MAX_ANSWER_BYTES = 100_000_000

/** One server, one warehouse: its configuration, asked for once, and requests by route. */
export class RestClient {
  readonly name: string
  readonly runtime: Pick<Runtime, 'clock' | 'timers' | 'random' | 'logger'>
  readonly #options: RestCatalogOptions
  readonly #uri: string
  readonly #timeoutMs: number
  readonly #transport: Transport
  readonly #keys: IdempotencyKeys
  #server: ServerConfig | undefined
  readonly #asked = askedOnce(() => this.#ask())
  #isClosed = false

  constructor(options: RestCatalogOptions) {
    const { origin, pathname } = checkRestOptions(options)
    const { warehouse, auth = anonymous, headers = {}, runtime = systemRuntime(), requestTimeoutMs } = options
    this.#options = options
    this.#uri = origin + pathname.replace(/\/+$/, '')
    this.name = `restCatalog(${this.#uri}${warehouse === undefined ? '' : `, ${warehouse}`})`
    this.runtime = { ...runtime, logger: guardedLogger(runtime.logger) }
    this.#timeoutMs = requestTimeoutMs ?? REQUEST_TIMEOUT_MS
    const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
    const exchange = exchanges(fetch, options.maxAnswerBytes ?? MAX_ANSWER_BYTES)
    const context = { uri: this.#uri, runtime, exchange, requestTimeoutMs: this.#timeoutMs }
    // In lower case, so that nothing is said twice.
    const own = Object.fromEntries(new Headers(headers))
    const parts = { name: this.name, exchange, auth: auth.open(context), authName: auth.name, headers: own, runtime }
    this.#transport = new Transport(parts)
    this.#keys = new IdempotencyKeys(runtime)
  }

  /** Those of the protocol until the server has been asked. */
  get capabilities(): CatalogCapabilities {
    return this.#server === undefined ? protocolCapabilities : capabilitiesOf(this.#server)
  }

  /** @param about For messages: what the call is about, in the words of its caller. */
  async run<T>(
    about: string,
    { signal, changeId }: Pick<CatalogCallOptions, 'signal' | 'changeId'>,
    work: (session: RestSession) => Promise<T>,
  ): Promise<T> {
    if (this.#isClosed) throw closed('CLOSED', `${this.name} is closed.`)
    return await withBudget(this.runtime, this.#budgetOf(about, signal), async (budget) => {
      const server = await this.#configured(budget)
      return await work({
        server,
        send: (route, request) => {
          requireRoute(this.name, server, route)
          const isKeyed = changeId !== undefined && server.takesKeys && changing.has(route)
          return this.#send(server, route, about, { ...request, ...(isKeyed ? { changeId } : {}) }, budget)
        },
      })
    })
  }

  close(): void {
    this.#isClosed = true
  }

  #budgetOf(about: string, signal?: AbortSignal): Parameters<typeof withBudget>[1] {
    return { what: `${this.name}: the call about ${about}`, ms: this.#timeoutMs, signal }
  }

  async #send(
    server: ServerConfig,
    route: RouteName,
    about: string,
    { namespace, table, query = {}, parent, headers, body, isVended, changeId }: RestRequest & { changeId?: string },
    budget: Budget,
  ): Promise<RestAnswer> {
    const { prefix, separator } = server
    const path = routePath(routes[route], {
      prefix,
      separator,
      ...(namespace === undefined ? {} : { namespace }),
      ...(table === undefined ? {} : { table }),
    })
    const asked = {
      ...(parent === undefined ? {} : { parent: namespaceParameter(parent, separator) }),
      ...query,
    }
    const vended = isVended === true && this.#options.vendedCredentials !== false
    // Whoever makes a table may make namespaces first: each body is a change of its own.
    const change = changeId === undefined ? undefined : `${route} ${path} ${changeId} ${digestOf(body)}`
    const more = {
      ...(vended ? { [restHeaders.accessDelegation]: VENDED_CREDENTIALS } : {}),
      ...(change === undefined ? {} : { [restHeaders.idempotencyKey]: this.#keys.of(change) }),
      ...headers,
    }
    const text = new URLSearchParams(asked).toString()
    const sending = this.#transport.send({
      route,
      about,
      url: server.uri + path + (text === '' ? '' : `?${text}`),
      headers: more,
      ...(body === undefined ? {} : { body }),
      context: { catalog: this.name, about },
      budget,
    })
    return await sending.catch((error: unknown) => {
      if (change !== undefined && hasOutcome(error, 'rejected')) this.#keys.forget(change)
      throw error
    })
  }

  /** Asked for once, by whoever comes first, and waited for by each within its own time. */
  async #configured(budget: Budget): Promise<ServerConfig> {
    if (this.#server !== undefined) return this.#server
    try {
      return await this.#asked(budget.signal)
    } catch (error) {
      throw budget.ended('rejected') ?? error
    }
  }

  async #ask(): Promise<ServerConfig> {
    const { warehouse } = this.#options
    const about = warehouse === undefined ? '' : `warehouse ${warehouse}`
    return await withBudget(this.runtime, this.#budgetOf('its configuration'), async (budget) => {
      const query = warehouse === undefined ? '' : `?${new URLSearchParams({ warehouse }).toString()}`
      const url = this.#uri + routes.config.path + query
      const context = { catalog: this.name }
      const answer = await this.#transport.send({ route: 'config', about, url, context, budget })
      return (this.#server = serverConfig(answer.read(readConfig), this.#uri, (uri) =>
        this.runtime.logger.warn(
          { catalog: this.name, uri },
          'The catalog names a URI of another origin: it is not used',
        ),
      ))
    })
  }
}

function digestOf(body: object | undefined): string {
  return body === undefined ? '' : createHash('sha256').update(stringifyJson(body)).digest('base64')
}

/** For messages. */
export function aboutNamespace(namespace: Namespace): string {
  return namespace.length === 0 ? 'all namespaces' : namespaceText(namespace)
}
