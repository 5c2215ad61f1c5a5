import type { Catalog, ObjectStore, TableStores } from '@moulin/core'
import type { RouteName } from '@moulin/catalog/rest'
import type { Caller, GatewayAction, GatewayResource } from './auth/caller.ts'
import type { Answer } from './answer.ts'
import type { Lines } from './commit/lines.ts'
import type { FreshTables } from './fresh/fresh-tables.ts'
import type { GatewayLimits } from './gateway-limits.ts'
import type { GatewayRuntime } from './gateway-runtime.ts'

/** What all calls of one server share. */
export interface Gateway {
  readonly catalog: Catalog
  readonly limits: GatewayLimits
  /** In which the commits of this server wait. */
  readonly lines: Lines
  readonly runtime: GatewayRuntime
  /** Undefined: the tables are as their writers leave them. */
  readonly fresh: FreshTables | undefined
  /** Of tables that may be purged. */
  readonly stores: ObjectStore | TableStores | undefined
  readonly defaults: Readonly<Record<string, string>>
  readonly overrides: Readonly<Record<string, string>>
  readonly overrideLocations: boolean
  readonly implicitNamespaces: boolean
  readonly passCredentials: boolean
}

/** One request, its sender known and its body whole. */
export interface GatewayCall {
  readonly name: RouteName
  readonly caller: Caller
  /** Of the path; no level where it has none. */
  readonly namespace: readonly string[]
  /** Of the path; empty where it has none. */
  readonly table: string
  readonly query: URLSearchParams
  readonly headers: Headers
  readonly body: Uint8Array
  /** The key of the header `Idempotency-Key`. */
  readonly changeId: string | undefined
  /** Of the time that the call has, and of a client that is gone where nothing is changed. */
  readonly signal: AbortSignal
  /** @throws `unavailable` code `FORBIDDEN`. */
  may(action: GatewayAction, resource: GatewayResource): Promise<void>
}

export type Handler = (call: GatewayCall, gateway: Gateway) => Promise<Answer>
