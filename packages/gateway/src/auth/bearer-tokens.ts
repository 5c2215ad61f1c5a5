import { createHash, timingSafeEqual } from 'node:crypto'
import { checkOptions, invalid, option } from '@moulin/core'
import type { OptionCheck, OptionTable } from '@moulin/core'
import type { Authorizer, GatewayAuth } from './caller.ts'

export interface BearerTokensOptions {
  /** By the caller's name; each of 16 characters or more. */
  readonly tokens: Readonly<Record<string, string>>
  /** Default: whoever has a token may do everything. */
  readonly authorize?: Authorizer
}

const tokenCheck: OptionCheck = {
  expected: 'a token of 16 characters or more, none of them blank',
  accepts: (value) => typeof value === 'string' && /^\S{16,}$/.test(value),
}

const optionTable: OptionTable<BearerTokensOptions> = {
  tokens: option.secret(option.required(option.recordOf(tokenCheck))),
  authorize: option.callback,
}

/**
 * Callers that are known by tokens of their own.
 * @throws `invalid` for no token, one that is too short, or one that two callers have.
 * @example serveCatalog({ catalog, listen: '0.0.0.0:8181', tls, auth: bearerTokens({ tokens: { spark: process.env.SPARK_TOKEN! } }) })
 */
export function bearerTokens(options: BearerTokensOptions): GatewayAuth {
  checkOptions('bearerTokens', options, optionTable)
  const { tokens, authorize } = options
  const callers = Object.entries(tokens).map(([name, text]) => ({ name, digest: digestOf(text) }))
  const distinct = new Set(Object.values(tokens))
  if (callers.length === 0 || distinct.size < callers.length) {
    const fault = callers.length === 0 ? 'it needs one token at least' : 'two callers have the same token'
    throw invalid('OPTION', `bearerTokens: tokens: ${fault}.`, { context: { option: 'tokens' } })
  }
  return {
    authenticate(given) {
      const digest = digestOf(given)
      let name: string | undefined
      // All of them, whichever fits: how long it takes says nothing.
      for (const caller of callers) if (timingSafeEqual(caller.digest, digest)) name = caller.name
      return name === undefined ? undefined : { name }
    },
    ...(authorize === undefined ? {} : { authorize }),
  }
}

/** Of one length, as the comparison wants it. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
