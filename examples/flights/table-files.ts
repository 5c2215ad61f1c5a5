import { objectStoreCatalog } from '@moulin/catalog'
import { systemRuntime, tableFiles as filesIn } from '@moulin/core'
import type { ObjectStore } from '@moulin/core'
import { planScan } from '@moulin/iceberg'

/** The data files that the table's current snapshot names, and nothing else that may lie beside them. */
export async function tableFiles(
  store: ObjectStore,
  table: string,
): Promise<{ files: string[]; bytes: number; location: string }> {
  const runtime = systemRuntime()
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime, access: 'read-only' })
  const levels = table.split('.')
  const { metadata } = await catalog.loadTable({ namespace: levels.slice(0, -1), name: levels.at(-1)! })
  const files: string[] = []
  let bytes = 0
  for await (const { file } of planScan({ tableFiles: filesIn(store), metadata })) {
    files.push(file.filePath)
    bytes += Number(file.fileSizeBytes)
  }
  return { files, bytes, location: metadata.location }
}
