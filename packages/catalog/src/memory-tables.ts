import { conflict, getIfThere, invalid, isKind, keyOf, tableText, unsupported, uriOf } from '@moulin/core'
import type {
  CreateTableRequest,
  LoadedTable,
  Logger,
  NamedCommit,
  Namespace,
  ObjectStore,
  Runtime,
  StagedTable,
  TableIdentifier,
} from '@moulin/core'
import { newTableMetadata, parseTableMetadata } from '@moulin/iceberg'
import type { MetadataLimits, NextContext, NextMetadata } from './next-metadata.ts'
import {
  askedLocation,
  checkSize,
  firstMetadata,
  isCreation,
  nextMetadata,
  noMetadata,
  noTable,
  ofTable,
  stamped,
  tableExists,
} from './next-metadata.ts'
import { checkOpenTable, folderLevels, nameKey } from './open-names.ts'

export interface MemoryTable extends LoadedTable {
  readonly sizeBytes: number
  readonly version: number
  /** Key of the table's folder, without a slash at its end. */
  readonly folder: string
}

/** What one commit does to one name, before anybody sees it. */
interface Step {
  readonly table: TableIdentifier
  readonly replaces: MemoryTable | undefined
  readonly folder: string
  /** Undefined: the commit changes nothing. */
  readonly next: NextMetadata | undefined
}

export interface MemoryTablesParts {
  readonly store: ObjectStore
  readonly runtime: Pick<Runtime, 'clock' | 'random'>
  readonly logger: Logger
  readonly prefix: string
}

/** Names of tables that are forgotten with the process. Each change of the names is one step, whatever it waited for before. */
export class MemoryTables {
  readonly #parts: MemoryTablesParts
  readonly #tables = new Map<string, MemoryTable>()

  constructor(parts: MemoryTablesParts) {
    this.#parts = parts
  }

