import type { Namespace } from '@moulin/core'
import type { RouteName } from '@moulin/catalog/rest'

/** Who sends a request. */
export interface Caller {
  /** For logs and answers that are kept: no secret. */
  readonly name: string
  /** Of a JWT. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/**
 * What a caller wants to do: the calls of the REST specification by name. Whether something exists is asked as `loadTable` and
 * `loadNamespace`; a commit that makes its table as `createTable`; a transaction as `commitTable` of each of its tables.
 */
export type GatewayAction =
  Exclude<RouteName, 'config' | 'tokens' | 'namespaceExists' | 'tableExists' | 'commitTransaction'> | 'purgeTable'

/** To what. Without a table: to the namespace; of no level: to all of the catalog. */
export interface GatewayResource {
  readonly namespace: Namespace
  readonly table?: string
}

/** Who may do what. Made by {@link bearerTokens}, {@link jwtTokens}, or by yourself. */
export interface GatewayAuth {
  /**
   * Of the token of an `Authorization: Bearer` header. Undefined, or anything else that is no {@link Caller} with a name: nobody. What it
   * throws is an answer of status 503.
   */
  authenticate(token: string): Caller | undefined | Promise<Caller | undefined>
  /** Asked once for each table and action of a request. Left out: whoever is known may do everything. */
  authorize?: Authorizer
}

export type Authorizer = (
  caller: Caller,
  action: GatewayAction,
  resource: GatewayResource,
) => boolean | Promise<boolean>

/** Of a server without {@link GatewayAuth}. */
export const anybody: Caller = { name: 'anybody' }

/** Whether an authenticator, whose own types may not be checked, has named somebody. */
export function isCaller(value: unknown): value is Caller {
  const { name } = Object(value) as { readonly name?: unknown }
  return typeof value === 'object' && typeof name === 'string' && name !== ''
}
