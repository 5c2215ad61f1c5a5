import { unsupported } from '@moulin/core'
import type { Catalog } from '@moulin/core'

const none = (): never => {
  throw unsupported('NO_NAMESPACES', 'This catalog is a fake of tables alone: it has no namespaces.')
}

/** What the fake of a catalog that is about tables alone leaves out: every call is `unsupported`. */
export const noNamespaces: Pick<
  Catalog,
  'capabilities' | 'createNamespace' | 'listNamespaces' | 'loadNamespace' | 'setNamespaceProperties' | 'dropNamespace'
> = {
  capabilities: { rename: false, transactions: false, views: false, namespaceProperties: false },
  createNamespace: async () => none(),
  listNamespaces: () => none(),
  loadNamespace: async () => none(),
  setNamespaceProperties: async () => none(),
  dropNamespace: async () => none(),
}
