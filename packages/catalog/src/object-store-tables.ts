import {
  checkTableIdentifier,
  conflict,
  corrupt,
  invalid,
  isKind,
  isSameLocation,
  tableText,
  throwIfAborted,
  unavailable,
  uriOf,
} from '@moulin/core'
import type {
  CatalogCallOptions,
  CreateTableRequest,
  LoadedTable,
  Logger,
  ObjectStore,
  Runtime,
  StagedTable,
  TableCommit,
  TableIdentifier,
} from '@moulin/core'
import { applyUpdates, newTableMetadata, parseTableMetadata, previousVersionsMax } from '@moulin/iceberg'
import { collectVersions, isTimeToCollect } from './collect-versions.ts'
import { droppedBytes, isDropped, removeOldVersions } from './dropped-table.ts'
import { metadataToRegister } from './metadata-to-register.ts'
import { newestVersion } from './newest-version.ts'
import type { MetadataLimits, NextContext, NextMetadata } from './next-metadata.ts'
import {
  askedLocation,
  checkLocation,
  checkSize,
  firstMetadata,
  isCreation,
  metadataLimits,
  metadataLogBytes,
  nextMetadata,
  noTable,
  stamped,
  tableExists,
} from './next-metadata.ts'
import { storeVersion } from './store-version.ts'
import { folderOf } from './table-folder.ts'
import { placeOf } from './table-place.ts'
import type { Newcomer } from './table-place.ts'
import { HistoryJudge, isTimeToLook } from './two-histories.ts'
import type { TableFolder, Version, VersionBytes } from './version-files.ts'
import { versionKey } from './version-files.ts'
import { moveHint } from './version-hint.ts'

export interface ObjectStoreTablesParts {
  readonly store: ObjectStore
  readonly runtime: Pick<Runtime, 'clock' | 'random'> & { readonly logger: Logger }
  readonly prefix: string
  readonly access: 'read-write' | 'read-only'
  readonly limits: Partial<MetadataLimits> | undefined
}

type Current = LoadedTable & { readonly found: VersionBytes; readonly sizeBytes: number; readonly folder: TableFolder }

/** Tables whose newest metadata is remembered: a commit after a load then neither reads nor parses it again. */
const REMEMBERED_TABLES = 64

/** The tables of a catalog of objects. Layout and protocol: docs/formats/catalog.md. */
export class ObjectStoreTables {
  readonly #parts: ObjectStoreTablesParts
  /** By folder, the longest unused first. A hint for speed: what it says is believed only with the same tag. */
  readonly #remembered = new Map<string, Current>()
  readonly #histories = new HistoryJudge()

  constructor(parts: ObjectStoreTablesParts) {
    this.#parts = parts
  }

