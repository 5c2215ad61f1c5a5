import type {
  Catalog,
  CatalogCapabilities,
  LoadedTable,
  NamedCommit,
  StagedTable,
  TableCommit,
  TableIdentifier,
  TableMetadata,
  TableRequirement,
  TableUpdate,
} from '@moulin/core'
import type { OddName } from './check.ts'
import type { NamesState } from './names-model.ts'
import { keyOf } from './names-model.ts'

/** What is wrong about one client of a catalog that is right: the calls that it answers otherwise. */
export type Wrong = (right: Catalog, state: NamesState) => Partial<Catalog>

export interface Flaw {
  /** Each begins the name of a check that must fail. */
  readonly breaks: readonly string[]
  readonly wrong: Wrong
  readonly capabilities?: Partial<CatalogCapabilities>
  readonly names?: { readonly [kind in OddName]?: string }
}

export type Flaws = Readonly<Record<string, Flaw>>

export const flaw = (wrong: Wrong, ...breaks: string[]): Flaw => ({ breaks, wrong })

/** Commits otherwise than it is told to. */
export const commits =
  (change: (commit: TableCommit, table: TableIdentifier, state: NamesState) => TableCommit): Wrong =>
  (right, state) => ({
    commitTable: async (table, commit, call) => right.commitTable(table, change(commit, table, state), call),
    commitTransaction: async (named, call) => {
      const changed = named.map((one): NamedCommit => ({
        ...change(one, one.identifier, state),
        identifier: one.identifier,
      }))
      return right.commitTransaction(changed, call)
    },
  })

/** Makes of one update none, one or several. */
export const updates = (
  change: (update: TableUpdate, all: readonly TableUpdate[]) => TableUpdate | readonly TableUpdate[],
): Wrong =>
  commits((commit) => ({ ...commit, updates: commit.updates.flatMap((update) => change(update, commit.updates)) }))

export const skips = (...actions: readonly TableUpdate['action'][]): Wrong =>
  updates((update) => (actions.includes(update.action) ? [] : update))

export const ignores = (...types: readonly TableRequirement['type'][]): Wrong =>
  commits((commit) => ({ ...commit, requirements: commit.requirements.filter(({ type }) => !types.includes(type)) }))

/** Shows a table otherwise than it is. */
export const shows =
  (change: (metadata: TableMetadata) => object): Wrong =>
  (right) => {
    const seen = <T extends StagedTable>(table: T): T => ({
      ...table,
      metadata: change(table.metadata) as TableMetadata,
    })
    return {
      createTable: async (...call) => seen(await right.createTable(...call)),
      stageTable: async (...call) => seen(await right.stageTable(...call)),
      loadTable: async (...call) => seen(await right.loadTable(...call)),
      commitTable: async (...call) => seen(await right.commitTable(...call)),
      registerTable: async (...call) => seen(await right.registerTable(...call)),
    }
  }

/** Stores what a commit made otherwise. */
export const stores =
  (change: (after: TableMetadata, before: TableMetadata, commit: TableCommit) => object): Wrong =>
  (right, { tables }) => ({
    async commitTable(table, commit, call) {
      const before = tables.get(keyOf(table))
      const made = await right.commitTable(table, commit, call)
      if (before === undefined) return made
      const metadata = change(made.metadata, before.metadata, commit) as TableMetadata
      const loaded: LoadedTable = { ...made, metadata }
      tables.set(keyOf(table), structuredClone(loaded))
      return loaded
    },
  })

/** Asks for another table than it is told to. */
export const renames =
  (change: (table: TableIdentifier) => TableIdentifier): Wrong =>
  (right) => ({
    createTable: (table, ...rest) => right.createTable(change(table), ...rest),
    stageTable: (table, ...rest) => right.stageTable(change(table), ...rest),
    loadTable: (table, ...rest) => right.loadTable(change(table), ...rest),
    commitTable: (table, ...rest) => right.commitTable(change(table), ...rest),
    dropTable: (table, ...rest) => right.dropTable(change(table), ...rest),
    createNamespace: (namespace, ...rest) => right.createNamespace(change({ namespace, name: 'x' }).namespace, ...rest),
    loadNamespace: (namespace, ...rest) => right.loadNamespace(change({ namespace, name: 'x' }).namespace, ...rest),
  })

/** Acts first and looks at the signal afterwards. */
export const deaf =
  (name: 'commitTable' | 'renameTable' | 'registerTable' | 'commitTransaction'): Wrong =>
  (right) => ({
    [name]: async (...call: unknown[]): Promise<unknown> => {
      const { signal, ...options } = (call.at(-1) ?? {}) as { signal?: AbortSignal }
      const hasOptions = signal !== undefined
      const answer = await (right[name] as (...args: unknown[]) => Promise<unknown>)(
        ...(hasOptions ? [...call.slice(0, -1), options] : call),
      )
      signal?.throwIfAborted()
      return answer
    },
  })

/** Whether a commit makes a table. */
export const isCreation = ({
  requirements,
}: {
  readonly requirements: readonly { readonly type: string }[]
}): boolean => requirements.some(({ type }) => type === 'assert-create')
