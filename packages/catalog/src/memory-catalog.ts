import {
  checkOptions,
  checkTableIdentifier,
  conflict,
  exists,
  guardedLogger,
  isSameLocation,
  option,
  systemRuntime,
  tableText,
  throwIfAborted,
  unsupported,
  uriOf,
} from '@moulin/core'
import type {
  Catalog,
  CatalogCallOptions,
  LoadedTable,
  ObjectStore,
  OptionTable,
  Runtime,
  TableIdentifier,
} from '@moulin/core'
import { newTableMetadata } from '@moulin/iceberg'
import { MemoryNamespaces } from './memory-namespaces.ts'
import { checkChange, checkProperties } from './namespace-change.ts'
import type { MetadataLimits, NextMetadata } from './next-metadata.ts'
import {
  callTable,
  checkSize,
  metadataLimits,
  metadataLimitsCheck,
  nextMetadata,
  noTable,
  stamped,
  warnBytesOf,
} from './next-metadata.ts'
import { checkPrefix, checkTableRoom, folderOf } from './table-folder.ts'

export interface MemoryCatalogOptions {
  /** Holds the tables' files; only the names are in memory. */
  readonly store: ObjectStore
  /** Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'clock' | 'random' | 'logger'>
  /** Where tables lie in the store; default `tables/`. */
  readonly prefix?: string
  /** Default: those of the log that commits. */
  readonly limits?: Partial<MetadataLimits>
}

const optionTable: OptionTable<MemoryCatalogOptions> = {
  store: option.required(option.storeCheck),
  runtime: option.runtimeOf('clock', 'random', 'logger'),
  prefix: option.text,
  limits: metadataLimitsCheck,
}

type Entry = LoadedTable & { readonly sizeBytes: number; readonly version: number }

/**
 * A catalog that forgets its tables with the process: for tests, and for tables that live as long. Their metadata files
 * are stored as `metadata/<version>-<uuid>.metadata.json`, so any engine opens one by path.
 */
export function memoryCatalog(options: MemoryCatalogOptions): Catalog {
  checkOptions('memoryCatalog', options, optionTable)
  const { store, runtime = systemRuntime() } = options
  const logger = guardedLogger(runtime.logger)
  const prefix = checkPrefix(store, options.prefix ?? 'tables/')
  const tables = new Map<string, Entry>()
  const namespaces = new MemoryNamespaces(() => [...tables.values()].map(({ identifier }) => identifier))

  const requireTable = (table: TableIdentifier): Entry => {
    const entry = tables.get(tableText(checkTableIdentifier(table)))
    if (entry === undefined) throw noTable(table)
    return entry
  }

  // The file first, then the name: a crash or a lost race between the two leaves a file that nobody names.
  const publish = async (table: TableIdentifier, next: NextMetadata, replaces: Entry | undefined): Promise<Entry> => {
    const version = (replaces?.version ?? -1) + 1
    const file = `${String(version).padStart(5, '0')}-${runtime.random.uuid()}.metadata.json`
    const key = `${folderOf(prefix, table)}/metadata/${file}`
    await store.put(key, next.bytes, { mode: 'create' })
    if (tables.get(tableText(table)) !== replaces) throw lostRace(table, replaces)
    const entry: Entry = {
      identifier: table,
      metadataLocation: uriOf(store, key),
      metadata: next.metadata,
      sizeBytes: next.bytes.length,
      version,
    }
    tables.set(tableText(table), entry)
    return entry
  }

  const check = (what: string, call: CatalogCallOptions | undefined): CatalogCallOptions['limits'] => {
    checkOptions(`memoryCatalog.${what}`, call, callTable)
    throwIfAborted(call?.signal)
    return call?.limits
  }

  return {
    name: `memoryCatalog(${store.name})`,
    ...warnBytesOf(options.limits),
    capabilities: { rename: false, transactions: false, views: false, namespaceProperties: true },

    async checkRoom(table, path, call) {
      check('checkRoom', call)
      return checkTableRoom({ store, prefix }, table, path, call)
    },

    async createTable(table, request, call) {
      const limits = check('createTable', call)
      if (tables.has(tableText(checkTableIdentifier(table)))) throw lostRace(table, undefined)
      const location = uriOf(store, folderOf(prefix, table))
      if (request.location !== undefined && !isSameLocation(request.location, location)) {
        throw unsupported('TABLE_LOCATION', `${tableText(table)} lies at ${location}, not at ${request.location}.`)
      }
      const nowMs = runtime.clock.now()
      const metadata = newTableMetadata(request, { uuid: runtime.random.uuid(), location, nowMs })
      const next = stamped(metadata, runtime.random.uuid())
      const context = { limits: metadataLimits(options.limits, limits), logger }
      checkSize({ identifier: table, sizeBytes: 0 }, next.bytes.length, context)
      return loaded(await publish(table, next, undefined))
    },

    async loadTable(table, call) {
      check('loadTable', call)
      return loaded(requireTable(table))
    },

    async commitTable(table, commit, call) {
      const limits = check('commitTable', call)
      const current = requireTable(table)
      const context = {
        nowMs: runtime.clock.now(),
        commitId: runtime.random.uuid(),
        limits: metadataLimits(options.limits, limits),
        logger,
      }
      const next = nextMetadata(current, commit, context)
      return loaded(commit.updates.length === 0 ? current : await publish(table, next, current))
    },

    async dropTable(table, call) {
      check('dropTable', call)
      requireTable(table)
      tables.delete(tableText(table))
    },

    async *listTables(call) {
      check('listTables', call)
      for (const { identifier } of [...tables.values()]) {
        throwIfAborted(call?.signal)
        yield identifier
      }
    },

    async createNamespace(namespace, properties = {}, call) {
      check('createNamespace', call)
      return namespaces.create(namespace, checkProperties('memoryCatalog.createNamespace', properties))
    },

    async *listNamespaces(parent, call) {
      check('listNamespaces', call)
      yield* namespaces.list(parent)
    },

    async loadNamespace(namespace, call) {
      check('loadNamespace', call)
      return namespaces.load(namespace)
    },

    async setNamespaceProperties(namespace, change, call) {
      check('setNamespaceProperties', call)
      return namespaces.set(namespace, checkChange('memoryCatalog.setNamespaceProperties', change))
    },

    async dropNamespace(namespace, call) {
      check('dropNamespace', call)
      namespaces.drop(namespace)
    },
  }
}

function loaded({ identifier, metadataLocation, metadata }: Entry): LoadedTable {
  return { identifier, metadataLocation, metadata }
}

function lostRace(table: TableIdentifier, replaces: Entry | undefined): Error {
  const name = tableText(table)
  if (replaces === undefined) return exists('TABLE_EXISTS', `The table ${name} exists already.`, { context: { name } })
  const message = `Another commit of ${name} came first. Reload the table.`
  return conflict('REQUIREMENT_FAILED', message, { context: { name } })
}
