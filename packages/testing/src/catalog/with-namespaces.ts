import { isKind } from '@moulin/core'
import type { Catalog, Namespace } from '@moulin/core'
import { faultyCatalog } from '../faulty-catalog.ts'

/**
 * The same catalog, but what needs a namespace creates it first, as its users must where tables do not make their namespaces be there.
 * The namespaces stay when the tables go.
 */
export function withNamespaces(catalog: Catalog): Catalog {
  async function make(namespace: Namespace): Promise<void> {
    for (let level = 1; level <= namespace.length; level++) {
      await catalog.createNamespace(namespace.slice(0, level)).catch((error: unknown) => {
        // What is no name is for the call itself to refuse.
        if (!isKind(error, 'exists') && !isKind(error, 'invalid')) throw error
      })
    }
  }
  return {
    // Without rules it passes everything on, whatever kind of object the catalog is.
    ...faultyCatalog(catalog),
    async createTable(table, ...rest) {
      if (rest[1]?.signal?.aborted !== true) await make(table.namespace)
      return catalog.createTable(table, ...rest)
    },
    async stageTable(table, ...rest) {
      if (rest[1]?.signal?.aborted !== true) await make(table.namespace)
      return catalog.stageTable(table, ...rest)
    },
    async createNamespace(namespace, ...rest) {
      if (rest[1]?.signal?.aborted !== true) await make(namespace.slice(0, -1))
      return catalog.createNamespace(namespace, ...rest)
    },
  }
}
