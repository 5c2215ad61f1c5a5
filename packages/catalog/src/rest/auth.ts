import { checkOptions, invalid, option, waitFor } from '@moulin/core'
import type { Runtime } from '@moulin/core'
import { askedOnce } from './asked-once.ts'
import { withBudget } from './budget.ts'
import type { Budget } from './budget.ts'
import type { Exchange, HttpRequest } from './exchange.ts'

/** How a catalog knows who asks. Holds secrets, and shows none. */
export interface RestAuth {
  /** For messages. */
  readonly name: string
  /** For one catalog, as long as it is open. */
  open(context: AuthContext): OpenedAuth
}

export interface AuthContext {
  /** Of the catalog, without a slash at its end. */
  readonly uri: string
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>
  readonly exchange: Exchange
  readonly requestTimeoutMs: number
}

export interface OpenedAuth {
  /** What is added to the request, or takes the place of what it has. What it throws that is no error of ours is not shown. */
  headersOf(request: HttpRequest, budget: Budget): Promise<Readonly<Record<string, string>>>
  /** The server refused what `headersOf` gave: is there any use in asking again? */
  renew?(refused: Readonly<Record<string, string>>): boolean
  /** What no message may show. */
  secrets(): readonly string[]
}

/** For a catalog that asks nobody. */
export const anonymous: RestAuth = {
  name: 'anonymous',
  open: () => ({ headersOf: () => Promise.resolve({}), secrets: () => [] }),
}

export interface BearerOptions {
  /** The token, or where it comes from: a function is asked again, once for all calls, when the server refuses what it gave. */
  readonly token: string | (() => string | Promise<string>)
}

/**
 * A token that somebody else looks after.
 * @throws `invalid` for a bad option.
 *
 * @example
 * restCatalog({ uri, auth: bearer({ token: process.env.CATALOG_TOKEN }) })
 */
export function bearer(options: BearerOptions): RestAuth {
  const token = option.secret(option.anyOf(option.textOf('a token'), option.callback))
  checkOptions('bearer', options, { token: option.required(token) })
  const { token: given } = options
  return {
    name: 'bearer',
    open({ runtime, requestTimeoutMs }) {
      let token = typeof given === 'string' ? checkToken(given) : undefined
      const call = { what: 'The function that gives tokens', ms: requestTimeoutMs }
      const asked = askedOnce(async () => {
        if (typeof given === 'string') return given
        const ask = async (): Promise<string> => await given()
        return (token = checkToken(await withBudget(runtime, call, ({ signal }) => waitFor(ask(), signal))))
      })
      return {
        async headersOf(_request, { signal }) {
          return bearerHeader(token ?? (await asked(signal)))
        },
        renew(refused) {
          if (typeof given === 'string') return false
          // Another call may have asked meanwhile.
          if (token !== undefined && refused['authorization'] === bearerHeader(token)['authorization'])
            token = undefined
          return true
        },
        secrets: () => (token === undefined ? [] : [token]),
      }
    },
  }
}

export function bearerHeader(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` }
}

/** What goes into a header. @throws `invalid` code `TOKEN`, without a word of it. */
export function checkToken(token: unknown): string {
  if (typeof token === 'string' && /^[\u0021-\u007E]+$/.test(token)) return token
  throw invalid('TOKEN', 'The token for the catalog is empty, or has characters that no header takes.')
}
