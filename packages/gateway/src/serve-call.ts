import type { IncomingMessage } from 'node:http'
import {
  closed,
  errorType,
  gaugeOf,
  histogramOf,
  invalid,
  isKind,
  isMoulinError,
  unavailable,
  waitFor,
} from '@moulin/core'
import type { Gauge } from '@moulin/core'
import { restHeaders, routes } from '@moulin/catalog/rest'
import type { RouteName } from '@moulin/catalog/rest'
import type { Answer } from './answer.ts'
import { anybody, isCaller } from './auth/caller.ts'
import type { Caller, GatewayAuth } from './auth/caller.ts'
import { handlers } from './calls/handlers.ts'
import type { Gateway, GatewayCall } from './gateway.ts'
import { deadline } from './http/deadline.ts'
import type { Deadline } from './http/deadline.ts'
import { isLoopbackHeader } from './http/listen-address.ts'
import { pathNames } from './http/path-names.ts'
import { ByteBudget, requestBody } from './http/request-body.ts'
import { answerOfError, responseOf } from './http/responses.ts'
import { KeptAnswers } from './idempotency.ts'

export interface CallCounts {
  /** Requests since the server started, of what the specification has. */
  readonly requests: number
  /** Of these, such as are being answered. */
  readonly active: number
  /** Answers that are kept for their keys. */
  readonly keptAnswers: number
}

/** A body that was received, and what gives back its part of the budget. */
interface HeldBody {
  readonly bytes: Uint8Array
  free(): void
}

/** What a request has to pass before its handler is asked, and what becomes of what that says. */
export class Calls {
  readonly #gateway: Gateway
  readonly #auth: GatewayAuth | undefined
  readonly #kept: KeptAnswers
  readonly #budget: ByteBudget
  readonly #gauge: Gauge
  #requests = 0
  #active = 0
  #isStopping = false
  #idle: (() => void) | undefined

  constructor(gateway: Gateway, auth: GatewayAuth | undefined) {
    const { limits, runtime } = gateway
    this.#gateway = gateway
    this.#auth = auth
    this.#kept = new KeptAnswers(runtime.clock, limits)
    this.#budget = new ByteBudget(limits.maxBufferedBytes)
    this.#gauge = gaugeOf(runtime.meter, 'http.server.active_requests', (see) => see(this.#active))
  }

