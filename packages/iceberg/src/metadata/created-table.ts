import { invalid, unsupported } from '@moulin/core'
import type { IcebergSchema, TableMetadata, TableUpdate } from '@moulin/core'
import { FIRST_PARTITION_FIELD_ID } from '../partitions/partition-fields.ts'
import { FIRST_ROW_ID } from './format-version.ts'
import { repeatedFieldId } from './schema-mapping.ts'
import { formatVersions, NO_SNAPSHOT } from './table-metadata.ts'
import { applyUpdates } from './updates.ts'

export interface NewTable {
  readonly uuid: string
  /** Absolute URI without a slash at its end. */
  readonly location: string
  readonly nowMs: number
}

/** What no list of a table's metadata has. */
const NONE = -1

/**
 * The table that the updates make of nothing, as a commit with the requirement `assert-create` does. Its UUID, location and format version
 * are those that the updates name, else those of `table` and version 2. A table of version 1 is made for
 * those who ask for one; it takes commits of theirs, and none of ours before it is upgraded.
 *
 * @throws `invalid` code `TABLE_INCOMPLETE` where no schema, partition spec or sort order is made the table's; `invalid` for a schema
 * without fields or with repeated ids or names, and as {@link applyUpdates}; `unsupported` for a format version that is not written.
 *
 * Spec: Iceberg REST catalog, `CommitTableRequest` ("assert-create").
 */
export function createdTable(updates: readonly TableUpdate[], table: NewTable): TableMetadata {
  const made = applyUpdates(nothing(updates, table), updates, { nowMs: table.nowMs })
  for (const [member, update] of whole) {
    if (made[member] !== NONE) continue
    const message = `The updates make no whole table: ${update} is missing.`
    throw invalid('TABLE_INCOMPLETE', message, { context: { update } })
  }
  checkNewSchema(made.schemas.find((schema) => schema['schema-id'] === made['current-schema-id'])!)
  return made
}

const whole = [
  ['current-schema-id', 'set-current-schema'],
  ['default-spec-id', 'set-default-spec'],
  ['default-sort-order-id', 'set-default-sort-order'],
] as const

function nothing(updates: readonly TableUpdate[], { uuid, location, nowMs }: NewTable): TableMetadata {
  const version = writableVersion(updates.find(({ action }) => action === 'upgrade-format-version'))
  const assigned = updates.find(({ action }) => action === 'assign-uuid')
  return {
    'format-version': version,
    'table-uuid': assigned?.action === 'assign-uuid' ? assigned.uuid : uuid,
    location,
    'last-sequence-number': 0,
    ...(version < 3 ? {} : { 'next-row-id': FIRST_ROW_ID }),
    'last-updated-ms': nowMs,
    'last-column-id': 0,
    'current-schema-id': NONE,
    schemas: [],
    'default-spec-id': NONE,
    'partition-specs': [],
    'last-partition-id': FIRST_PARTITION_FIELD_ID - 1,
    'default-sort-order-id': NONE,
    'sort-orders': [],
    properties: {},
    'current-snapshot-id': NO_SNAPSHOT,
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
  }
}

// The first that is asked for: a later one upgrades the table that it began as.
function writableVersion(update: TableUpdate | undefined): number {
  const version = update?.action === 'upgrade-format-version' ? update['format-version'] : 2
  if (formatVersions.includes(version)) return version
  const message = `A table of format version ${version} cannot be made; ${formatVersions.join(', ')} can.`
  throw unsupported('FORMAT_VERSION', message, { context: { formatVersion: version } })
}

function checkNewSchema(schema: IcebergSchema): void {
  if (schema.fields.length === 0) throw invalid('SCHEMA', 'A table needs at least one column.')
  const repeated = repeatedFieldId(schema)
  if (repeated !== undefined) throw invalid('FIELD_ID', `The field id ${repeated} is used twice in the schema.`)
  const names = new Set<string>()
  for (const { name } of schema.fields) {
    if (name === '' || names.has(name))
      throw invalid('SCHEMA', `The column name ${JSON.stringify(name)} is empty or repeated.`)
    names.add(name)
  }
}
