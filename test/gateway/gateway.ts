/** A gateway over a catalog in memory or in a folder of a store in memory, and a client that says nothing but HTTP. */
import { memoryCatalog, objectStoreCatalog } from '@moulin/catalog'
import { parseJson, silentLogger, stringifyJson, systemRuntime } from '@moulin/core'
import type { Catalog, JsonValue, ObjectStore, TableMetadata } from '@moulin/core'
import { serveCatalog } from '@moulin/gateway'
import type { CatalogServer, ServeCatalogOptions } from '@moulin/gateway'
import { memory } from '@moulin/storage'
import { afterEach } from 'vitest'

export type CatalogKind = 'memory' | 'folder'

export const catalogs: Readonly<Record<CatalogKind, (store: ObjectStore) => Catalog>> = {
  memory: (store) => memoryCatalog({ store }),
  folder: (store) => objectStoreCatalog({ store }),
}

/** Says nothing: what is wrong is in answers. */
export const quiet = systemRuntime({ logger: silentLogger })

const servers: CatalogServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ drainMs: 1000 })
})

export interface Served {
  readonly server: CatalogServer
  readonly catalog: Catalog
  readonly store: ObjectStore
  readonly ask: Ask
}

/** Serves until the test has ended. */
export async function served(
  options: Partial<ServeCatalogOptions> & { readonly kind?: CatalogKind } = {},
): Promise<Served> {
  const { kind = 'memory', ...given } = options
  const store = memory()
  const catalog = given.catalog ?? catalogs[kind](store)
  const server = await serveCatalog({ catalog, listen: '127.0.0.1:0', stores: store, runtime: quiet, ...given })
  servers.push(server)
  return { server, catalog, store, ask: asker(server.url) }
}

export interface Said {
  readonly status: number
  readonly headers: Headers
  /** Undefined where there is no body. */
  readonly body: Body | undefined
}

/** Whatever a body has: tests say what it must be. */
export interface Body {
  readonly [name: string]: JsonValue | undefined
}

export type Ask = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Said>

export function asker(url: string, shared: Readonly<Record<string, string>> = {}): Ask {
  return async (method, path, body, headers = {}) => {
    const json = body === undefined ? {} : { 'content-type': 'application/json' }
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...json, ...shared, ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : stringifyJson(body) }),
    })
    const text = await response.text()
    const said = text === '' ? undefined : (parseJson(text, 'the answer') as unknown as Body)
    return { status: response.status, headers: response.headers, body: said }
  }
}

export const orders = {
  name: 'orders',
  schema: {
    type: 'struct',
    fields: [
      { id: 1, name: 'id', type: 'long', required: true },
      { id: 2, name: 'city', type: 'string', required: false },
    ],
  },
} as const

export const tables = '/v1/namespaces/shop/tables'

/** A server with the namespace `shop` and the table `shop.orders`. */
export async function servedOrders(
  options: Parameters<typeof served>[0] = {},
): Promise<Served & { readonly metadata: TableMetadata }> {
  const all = await served(options)
  await all.ask('POST', '/v1/namespaces', { namespace: ['shop'] })
  const { body } = await all.ask('POST', tables, orders)
  return { ...all, metadata: metadataOf(body) }
}

export function metadataOf(body: Body | undefined): TableMetadata {
  return body!['metadata'] as unknown as TableMetadata
}

/** The error of an answer, as `status type`. */
export function refusal({ status, body }: Said): string {
  const { type } = (body?.['error'] ?? {}) as { readonly type?: string }
  return `${status} ${String(type)}`
}

export function messageOf({ body }: Said): string {
  return (body!['error'] as unknown as { readonly message: string }).message
}

let lastSnapshot = 8_000_000_000_000_000_000n

/** Updates that put one more snapshot, of no files, on main; and what they require of main. */
export function append(metadata: TableMetadata, ref: string = 'main') {
  const id = ++lastSnapshot
  const head = metadata.refs?.[ref]?.['snapshot-id'] ?? null
  const snapshot = {
    'snapshot-id': id,
    ...(head === null ? {} : { 'parent-snapshot-id': head }),
    'sequence-number': BigInt(metadata['last-sequence-number']) + 1n,
    'timestamp-ms': BigInt(metadata['last-updated-ms']) + 1n,
    'manifest-list': `${metadata.location}/metadata/snap-${id}.avro`,
    summary: { operation: 'append' },
    'schema-id': 0,
  }
  return {
    id,
    requirements: [{ type: 'assert-ref-snapshot-id', ref, 'snapshot-id': head }],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': ref, type: 'branch', 'snapshot-id': id },
    ],
  }
}
