import {
  aborted,
  checkTableIdentifier,
  conflict,
  exists,
  invalid,
  isKind,
  isMoulinError,
  notFound,
  parseJson,
  requireCapability,
  throwIfAborted,
  unavailable,
  unsupported,
} from '@moulin/core'
import type {
  Catalog,
  CatalogCapabilities,
  CatalogListOptions,
  LoadedNamespace,
  LoadedTable,
  Namespace,
  NamespaceChanged,
  ObjectStore,
  StagedTable,
  TableCommit,
} from '@moulin/core'
import type { TableIdentifier, TableMetadata, TableUpdate } from '@moulin/core'
import {
  applyUpdates,
  checkRequirements,
  createdTable,
  newTableMetadata,
  parseTableMetadata,
  tableMetadataBytes,
} from '@moulin/iceberg'
import type { CatalogFlaw } from './folder-flaws.ts'
import { rounded } from './folder-flaws.ts'
import { ModelNamespaces } from './folder-model-namespaces.ts'
import type { SeededRandom } from '../seeded-random.ts'
import { seededRandom } from '../seeded-random.ts'

const KEPT = 100
let clients = 0

/**
 * A folder catalog as plain as can be: it lists to find the newest version and checks every commit by listing again. It
 * is here to be broken, one flaw at a time, so that the suite is seen to notice; use `@moulin/catalog` for real.
 */
export function modelCatalog(store: ObjectStore, flaw?: CatalogFlaw, claims?: Partial<CatalogCapabilities>): Catalog {
  return new ModelCatalog(store, flaw, seededRandom(++clients), claims)
}

interface Found {
  readonly version: number
  readonly etag: string
  readonly bytes: Uint8Array
}

class ModelCatalog implements Catalog {
  readonly name = 'modelCatalog'
  readonly capabilities: CatalogCapabilities
  readonly #store: ObjectStore
  readonly #flaw: CatalogFlaw | undefined
  readonly #random: SeededRandom
  readonly #loaded = new Map<string, LoadedTable>()
  readonly #namespaces: ModelNamespaces

