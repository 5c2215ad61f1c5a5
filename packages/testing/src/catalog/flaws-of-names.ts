import { invalid, isKind, notFound } from '@moulin/core'
import type { Catalog, TableIdentifier } from '@moulin/core'
import type { Flaws, Wrong } from './flaws.ts'
import { deaf, flaw, renames } from './flaws.ts'
import { keyOf, nameOf } from './names-model.ts'

const map = (change: (level: string) => string): Wrong =>
  renames(({ namespace, name }) => ({ namespace: namespace.map(change), name: change(name) }))

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

const anyName = 'it takes them all the same'
const schema = { type: 'struct' as const, fields: [{ id: 1, name: 'x', required: false, type: 'int' }] }

/** Refuses what the check tells it to. */
const refusing =
  (isBad: (levels: readonly string[]) => boolean): Wrong =>
  (right) => ({
    createTable: async (table, ...rest) => {
      if (isBad([...table.namespace, table.name])) throw invalid('TABLE_NAME', 'Not here.')
      return right.createTable(table, ...rest)
    },
  })

/** Of lists and of names. */
export const nameFlaws: Flaws = {
  'lists-deeper-tables': flaw(
    (right) => ({
      async *listTables(call) {
        const { namespace, ...rest } = call ?? {}
        if (namespace === undefined) return yield* right.listTables(rest)
        await right.loadNamespace(namespace, rest)
        for await (const table of right.listTables(rest))
          if (namespace.every((level, at) => table.namespace[at] === level)) yield table
      },
    }),
    'lists the tables right in a namespace',
    'lists no tables of a namespace that holds none',
  ),
  'lists-nothing-for-unknown-namespaces': flaw(
    (right) => ({
      async *listTables(call) {
        try {
          yield* right.listTables(call)
        } catch (error) {
          if (!isKind(error, 'not-found')) throw error
        }
      },
    }),
    'says not-found for the tables of a namespace that is not there',
  ),
  'lists-what-was-dropped': flaw((right) => {
    const ever = new Map<string, TableIdentifier>()
    return {
      async *listTables(call) {
        for await (const table of right.listTables(call)) ever.set(keyOf(table), table)
        yield* ever.values()
      },
    }
  }, 'lists a table until it is dropped'),
  'lists-the-first-page': flaw(
    (right) => ({
      async *listTables(call) {
        yield* (await all(right.listTables(call))).slice(0, 100)
      },
      async *listNamespaces(...call) {
        yield* (await all(right.listNamespaces(...call))).slice(0, 50)
      },
    }),
    'lists many tables',
    'lists many namespaces',
  ),
  'lists-after-its-signal': flaw(
    (right) => ({
      listTables: ({ signal: _, ...call } = {}) => right.listTables(call),
    }),
    'lists nothing when its signal has fired',
  ),
  'flattens-names': flaw(
    map((level) => level.replaceAll(/[^\w-]/g, '_')),
    ...['a dot', 'a slash', 'a blank', 'a percent sign', 'quotes', 'what ends a path', 'letters of all the world'].map(
      (kind) => `takes names of namespaces and tables with ${kind}`,
    ),
  ),
  'folds-case': flaw(
    map((level) => level.toLowerCase()),
    'takes names of namespaces and tables with capitals',
  ),
  'cuts-names': flaw(
    map((level) => level.slice(0, 128)),
    'takes names of namespaces and tables with two hundred characters',
  ),
  'takes-what-it-says-it-cannot': {
    ...flaw(() => ({}), 'refuses names of namespaces and tables with'),
    names: {
      dot: anyName,
      slash: anyName,
      blank: anyName,
      percent: anyName,
      quotes: anyName,
      url: anyName,
      unicode: anyName,
      case: anyName,
      long: anyName,
    },
  },
  'has-reserved-words': flaw(
    refusing((levels) => levels.includes('metadata')),
    'takes words that mean something elsewhere',
  ),
  'has-two-levels': flaw(
    refusing((levels) => levels.length > 3),
    'takes namespaces of many levels',
  ),
  'takes-any-name': flaw(
    map((level) => level.replaceAll(/[\u0000-\u001f]/g, '') || 'none'),
    'refuses names of tables that are none',
  ),
  'joins-levels': flaw(
    renames(({ namespace, name }) => {
      const levels = [...namespace, name].join('.').split('.')
      return { namespace: levels.slice(0, -1), name: levels.at(-1)! }
    }),
    'tells a namespace of two levels from one with a dot',
  ),
  'sets-properties-once': flaw(
    (right) => ({
      setNamespaceProperties: async (namespace, { updates = {}, removals = [] }, call) => {
        const { properties } = await right.loadNamespace(namespace, call)
        const fresh = Object.entries(updates).filter(([name]) => !Object.hasOwn(properties, name))
        return right.setNamespaceProperties(namespace, { updates: Object.fromEntries(fresh), removals }, call)
      },
    }),
    'gives a property of a namespace another value',
  ),
  'drops-sisters': flaw(
    (right, { namespaces }) => ({
      dropNamespace: async (namespace, call) => {
        await right.dropNamespace(namespace, call)
        const around = nameOf(namespace.slice(0, -1))
        for (const [key, one] of namespaces) if (nameOf(one.namespace.slice(0, -1)) === around) namespaces.delete(key)
      },
    }),
    'drops the namespaces one by one',
  ),
}

