import { checkOptions, invalid, isKind, isMoulinError, option, parseJson, unavailable } from '@moulin/core'
import type { MoulinError } from '@moulin/core'
import { askedOnce } from './asked-once.ts'
import { bearerHeader, checkToken } from './auth.ts'
import type { AuthContext, RestAuth } from './auth.ts'
import { withBudget } from './budget.ts'
import { readToken } from './wire/answers.ts'
import { routes } from './wire/routes.ts'

export interface OAuth2Options {
  readonly clientId: string
  readonly clientSecret: string
  /** Where tokens come from. Default: `/v1/oauth/tokens` of the catalog, which the specification is about to give up. */
  readonly tokenUri?: string
  /** Default `catalog`; Polaris wants `PRINCIPAL_ROLE:ALL`. */
  readonly scope?: string
  /** Further fields of the request: `audience`, `resource`. */
  readonly parameters?: Readonly<Record<string, string>>
  /** Where the secret is sent: in the `body`, as most catalogs read it, or as `basic` authorization. Default `body`. */
  readonly send?: 'body' | 'basic'
}

interface Token {
  readonly text: string
  /** On the clock that never falls. */
  readonly untilMs: number
  /** From when on another is fetched before this one is used. */
  readonly staleMs: number
}

/**
 * OAuth2 client credentials (RFC 6749, 4.4): one token for all calls, fetched anew before it runs out, while nobody waits for the next
 * one, and once more when the catalog refuses it. However many wait, it is fetched once.
 * @throws `invalid` for a bad option; code `URI` for a `tokenUri` that no request can go to.
 *
 * @example
 * restCatalog({ uri, warehouse: 'main', auth: oauth2({ clientId, clientSecret, scope: 'PRINCIPAL_ROLE:ALL' }) })
 */
export function oauth2(options: OAuth2Options): RestAuth {
  checkOptions('oauth2', options, {
    clientId: option.required(option.textOf('an id')),
    clientSecret: option.required(option.secret(option.textOf('a secret'))),
    tokenUri: option.textOf('a URI'),
    scope: option.textOf('a scope'),
    parameters: option.secret(option.recordOf(option.text)),
    send: option.oneOf('body', 'basic'),
  })
  const { tokenUri } = options
  const url = tokenUri === undefined ? undefined : URL.parse(tokenUri)
  if (url === null || (url !== undefined && !/^https?:$/.test(url.protocol)))
    throw invalid('URI', 'oauth2: tokenUri is no URL of http: or https:; give one such as https://host/oauth/tokens.')
  if (url !== undefined && (url.username !== '' || url.password !== ''))
    throw invalid('URI', 'oauth2: tokenUri has credentials in it, which belong into clientId and clientSecret.')
  return { name: 'oauth2', open: (context) => openOAuth2(options, context) }
}

function openOAuth2(options: OAuth2Options, context: AuthContext): ReturnType<RestAuth['open']> {
  const { clientSecret } = options
  const { clock } = context.runtime
  let token: Token | undefined
  let restsUntilMs = -Infinity
  const fetched = askedOnce(async () => {
    try {
      return (token = await fetchToken(options, context))
    } catch (error) {
      restsUntilMs = clock.monotonic() + REST_MS
      throw error
    }
  })
  return {
    async headersOf(_request, { signal }) {
      const nowMs = clock.monotonic()
      if (token === undefined || nowMs >= token.untilMs) return bearerHeader((await fetched(signal)).text)
      // It is good for a while yet: whoever gives tokens may fail, or say nothing, and nobody waits for that.
      if (nowMs >= token.staleMs && nowMs >= restsUntilMs) fetched().catch(() => {})
      return bearerHeader(token.text)
    },
    renew(refused) {
      if (token !== undefined && refused['authorization'] === bearerHeader(token.text)['authorization'])
        token = undefined
      return true
    },
    secrets: () => [clientSecret, ...(token === undefined ? [] : [token.text])],
  }
}

/** A token is left alone in its last minute, or the last tenth of a short life. */
const AHEAD_MS = 60_000
/** After a fetch that failed none begins for so long, while the old token is good. */
const REST_MS = 10_000

async function fetchToken(options: OAuth2Options, context: AuthContext): Promise<Token> {
  const { clientId, clientSecret, scope = 'catalog', parameters = {}, send = 'body' } = options
  const { uri, runtime, exchange, requestTimeoutMs } = context
  const url = options.tokenUri ?? uri + routes.tokens.path
  const form = new URLSearchParams({ grant_type: 'client_credentials', scope, ...parameters })
  if (send === 'body') {
    form.set('client_id', clientId)
    form.set('client_secret', clientSecret)
  }
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
    ...(send === 'basic' ? { authorization: basicOf(clientId, clientSecret) } : {}),
  }
  const what = `The request for a token (client ${JSON.stringify(clientId)})`
  const body = new TextEncoder().encode(form.toString())
  const call = { what, ms: requestTimeoutMs }
  return await withBudget(runtime, call, async (budget) => {
    const beganMs = runtime.clock.monotonic()
    const exchanged = exchange({ method: 'POST', url, headers, body }, { what, budget, outcome: 'rejected' })
    const { status, bytes } = await exchanged
    if (status !== 200) throw refusedToken(what, status, bytes)
    const { access_token: text, expires_in: seconds } = tokenIn(bytes, what)
    const lifeMs = (seconds ?? Infinity) * 1000
    const untilMs = beganMs + lifeMs
    return { text: checkToken(text), untilMs, staleMs: untilMs - Math.min(AHEAD_MS, lifeMs / 10) }
  })
}

/** RFC 6749, 2.3.1. */
function basicOf(id: string, secret: string): string {
  const encoded = (text: string): string => new URLSearchParams({ a: text }).toString().slice(2)
  return `Basic ${Buffer.from(`${encoded(id)}:${encoded(secret)}`).toString('base64')}`
}

/** What cannot be read may be a token all the same: nothing of it is shown. */
function tokenIn(bytes: Uint8Array, what: string): ReturnType<typeof readToken> {
  try {
    return readToken(bytes, what)
  } catch (error) {
    if (!isKind(error, 'corrupt') && isMoulinError(error)) throw error
    throw unavailable('CATALOG_ANSWER', `${what} was answered with what is no token: check the URI of tokens.`)
  }
}

/** RFC 6749, 5.2: the word of the error, not its description, which may repeat the request. */
function refusedToken(what: string, status: number, bytes: Uint8Array): MoulinError {
  const word = errorWord(bytes)
  const isBusy = status === 429 || status >= 500
  const message = `${what} was refused with ${status}${word === '' ? '' : ` ${word}`}: ${isBusy ? 'try again later' : 'check client id, secret and scope'}.`
  return unavailable(isBusy ? 'CATALOG_BUSY' : 'UNAUTHENTICATED', message, {
    retryable: isBusy,
    context: { status, error: word },
  })
}

const words: ReadonlySet<unknown> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
])

function errorWord(bytes: Uint8Array): string {
  try {
    const { error } = parseJson(bytes, 'The answer') as { readonly error?: unknown }
    return words.has(error) ? (error as string) : ''
  } catch {
    return ''
  }
}
