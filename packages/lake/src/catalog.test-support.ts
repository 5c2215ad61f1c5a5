/** A catalog as plain as can be, on a store alone: enough to put a cold tier to the test without `@moulin/catalog`. */
import { conflict, exists, isKind, notFound, uriOf } from '@moulin/core'
import type { Catalog, LoadedTable, ObjectStore, Runtime, TableIdentifier, TableMetadata } from '@moulin/core'
import {
  applyUpdates,
  checkRequirements,
  newTableMetadata,
  parseTableMetadata,
  tableMetadataBytes,
} from '@moulin/iceberg'
import { noNamespaces } from '@moulin/testing'

/** One object a version; a commit is the creation of the next. Any number of processes may share the store. */
export function plainCatalog(store: ObjectStore, runtime: Runtime): Catalog {
  const folderOf = ({ namespace, name }: TableIdentifier): string => `tables/${[...namespace, name].join('/')}`
  const keyOf = (table: TableIdentifier, version: number): string =>
    `${folderOf(table)}/metadata/v${version}.metadata.json`

  async function newest(table: TableIdentifier): Promise<{ version: number; metadata: TableMetadata } | undefined> {
    let version = 0
    const prefix = `${folderOf(table)}/metadata/v`
    for await (const { key } of store.list({ prefix })) {
      version = Math.max(version, Number(/^\d+/.exec(key.slice(prefix.length))![0]))
    }
    if (version === 0) return undefined
    const key = keyOf(table, version)
    return { version, metadata: parseTableMetadata((await store.get(key)).bytes, key) }
  }

  async function publish(table: TableIdentifier, version: number, metadata: TableMetadata): Promise<LoadedTable> {
    const key = keyOf(table, version)
    await store.put(key, tableMetadataBytes(metadata), { mode: 'create' })
    return loaded(table, version, metadata)
  }

  const loaded = (identifier: TableIdentifier, version: number, metadata: TableMetadata): LoadedTable => {
    return { identifier, metadata, metadataLocation: uriOf(store, keyOf(identifier, version)) }
  }

  async function present(table: TableIdentifier): Promise<{ version: number; metadata: TableMetadata }> {
    const found = await newest(table)
    if (found === undefined) throw notFound('NO_TABLE', `There is no table ${folderOf(table)}.`)
    return found
  }

  return {
    name: 'plainCatalog',
    ...noNamespaces,
    async createTable(table, request) {
      if ((await newest(table)) !== undefined) throw exists('TABLE_EXISTS', `${folderOf(table)} exists.`)
      const uuid = runtime.random.uuid()
      const location = uriOf(store, folderOf(table))
      return publish(table, 1, newTableMetadata(request, { uuid, location, nowMs: runtime.clock.now() }))
    },
    async loadTable(table) {
      const { version, metadata } = await present(table)
      return loaded(table, version, metadata)
    },
    async commitTable(table, { requirements, updates }) {
      const { version, metadata } = await present(table)
      checkRequirements(metadata, requirements)
      const next = applyUpdates(metadata, updates, { nowMs: runtime.clock.now() })
      try {
        return await publish(table, version + 1, next)
      } catch (error) {
        if (!isKind(error, 'exists')) throw error
        throw conflict('REQUIREMENT_FAILED', `Another commit made version ${version + 1}.`, { cause: error })
      }
    },
    async dropTable(table) {
      await present(table)
      for await (const { key } of store.list({ prefix: `${folderOf(table)}/metadata/v` })) await store.delete(key)
    },
    async *listTables() {},
  }
}
