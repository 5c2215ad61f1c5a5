import { checkOptions, guardedLogger, option, systemRuntime, throwIfAborted } from '@moulin/core'
import type { Catalog, CatalogCallOptions, LoadedTable, ObjectStore, OptionTable, Runtime } from '@moulin/core'
import { MemoryNamespaces } from './memory-namespaces.ts'
import { MemoryTables } from './memory-tables.ts'
import type { MemoryTable } from './memory-tables.ts'
import { checkChange, checkProperties } from './namespace-change.ts'
import type { MetadataLimits } from './next-metadata.ts'
import { callTable, listTable, metadataLimits, metadataLimitsCheck, warnBytesOf } from './next-metadata.ts'
import { nameKey } from './open-names.ts'
import { checkPrefix, checkTableRoom } from './table-folder.ts'

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

/**
 * A catalog that forgets its tables with the process: for tests, and for tables that live as long. Their metadata files
 * are stored as `metadata/<version>-<uuid>.metadata.json`, so any engine opens one by path. A table lies in the folder of its name, or where it
 * is asked to below `prefix`; a renamed one stays where it is. All that changes names is one step for everybody.
 */
export function memoryCatalog(options: MemoryCatalogOptions): Catalog {
  checkOptions('memoryCatalog', options, optionTable)
  const { store, runtime = systemRuntime() } = options
  const prefix = checkPrefix(store, options.prefix ?? 'tables/')
  const tables = new MemoryTables({ store, runtime, logger: guardedLogger(runtime.logger), prefix })
  const namespaces = new MemoryNamespaces(() => tables.identifiers())

  const check = (what: string, call: CatalogCallOptions | undefined, table = callTable): MetadataLimits => {
    checkOptions(`memoryCatalog.${what}`, call, table)
    throwIfAborted(call?.signal)
    return metadataLimits(options.limits, call?.limits)
  }

  return {
    name: `memoryCatalog(${store.name})`,
    ...warnBytesOf(options.limits),
    capabilities: { register: true, rename: true, transactions: true, views: false, namespaceProperties: true },

    async checkRoom(table, path, call) {
      check('checkRoom', call)
      return checkTableRoom({ store, prefix }, table, path, call)
    },

    async createTable(table, request, call) {
      return loaded(await tables.create(table, request, check('createTable', call)))
    },

    async stageTable(table, request, call) {
      check('stageTable', call)
      const { identifier, metadata } = tables.stage(table, request)
      return { identifier, metadata }
    },

    async loadTable(table, call) {
      check('loadTable', call)
      return loaded(await tables.load(table, call?.signal))
    },

    async commitTable(table, commit, call) {
      const limits = check('commitTable', call)
      return loaded((await tables.commit([{ identifier: table, ...commit }], limits))[0]!)
    },

    async dropTable(table, call) {
      check('dropTable', call)
      tables.drop(table)
    },

    async registerTable(table, metadataLocation, call) {
      check('registerTable', call)
      return loaded(await tables.register(table, metadataLocation))
    },

    async renameTable(from, to, call) {
      check('renameTable', call)
      tables.rename(from, to, (namespace) => void namespaces.load(namespace))
    },

    async commitTransaction(commits, call) {
      await tables.commit(commits, check('commitTransaction', call))
    },

    async *listTables(call) {
      check('listTables', call, listTable)
      const within = call?.namespace && nameKey(namespaces.load(call.namespace).namespace)
      for (const identifier of [...tables.identifiers()]) {
        throwIfAborted(call?.signal)
        if (within === undefined || nameKey(identifier.namespace) === within) yield identifier
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

function loaded({ identifier, metadataLocation, metadata }: MemoryTable): LoadedTable {
  return { identifier, metadataLocation, metadata }
}
