import {
  isKind,
  isMoulinError,
  type MoulinError,
  parseJson,
  shown,
  stringifyJson,
  unavailable,
  waitFor,
} from '@moulin/core'
import type { Outcome, Runtime } from '@moulin/core'
import type { OpenedAuth } from './auth.ts'
import type { Budget } from './budget.ts'
import type { Exchange, HttpAnswer, HttpRequest } from './exchange.ts'
import { changing } from './wire/error-rows.ts'
import { cleanError, scrubber } from './scrubber.ts'
import type { Scrubbed } from './scrubber.ts'
import { refusedError } from './wire/errors.ts'
import { readError } from './wire/answers.ts'
import type { ReadAnswer } from './wire/answers.ts'
import { restHeaders } from './wire/headers.ts'
import { routes } from './wire/routes.ts'
import type { RouteName } from './wire/routes.ts'

export interface TransportParts {
  /** For messages. */
  readonly name: string
  readonly exchange: Exchange
  readonly auth: OpenedAuth
  readonly authName: string
  readonly headers: Readonly<Record<string, string>>
  readonly runtime: Pick<Runtime, 'timers' | 'random'>
}

export interface RestCall {
  readonly route: RouteName
  /** For messages: a table, a namespace. */
  readonly about: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object
  readonly context?: Readonly<Record<string, string>>
  readonly budget: Budget
}

/** An answer of 2xx, or a 304. */
export interface RestAnswer {
  readonly status: number
  readonly headers: Headers
  readonly size: number
  /** @throws `unavailable` code `CATALOG_ANSWER` for what is not as the specification has it, without showing it; what is wrong with a table's metadata. */
  read<T>(as: ReadAnswer<T>): T
  /** For what is answered with nothing. @throws `unavailable` code `CATALOG_ANSWER` for a page, and a success that the specification does not have. */
  requireDone(): void
  /** The error for what is wrong with it. */
  fault(why: string): MoulinError
}

/** Times that a call which changes nothing is sent, at most. */
const MAX_TRIES = 4
const FIRST_WAIT_MS = 100
const MAX_REDIRECTS = 3

/** Answers of these are what they are, whoever gives them: nothing was passed on. */
const refusals: ReadonlySet<number> = new Set([401, 403, 407, 413, 419, 429])

/**
 * Sends requests as the catalog wants them and makes errors of ours of what comes back. What changes something is sent once, and once
 * more only when the server has said that it did not know who asks. What changes nothing is tried again a few times, while its time lasts.
 */
export class Transport {
  readonly #parts: TransportParts

  constructor(parts: TransportParts) {
    this.#parts = parts
  }