  constructor(
    store: ObjectStore,
    flaw: CatalogFlaw | undefined,
    random: SeededRandom,
    claims: Partial<CatalogCapabilities> = {},
  ) {
    this.#store = store
    this.#flaw = flaw
    this.#random = random
    const rename = flaw === 'claims-what-it-lacks'
    const base = { register: true, rename, transactions: false, views: false, namespaceProperties: true }
    this.capabilities = { ...base, ...claims }
    this.#namespaces = new ModelNamespaces({
      store,
      random,
      capabilities: this.capabilities,
      has: (candidate) => candidate === flaw,
      tables: async () => {
        const tables: string[][] = []
        for await (const { namespace, name } of this.#tables()) tables.push([...namespace, name])
        return tables
      },
    })
  }

  #has(flaw: CatalogFlaw): boolean {
    return this.#flaw === flaw
  }

  async createTable(
    table: TableIdentifier,
    request: Parameters<Catalog['createTable']>[1],
    options?: { signal?: AbortSignal },
  ): Promise<LoadedTable> {
    const { metadata } = await this.stageTable(table, request, options)
    const folder = folderOf(table)
    const newest = await this.#newest(folder)
    if (newest === undefined && !this.#has('moves-into-any-folder'))
      for await (const { key } of this.#store.list({ prefix: `${folder}/` }))
        throw exists('OCCUPIED', `${key} is there.`)
    return await this.#first(table, metadata, newest).catch((error: unknown) => {
      throw isKind(error, 'conflict') ? taken(folder) : error
    })
  }

  async stageTable(
    identifier: TableIdentifier,
    request: Parameters<Catalog['createTable']>[1],
    options?: { signal?: AbortSignal },
  ): Promise<StagedTable> {
    throwIfAborted(options?.signal)
    const folder = folderOf(identifier)
    const newest = await this.#newest(folder)
    if (newest !== undefined && !isTombstone(newest) && !this.#has('create-replaces')) throw taken(folder)
    const location = this.#store.root + folder
    if (request.location !== undefined && request.location !== location) throw elsewhere(request.location)
    return { identifier, metadata: newTableMetadata(request, { uuid: this.#random.uuid(), location, nowMs: 1 }) }
  }

  async registerTable(
    table: TableIdentifier,
    metadataLocation: string,
    options?: { signal?: AbortSignal },
  ): Promise<LoadedTable> {
    throwIfAborted(options?.signal)
    const folder = folderOf(table)
    const newest = (await this.#versions(folder)).length === 0 ? undefined : await this.#newest(folder)
    if (newest !== undefined && !isTombstone(newest)) throw taken(folder)
    if (!metadataLocation.startsWith(this.#store.root)) throw elsewhere(metadataLocation)
    const key = metadataLocation.slice(this.#store.root.length)
    const object = await this.#store.get(key).catch(() => undefined)
    if (object === undefined) throw notFound('FILE_VANISHED', `${key} is not there.`)
    const metadata = parseTableMetadata(object.bytes, key)
    if (metadata.location !== this.#store.root + folder) throw elsewhere(metadata.location)
    return await this.#first(table, metadata, newest)
  }

  async renameTable(): Promise<void> {
    requireCapability(this, 'rename')
  }

  async commitTransaction(): Promise<void> {
    requireCapability(this, 'transactions')
  }

  async #first(table: TableIdentifier, metadata: TableMetadata, newest: Found | undefined): Promise<LoadedTable> {
    const folder = folderOf(table)
    const version = (newest?.version ?? 0) + 1
    await this.#put(folder, version, tableMetadataBytes(this.#stamp(metadata)))
    await this.#moveHint(folder, version)
    return await this.loadTable(table)
  }

  async loadTable(table: TableIdentifier, options?: { signal?: AbortSignal }): Promise<LoadedTable> {
    throwIfAborted(options?.signal)
    const folder = folderOf(table)
    const cached = this.#loaded.get(folder)
    if (cached !== undefined && this.#has('caches-loads')) return cached
    const found = await this.#present(folder)
    const loaded = this.#loadedOf(table, found.version, this.#parse(folder, found))
    this.#loaded.set(folder, loaded)
    return loaded
  }

  async commitTable(
    table: TableIdentifier,
    commit: Parameters<Catalog['commitTable']>[1],
    options?: { signal?: AbortSignal },
  ): Promise<LoadedTable> {
    throwIfAborted(options?.signal)
    const folder = folderOf(table)
    if (commit.requirements.some(({ type }) => type === 'assert-create')) {
      const newest = await this.#newest(folder)
      if (newest === undefined || isTombstone(newest)) return await this.#createBy(table, commit, newest)
    }
    const found = await this.#present(folder)
    const current = this.#loadedOf(table, found.version, this.#parse(folder, found))
    const requirements = commit.requirements.filter(
      ({ type }) => !this.#has('checks-no-snapshot') || type !== 'assert-ref-snapshot-id',
    )
    if (!this.#has('ignores-requirements')) checkRequirements(current.metadata, requirements)
    if (commit.updates.length === 0) return current
    const { metadata: applied, error: failure } = this.#apply(current, commit.updates)
    if (failure !== undefined && !this.#has('applies-partially')) throw failure as Error
    const metadata = this.#stamp(applied)
    const version = found.version + 1
    if (this.#has('writes-beside')) await this.#store.put(`${folder}.log`, new Uint8Array([version]))
    if (this.#has('hint-before-commit')) await this.#moveHint(folder, version)
    await this.#put(folder, version, tableMetadataBytes(metadata))
    await this.#checkPredecessor(folder, found)
    await this.#moveHint(folder, version)
    await this.#collect(folder, version)
    if (failure !== undefined) throw failure as Error
    return this.#loadedOf(table, version, metadata)
  }

  async #createBy(table: TableIdentifier, commit: TableCommit, newest: Found | undefined): Promise<LoadedTable> {
    checkRequirements(undefined, commit.requirements)
    const location = this.#store.root + folderOf(table)
    const made = createdTable(commit.updates, { uuid: this.#random.uuid(), location, nowMs: 1 })
    if (made.location !== location) throw elsewhere(made.location)
    return await this.#first(table, made, newest)
  }

  async dropTable(table: TableIdentifier, options?: { signal?: AbortSignal }): Promise<void> {
    throwIfAborted(options?.signal)
    const folder = folderOf(table)
    const { version } = await this.#present(folder)
    if (this.#has('drop-forgets-nothing')) return
    if (!this.#has('drop-can-be-undone'))
      await this.#put(folder, version + 1, new TextEncoder().encode(`{"dropped":"${this.#random.uuid()}"}`))
    await this.#store.delete(`${folder}/metadata/version-hint.text`)
    for (const old of await this.#versions(folder)) if (old < version) await this.#store.delete(versionKey(folder, old))
  }

  async createNamespace(...call: Parameters<Catalog['createNamespace']>): Promise<LoadedNamespace> {
    return this.#namespaces.create(...call)
  }

  async *listNamespaces(...call: Parameters<Catalog['listNamespaces']>): AsyncGenerator<Namespace> {
    yield* await this.#namespaces.list(...call)
  }

  async loadNamespace(...call: Parameters<Catalog['loadNamespace']>): Promise<LoadedNamespace> {
    return this.#namespaces.load(...call)
  }

  async setNamespaceProperties(...call: Parameters<Catalog['setNamespaceProperties']>): Promise<NamespaceChanged> {
    return this.#namespaces.set(...call)
  }

  async dropNamespace(...call: Parameters<Catalog['dropNamespace']>): Promise<void> {
    return this.#namespaces.drop(...call)
  }

  async *listTables(options: CatalogListOptions = {}): AsyncGenerator<TableIdentifier> {
    const { namespace, ...call } = options
    const within = namespace && (await this.#namespaces.load(namespace)).namespace.join('/')
    for await (const table of this.#tables(call))
      if (within === undefined || table.namespace.join('/') === within) yield table
    if (!this.#has('lists-namespaces-as-tables')) return
    for (const namespace of await this.#namespaces.list(['shop']))
      yield { namespace: ['shop'], name: namespace.at(-1)! }
  }

  async *#tables(options?: { signal?: AbortSignal }): AsyncGenerator<TableIdentifier> {
    const folders = new Set<string>()
    for await (const { key } of this.#store.list({ prefix: 'tables/', ...options }))
      if (/\/metadata\/v\d+\.metadata\.json$/.test(key)) folders.add(key.slice(0, key.lastIndexOf('/metadata/')))
    for (const folder of folders) {
      const newest = await this.#newest(folder)
      if (newest === undefined || isTombstone(newest)) continue
      const levels = folder.split('/').slice(1)
      yield { namespace: levels.slice(0, -1), name: levels.at(-1)! }
    }
  }

  #apply(
    { metadata, metadataLocation }: LoadedTable,
    updates: readonly TableUpdate[],
  ): { metadata: TableMetadata; error?: unknown } {
    const log = this.#has('no-metadata-log') ? {} : { previousLocation: metadataLocation }
    const known = updates.filter(({ action }) => !this.#skips(action))
    const base = this.#has('loses-properties') ? { ...metadata, properties: {} } : metadata
    try {
      return { metadata: applyUpdates(base, known, { nowMs: 1, ...log }) }
    } catch (error) {
      return { metadata: applyUpdates(base, known.slice(0, 1), { nowMs: 1, ...log }), error }
    }
  }

  #skips(action: string): boolean {
    if (action === 'add-mood') return this.#has('skips-unknown-updates')
    if (action === 'set-statistics') return this.#has('forgets-statistics')
    return /lineage|encryption/.test(action) && this.#has('skips-later-updates')
  }

  #stamp(metadata: TableMetadata): TableMetadata {
    return { ...metadata, 'attempt-id': this.#random.uuid() } as TableMetadata
  }

  async #put(folder: string, version: number, bytes: Uint8Array): Promise<void> {
    const key = versionKey(folder, version)
    const mode = this.#has('last-writer-wins') || this.#has('create-replaces') ? 'overwrite' : 'create'
    try {
      await this.#store.put(key, bytes, { mode })
    } catch (error) {
      if (this.#has('swallows-conflict') && isKind(error, 'exists')) return
      if (isKind(error, 'exists')) throw conflict('REQUIREMENT_FAILED', `${key} is taken.`)
      if (isMoulinError(error) && error.outcome === 'unknown') return await this.#settle(key, bytes, error.kind)
      throw error
    }
  }

  async #settle(key: string, bytes: Uint8Array, kind: string): Promise<void> {
    if (this.#has('lost-answer-is-failure')) throw unavailable('PUT', `${key} was not stored.`)
    if (this.#has('retries-blindly')) return void (await this.#store.put(key, bytes, { mode: 'overwrite' }))
    const present = await this.#store.get(key).catch(() => undefined)
    if (present !== undefined && (this.#has('takes-what-is-there') || Buffer.compare(present.bytes, bytes) === 0))
      return
    if (present !== undefined) throw conflict('REQUIREMENT_FAILED', `${key} is taken.`)
    const outcome = this.#has('unknown-is-failure') ? 'rejected' : 'unknown'
    throw (kind === 'aborted' ? aborted : unavailable)('PUT', `${key} may be stored.`, { outcome })
  }

  async #checkPredecessor(folder: string, { version, etag }: Found): Promise<void> {
    if (this.#has('no-predecessor-check') || this.#has('last-writer-wins')) return
    const present = await this.#store.head(versionKey(folder, version))
    if (present?.etag !== etag) throw unavailable('PREDECESSOR', `v${version} is gone.`, { outcome: 'unknown' })
  }

  async #moveHint(folder: string, version: number): Promise<void> {
    const key = `${folder}/metadata/version-hint.text`
    const { compareAndSwap } = this.#store.capabilities
    for (let target = version; ;) {
      const present = await this.#store.get(key).catch(() => undefined)
      if (!this.#has('hint-goes-back') && Number(new TextDecoder().decode(present?.bytes)) >= target) return
      const bytes = new TextEncoder().encode(`${target}${this.#has('hint-with-newline') ? '\n' : ''}`)
      if (this.#has('hint-goes-back')) return void (await this.#store.put(key, bytes))
      const mode = !compareAndSwap ? 'overwrite' : present === undefined ? 'create' : { ifMatch: present.etag }
      await this.#store.put(key, bytes, { mode }).catch(() => undefined)
      if (!compareAndSwap) target = (await this.#versions(folder)).at(-1) ?? target
    }
  }

  async #collect(folder: string, version: number): Promise<void> {
    if (version % 50 !== 0) return
    const last = version - (this.#has('collects-too-much') ? 10 : KEPT)
    const old = (await this.#versions(folder)).filter((candidate) => candidate <= last)
    if (this.#has('collects-newest-first')) old.reverse()
    for (const candidate of old) await this.#store.delete(versionKey(folder, candidate))
  }

  async #present(folder: string): Promise<Found> {
    const newest = await this.#newest(folder)
    if (newest === undefined || isTombstone(newest)) throw notFound('TABLE', `There is no table in ${folder}.`)
    return newest
  }

  async #newest(folder: string): Promise<Found | undefined> {
    const listed = (await this.#versions(folder)).at(-1)
    if (listed === undefined) {
      for await (const { key } of this.#store.list({ prefix: `${folder}/metadata/` }))
        if (key.endsWith('.metadata.json') && !this.#has('moves-into-any-folder'))
          throw unsupported('FOREIGN', `${key} is another catalog's.`)
      return undefined
    }
    const hint = await this.#store.get(`${folder}/metadata/version-hint.text`).catch(() => undefined)
    const believed =
      hint !== undefined && this.#has('believes-the-hint') ? Number(new TextDecoder().decode(hint.bytes)) : listed
    const { bytes, etag } = await this.#store.get(versionKey(folder, believed))
    return { version: believed, bytes, etag }
  }

  async #versions(folder: string): Promise<number[]> {
    const versions: number[] = []
    for await (const { key } of this.#store.list({ prefix: `${folder}/metadata/v` })) {
      const match = /\/v(\d+)\.metadata\.json$/.exec(key)
      if (match !== null) versions.push(Number(match[1]))
    }
    return versions.sort((a, b) => a - b)
  }

  #parse(folder: string, { version, bytes }: Found): TableMetadata {
    const key = versionKey(folder, version)
    try {
      return this.#has('rounds-ids') ? rounded(parseJson(bytes, key) as never) : parseTableMetadata(bytes, key)
    } catch (error) {
      if (this.#has('repairs-damage')) throw invalid('METADATA', 'The table cannot be read.')
      throw error
    }
  }

  #loadedOf(identifier: TableIdentifier, version: number, metadata: TableMetadata): LoadedTable {
    const metadataLocation = this.#store.root + versionKey(folderOf(identifier), version)
    return { identifier, metadataLocation, metadata: this.#has('rounds-ids') ? rounded(metadata) : metadata }
  }
}

const folderOf = (table: TableIdentifier): string => {
  const { namespace, name } = checkTableIdentifier(table)
  return ['tables', ...namespace, name].join('/')
}
const versionKey = (folder: string, version: number): string => `${folder}/metadata/v${version}.metadata.json`
const isTombstone = ({ bytes }: Found): boolean => new TextDecoder().decode(bytes).startsWith('{"dropped"')
const elsewhere = (location: string): Error =>
  unsupported('TABLE_LOCATION', `No table of this name lies at ${location}.`)
const taken = (folder: string): Error => exists('TABLE', `There is a table in ${folder}.`)
