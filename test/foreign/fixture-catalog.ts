import { parseJson, stringifyJson, unsupported } from '@moulin/core'
import type { Catalog, JsonObject } from '@moulin/core'
import { parseTableMetadata } from '@moulin/iceberg'
import type { RestCatalog } from './engines.ts'

/** Apache's REST fixture as a catalog of ours: loads tables, and nothing else. */
export function fixtureCatalog({ uri }: RestCatalog): Catalog {
  const never = (): never => {
    throw unsupported('FIXTURE', 'Nothing of ours writes through the fixture.')
  }
  return {
    name: 'fixture',
    capabilities: { register: false, rename: false, transactions: false, views: false, namespaceProperties: false },
    async loadTable(identifier) {
      const { namespace, name } = identifier
      const answer = await fetch(`${uri}/v1/namespaces/${namespace.join('.')}/tables/${name}`)
      const text = await answer.text()
      if (!answer.ok) throw new Error(`The fixture has no ${name}: ${answer.status} ${text}`)
      const loaded = parseJson(text, 'The answer of the fixture') as JsonObject
      const metadataLocation = loaded['metadata-location'] as string
      // As from its file, from where numbers of 64 bits come too.
      const metadata = parseTableMetadata(stringifyJson(loaded['metadata']), metadataLocation)
      return { identifier, metadataLocation, metadata }
    },
    createTable: never,
    stageTable: never,
    commitTable: never,
    dropTable: never,
    registerTable: never,
    renameTable: never,
    commitTransaction: never,
    listTables: never,
    createNamespace: never,
    listNamespaces: never,
    loadNamespace: never,
    setNamespaceProperties: never,
    dropNamespace: never,
  }
}