/** Of registering, renames and transactions. */
export const capabilityFlaws: Flaws = {
  'registers-another-table': flaw(
    (right, { tables }) => ({
      registerTable: async (table, ...rest) => {
        const made = await right.registerTable(table, ...rest)
        const other = { ...made, metadata: { ...made.metadata, 'table-uuid': '00000000-0000-4000-8000-000000000000' } }
        tables.set(keyOf(table), other)
        return structuredClone(other)
      },
    }),
    'registers a table that was dropped',
  ),
  'registers-over-tables': flaw(
    (right) => ({
      registerTable: async (table, ...rest) => {
        await right.dropTable(table).catch(() => {})
        return right.registerTable(table, ...rest)
      },
    }),
    'does not register a table under a name that another has',
  ),
  'registers-nothing': flaw(
    (right) => ({
      registerTable: async (table, ...rest) =>
        right.registerTable(table, ...rest).catch((error: unknown) => {
          if (!isKind(error, 'not-found')) throw error
          return right.createTable(table, { schema })
        }),
    }),
    'says not-found for metadata that is not there',
  ),
  'registers-once': flaw((right) => {
    let count = 0
    return {
      registerTable: async (...call) => {
        if (++count > 1) throw notFound('FILE_VANISHED', 'It was registered before.')
        return right.registerTable(...call)
      },
    }
  }, 'drops a table that was registered, and registers it once more'),
  'registers-before-it-looks': flaw(deaf('registerTable'), 'registers nothing when its signal has fired'),
  'registers-without-claiming': {
    ...flaw((right) => claiming(right, { register: false }), 'says unsupported, by name, for registering'),
    capabilities: { register: false },
  },
  'renames-by-copying': flaw(
    (right, { tables }) => ({
      renameTable: async (from, to, call) => {
        const present = tables.get(keyOf(from))
        await right.renameTable(from, to, call)
        tables.set(keyOf(from), present!)
      },
    }),
    'renames a table: all of it',
  ),
  'renames-within-namespaces': flaw(
    (right) => ({
      renameTable: (from, to, call) => right.renameTable(from, { ...to, namespace: from.namespace }, call),
    }),
    'renames a table into another namespace',
  ),
  'renames-into-nowhere': flaw(
    (right) => ({
      renameTable: async (from, to, call) => {
        await right.createNamespace(to.namespace).catch(() => {})
        return right.renameTable(from, to, call)
      },
    }),
    'refuses a new name in a namespace that is not there',
  ),
  'renames-what-is-not-there': flaw(
    (right) => ({
      renameTable: async (from, to, call) =>
        right.renameTable(from, to, call).catch((error: unknown) => {
          if (!isKind(error, 'not-found')) throw error
        }),
    }),
    'says not-found when there is no table to rename',
    'lets exactly one of many racing renames win',
  ),
  'renames-over-tables': flaw(
    (right) => ({
      renameTable: async (from, to, call) => {
        await right.dropTable(to).catch(() => {})
        return right.renameTable(from, to, call)
      },
    }),
    'refuses a new name that a table has',
  ),
  'places-tables-by-name': flaw((right) => {
    const placed = <T extends { readonly identifier: TableIdentifier; readonly metadata: object }>(table: T): T => table
    const at = new Map<string, string>()
    return {
      createTable: async (table, ...rest) => {
        const made = placed(await right.createTable(table, ...rest))
        const location = at.get(keyOf(table)) ?? made.metadata.location
        at.set(keyOf(table), location)
        return { ...made, metadata: { ...made.metadata, location } }
      },
    }
  }, 'makes another table of the name that a rename left'),
  'renames-before-it-looks': flaw(deaf('renameTable'), 'renames nothing when its signal has fired'),
  'renames-without-claiming': {
    ...flaw((right) => claiming(right, { rename: false }), 'says unsupported, by name, for a rename'),
    capabilities: { rename: false },
  },
  'commits-the-first-of-several': flaw(
    (right) => ({ commitTransaction: (commits, call) => right.commitTransaction(commits.slice(0, 1), call) }),
    'commits to several tables at once',
  ),
  'commits-one-by-one': flaw(
    (right) => ({
      commitTransaction: async (commits, call) => {
        for (const { identifier, ...commit } of commits) await right.commitTable(identifier, commit, call)
      },
    }),
    'commits to none of several tables when a requirement of one',
    'commits to none of several tables when an update of one',
    'commits to none of several tables when one is not there',
    'refuses a transaction that names a table twice',
  ),
  'creates-none-in-transactions': flaw(
    (right, { tables }) => ({
      commitTransaction: async (commits, call) => {
        for (const { identifier } of commits) if (!tables.has(keyOf(identifier))) throw notFound('TABLE', 'Not there.')
        return right.commitTransaction(commits, call)
      },
    }),
    'creates a table in a transaction',
  ),
  'mixes-transactions': flaw(
    (right) => ({
      commitTransaction: async (commits, call) => {
        for (const { identifier, ...commit } of commits)
          await right.commitTable(identifier, commit, call).catch((error: unknown) => {
            if (!isKind(error, 'conflict')) throw error
          })
      },
    }),
    'lets one of two transactions that cross win',
  ),
  'commits-before-it-looks': flaw(deaf('commitTransaction'), 'commits nothing of a transaction whose signal'),
  'commits-without-claiming': {
    ...flaw((right) => claiming(right, { transactions: false }), 'says unsupported, by name, for a transaction'),
    capabilities: { transactions: false },
  },
}

/** Says that it lacks what it does all the same. */
function claiming(right: Catalog, lacking: Partial<Catalog['capabilities']>): Partial<Catalog> {
  return { capabilities: { ...right.capabilities, ...lacking } }
}