  get counts(): CallCounts {
    return { requests: this.#requests, active: this.#active, keptAnswers: this.#kept.size }
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  /** Refuses all that comes from now on; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#gauge.close()
    if (this.#active > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
  }

  /** Never throws. */
  async serve(name: RouteName, request: Request, incoming: IncomingMessage): Promise<Response> {
    const { runtime } = this.#gateway
    const beganMs = runtime.clock.monotonic()
    this.#requests++
    let failure: unknown
    let answer: Answer
    try {
      answer = await this.#answer(name, request, incoming)
    } catch (error) {
      failure = error
      answer = this.#failed(name, error)
    }
    histogramOf(runtime.meter, 'http.server.request.duration').record((runtime.clock.monotonic() - beganMs) / 1000, {
      'http.request.method': request.method,
      'http.route': routes[name].path,
      'http.response.status_code': answer.status,
      ...(failure === undefined ? {} : { 'error.type': errorType(failure) }),
    })
    // What was not read of a body would be taken for the next request.
    const isLast = this.#isStopping || (hasBody(request) && !incoming.complete)
    return responseOf(request.method === 'HEAD' ? withoutBody(answer) : answer, isLast)
  }

  async #answer(name: RouteName, request: Request, incoming: IncomingMessage): Promise<Answer> {
    if (this.#isStopping) throw closed('GATEWAY_CLOSED', 'The server is stopping.')
    const caller = await this.#callerOf(request)
    const { maxBodyBytes } = this.#gateway.limits
    let buffered = 0
    const free = (): void => this.#budget.give(buffered)
    let body: Uint8Array = new Uint8Array()
    try {
      const took = (bytes: number): void => void (buffered += bytes)
      if (hasBody(request)) body = await requestBody(incoming, { maxBodyBytes, budget: this.#budget, took })
      this.#checkRoom()
    } catch (error) {
      free()
      throw error
    }
    return await this.#handled(name, request, caller, { bytes: body, free })
  }

  /** @throws `unavailable` code `CATALOG_BUSY`. */
  #checkRoom(): void {
    const { maxRequests } = this.#gateway.limits
    if (this.#active < maxRequests) return
    const message = `The server answers maxRequests (${maxRequests}) already; send it again later.`
    throw unavailable('CATALOG_BUSY', message, { context: { limit: maxRequests } })
  }

  /** @throws `unavailable` code `UNAUTHENTICATED`. */
  async #callerOf(request: Request): Promise<Caller> {
    const { limits, runtime } = this.#gateway
    if (this.#auth === undefined) {
      checkOwnPage(request)
      return anybody
    }
    const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
    if (token === undefined) throw unauthenticated('The request has no header "Authorization: Bearer …".')
    const time = deadline(runtime.timers, limits.requestTimeoutMs)
    try {
      const caller = await waitFor(this.#authenticated(this.#auth, token), time.signal)
      if (!isCaller(caller)) throw unauthenticated('The token is unknown, or has expired.')
      return caller
    } finally {
      time.end()
    }
  }

  /** @throws `unavailable` for whatever it throws: who cannot be judged is neither known nor unknown. */
  async #authenticated(auth: GatewayAuth, token: string): Promise<unknown> {
    try {
      return await auth.authenticate(token)
    } catch (cause) {
      if (isMoulinError(cause)) throw cause
      throw unavailable('AUTH_FAILED', 'The token could not be judged.', { cause })
    }
  }

  async #handled(name: RouteName, request: Request, caller: Caller, body: HeldBody): Promise<Answer> {
    const { limits, runtime } = this.#gateway
    const time = deadline(runtime.timers, limits.requestTimeoutMs)
    const isChange = changes(name)
    // What was begun is ended, whether or not the client is still there: it will ask what became of it.
    const gone = (): void => time.abort(request.signal.reason)
    if (!isChange) request.signal.addEventListener('abort', gone, { once: true })
    this.#active++
    const work = this.#work(name, request, { caller, body: body.bytes, time }).finally(() => {
      // Not before, whoever still waits for it: what goes on has its body.
      body.free()
      this.#active--
      if (this.#active === 0) this.#idle?.()
    })
    try {
      return await waitFor(work, time.signal)
    } catch (error) {
      throw time.signal.aborted ? timedOut(error, time, isChange) : error
    } finally {
      time.end()
      request.signal.removeEventListener('abort', gone)
    }
  }

  async #work(
    name: RouteName,
    request: Request,
    { caller, body, time }: { readonly caller: Caller; readonly body: Uint8Array; readonly time: Deadline },
  ): Promise<Answer> {
    const url = new URL(request.url)
    const key = changes(name) ? request.headers.get(restHeaders.idempotencyKey) : null
    const call: GatewayCall = {
      name,
      caller,
      ...pathNames(routes[name].path, url.pathname),
      query: url.searchParams,
      headers: request.headers,
      body,
      changeId: key ?? undefined,
      signal: time.signal,
      may: (action, resource) => this.#may(caller, action, resource),
    }
    const handle = (): Promise<Answer> => handlers[name](call, this.#gateway)
    if (key === null) return handle()
    const scope = `${caller.name} ${request.method} ${url.pathname}${url.search}`
    return this.#kept.once({ key, scope, body }, () => handle().catch((error: unknown) => this.#failed(name, error)))
  }

  /** @throws `unavailable` code `FORBIDDEN`. */
  async #may(caller: Caller, ...[action, resource]: Parameters<GatewayCall['may']>): Promise<void> {
    const auth = this.#auth
    if (auth?.authorize === undefined || (await auth.authorize(caller, action, resource)) === true) return
    const what = [...resource.namespace, ...(resource.table === undefined ? [] : [resource.table])].join('.')
    const message = `${caller.name} may not ${action}${what === '' ? '' : ` ${what}`}.`
    throw unavailable('FORBIDDEN', message, { retryable: false, context: { action, caller: caller.name } })
  }

  #failed(name: RouteName, error: unknown): Answer {
    const answer = answerOfError(error)
    if (answer.status >= 500)
      this.#gateway.runtime.logger.error({ err: error, call: name }, 'a request to the catalog failed')
    return answer
  }
}

const hasBody = ({ method }: Request): boolean => method === 'POST'

/** Whether a second send of it must not be a second change. */
function changes(name: RouteName): boolean {
  const { method } = routes[name]
  return method === 'DELETE' || (method === 'POST' && name !== 'reportMetrics' && name !== 'tokens')
}

const withoutBody = ({ status, headers }: Answer): Answer => ({ status, ...(headers === undefined ? {} : { headers }) })

function unauthenticated(message: string): Error {
  return unavailable('UNAUTHENTICATED', message, { retryable: false })
}

/**
 * A page in this machine's browser may send what it likes to a server that asks nobody for a token, as long as the browser takes it
 * for a form. It cannot choose the type of a body, nor the name by which it came here.
 * @throws `invalid` code `BAD_REQUEST`.
 */
function checkOwnPage(request: Request): void {
  const host = request.headers.get('host') ?? ''
  if (!isLoopbackHeader(host)) {
    throw invalid(
      'BAD_REQUEST',
      'A server without auth is asked by the address of this machine, such as 127.0.0.1, alone.',
    )
  }
  const type = (request.headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
  if (hasBody(request) && type !== 'application/json') {
    throw invalid(
      'BAD_REQUEST',
      'The header Content-Type of a request to a server without auth must be application/json.',
    )
  }
}

/** What its time, or the client's, has ended. A change may have been made that nobody was told of. */
function timedOut(error: unknown, { signal }: Deadline, isChange: boolean): unknown {
  if (!isKind(error, 'aborted')) return error
  const reason: unknown = signal.reason
  const timeout = isKind(reason, 'unavailable') ? reason : error
  if (!isChange) return timeout
  const message = `${timeout.message} Whether it was done can be seen in the table.`
  return unavailable('COMMIT_UNKNOWN', message, { outcome: 'unknown', cause: error })
}
