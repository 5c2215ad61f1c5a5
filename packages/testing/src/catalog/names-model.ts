import {
  conflict,
  exists,
  invalid,
  namespaceText,
  notFound,
  requireCapability,
  tableText,
  throwIfAborted,
  unsupported,
} from '@moulin/core'
import type {
  Catalog,
  CatalogCallOptions,
  CatalogCapabilities,
  LoadedNamespace,
  LoadedTable,
  NamedCommit,
  Namespace,
  TableIdentifier,
  TableMetadata,
} from '@moulin/core'
import { applyUpdates, checkRequirements, createdTable, newTableMetadata } from '@moulin/iceberg'
import type { SeededRandom } from '../seeded-random.ts'
import { seededRandom } from '../seeded-random.ts'

/** What all clients of one model share. */
export interface NamesState {
  readonly tables: Map<string, LoadedTable>
  readonly namespaces: Map<string, LoadedNamespace>
  /** What lies under a metadata location, whether a name leads there or not. */
  readonly files: Map<string, TableMetadata>
  readonly random: SeededRandom
  clock: number
}

let states = 0

export function namesState(): NamesState {
  return { tables: new Map(), namespaces: new Map(), files: new Map(), random: seededRandom(++states), clock: 1 }
}

export const nameOf = (levels: readonly string[]): string => JSON.stringify(levels)
export const keyOf = ({ namespace, name }: TableIdentifier): string => nameOf([...namespace, name])

const all: CatalogCapabilities = {
  register: true,
  rename: true,
  transactions: true,
  views: false,
  namespaceProperties: true,
}

/**
 * A catalog of names in memory, as plain as can be, with all capabilities: each call is one step. It is here to be broken, one flaw at a
 * time, so that the suite is seen to notice; use `@moulin/catalog` for real.
 */