  async create(table: TableIdentifier, request: CreateTableRequest, call: CatalogCallOptions): Promise<LoadedTable> {
    const folder = this.#folder(table, call.signal)
    requireWritable(this.#parts.access)
    const { metadata } = this.#planned(table, folder, request)
    const predecessor = await this.#placeOf(table, folder, 'created', call.signal)
    const next = stamped(metadata, this.#parts.runtime.random.uuid())
    const { limits, logger } = this.#context(call)
    checkSize({ identifier: table, sizeBytes: 0 }, next.bytes.length, { limits, logger })
    return await this.#storeNew(table, folder, next, predecessor, call.signal)
  }

  async stage(
    table: TableIdentifier,
    request: CreateTableRequest,
    { signal }: CatalogCallOptions,
  ): Promise<StagedTable> {
    const folder = this.#folder(table, signal)
    const staged = this.#planned(table, folder, request)
    await this.#placeOf(table, folder, 'staged', signal)
    return staged
  }

  async load(table: TableIdentifier, signal?: AbortSignal): Promise<Current> {
    const current = await this.#find(table, signal)
    if (current === undefined) throw noTable(table)
    return current
  }

  async commit(table: TableIdentifier, commit: TableCommit, call: CatalogCallOptions): Promise<LoadedTable> {
    requireWritable(this.#parts.access)
    const { signal } = call
    const current = await this.#find(table, signal)
    if (current === undefined) {
      if (!isCreation(commit)) throw noTable(table)
      return await this.#createBy(table, commit, call)
    }
    const next = nextMetadata(current, commit, this.#context(call))
    if (commit.updates.length === 0) return loadedOf(current)
    const { folder, metadata, found } = current
    const judged = { identifier: table, metadata, key: versionKey(folder, found.version) }
    await this.#histories.requireOne(folder, judged, { isDue: isTimeToLook(found.version), signal })
    return await this.#publish(current, next, signal)
  }

  async drop(table: TableIdentifier, signal?: AbortSignal): Promise<void> {
    const { access, runtime } = this.#parts
    requireWritable(access)
    const { folder, metadata, found: predecessor } = await this.load(table, signal)
    const { clock, random, logger } = runtime
    const bytes = droppedBytes(metadata['table-uuid'], clock.now(), random.uuid())
    const { version } = await storeVersion(folder, { predecessor, bytes, signal })
    try {
      await removeOldVersions(folder, version)
    } catch (error) {
      logger.warn({ table: tableText(table), error }, 'the table is dropped, but old metadata stays in its folder')
    }
  }

  /** The metadata that is there becomes the next version of the table's folder, and names the file that it was in. */
  async register(table: TableIdentifier, metadataLocation: string, call: CatalogCallOptions): Promise<LoadedTable> {
    const { signal } = call
    const folder = this.#folder(table, signal)
    requireWritable(this.#parts.access)
    const predecessor = await this.#placeOf(table, folder, 'registered', signal)
    const { metadata, key, sizeBytes } = await metadataToRegister(table, folder, metadataLocation, signal)
    await this.#histories.requireOne(folder, { identifier: table, metadata, key }, { isDue: true, signal })
    const { nowMs, commitId, limits, logger } = this.#context(call)
    const log = { nowMs, previousLocation: uriOf(folder.store, key), metadataLogBytes: metadataLogBytes(limits) }
    const next = stamped(applyUpdates(metadata, [], log), commitId)
    checkSize({ identifier: table, sizeBytes }, next.bytes.length, { limits, logger })
    return await this.#storeNew(table, folder, next, predecessor, signal)
  }

  async #find(table: TableIdentifier, signal: AbortSignal | undefined): Promise<Current | undefined> {
    const folder = this.#folder(table, signal)
    const known = this.#remembered.get(folder.path)
    const newest = await newestVersion(folder, known?.found, signal)
    if (newest === undefined || isDropped(newest.found.bytes)) return undefined
    const current = known?.found === newest.found ? known : this.#read(table, folder, newest.found)
    this.#remember(current)
    if (this.#parts.access === 'read-write' && (newest.hint.version ?? 0) < newest.found.version)
      await this.#advanceHint(table, folder, newest.found.version)
    return current
  }

  #planned(table: TableIdentifier, folder: TableFolder, request: CreateTableRequest): StagedTable {
    const { store, runtime } = this.#parts
    const location = uriOf(store, folder.path)
    checkLocation(table, request.location, location)
    const uuid = runtime.random.uuid()
    return { identifier: table, metadata: newTableMetadata(request, { uuid, location, nowMs: runtime.clock.now() }) }
  }

  async #createBy(table: TableIdentifier, commit: TableCommit, call: CatalogCallOptions): Promise<LoadedTable> {
    const { store, runtime } = this.#parts
    const folder = this.#folder(table, call.signal)
    const location = uriOf(store, folder.path)
    checkLocation(table, askedLocation(commit), location)
    const next = firstMetadata(table, commit, { ...this.#context(call), uuid: runtime.random.uuid(), location })
    const predecessor = await this.#placeOf(table, folder, 'staged', call.signal)
    return await this.#storeFirst(table, folder, next, predecessor, call.signal)
  }

  #placeOf(
    table: TableIdentifier,
    folder: TableFolder,
    newcomer: Newcomer,
    signal: AbortSignal | undefined,
  ): Promise<Version | undefined> {
    return placeOf({ table, folder, prefix: this.#parts.prefix, newcomer, signal })
  }

  /** {@link #storeFirst}, for a call that says `exists` of what came first. */
  async #storeNew(
    table: TableIdentifier,
    folder: TableFolder,
    next: NextMetadata,
    predecessor: Version | undefined,
    signal: AbortSignal | undefined,
  ): Promise<LoadedTable> {
    return await this.#storeFirst(table, folder, next, predecessor, signal).catch((error: unknown) => {
      throw isKind(error, 'conflict') ? tableExists(table) : error
    })
  }

  /** @throws `conflict` when there is another table by now. */
  async #storeFirst(
    table: TableIdentifier,
    folder: TableFolder,
    next: NextMetadata,
    predecessor: Version | undefined,
    signal: AbortSignal | undefined,
  ): Promise<LoadedTable> {
    throwIfAborted(signal)
    const { version } = await storeVersion(folder, { predecessor, bytes: next.bytes, signal })
    await this.#advanceHint(table, folder, version)
    // A creator that stalled for a hundred commits may have made a first version that was collected long ago.
    const created = await this.load(table).catch((cause: unknown) => {
      const message = `The table ${tableText(table)} was created, but could not be read back: load it.`
      throw unavailable('COMMIT_UNKNOWN', message, { outcome: 'unknown', retryable: false, cause })
    })
    if (created.metadata['table-uuid'] === next.metadata['table-uuid']) return loadedOf(created)
    const message = `Another table ${tableText(table)} came first. Load it.`
    throw conflict('REQUIREMENT_FAILED', message, { context: { table: tableText(table) } })
  }

  async #publish(current: Current, next: NextMetadata, signal: AbortSignal | undefined): Promise<LoadedTable> {
    const { folder, identifier } = current
    throwIfAborted(signal)
    const { version, etag } = await storeVersion(folder, { predecessor: current.found, bytes: next.bytes, signal })
    // From here on it is committed, whatever else fails.
    const hint = await this.#advanceHint(identifier, folder, version)
    if (hint !== undefined && isTimeToCollect(version)) await this.#collect(folder, hint, next)
    const metadataLocation = uriOf(folder.store, versionKey(folder, version))
    const found = { version, etag, bytes: next.bytes }
    const made = { identifier, metadataLocation, metadata: next.metadata, found, sizeBytes: next.bytes.length, folder }
    this.#remember(made)
    return loadedOf(made)
  }

  #context({ limits }: CatalogCallOptions): NextContext {
    const { runtime, limits: own } = this.#parts
    const { clock, random, logger } = runtime
    return { nowMs: clock.now(), commitId: random.uuid(), limits: metadataLimits(own, limits), logger }
  }

