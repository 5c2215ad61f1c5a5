import { unsupported } from '@moulin/core'
import type { Catalog } from '@moulin/core'

const none = (): never => {
  throw unsupported('NO_NAMESPACES', 'This catalog is a fake that creates, loads and commits tables, and nothing else.')
}

/** What the fake of a catalog leaves out that creates, loads and commits tables alone: every call is `unsupported`. */
export const noNamespaces: Pick<
  Catalog,
  | 'capabilities'
  | 'stageTable'
  | 'registerTable'
  | 'renameTable'
  | 'commitTransaction'
  | 'createNamespace'
  | 'listNamespaces'
  | 'loadNamespace'
  | 'setNamespaceProperties'
  | 'dropNamespace'
> = {
  capabilities: { register: false, rename: false, transactions: false, views: false, namespaceProperties: false },
  stageTable: async () => none(),
  registerTable: async () => none(),
  renameTable: async () => none(),
  commitTransaction: async () => none(),
  createNamespace: async () => none(),
  listNamespaces: () => none(),
  loadNamespace: async () => none(),
  setNamespaceProperties: async () => none(),
  dropNamespace: async () => none(),
}
