import {
  checkOptions,
  guardedLogger,
  option,
  requireCapability,
  systemRuntime,
  throwIfAborted,
  unsupported,
} from '@moulin/core'
import type { Catalog, CatalogCallOptions, ObjectStore, OptionTable, Runtime } from '@moulin/core'
import { tablesIn, tablesRightIn } from './list-tables.ts'
import { checkChange, checkProperties } from './namespace-change.ts'
import type { MetadataLimits } from './next-metadata.ts'
import { callTable, listTable, metadataLimitsCheck, warnBytesOf } from './next-metadata.ts'
import { loadedOf, ObjectStoreTables, requireWritable } from './object-store-tables.ts'
import { StoreNamespaces } from './store-namespaces.ts'
import { checkPrefix, checkTableRoom } from './table-folder.ts'

export interface ObjectStoreCatalogOptions {
  /** Must have the capability `createIfAbsent`. */
  readonly store: ObjectStore
  /** Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'clock' | 'random' | 'logger'>
  /** Where tables lie in the store; default `tables/`. */
  readonly prefix?: string
  /** `read-only` writes nothing at all: no commits, and no repair of a hint. Default `read-write`. */
  readonly access?: 'read-write' | 'read-only'
  /** Default: those of the log that commits. */
  readonly limits?: Partial<MetadataLimits>
}

const optionTable: OptionTable<ObjectStoreCatalogOptions> = {
  store: option.required(option.storeCheck),
  runtime: option.runtimeOf('clock', 'random', 'logger'),
  prefix: option.text,
  access: option.oneOf('read-write', 'read-only'),
  limits: metadataLimitsCheck,
}

/**
 * A catalog that is nothing but objects: `<prefix><namespace>/<table>/metadata/vN.metadata.json` and
 * `version-hint.text`, the layout that engines open by path. One commit is one create-if-absent of the next version; a
 * commit that `commitTable` returned is durable as the store's puts are, and seen by every load that starts later.
 * Any number of processes may commit. Engines may read the folder, never write it. Namespaces that are created have a
 * file in their own folder, none in a table's.
 *
 * Layout and protocol: docs/formats/catalog.md.
 *
 * @throws `unsupported` for a store without create-if-absent; `invalid` for a bad option.
 */
export function objectStoreCatalog(options: ObjectStoreCatalogOptions): Catalog {
  checkOptions('objectStoreCatalog', options, optionTable)
  const { store, access = 'read-write' } = options
  const { clock, random, logger } = options.runtime ?? systemRuntime()
  const runtime = { clock, random, logger: guardedLogger(logger) }
  if (!store.capabilities.createIfAbsent) {
    throw unsupported('CREATE_IF_ABSENT', `${store.name} cannot create if absent: it holds no catalog.`)
  }
  const prefix = checkPrefix(store, options.prefix ?? 'tables/')
  const tables = new ObjectStoreTables({ store, runtime, prefix, access, limits: options.limits })
  const namespaces = new StoreNamespaces(store, runtime, prefix)
  const writing = (what: string, call: CatalogCallOptions | undefined): AbortSignal | undefined => {
    const { signal } = checked(what, call)
    requireWritable(access)
    throwIfAborted(signal)
    return signal
  }
  const name = `objectStoreCatalog(${store.name}, ${prefix})`
  // A name is a folder, and two tables have no common compare-and-set.
  const capabilities = { register: true, rename: false, transactions: false, views: false, namespaceProperties: true }
  return {
    name,
    ...warnBytesOf(options.limits),
    capabilities,
    checkRoom: async (table, path, call) => checkTableRoom({ store, prefix }, table, path, checked('checkRoom', call)),
    createTable: async (table, request, call) => tables.create(table, request, checked('createTable', call)),
    stageTable: async (table, request, call) => tables.stage(table, request, checked('stageTable', call)),
    loadTable: async (table, call) => loadedOf(await tables.load(table, checked('loadTable', call).signal)),
    commitTable: async (table, commit, call) => tables.commit(table, commit, checked('commitTable', call)),
    dropTable: async (table, call) => tables.drop(table, checked('dropTable', call).signal),
    registerTable: async (table, location, call) => tables.register(table, location, checked('registerTable', call)),
    async renameTable(_from, _to, call) {
      checked('renameTable', call)
      requireCapability({ name, capabilities }, 'rename')
    },
    async commitTransaction(_commits, call) {
      checked('commitTransaction', call)
      requireCapability({ name, capabilities }, 'transactions')
    },
    async *listTables(call) {
      checkOptions('objectStoreCatalog.listTables', call, listTable)
      const { namespace, signal } = call ?? {}
      if (namespace === undefined) return yield* tablesIn(store, prefix, signal)
      await namespaces.load(namespace, signal)
      yield* tablesRightIn(store, prefix, namespace, signal)
    },
    async createNamespace(namespace, properties = {}, call) {
      const signal = writing('createNamespace', call)
      return namespaces.create(namespace, checkProperties('objectStoreCatalog.createNamespace', properties), signal)
    },
    loadNamespace: async (namespace, call) => namespaces.load(namespace, checked('loadNamespace', call).signal),
    listNamespaces: (parent, call) => namespaces.list(parent, checked('listNamespaces', call).signal),
    async setNamespaceProperties(namespace, change, call) {
      const signal = writing('setNamespaceProperties', call)
      return namespaces.set(namespace, checkChange('objectStoreCatalog.setNamespaceProperties', change), signal)
    },
    dropNamespace: async (namespace, call) => namespaces.drop(namespace, writing('dropNamespace', call)),
  }
}

function checked(what: string, call: CatalogCallOptions | undefined): CatalogCallOptions {
  checkOptions(`objectStoreCatalog.${what}`, call, callTable)
  return call ?? {}
}