  #folder(table: TableIdentifier, signal: AbortSignal | undefined): TableFolder {
    throwIfAborted(signal)
    return { store: this.#parts.store, path: folderOf(this.#parts.prefix, checkTableIdentifier(table)) }
  }

  #read(identifier: TableIdentifier, folder: TableFolder, found: VersionBytes): Current {
    const key = versionKey(folder, found.version)
    const metadataLocation = uriOf(folder.store, key)
    const metadata = parseTableMetadata(found.bytes, key)
    const location = uriOf(folder.store, folder.path)
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

  /** Undefined when it failed: the commit stands, and the next load repairs the hint. */
  async #advanceHint(table: TableIdentifier, folder: TableFolder, version: number): Promise<number | undefined> {
    try {
      return await moveHint(folder, version)
    } catch (error) {
      const fields = { table: tableText(table), version, error }
      this.#parts.runtime.logger.warn(fields, 'the version hint could not be moved; engines see the table as it was')
      return undefined
    }
  }

  async #collect(folder: TableFolder, hint: number, { metadata }: NextMetadata): Promise<void> {
    try {
      await collectVersions(folder, hint, previousVersionsMax(metadata))
    } catch (error) {
      this.#parts.runtime.logger.warn({ folder: folder.path, error }, 'old metadata versions could not be collected')
    }
  }
}

export function requireWritable(access: 'read-write' | 'read-only'): void {
  if (access === 'read-only') throw invalid('READ_ONLY', 'This catalog was opened read-only.')
}

export function loadedOf({ identifier, metadataLocation, metadata }: Current): LoadedTable {
  return { identifier, metadataLocation, metadata }
}
