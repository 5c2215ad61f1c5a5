import { exists, invalid, isKind, notFound, unsupported } from '@moulin/core'
import type { IcebergSchema, TableMetadata, TableUpdate } from '@moulin/core'
import type { Flaws } from './flaws.ts'
import { commits, flaw, isCreation, shows } from './flaws.ts'
import { keyOf } from './names-model.ts'

const onlyCreate = [{ type: 'assert-create' as const }]
const without = (record: object, name: string): object =>
  Object.fromEntries(Object.entries(record).filter(([member]) => member !== name))
const fieldsOf = (metadata: TableMetadata, change: (field: object) => object): TableMetadata => ({
  ...metadata,
  schemas: metadata.schemas.map((schema) => ({ ...schema, fields: schema.fields.map(change) }) as IcebergSchema),
})

/** Of making tables. */
export const creationFlaws: Flaws = {
  'counts-from-one': flaw(
    shows((metadata) => ({ ...metadata, 'last-partition-id': Math.max(1000, metadata['last-partition-id']) })),
    'gives a new table its first ids',
  ),
  'ignores-sort-orders': flaw(
    (right) => ({
      createTable: (table, { sortOrder: _, ...request }, call) => right.createTable(table, request, call),
    }),
    'creates a table with the sort order',
  ),
  'ignores-format-versions': flaw(
    (right) => ({
      createTable: (table, request, call) => {
        const properties = without(request.properties ?? {}, 'format-version') as Record<string, string>
        return right.createTable(table, { ...request, properties }, call)
      },
    }),
    'creates a table of format version 3',
    'refuses a format version that there is not',
  ),
  'loses-documentation': flaw(
    shows((metadata) => fieldsOf(metadata, (field) => without(field, 'doc'))),
    'keeps nested types, required columns, documentation',
  ),
  'loses-defaults': flaw(
    shows((metadata) => fieldsOf(metadata, (field) => without(field, 'initial-default'))),
    'keeps the defaults of columns',
  ),
  'makes-repeated-names-up': flaw(
    (right) => ({
      createTable: (table, request, call) => {
        const fields = request.schema.fields.map((field) => ({ ...field, name: `${field.name}${field.id}` }))
        const names = new Set(request.schema.fields.map(({ name }) => name))
        const isBad = names.size < fields.length
        return right.createTable(table, isBad ? { ...request, schema: { type: 'struct', fields } } : request, call)
      },
    }),
    'refuses a schema that has a name twice',
  ),
  'drops-bad-specs': flaw(
    (right) => ({
      createTable: async (table, request, call) => {
        const { partitionSpec: _, ...rest } = request
        return right.createTable(table, request, call).catch((error: unknown) => {
          if (!isKind(error, 'invalid')) throw error
          return right.createTable(table, rest, call)
        })
      },
    }),
    'refuses a partition spec of a column that is not there',
  ),
  'ignores-locations': flaw(
    (right) => ({ createTable: (table, { location: _, ...request }, call) => right.createTable(table, request, call) }),
    'puts a table where it is asked to',
  ),
  'refuses-every-location': flaw(
    (right) => ({
      createTable: async (table, request, call) => {
        if (request.location !== undefined) throw unsupported('TABLE_LOCATION', 'Nowhere.')
        return right.createTable(table, request, call)
      },
    }),
    'takes the location that it would give by itself',
  ),
  'has-one-place-for-all': flaw(
    shows((metadata) => ({ ...metadata, location: 'names://tables/all' })),
    'puts no two tables in one place',
  ),
  'wants-namespaces-of-missing-tables': flaw(
    (right) => ({
      loadTable: async (table, call) => {
        await right.loadNamespace(table.namespace).catch(() => {
          throw invalid('NAMESPACE', 'There is no such namespace.')
        })
        return right.loadTable(table, call)
      },
    }),
    'says not-found for a table in a namespace that is not there',
  ),
  'forgets-inner-levels': flaw((right) => {
    const outer = ({ namespace, name }: { namespace: readonly string[]; name: string }) => ({
      namespace: namespace.slice(0, 1),
      name,
    })
    return {
      createTable: (table, ...rest) => right.createTable(outer(table), ...rest),
      loadTable: (table, ...rest) => right.loadTable(outer(table), ...rest),
    }
  }, 'tells tables of one name in two namespaces apart'),
  'remembers-absence': flaw((right) => {
    const absent = new Set<string>()
    return {
      loadTable: async (table, call) => {
        if (absent.has(keyOf(table))) throw notFound('TABLE', 'There was none.')
        return right.loadTable(table, call).catch((error: unknown) => {
          if (isKind(error, 'not-found')) absent.add(keyOf(table))
          throw error
        })
      },
    }
  }, 'shows a table that one client made to others at once'),
  'drops-what-is-not-there': flaw(
    (right) => ({
      dropTable: async (table, call) =>
        right.dropTable(table, call).catch((error: unknown) => {
          if (!isKind(error, 'not-found')) throw error
        }),
    }),
    'drops a table once, of many who try',
    'says not-found for a table that is not there',
  ),
  'stages-by-creating': flaw(
    (right) => ({ stageTable: (...call) => right.createTable(...call) }),
    'stages what it would create, and creates nothing',
  ),
  'stages-over-tables': flaw(
    (right) => ({
      stageTable: async (identifier, request, call) => {
        const staged = await right.stageTable({ ...identifier, name: 'nobody' }, request, call)
        return { ...staged, identifier }
      },
    }),
    'does not stage a table that exists',
  ),
  'creates-without-snapshots': flaw(
    commits((commit) => {
      if (!isCreation(commit)) return commit
      return { ...commit, updates: commit.updates.filter(({ action }) => !action.includes('snapshot')) }
    }),
    'creates a staged table by a commit, with its first snapshot',
  ),
  'creates-by-what-was-staged': flaw(
    commits((commit) => {
      if (!isCreation(commit)) return commit
      const seen = new Set<string>()
      const firsts = commit.updates.filter(({ action }) => !seen.has(action) && seen.add(action))
      return { ...commit, updates: firsts }
    }),
    'creates a table by a commit whose schema, spec and order changed',
  ),
  'creates-over-tables': flaw(
    (right) => ({
      commitTable: async (table, commit, call) => {
        if (isCreation(commit)) await right.dropTable(table).catch(() => {})
        return right.commitTable(table, commit, call)
      },
    }),
    'creates a table by a commit only where there is none',
  ),
  'takes-the-table-of-another': flaw(
    (right) => ({
      commitTable: async (table, commit, call) =>
        right.commitTable(table, commit, call).catch((error: unknown) => {
          if (!isCreation(commit) || !isKind(error, 'conflict')) throw error
          return right.loadTable(table)
        }),
    }),
    'lets exactly one of many racing commits create the table',
  ),
  'creates-part-of-tables': flaw(
    (right, state) => ({
      commitTable: async (table, commit, call) =>
        right.commitTable(table, commit, call).catch(async (error: unknown) => {
          if (!isCreation(commit) || !isKind(error, 'invalid') || state.tables.has(keyOf(table))) throw error
          const schema: IcebergSchema = { type: 'struct', fields: [{ id: 1, name: 'x', required: false, type: 'int' }] }
          return right.createTable(table, { schema })
        }),
    }),
    'creates nothing by a commit that makes no whole table',
  ),
  'requires-only-absence': flaw(
    commits((commit) => (isCreation(commit) ? { ...commit, requirements: onlyCreate } : commit)),
    'creates nothing by a commit that also requires something',
  ),
  'creates-unasked': flaw(
    commits((commit, table, { tables }) =>
      tables.has(keyOf(table)) ? commit : { ...commit, requirements: [...onlyCreate, ...commit.requirements] },
    ),
    'does not create a table by a commit that does not ask for it',
  ),
  'creates-from-memory': flaw((right, { tables }) => {
    const dropped = new Map<string, Readonly<Record<string, string>>>()
    return {
      dropTable: async (table, call) => {
        dropped.set(keyOf(table), tables.get(keyOf(table))?.metadata.properties ?? {})
        return right.dropTable(table, call)
      },
      commitTable: async (table, commit, call) => {
        const old: TableUpdate = { action: 'set-properties', updates: dropped.get(keyOf(table)) ?? {} }
        return right.commitTable(
          table,
          isCreation(commit) ? { ...commit, updates: [...commit.updates, old] } : commit,
          call,
        )
      },
    }
  }, 'creates a table anew after a drop, by a commit'),
  'freezes-what-commits-created': flaw((right) => {
    const frozen = new Set<string>()
    return {
      commitTable: async (table, commit, call) => {
        if (isCreation(commit)) frozen.add(keyOf(table))
        return right.commitTable(table, commit, call)
      },
      createTable: async (table, request, call) => {
        if (frozen.size > 0) throw exists('TABLE', 'No more.')
        return right.createTable(table, request, call)
      },
    }
  }, 'goes on with a table that a commit created'),
  'has-room-for-all': flaw(
    () => ({ checkRoom: async () => {} }),
    'says before a table is made whether a file has room',
  ),
  'makes-what-it-is-asked-about': flaw(
    (right) => ({
      checkRoom: async (table, path, call) => {
        await right.createTable(table, { schema: { type: 'struct', fields: [] } }, call).catch(() => undefined)
        await right.checkRoom?.(table, path, call)
      },
    }),
    'says before a table is made whether a file has room',
  ),
}
