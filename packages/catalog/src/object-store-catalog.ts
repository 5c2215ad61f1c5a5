import {
  checkOptions,
  checkTableIdentifier,
  corrupt,
  exists,
  guardedLogger,
  invalid,
  isKind,
  isSameLocation,
  option,
  systemRuntime,
  tableText,
  throwIfAborted,
  unavailable,
  unsupported,
  uriOf,
} from '@moulin/core'
import type {
  Catalog,
  CatalogCallOptions,
  CreateTableRequest,
  LoadedTable,
  ObjectStore,
  OptionTable,
  Runtime,
  TableIdentifier,
} from '@moulin/core'
import { newTableMetadata, parseTableMetadata, previousVersionsMax } from '@moulin/iceberg'
import { collectVersions, isTimeToCollect } from './collect-versions.ts'
import { droppedBytes, isDropped, removeOldVersions } from './dropped-table.ts'
import { firstKey, tableFolderOf, tablesIn } from './list-tables.ts'
import { checkChange, checkProperties } from './namespace-change.ts'
import { newestVersion } from './newest-version.ts'
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
import { StoreNamespaces } from './store-namespaces.ts'
import { storeVersion } from './store-version.ts'
import { checkPrefix, checkTableRoom, folderOf } from './table-folder.ts'
import type { TableFolder, Version, VersionBytes } from './version-files.ts'
import { versionKey } from './version-files.ts'
import { moveHint } from './version-hint.ts'

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
  const catalog = new ObjectStoreCatalog(store, runtime, prefix, access, options.limits)
  const namespaces = new StoreNamespaces(store, runtime, prefix)
  const writing = (what: string, call: CatalogCallOptions | undefined): AbortSignal | undefined => {
    const { signal } = checked(what, call)
    requireWritable(access)
    throwIfAborted(signal)
    return signal
  }
  return {
    name: `objectStoreCatalog(${store.name}, ${prefix})`,
    ...warnBytesOf(options.limits),
    capabilities: { rename: false, transactions: false, views: false, namespaceProperties: true },
    checkRoom: async (table, path, call) => checkTableRoom({ store, prefix }, table, path, checked('checkRoom', call)),
    createTable: async (table, request, call) => catalog.create(table, request, checked('createTable', call)),
    loadTable: async (table, call) => loadedOf(await catalog.load(table, checked('loadTable', call).signal)),
    commitTable: async (table, commit, call) => catalog.commit(table, commit, checked('commitTable', call)),
    dropTable: async (table, call) => catalog.drop(table, checked('dropTable', call).signal),
    listTables: (call) => tablesIn(store, prefix, checked('listTables', call).signal),
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

type Current = LoadedTable & { readonly found: VersionBytes; readonly sizeBytes: number; readonly folder: TableFolder }

/** Tables whose newest metadata is remembered: a commit after a load then neither reads nor parses it again. */
const REMEMBERED_TABLES = 64

class ObjectStoreCatalog {
  readonly #store: ObjectStore
  readonly #runtime: Required<ObjectStoreCatalogOptions>['runtime']
  readonly #prefix: string
  readonly #access: 'read-write' | 'read-only'
  readonly #limits: Partial<MetadataLimits> | undefined
  /** By folder, the longest unused first. A hint for speed: what it says is believed only with the same tag. */
  readonly #remembered = new Map<string, Current>()

  constructor(
    store: ObjectStore,
    runtime: Required<ObjectStoreCatalogOptions>['runtime'],
    prefix: string,
    access: 'read-write' | 'read-only',
    limits: Partial<MetadataLimits> | undefined,
  ) {
    this.#store = store
    this.#runtime = runtime
    this.#prefix = prefix
    this.#access = access
    this.#limits = limits
  }

  async create(
    table: TableIdentifier,
    request: CreateTableRequest,
    { signal, limits }: CatalogCallOptions = {},
  ): Promise<LoadedTable> {
    requireWritable(this.#access)
    const folder = this.#folder(table, signal)
    const location = uriOf(this.#store, folder.path)
    if (request.location !== undefined && !isSameLocation(request.location, location)) {
      throw unsupported('TABLE_LOCATION', `${tableText(table)} lies at ${location}, not at ${request.location}.`)
    }
    const uuid = this.#runtime.random.uuid()
    const metadata = newTableMetadata(request, { uuid, location, nowMs: this.#runtime.clock.now() })
    const predecessor = await this.#freePlace(table, folder, signal)
    const next = stamped(metadata, this.#runtime.random.uuid())
    const context = { limits: metadataLimits(this.#limits, limits), logger: this.#runtime.logger }
    checkSize({ identifier: table, sizeBytes: 0 }, next.bytes.length, context)
    try {
      await storeVersion(folder, { predecessor, bytes: next.bytes, signal })
    } catch (error) {
      if (isKind(error, 'conflict')) throw tableExists(table)
      throw error
    }
    await this.#advanceHint(table, folder, (predecessor?.version ?? 0) + 1)
    // A creator that stalled for a hundred commits may have made a first version that was collected long ago.
    const created = await this.load(table).catch((cause: unknown) => {
      const message = `The table ${tableText(table)} was created, but could not be read back: load it.`
      throw unavailable('COMMIT_UNKNOWN', message, { outcome: 'unknown', retryable: false, cause })
    })
    if (created.metadata['table-uuid'] !== uuid) throw tableExists(table)
    return loadedOf(created)
  }

  async load(table: TableIdentifier, signal?: AbortSignal): Promise<Current> {
    const folder = this.#folder(table, signal)
    const known = this.#remembered.get(folder.path)
    const newest = await newestVersion(folder, known?.found, signal)
    if (newest === undefined || isDropped(newest.found.bytes)) throw noTable(table)
    const current = known?.found === newest.found ? known : this.#read(table, folder, newest.found)
    this.#remember(current)
    if (this.#access === 'read-write' && (newest.hint.version ?? 0) < newest.found.version)
      await this.#advanceHint(table, folder, newest.found.version)
    return current
  }

  async commit(
    table: TableIdentifier,
    commit: Parameters<Catalog['commitTable']>[1],
    { signal, limits }: CatalogCallOptions = {},
  ): Promise<LoadedTable> {
    requireWritable(this.#access)
    const current = await this.load(table, signal)
    const next = nextMetadata(current, commit, {
      nowMs: this.#runtime.clock.now(),
      commitId: this.#runtime.random.uuid(),
      limits: metadataLimits(this.#limits, limits),
      logger: this.#runtime.logger,
    })
    if (commit.updates.length === 0) return loadedOf(current)
    return await this.#publish(current, next, signal)
  }

  async #publish(current: Current, next: NextMetadata, signal: AbortSignal | undefined): Promise<LoadedTable> {
    const { folder, identifier } = current
    throwIfAborted(signal)
    const { version, etag } = await storeVersion(folder, { predecessor: current.found, bytes: next.bytes, signal })
    // From here on it is committed, whatever else fails.
    const hint = await this.#advanceHint(identifier, folder, version)
    if (hint !== undefined && isTimeToCollect(version)) await this.#collect(folder, hint, next)
    const metadataLocation = uriOf(this.#store, versionKey(folder, version))
    const found = { version, etag, bytes: next.bytes }
    const made = { identifier, metadataLocation, metadata: next.metadata, found, sizeBytes: next.bytes.length, folder }
    this.#remember(made)
    return loadedOf(made)
  }

  async drop(table: TableIdentifier, signal?: AbortSignal): Promise<void> {
    requireWritable(this.#access)
    const { folder, metadata, found: predecessor } = await this.load(table, signal)
    const { clock, random, logger } = this.#runtime
    const bytes = droppedBytes(metadata['table-uuid'], clock.now(), random.uuid())
    const { version } = await storeVersion(folder, { predecessor, bytes, signal })
    try {
      await removeOldVersions(folder, version)
    } catch (error) {
      logger.warn({ table: tableText(table), error }, 'the table is dropped, but old metadata stays in its folder')
    }
  }

  #folder(table: TableIdentifier, signal: AbortSignal | undefined): TableFolder {
    throwIfAborted(signal)
    return { store: this.#store, path: folderOf(this.#prefix, checkTableIdentifier(table)) }
  }

  #read(identifier: TableIdentifier, folder: TableFolder, found: VersionBytes): Current {
    const key = versionKey(folder, found.version)
    const metadataLocation = uriOf(this.#store, key)
    const metadata = parseTableMetadata(found.bytes, key)
    const location = uriOf(this.#store, folder.path)
    if (!isSameLocation(metadata.location, location)) {
      const message = `${key} says that its table lies at ${metadata.location}, but it was read from ${location}: a table's folder cannot be moved.`
      throw corrupt('TABLE_MOVED', message, { context: { key, location, recorded: metadata.location } })
    }
    return { identifier, metadataLocation, metadata, found, sizeBytes: found.bytes.length, folder }
  }

  #remember(current: Current): void {
    this.#remembered.delete(current.folder.path)
    this.#remembered.set(current.folder.path, current)
    for (const [path] of this.#remembered) {
      if (this.#remembered.size <= REMEMBERED_TABLES) return
      this.#remembered.delete(path)
    }
  }

  /** The dropped table's last version, if there was one. @throws `exists` when anything else is there. */
  async #freePlace(
    table: TableIdentifier,
    folder: TableFolder,
    signal: AbortSignal | undefined,
  ): Promise<Version | undefined> {
    const newest = await newestVersion(folder, undefined, signal)
    if (newest !== undefined) {
      if (isDropped(newest.found.bytes)) return newest.found
      throw tableExists(table)
    }
    const inside = await firstKey(this.#store, `${folder.path}/`, undefined, signal)
    const around = await tableFolderOf(this.#store, this.#prefix, folder.path, signal)
    const occupant = inside ?? around
    if (occupant === undefined) return undefined
    const message = `The folder of ${tableText(table)} is not free: ${occupant} is there. Choose another name, or move that away.`
    throw exists('FOLDER_OCCUPIED', message, { context: { table: tableText(table), occupant } })
  }

  /** Undefined when it failed: the commit stands, and the next load repairs the hint. */
  async #advanceHint(table: TableIdentifier, folder: TableFolder, version: number): Promise<number | undefined> {
    try {
      return await moveHint(folder, version)
    } catch (error) {
      const fields = { table: tableText(table), version, error }
      this.#runtime.logger.warn(fields, 'the version hint could not be moved; engines see the table as it was')
      return undefined
    }
  }

  async #collect(folder: TableFolder, hint: number, { metadata }: NextMetadata): Promise<void> {
    try {
      await collectVersions(folder, hint, previousVersionsMax(metadata))
    } catch (error) {
      this.#runtime.logger.warn({ folder: folder.path, error }, 'old metadata versions could not be collected')
    }
  }
}

function requireWritable(access: 'read-write' | 'read-only'): void {
  if (access === 'read-only') throw invalid('READ_ONLY', 'This catalog was opened read-only.')
}

function loadedOf({ identifier, metadataLocation, metadata }: Current): LoadedTable {
  return { identifier, metadataLocation, metadata }
}

function tableExists(table: TableIdentifier): Error {
  return exists('TABLE_EXISTS', `The table ${tableText(table)} exists already.`, {
    context: { table: tableText(table) },
  })
}
