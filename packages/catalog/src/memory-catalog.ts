import { conflict, exists, isSameLocation, throwIfAborted, unsupported, uriOf } from '@moulin/core'
import type { Catalog, LoadedTable, ObjectStore, Runtime, TableIdentifier } from '@moulin/core'
import { newTableMetadata } from '@moulin/iceberg'
import type { MetadataLimits, NextMetadata } from './next-metadata.ts'
import { metadataLimits, nextMetadata, noTable, stamped, warnBytesOf } from './next-metadata.ts'
import { checkIdentifier, checkPrefix, folderOf, printed } from './table-name.ts'

export interface MemoryCatalogOptions {
  /** Holds the tables' files; only the names are in memory. */
  readonly store: ObjectStore
  readonly runtime: Pick<Runtime, 'clock' | 'random' | 'logger'>
  /** Where tables lie in the store; default `tables/`. */
  readonly prefix?: string
  readonly limits?: Partial<MetadataLimits>
}

type Entry = LoadedTable & { readonly sizeBytes: number; readonly version: number }

/**
 * A catalog that forgets its tables with the process: for tests, and for tables that live as long. Their metadata files
 * are stored as `metadata/<version>-<uuid>.metadata.json`, so any engine opens one by path.
 */
export function memoryCatalog(options: MemoryCatalogOptions): Catalog {
  const { store, runtime } = options
  const prefix = checkPrefix(store, options.prefix ?? 'tables/')
  const limits = metadataLimits(options.limits)
  const tables = new Map<string, Entry>()

  const requireTable = (table: TableIdentifier): Entry => {
    const entry = tables.get(printed(checkIdentifier(table)))
    if (entry === undefined) throw noTable(table)
    return entry
  }

  // The file first, then the name: a crash or a lost race between the two leaves a file that nobody names.
  const publish = async (table: TableIdentifier, next: NextMetadata, replaces: Entry | undefined): Promise<Entry> => {
    const version = (replaces?.version ?? -1) + 1
    const file = `${String(version).padStart(5, '0')}-${runtime.random.uuid()}.metadata.json`
    const key = `${folderOf(prefix, table)}/metadata/${file}`
    await store.put(key, next.bytes, { mode: 'create' })
    if (tables.get(printed(table)) !== replaces) throw lostRace(table, replaces)
    const entry: Entry = {
      identifier: table,
      metadataLocation: uriOf(store, key),
      metadata: next.metadata,
      sizeBytes: next.bytes.length,
      version,
    }
    tables.set(printed(table), entry)
    return entry
  }

  return {
    name: `memoryCatalog(${store.name})`,
    ...warnBytesOf(options.limits),

    async createTable(table, request, { signal } = {}) {
      throwIfAborted(signal)
      if (tables.has(printed(checkIdentifier(table)))) throw lostRace(table, undefined)
      const location = uriOf(store, folderOf(prefix, table))
      if (request.location !== undefined && !isSameLocation(request.location, location)) {
        throw unsupported('TABLE_LOCATION', `${printed(table)} lies at ${location}, not at ${request.location}.`)
      }
      const nowMs = runtime.clock.now()
      const metadata = newTableMetadata(request, { uuid: runtime.random.uuid(), location, nowMs })
      return loaded(await publish(table, stamped(metadata, runtime.random.uuid()), undefined))
    },

    async loadTable(table, { signal } = {}) {
      throwIfAborted(signal)
      return loaded(requireTable(table))
    },

    async commitTable(table, commit, { signal } = {}) {
      throwIfAborted(signal)
      const current = requireTable(table)
      const context = {
        nowMs: runtime.clock.now(),
        commitId: runtime.random.uuid(),
        limits,
        logger: runtime.logger,
      }
      const next = nextMetadata(current, commit, context)
      return loaded(commit.updates.length === 0 ? current : await publish(table, next, current))
    },

    async dropTable(table, { signal } = {}) {
      throwIfAborted(signal)
      requireTable(table)
      tables.delete(printed(table))
    },

    async *listTables({ signal } = {}) {
      for (const { identifier } of [...tables.values()]) {
        throwIfAborted(signal)
        yield identifier
      }
    },
  }
}

function loaded({ identifier, metadataLocation, metadata }: Entry): LoadedTable {
  return { identifier, metadataLocation, metadata }
}

function lostRace(table: TableIdentifier, replaces: Entry | undefined): Error {
  const name = printed(table)
  if (replaces === undefined) return exists('TABLE_EXISTS', `The table ${name} exists already.`, { context: { name } })
  const message = `Another commit of ${name} came first. Reload the table.`
  return conflict('REQUIREMENT_FAILED', message, { context: { name } })
}
