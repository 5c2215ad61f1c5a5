import { isKind } from '@moulin/core'
import type { Catalog, Namespace } from '@moulin/core'

/** One server for all checks: what an earlier one has left goes first. */
export async function emptied(catalog: Catalog): Promise<Catalog> {
  for await (const table of catalog.listTables()) await catalog.dropTable(table)
  const drop = async (namespace: Namespace): Promise<void> => {
    for await (const child of catalog.listNamespaces(namespace)) await drop(child)
    if (namespace.length > 0) await catalog.dropNamespace(namespace).catch(unlessMissing)
  }
  await drop([])
  return catalog
}

/** Those that are there because a table is go with it. */
function unlessMissing(error: unknown): void {
  if (!isKind(error, 'not-found')) throw error
}