  *identifiers(): Iterable<TableIdentifier> {
    for (const { identifier } of this.#tables.values()) yield identifier
  }

  get(table: TableIdentifier): MemoryTable {
    const entry = this.#find(checkOpenTable(table))
    if (entry === undefined) throw noTable(table)
    return entry
  }

  /** @throws `not-found` code `FILE_VANISHED` for metadata that somebody has removed: engines would not find it. */
  async load(table: TableIdentifier, signal: AbortSignal | undefined): Promise<MemoryTable> {
    const { store } = this.#parts
    const entry = this.get(table)
    const { metadataLocation } = entry
    const there = await store.head(keyOf(store, metadataLocation), signal === undefined ? {} : { signal })
    // Its version may have been collected since, which is no fault.
    if (there !== undefined || this.get(table) !== entry) return this.get(table)
    throw noMetadata(metadataLocation)
  }

  stage(table: TableIdentifier, request: CreateTableRequest): StagedTable & { readonly folder: string } {
    if (this.#find(checkOpenTable(table)) !== undefined) throw tableExists(table)
    const { runtime, store } = this.#parts
    const folder = this.#placeFor(table, request.location)
    const place = { uuid: runtime.random.uuid(), location: uriOf(store, folder), nowMs: runtime.clock.now() }
    return { identifier: table, folder, metadata: newTableMetadata(request, place) }
  }

  async create(table: TableIdentifier, request: CreateTableRequest, limits: MetadataLimits): Promise<MemoryTable> {
    const { metadata, folder } = this.stage(table, request)
    const { logger, runtime } = this.#parts
    const next = stamped(metadata, runtime.random.uuid())
    checkSize({ identifier: table, sizeBytes: 0 }, next.bytes.length, { limits, logger })
    try {
      return (await this.#publish([{ table, replaces: undefined, folder, next }]))[0]!
    } catch (error) {
      throw isKind(error, 'conflict') ? tableExists(table) : error
    }
  }

  /** All or none. */
  async commit(commits: readonly NamedCommit[], limits: MetadataLimits): Promise<readonly MemoryTable[]> {
    const names = new Set<string>()
    const steps = commits.map((commit): Step => {
      const { identifier } = commit
      const key = keyOfTable(checkOpenTable(identifier))
      if (names.has(key)) {
        const name = tableText(identifier)
        const message = `The transaction names the table ${name} twice; put its updates into one commit.`
        throw invalid('TRANSACTION', message, { context: { table: name } })
      }
      names.add(key)
      return ofTable(identifier, () => this.#stepOf(commit, limits))
    })
    return await this.#publish(steps)
  }

  async register(table: TableIdentifier, metadataLocation: string): Promise<MemoryTable> {
    if (this.#find(checkOpenTable(table)) !== undefined) throw tableExists(table)
    const { store } = this.#parts
    const key = this.#keyOf(table, metadataLocation)
    const object = await getIfThere(store, key)
    if (object === undefined) throw noMetadata(metadataLocation)
    const metadata = parseTableMetadata(object.bytes, key)
    const folder = this.#keyOf(table, metadata.location)
    this.#requireFree(table, folder)
    if (this.#find(table) !== undefined) throw tableExists(table)
    const version = Number(/^v?(\d{1,9})[-.]/.exec(key.slice(key.lastIndexOf('/') + 1))?.[1] ?? 0)
    return this.#set({ identifier: table, metadataLocation, metadata, sizeBytes: object.bytes.length, version, folder })
  }

  /** `checkNamespace` throws where the new name's namespace is not there. */
  rename(from: TableIdentifier, to: TableIdentifier, checkNamespace: (namespace: Namespace) => void): void {
    const entry = this.get(from)
    checkNamespace(checkOpenTable(to).namespace)
    if (this.#find(to) !== undefined) throw tableExists(to)
    this.#tables.delete(keyOfTable(from))
    this.#set({ ...entry, identifier: to })
  }

  drop(table: TableIdentifier): void {
    this.get(table)
    this.#tables.delete(keyOfTable(table))
  }

  #find(table: TableIdentifier): MemoryTable | undefined {
    return this.#tables.get(keyOfTable(table))
  }

  #set(entry: MemoryTable): MemoryTable {
    this.#tables.set(keyOfTable(entry.identifier), entry)
    return entry
  }

  #stepOf(commit: NamedCommit, limits: MetadataLimits): Step {
    const { store, runtime, logger } = this.#parts
    const { identifier: table } = commit
    const context: NextContext = {
      nowMs: runtime.clock.now(),
      commitId: runtime.random.uuid(),
      limits,
      logger,
    }
    const replaces = this.#find(table)
    if (replaces !== undefined) {
      const next = nextMetadata(replaces, commit, context)
      return { table, replaces, folder: replaces.folder, next: commit.updates.length === 0 ? undefined : next }
    }
    if (!isCreation(commit)) throw noTable(table)
    const folder = this.#placeFor(table, askedLocation(commit))
    const place = { uuid: runtime.random.uuid(), location: uriOf(store, folder) }
    return { table, replaces, folder, next: firstMetadata(table, commit, { ...context, ...place }) }
  }

  // The files first, then the names: a crash or a lost race between the two leaves files that nobody names.
  async #publish(steps: readonly Step[]): Promise<readonly MemoryTable[]> {
    const { store, runtime } = this.#parts
    const made: MemoryTable[] = []
    for (const { table, replaces, folder, next } of steps) {
      if (next === undefined) {
        made.push(replaces!)
        continue
      }
      const version = (replaces?.version ?? -1) + 1
      const key = `${folder}/metadata/${String(version).padStart(5, '0')}-${runtime.random.uuid()}.metadata.json`
      await store.put(key, next.bytes, { mode: 'create' })
      const { metadata, bytes } = next
      const location = uriOf(store, key)
      made.push({ identifier: table, metadataLocation: location, metadata, sizeBytes: bytes.length, version, folder })
    }
    const taken = new Set<string>()
    for (const { table, replaces, folder } of steps) {
      if (this.#find(table) !== replaces) throw lostRace(table)
      if (replaces === undefined && (taken.has(folder) || !this.#isFree(folder))) throw this.#occupied(table, folder)
      taken.add(folder)
    }
    for (const entry of made) this.#set(entry)
    return made
  }

  /** Where a new table lies: in the folder of its name, if that is one and no renamed table is there; or where it is asked to. */
  #placeFor(table: TableIdentifier, asked: string | undefined): string {
    const { prefix, runtime } = this.#parts
    const levels = [...table.namespace, table.name]
    const [own, plain] = [folderLevels(levels), levels.join('/')]
    if (asked === undefined)
      return own === plain && this.#isFree(prefix + own) ? prefix + own : `${prefix}${own}-${runtime.random.uuid()}`
    const folder = this.#keyOf(table, asked)
    this.#requireFree(table, folder)
    return folder
  }

  #isFree(folder: string): boolean {
    for (const entry of this.#tables.values()) if (entry.folder === folder) return false
    return true
  }

  /** A place that somebody asks for: nor may one table lie in another's folder. */
  #requireFree(table: TableIdentifier, folder: string): void {
    const isWithin = (inner: string, outer: string): boolean => `${inner}/`.startsWith(`${outer}/`)
    for (const entry of this.#tables.values())
      if (isWithin(folder, entry.folder) || isWithin(entry.folder, folder)) throw this.#occupied(table, folder)
  }

  #occupied(table: TableIdentifier, folder: string): Error {
    return noPlace(table, uriOf(this.#parts.store, folder), 'another table of this catalog lies there')
  }

  /** Of a location in the catalog's part of the store. */
  #keyOf(table: TableIdentifier, location: string): string {
    const { store, prefix } = this.#parts
    try {
      const key = keyOf(store, location.replace(/\/+$/, ''))
      if (key.startsWith(prefix)) return key
    } catch (error) {
      if (!isKind(error, 'invalid')) throw error
    }
    throw noPlace(table, location, `the tables of this catalog lie below ${uriOf(store, prefix)}`)
  }
}

const keyOfTable = ({ namespace, name }: TableIdentifier): string => nameKey([...namespace, name])

function noPlace(table: TableIdentifier, location: string, why: string): Error {
  const name = tableText(table)
  const message = `${name} cannot lie at ${location}: ${why}.`
  return unsupported('TABLE_LOCATION', message, { context: { table: name, location } })
}

function lostRace(table: TableIdentifier): Error {
  const name = tableText(table)
  const message = `Another commit of ${name} came first. Reload the table.`
  return conflict('REQUIREMENT_FAILED', message, { context: { table: name } })
}
