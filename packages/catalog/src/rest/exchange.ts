import { exhausted, isMoulinError, unavailable, waitFor } from '@moulin/core'
import type { MoulinError, Outcome } from '@moulin/core'
import type { Budget } from './budget.ts'
import type { Method } from './wire/routes.ts'

/** As the global one. */
export type Fetch = typeof globalThis.fetch

export interface HttpRequest {
  readonly method: Method
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | undefined
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
}

export interface ExchangeCall {
  /** For messages. */
  readonly what: string
  readonly budget: Budget
  /** What it leaves when it ends without an answer, once something was sent. */
  readonly outcome: Outcome
}

/** One request, sent once, and its whole answer. @throws an error of ours, without a word of the request. */
export type Exchange = (request: HttpRequest, call: ExchangeCall) => Promise<HttpAnswer>

/** What fails before there is a connection. A system says EHOSTUNREACH also of one that was there, whatever went over it by then. */
const connecting: ReadonlySet<unknown> = new Set(['connect', 'getaddrinfo'])

/** Of connections that were never made, by another word than the system's. */
const unsent: ReadonlySet<unknown> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

export function exchanges(fetch: Fetch, maxAnswerBytes: number): Exchange {
  return async ({ method, url, headers, body }, { what, budget, outcome }) => {
    const { signal } = budget
    try {
      const init = { method, headers, redirect: 'manual', signal, ...(body === undefined ? {} : { body }) } as const
      const answer = await waitFor(fetch(url, init as RequestInit), signal)
      const bytes = await bodyOf(answer, { what, budget, outcome }, maxAnswerBytes)
      return { status: answer.status, headers: answer.headers, bytes }
    } catch (error) {
      throw budget.ended(outcome) ?? (isMoulinError(error) ? error : networkError(error, what, outcome))
    }
  }
}

async function bodyOf(
  answer: Response,
  { what, budget, outcome }: ExchangeCall,
  maxBytes: number,
): Promise<Uint8Array> {
  const tooLarge = (): MoulinError => {
    const message = `${what} was answered with more than ${maxBytes} bytes, the limit maxAnswerBytes: raise it, or make the table's metadata smaller.`
    return exhausted('ANSWER_TOO_LARGE', message, { outcome, context: { maxAnswerBytes: maxBytes } })
  }
  const reader = answer.body?.getReader()
  if (reader === undefined) return new Uint8Array(0)
  try {
    if (Number(answer.headers.get('content-length')) > maxBytes) throw tooLarge()
    const parts: Uint8Array[] = []
    let size = 0
    for (;;) {
      const { done, value } = await waitFor(reader.read(), budget.signal)
      if (done) return Buffer.concat(parts)
      parts.push(value)
      size += value.length
      if (size > maxBytes) throw tooLarge()
    }
  } catch (error) {
    // The rest of it is of no use, and the connection with it.
    reader.cancel().catch(() => {})
    throw error
  }
}

/** By the system's word alone: whatever else the error holds may be the request. */
function networkError(error: unknown, what: string, outcome: Outcome): MoulinError {
  const { code, name, cause } = error as NetworkFailure & { readonly name?: unknown; readonly cause?: NetworkFailure }
  const word = [cause?.code, code, name].find((each): each is string => typeof each === 'string') ?? 'unknown'
  const isUnsent = wasUnsent(cause ?? (error as NetworkFailure))
  const message = isUnsent
    ? `${what} was not sent (${word}): the catalog cannot be reached; check its URI and the network, or try again.`
    : `${what} was cut off (${word}) before its answer was whole.`
  return unavailable(isUnsent ? 'CATALOG_UNREACHABLE' : 'CATALOG_CUT_OFF', message, {
    outcome: isUnsent ? 'rejected' : outcome,
    context: { reason: word },
  })
}

interface NetworkFailure {
  readonly code?: unknown
  readonly syscall?: unknown
  /** Of a name with several addresses: of each. */
  readonly errors?: readonly NetworkFailure[]
}

/** Whether the request is still here, all of it. */
function wasUnsent({ code, syscall, errors }: NetworkFailure): boolean {
  if (errors !== undefined) return errors.length > 0 && errors.every(wasUnsent)
  return connecting.has(syscall) || unsent.has(code)
}
