import { conflict } from '@moulin/core'
import type { TableUpdate } from '@moulin/core'
import type { Flaws } from './flaws.ts'
import { commits, flaw, ignores, isCreation, skips, updates } from './flaws.ts'
import { keyOf } from './names-model.ts'

/** Makes what is the same look new. */
let seen = 0

const schemaRequirements = ['assert-current-schema-id', 'assert-last-assigned-field-id'] as const
const setters = ['set-current-schema', 'set-default-spec', 'set-default-sort-order']
const idIn = (update: TableUpdate): number | undefined => {
  const { 'schema-id': schema, 'spec-id': spec, 'sort-order-id': order } = update as unknown as Record<string, number>
  return setters.includes(update.action) ? (schema ?? spec ?? order) : undefined
}

/** Of schemas, specs, orders and formats. */
export const evolutionFlaws: Flaws = {
  'skips-schemas': flaw(skips('add-schema', 'set-current-schema'), 'adds a column'),
  'adds-every-schema': flaw(
    updates((update, all) => {
      const isNew = all.some(({ action }) => action === 'assign-uuid')
      if (update.action !== 'add-schema' || isNew) return update
      const [first, ...rest] = update.schema.fields
      return { ...update, schema: { ...update.schema, fields: [{ ...first!, doc: String(seen++) }, ...rest] } }
    }),
    'takes a schema that the table had before',
  ),
  'uses-every-schema': flaw(
    updates((update) =>
      update.action === 'add-schema' ? [update, { action: 'set-current-schema', 'schema-id': -1 }] : update,
    ),
    'keeps a schema that is added and not made the current one',
  ),
  'takes-the-last-of-nothing': flaw(
    updates((update, all) =>
      idIn(update) === -1 && !all.some(({ action }) => action.startsWith('add-')) ? [] : update,
    ),
    'fails to use what the same commit added when it added nothing',
  ),
  'takes-unknown-ids': flaw(
    updates((update) => ((idIn(update) ?? 0) > 50 ? [] : update)),
    'refuses a current schema, spec or order that the table does not have',
  ),
  'ignores-schema-requirements': flaw(
    ignores(...schemaRequirements),
    'fails a change of the schema that another overtook',
  ),
  'holds-every-change-to-be-the-same': flaw(
    (right, { tables }) => ({
      commitTable: async (table, commit, call) => {
        const isAboutSchema = commit.requirements.some(({ type }) => type === 'assert-current-schema-id')
        if (isAboutSchema && tables.get(keyOf(table))?.metadata['default-spec-id'] !== 0)
          throw conflict('REQUIREMENT_FAILED', 'The table changed.')
        return right.commitTable(table, commit, call)
      },
    }),
    'takes a change of the schema though another changed the spec',
  ),
  'skips-specs': flaw(skips('add-spec', 'set-default-spec'), 'adds a partition field'),
  'adds-every-spec': flaw(
    updates((update, all) => {
      const isNew = all.some(({ action }) => action === 'assign-uuid')
      if (update.action !== 'add-spec' || isNew) return update
      const fields = update.spec.fields.map((field) => ({ ...field, name: `${field.name}_${seen++}` }))
      return { ...update, spec: { ...update.spec, fields } }
    }),
    'takes a partition spec that the table had before',
  ),
  'stays-partitioned': flaw(
    commits((commit) => {
      const isNone = commit.updates.some((update) => update.action === 'add-spec' && update.spec.fields.length === 0)
      const kept = commit.updates.filter(({ action }) => !action.endsWith('-spec'))
      return isNone && !isCreation(commit) ? { ...commit, updates: kept } : commit
    }),
    'makes a table unpartitioned',
  ),
  'ignores-spec-requirements': flaw(
    ignores('assert-default-spec-id', 'assert-last-assigned-partition-id'),
    'fails a change of the partition spec that another overtook',
  ),
  'skips-orders': flaw(skips('add-sort-order', 'set-default-sort-order'), 'sorts a table, sorts it otherwise'),
  'ignores-order-requirements': flaw(
    ignores('assert-default-sort-order-id'),
    'fails a change of the sort order that another overtook',
  ),
  'makes-a-version-of-each-update': flaw(
    (right) => ({
      commitTable: async (table, commit, call) => {
        const [properties, rest] = [true, false].map((is) =>
          commit.updates.filter(({ action }) => (action === 'set-properties') === is),
        )
        if (isCreation(commit) || rest!.length === 0) return right.commitTable(table, commit, call)
        await right.commitTable(table, { ...commit, updates: rest! }, call)
        return right.commitTable(table, { requirements: [], updates: properties! }, call)
      },
    }),
    'changes schema, spec, order and properties in one version',
  ),
  'removes-no-schemas': flaw(
    skips('remove-schemas', 'remove-partition-specs'),
    'removes schemas and specs that nothing uses',
  ),
  'upgrades-nothing': flaw(
    updates((update, all) =>
      update.action === 'upgrade-format-version' && !all.some(({ action }) => action === 'assign-uuid') ? [] : update,
    ),
    'upgrades a table to format version 3',
  ),
}
