import { notFound } from '@moulin/core'
import type { RouteName } from '@moulin/catalog/rest'
import type { Handler } from '../gateway.ts'
import { commitTable, commitTransaction } from './commits.ts'
import { config } from './config.ts'
import {
  createNamespace,
  dropNamespace,
  listNamespaces,
  loadNamespace,
  namespaceExists,
  setNamespaceProperties,
} from './namespaces.ts'
import {
  createTable,
  dropTable,
  listTables,
  loadCredentials,
  loadTable,
  registerTable,
  renameTable,
  reportMetrics,
  tableExists,
} from './tables.ts'

/** Tokens are given out by whoever knows the callers. */
const tokens: Handler = () =>
  Promise.reject(
    notFound(
      'TOKENS',
      'This server gives out no tokens: configure the client with one, or with its own oauth2-server-uri.',
    ),
  )

/** One for each route of the specification that is served at all. */
export const handlers: Readonly<Record<RouteName, Handler>> = {
  config,
  tokens,
  listNamespaces,
  createNamespace,
  loadNamespace,
  namespaceExists,
  dropNamespace,
  setNamespaceProperties,
  listTables,
  createTable,
  registerTable,
  loadTable,
  tableExists,
  commitTable,
  dropTable,
  loadCredentials,
  reportMetrics,
  renameTable,
  commitTransaction,
}
