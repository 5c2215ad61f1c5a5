import { invalid, unsupported } from '@moulin/core'
import type { CreateTableRequest, IcebergSchema, PartitionFieldOf, PartitionSpec, TableMetadata } from '@moulin/core'
import { checkPartitionSpec, FIRST_PARTITION_FIELD_ID } from '../partitions/partition-fields.ts'
import { lastColumnId, repeatedFieldId } from './schema-mapping.ts'
import { FIRST_ROW_ID } from './format-version.ts'
import type { FormatVersion } from './format-version.ts'
import { NO_SNAPSHOT } from './table-metadata.ts'

export interface NewTable {
  readonly uuid: string
  /** Absolute URI without a slash at its end. */
  readonly location: string
  readonly nowMs: number
}

/**
 * The first metadata of a table: no snapshot, schema 0, partition spec 0, unsorted; of format version 2, or 3 where the property
 * `format-version` asks for it. Field ids stay as the request has them; partition fields without an id count from 1000.
 *
 * @throws `invalid` for a schema without fields or with repeated ids or names, or a partition spec that does not fit;
 * `unsupported` for another format version.
 */
export function newTableMetadata(request: CreateTableRequest, table: NewTable): TableMetadata {
  const schema: IcebergSchema = { ...request.schema, 'schema-id': 0 }
  checkNewSchema(schema)
  const spec = numberedSpec(request.partitionSpec ?? { fields: [] })
  checkPartitionSpec(spec, schema)
  const version = askedVersion(request.properties ?? {})
  const lastPartitionId = Math.max(FIRST_PARTITION_FIELD_ID - 1, ...spec.fields.map((field) => field['field-id']!))
  return {
    'format-version': version,
    'table-uuid': table.uuid,
    location: table.location,
    'last-sequence-number': 0,
    ...(version === 2 ? {} : { 'next-row-id': FIRST_ROW_ID }),
    'last-updated-ms': table.nowMs,
    'last-column-id': lastColumnId(schema),
    'current-schema-id': 0,
    schemas: [schema],
    'default-spec-id': 0,
    'partition-specs': [spec],
    'last-partition-id': lastPartitionId,
    'default-sort-order-id': 0,
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    properties: withoutVersion(request.properties ?? {}),
    'current-snapshot-id': NO_SNAPSHOT,
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
  }
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

// The REST specification lets a property ask for the format version; it is not kept as one.
function askedVersion(properties: Readonly<Record<string, string>>): FormatVersion {
  const version = Object.hasOwn(properties, 'format-version') ? properties['format-version'] : '2'
  if (version === '2') return 2
  if (version === '3') return 3
  throw unsupported('FORMAT_VERSION', `A table of format version ${version} cannot be made; 2 and 3 can.`)
}

function withoutVersion(properties: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => name !== 'format-version'))
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
