import { invalid, shown, unsupported } from '@moulin/core'
import type {
  CreateTableRequest,
  IcebergSchema,
  PartitionFieldOf,
  PartitionSpec,
  TableMetadata,
  TableUpdate,
} from '@moulin/core'
import { checkPartitionSpec, FIRST_PARTITION_FIELD_ID } from '../partitions/partition-fields.ts'
import { createdTable } from './created-table.ts'
import type { NewTable } from './created-table.ts'
import { lastColumnId } from './schema-mapping.ts'
import { formatVersions } from './table-metadata.ts'

/**
 * The first metadata of a table: no snapshot, schema 0, partition spec 0, unsorted or sorted as asked; of format version 2, or another where the
 * property `format-version` asks for it. Field ids stay as the request has them; partition fields without an id count from 1000. The same
 * as {@link createdTable} makes of {@link creationUpdates}.
 *
 * @throws `invalid` for a schema without fields or with repeated ids or names, or a partition spec that does not fit;
 * `unsupported` for another format version.
 */
export function newTableMetadata(request: CreateTableRequest, table: NewTable): TableMetadata {
  const made = createdTable(creationUpdates(request, table), table)
  checkPartitionSpec(made['partition-specs'][0]!, made.schemas[0]!)
  return made
}

/** What a commit with the requirement `assert-create` applies to make the table that is asked for. */
export function creationUpdates(
  request: CreateTableRequest,
  { uuid, location }: Pick<NewTable, 'uuid' | 'location'>,
): readonly TableUpdate[] {
  const { schema, partitionSpec = { fields: [] }, sortOrder = { fields: [] }, properties = {} } = request
  const { 'format-version': version = '2', ...kept } = properties
  return [
    { action: 'assign-uuid', uuid },
    // The REST specification lets a property ask for it; it is not kept as one.
    { action: 'upgrade-format-version', 'format-version': versionOf(version) },
    { action: 'add-schema', schema, 'last-column-id': lastColumnId(schema) },
    { action: 'set-current-schema', 'schema-id': LAST },
    { action: 'add-spec', spec: numberedSpec(partitionSpec) },
    { action: 'set-default-spec', 'spec-id': LAST },
    { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: sortOrder.fields } },
    { action: 'set-default-sort-order', 'sort-order-id': LAST },
    { action: 'set-location', location },
    { action: 'set-properties', updates: kept },
  ]
}

/** In an update: what the one before it added. */
const LAST = -1

function versionOf(text: string): number {
  if (/^[1-9]$/.test(text)) return Number(text)
  throw unsupported(
    'FORMAT_VERSION',
    `A table of format version ${shown(text)} cannot be made; ${formatVersions.join(', ')} can.`,
  )
}

function numberedSpec(spec: PartitionSpec): PartitionSpec {
  const taken = new Set(spec.fields.map((field) => field['field-id']))
  let next = FIRST_PARTITION_FIELD_ID
  const fields = spec.fields.map((field) => {
    if (field['field-id'] !== undefined) return field
    while (taken.has(next)) next++
    return { ...field, 'field-id': next++ }
  })
  return { 'spec-id': 0, fields }
}

/**
 * The partition spec of a table's columns, from fields such as `day('placed_at')`.
 * @throws `invalid` for an unknown column or a transform that does not take it; `unsupported` for an unknown transform.
 */
export function partitionSpecOf(
  schema: Pick<IcebergSchema, 'fields'>,
  fields: readonly PartitionFieldOf[],
): PartitionSpec {
  const spec = numberedSpec({
    fields: fields.map(({ source, transform, name }) => {
      const column = schema.fields.find((field) => field.name === source)
      if (column === undefined) {
        const message = `The partition field ${name} is of the column ${source}, which the table does not have.`
        throw invalid('PARTITION_SPEC', message, { context: { name, source } })
      }
      return { 'source-id': column.id, name, transform }
    }),
  })
  checkPartitionSpec(spec, { type: 'struct', fields: schema.fields })
  return spec
}