export function namesCatalog(state: NamesState, claims: Partial<CatalogCapabilities> = {}): Catalog {
  const { tables, namespaces, files, random } = state
  const capabilities = { ...all, ...claims }
  const lacking = (capability: keyof CatalogCapabilities): void =>
    requireCapability({ name: 'namesCatalog', capabilities }, capability)

  function levelsOfAll(): readonly Namespace[] {
    const created = [...namespaces.values()].map(({ namespace }) => namespace)
    return [...created, ...[...tables.values()].map(({ identifier }) => identifier.namespace)]
  }
  const liesIn = (levels: readonly string[], parent: Namespace): boolean =>
    parent.every((level, at) => levels[at] === level)
  function namespaceAt(namespace: Namespace): LoadedNamespace {
    const created = namespaces.get(nameOf(checkLevels(namespace, 'NAMESPACE_NAME')))
    if (created !== undefined) return created
    if (levelsOfAll().some((levels) => liesIn(levels, namespace))) return { namespace, properties: {} }
    throw notFound('NAMESPACE', `There is no namespace ${namespaceText(namespace)}.`)
  }
  function find(table: TableIdentifier): LoadedTable | undefined {
    checkLevels([...table.namespace, table.name], 'TABLE_NAME', 2)
    return tables.get(keyOf(table))
  }
  function get(table: TableIdentifier): LoadedTable {
    const found = find(table)
    if (found === undefined) throw notFound('TABLE', `There is no table ${tableText(table)}.`)
    return found
  }
  function requireNone(table: TableIdentifier): void {
    if (find(table) !== undefined) throw exists('TABLE', `There is a table ${tableText(table)}.`)
  }
  /** Of every name another, and of a name that is used again another again. */
  const place = (): { uuid: string; location: string; nowMs: number } => {
    const uuid = random.uuid()
    return { uuid, location: `names://tables/${uuid}`, nowMs: state.clock++ }
  }
  function keep(identifier: TableIdentifier, metadata: TableMetadata): LoadedTable {
    const metadataLocation = `${metadata.location}/metadata/${random.uuid()}.metadata.json`
    files.set(metadataLocation, metadata)
    const loaded = { identifier, metadataLocation, metadata }
    tables.set(keyOf(identifier), loaded)
    return loaded
  }
  function planned({ identifier, requirements, updates }: NamedCommit): TableMetadata | undefined {
    const found = find(identifier)
    if (found === undefined && requirements.some(({ type }) => type === 'assert-create')) {
      checkRequirements(undefined, requirements)
      return createdTable(updates, place())
    }
    const { metadata, metadataLocation } = get(identifier)
    checkRequirements(metadata, requirements)
    if (updates.length === 0) return undefined
    return applyUpdates(metadata, updates, { nowMs: state.clock++, previousLocation: metadataLocation })
  }
  function commit(commits: readonly NamedCommit[]): LoadedTable[] {
    if (new Set(commits.map(({ identifier }) => keyOf(identifier))).size < commits.length)
      throw invalid('TRANSACTION', 'A table is named twice.')
    const next = commits.map((one) => ({ identifier: one.identifier, metadata: planned(one) }))
    return next.map(({ identifier, metadata }) =>
      metadata === undefined ? get(identifier) : keep(identifier, metadata),
    )
  }
  const step = <T>(call: CatalogCallOptions | undefined, work: () => T): T => {
    throwIfAborted(call?.signal)
    return structuredClone(work())
  }

  return {
    name: 'namesCatalog',
    capabilities,
    stageTable: async (identifier, request, call) =>
      step(call, () => {
        requireNone(identifier)
        const own = place()
        // The one that a stage gave may be asked for.
        const location = request.location ?? own.location
        if (!location.startsWith('names://tables/')) throw unsupported('TABLE_LOCATION', `Not at ${location}.`)
        return { identifier, metadata: newTableMetadata(request, { ...own, location }) }
      }),
    async createTable(table, request, call) {
      const { metadata } = await this.stageTable(table, request, call)
      return step(call, () => {
        requireNone(table)
        return keep(table, metadata)
      })
    },
    loadTable: async (table, call) => step(call, () => get(table)),
    commitTable: async (identifier, one, call) => step(call, () => commit([{ ...one, identifier }])[0]!),
    dropTable: async (table, call) =>
      step(call, () => {
        get(table)
        tables.delete(keyOf(table))
      }),
    registerTable: async (table, metadataLocation, call) =>
      step(call, () => {
        lacking('register')
        requireNone(table)
        const metadata = files.get(metadataLocation)
        if (metadata === undefined) throw notFound('FILE_VANISHED', `There is nothing at ${metadataLocation}.`)
        return keep(table, metadata)
      }),
    renameTable: async (from, to, call) =>
      step(call, () => {
        lacking('rename')
        const found = get(from)
        namespaceAt(to.namespace)
        requireNone(to)
        tables.delete(keyOf(from))
        tables.set(keyOf(to), { ...found, identifier: to })
      }),
    commitTransaction: async (commits, call) =>
      step(call, () => {
        lacking('transactions')
        commit(commits)
      }),
    async *listTables(call) {
      const { namespace, signal } = call ?? {}
      throwIfAborted(signal)
      const within = namespace && nameOf(namespaceAt(namespace).namespace)
      for (const { identifier } of [...tables.values()])
        if (within === undefined || nameOf(identifier.namespace) === within) yield structuredClone(identifier)
    },
    createNamespace: async (namespace, properties = {}, call) =>
      step(call, () => {
        if (Object.keys(properties).length > 0) lacking('namespaceProperties')
        checkLevels(namespace, 'NAMESPACE_NAME')
        const isThere = namespaces.has(nameOf(namespace)) || levelsOfAll().some((levels) => liesIn(levels, namespace))
        if (isThere) throw exists('NAMESPACE', `There is a namespace ${namespaceText(namespace)}.`)
        namespaces.set(nameOf(namespace), { namespace, properties })
        return { namespace, properties }
      }),
    async *listNamespaces(parent, call) {
      throwIfAborted(call?.signal)
      if (parent.length > 0) namespaceAt(parent)
      const below = levelsOfAll().filter((levels) => levels.length > parent.length && liesIn(levels, parent))
      const children = below.map((levels) => levels.slice(0, parent.length + 1))
      yield* new Map(children.map((child) => [nameOf(child), child])).values()
    },
    loadNamespace: async (namespace, call) => step(call, () => namespaceAt(namespace)),
    setNamespaceProperties: async (namespace, { updates = {}, removals = [] }, call) =>
      step(call, () => {
        lacking('namespaceProperties')
        if (removals.some((name) => Object.hasOwn(updates, name))) throw invalid('NAMESPACE_CHANGE', 'Named twice.')
        const { properties } = namespaceAt(namespace)
        const kept = Object.entries(properties).filter(([name]) => !removals.includes(name))
        namespaces.set(nameOf(namespace), { namespace, properties: { ...Object.fromEntries(kept), ...updates } })
        const [removed, missing] = [true, false].map((is) =>
          removals.filter((name) => Object.hasOwn(properties, name) === is),
        )
        return { updated: Object.keys(updates), removed: removed!, missing: missing! }
      }),
    dropNamespace: async (namespace, call) =>
      step(call, () => {
        namespaceAt(namespace)
        const names = [...levelsOfAll(), ...[...tables.values()].map(({ identifier: t }) => [...t.namespace, t.name])]
        if (names.some((levels) => levels.length > namespace.length && liesIn(levels, namespace)))
          throw conflict('NAMESPACE_NOT_EMPTY', 'Something lies in it.')
        namespaces.delete(nameOf(namespace))
      }),
  }
}

function checkLevels(levels: readonly string[], code: string, least: number = 1): readonly string[] {
  const isNone = (level: string): boolean => level === '' || /^\.\.?$|\p{Cc}/u.test(level)
  if (levels.length < least || levels.some(isNone)) throw invalid(code, `${JSON.stringify(levels)} is no name.`)
  return levels
}
