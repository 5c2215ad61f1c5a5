import type { Namespace } from '@moulin/core'
import { encodeNamespace, encodePrefix, encodeSegment } from './url-names.ts'

export type Method = 'GET' | 'POST' | 'HEAD' | 'DELETE'

/** A path of the specification, its parameters in braces: `/v1/{prefix}/namespaces/{namespace}`. */
export interface Route {
  readonly method: Method
  readonly path: string
}

const namespaces = '/v1/{prefix}/namespaces'
const namespace = `${namespaces}/{namespace}`
const tables = `${namespace}/tables`
const table = `${tables}/{table}`

export type RouteName =
  | 'config'
  | 'tokens'
  | 'listNamespaces'
  | 'createNamespace'
  | 'loadNamespace'
  | 'namespaceExists'
  | 'dropNamespace'
  | 'setNamespaceProperties'
  | 'listTables'
  | 'createTable'
  | 'registerTable'
  | 'loadTable'
  | 'tableExists'
  | 'commitTable'
  | 'dropTable'
  | 'loadCredentials'
  | 'reportMetrics'
  | 'renameTable'
  | 'commitTransaction'

/** REST specification, "paths": those of tables and namespaces. */
export const routes: Readonly<Record<RouteName, Route>> = {
  config: { method: 'GET', path: '/v1/config' },
  tokens: { method: 'POST', path: '/v1/oauth/tokens' },
  listNamespaces: { method: 'GET', path: namespaces },
  createNamespace: { method: 'POST', path: namespaces },
  loadNamespace: { method: 'GET', path: namespace },
  namespaceExists: { method: 'HEAD', path: namespace },
  dropNamespace: { method: 'DELETE', path: namespace },
  setNamespaceProperties: { method: 'POST', path: `${namespace}/properties` },
  listTables: { method: 'GET', path: tables },
  createTable: { method: 'POST', path: tables },
  registerTable: { method: 'POST', path: `${namespace}/register` },
  loadTable: { method: 'GET', path: table },
  tableExists: { method: 'HEAD', path: table },
  commitTable: { method: 'POST', path: table },
  dropTable: { method: 'DELETE', path: table },
  loadCredentials: { method: 'GET', path: `${table}/credentials` },
  reportMetrics: { method: 'POST', path: `${table}/metrics` },
  renameTable: { method: 'POST', path: '/v1/{prefix}/tables/rename' },
  commitTransaction: { method: 'POST', path: '/v1/{prefix}/transactions/commit' },
}

/** As a configuration lists it: `GET /v1/{prefix}/namespaces`. */
export function endpointText({ method, path }: Route): string {
  return `${method} ${path}`
}

/** What a server serves that lists no endpoints: REST specification, `getConfig`. */
export const defaultRoutes: readonly RouteName[] = [
  'listNamespaces',
  'createNamespace',
  'loadNamespace',
  'dropNamespace',
  'setNamespaceProperties',
  'listTables',
  'createTable',
  'loadTable',
  'commitTable',
  'dropTable',
  'registerTable',
  'reportMetrics',
  'renameTable',
  'commitTransaction',
]

export interface RouteParameters {
  /** As the configuration names it. Empty or left out: none. */
  readonly prefix?: string
  readonly namespace?: Namespace
  readonly table?: string
  /** Between the levels of a namespace, encoded as it goes into the URL. Default `%1F`. */
  readonly separator?: string
}

/** The path of a request, encoded. */
export function routePath(route: Route, { prefix = '', namespace, table, separator }: RouteParameters): string {
  return route.path
    .replace('/{prefix}', () => (prefix === '' ? '' : `/${encodePrefix(prefix)}`))
    .replace('{namespace}', () => encodeNamespace(namespace ?? [], separator))
    .replace('{table}', () => encodeSegment(table ?? ''))
}