  async send(call: RestCall): Promise<RestAnswer> {
    const isChanging = changing.has(call.route)
    for (let tries = 1; ; tries++) {
      try {
        return await this.#sendOnce(call, isChanging ? 'unknown' : 'rejected')
      } catch (error) {
        const waitMs = waitOf(error, tries, this.#parts.runtime)
        if (isChanging || waitMs === undefined || tries >= MAX_TRIES || waitMs >= call.budget.leftMs()) throw error
        await this.#parts.runtime.timers.sleep(waitMs, call.budget.signal).catch(() => {
          throw call.budget.ended('rejected') ?? error
        })
      }
    }
  }

  async #sendOnce(call: RestCall, outcome: Outcome): Promise<RestAnswer> {
    const { auth, exchange } = this.#parts
    let { url } = call
    let isRenewed = false
    for (let redirects = 0; ;) {
      const plain = this.#requestOf(call, url)
      const proof = await this.#proofOf(plain, call.budget)
      const request = { ...plain, headers: { ...plain.headers, ...proof } }
      const answer = await exchange(request, { what: this.#whatOf(call), budget: call.budget, outcome })
      const { status } = answer
      const { headers } = this.#parts
      const scrubbed = scrubber({ plain: plain.headers, proof, headers, secrets: auth.secrets() })
      if ((status === 401 || status === 419) && !isRenewed && auth.renew?.(proof) === true) {
        isRenewed = true
        continue
      }
      if (status >= 300 && status < 400 && status !== 304) {
        url = this.#redirected(call, url, { answer, scrubbed, redirects: redirects++, outcome })
        continue
      }
      if (
        (status >= 200 && status < 300) ||
        (status === 304 && call.headers?.[restHeaders.ifNoneMatch] !== undefined)
      ) {
        return this.#answerOf(call, answer, scrubbed, outcome)
      }
      throw this.#refused(call, answer, scrubbed, outcome)
    }
  }

  #requestOf({ route, headers, body }: RestCall, url: string): HttpRequest {
    return {
      method: routes[route].method,
      url,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...this.#parts.headers,
        ...headers,
      },
      ...(body === undefined ? {} : { body: new TextEncoder().encode(stringifyJson(body)) }),
    }
  }

  async #proofOf(request: HttpRequest, budget: Budget): Promise<Readonly<Record<string, string>>> {
    const { auth, authName } = this.#parts
    try {
      return await waitFor(auth.headersOf(request, budget), budget.signal)
    } catch (error) {
      const message = `${this.#parts.name}: ${authName} has nothing to show the catalog: check where its credentials come from.`
      throw (
        budget.ended('rejected') ??
        (isMoulinError(error) ? error : unavailable('UNAUTHENTICATED', message, { retryable: false }))
      )
    }
  }

  /** To another place with our credentials goes nobody, and what changes something is not sent twice. */
  #redirected(call: RestCall, url: string, { answer, scrubbed, redirects, outcome }: Redirect): string {
    const target = targetOf(answer.headers.get('location'), url)
    const { method } = routes[call.route]
    // Not by its whole text: it may name credentials of its own.
    if (method === 'GET' && redirects < MAX_REDIRECTS && target?.origin === new URL(url).origin)
      return target.origin + target.pathname + target.search
    const where =
      target === undefined ? 'nowhere' : target.origin === new URL(url).origin ? 'another path' : target.origin
    const message = `${this.#whatOf(call)} was answered with ${answer.status}, a redirect to ${scrubbed(where)}, which is not followed: give the catalog's own URI.`
    return raise(unavailable('CATALOG_REDIRECT', message, { outcome, retryable: false }))
  }

  #answerOf(call: RestCall, { status, headers, bytes }: HttpAnswer, scrubbed: Scrubbed, outcome: Outcome): RestAnswer {
    const what = `The answer to ${this.#whatOf(call)}`
    const fault = (why: string): MoulinError =>
      unavailable('CATALOG_ANSWER', `${what} ${scrubbed(why)}.`, { outcome, context: { status, ...call.context } })
    return {
      status,
      headers,
      size: bytes.length,
      fault,
      requireDone() {
        const isSaid = status === 200 || status === 204
        if (!isSaid || (bytes.length > 0 && !isJson(bytes)))
          throw fault(`(${status}, ${typeOf(headers)}) does not say that it was done`)
      },
      read: (as) => {
        try {
          return as(bytes, what)
        } catch (error) {
          if (isKind(error, 'corrupt', 'JSON_MALFORMED')) throw fault(`(${status}, ${typeOf(headers)}) is no JSON`)
          // The place, not what is there: it may be a secret.
          if (isKind(error, 'corrupt', 'REST_BODY'))
            throw fault(`is not as it must be: ${error.message.split('; it is ')[0]}`)
          // Of what is nested too deep for us, say.
          if (!isMoulinError(error)) throw fault('cannot be read')
          throw cleanError(error, scrubbed, outcome)
        }
      },
    }
  }

  #refused(call: RestCall, { status, headers, bytes }: HttpAnswer, scrubbed: Scrubbed, outcome: Outcome): MoulinError {
    const what = this.#whatOf(call)
    const found = readError(bytes)
    const error = found ?? (refusals.has(status) ? { message: '', type: '', code: status } : undefined)
    const context = { ...call.context, ...retryAfterOf(headers) }
    if (error === undefined) {
      const message = `${what} was answered with ${status} and ${scrubbed(typeOf(headers))} that is no error of a catalog: is its URI right, and what stands before it?`
      return unavailable('CATALOG_ANSWER', message, { outcome, context: { status, ...context } })
    }
    const { message, type } = error
    const clean = { ...error, message: scrubbed(message), type: scrubbed(type) }
    return refusedError({ call: call.route, status, error: clean, what, context })
  }

  #whatOf({ route, about }: RestCall): string {
    return `${this.#parts.name}: ${route}${about === '' ? '' : ` of ${about}`}`
  }
}

interface Redirect {
  readonly answer: HttpAnswer
  readonly scrubbed: Scrubbed
  /** That were followed before. */
  readonly redirects: number
  readonly outcome: Outcome
}

function isJson(bytes: Uint8Array): boolean {
  try {
    parseJson(bytes, 'The answer')
    return true
  } catch {
    return false
  }
}

function raise(error: MoulinError): never {
  throw error
}

function targetOf(location: string | null, from: string): URL | undefined {
  try {
    return location === null ? undefined : new URL(location, from)
  } catch {
    return undefined
  }
}

/** How long to wait before the call is sent again; undefined: that is of no use. */
function waitOf(error: unknown, tries: number, { random }: Pick<Runtime, 'random'>): number | undefined {
  if (!isKind(error, 'unavailable') || !error.retryable || error.code === 'CATALOG_TIMEOUT') return undefined
  const { retryAfterMs } = error.context
  if (typeof retryAfterMs === 'number') return retryAfterMs
  const [byte = 0] = random.bytes(1)
  return FIRST_WAIT_MS * 2 ** (tries - 1) * (0.5 + byte / 512)
}

function retryAfterOf(headers: Headers): { readonly retryAfterMs?: number } {
  const seconds = Number(headers.get('retry-after') ?? NaN)
  return seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {}
}

function typeOf(headers: Headers): string {
  return shown(headers.get('content-type') ?? 'no content type')
}
