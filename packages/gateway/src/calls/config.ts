import { endpointText, routes } from '@moulin/catalog/rest'
import type { CatalogConfig, RouteName } from '@moulin/catalog/rest'
import { jsonAnswer } from '../answer.ts'
import type { Gateway, Handler } from '../gateway.ts'

/** What this catalog can serve: clients ask for nothing else. */
export function servedRoutes({
  catalog,
  passCredentials,
}: Pick<Gateway, 'catalog' | 'passCredentials'>): readonly RouteName[] {
  const { capabilities } = catalog
  const isServed: Partial<Record<RouteName, boolean>> = {
    config: false,
    tokens: false,
    registerTable: capabilities.register,
    renameTable: capabilities.rename,
    commitTransaction: capabilities.transactions,
    setNamespaceProperties: capabilities.namespaceProperties,
    loadCredentials: passCredentials,
  }
  return (Object.keys(routes) as RouteName[]).filter((name) => isServed[name] ?? true)
}

export const config: Handler = async (_, gateway) => {
  const { defaults, overrides, limits } = gateway
  const body: CatalogConfig = {
    defaults,
    overrides,
    endpoints: servedRoutes(gateway).map((name) => endpointText(routes[name])),
    'idempotency-key-lifetime': `PT${Math.floor(limits.keyLifetimeMs / 1000)}S`,
  }
  return jsonAnswer(body)
}
