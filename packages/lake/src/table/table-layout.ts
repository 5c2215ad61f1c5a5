import { foldIceberg, invalid, nestedFields, notFound, unsupported } from '@moulin/core'
import type {
  Codec,
  ColdTopicInfo,
  CreateTableRequest,
  IcebergField,
  IcebergSchema,
  IcebergType,
  PartitionSpec,
  PlannedTopic,
  SchemaFieldId,
  TableMetadata,
} from '@moulin/core'
import { currentSchema, icebergFields, partitionSpecOf } from '@moulin/iceberg'
import { answeredIds, areAsked, idAt, ownIds } from './field-ids.ts'
import type { FieldIds } from './field-ids.ts'
import type { Marker } from './marker.ts'
import { FIRST_VALUE_ID, hasValueColumns, systemFields, tableProperties, tableSchema } from './system-columns.ts'

/** What a topic's table looks like when we make it. */
export interface TableLayout {
  readonly schema: IcebergSchema
  readonly spec: PartitionSpec
  /** Columns of the value; none where values are kept as bytes. */
  readonly valueFields: readonly IcebergField[]
  /** Of the table's format. */
  readonly formatVersion: 2 | 3
}

/** Whether values of the topic are columns and the log's ledger does not have their schema: nobody knows which columns. */
export function lacksSchema(info: PlannedTopic & { readonly valueSchemaId?: number }): boolean {
  return info.valueMode !== 'raw' && info.valueCodec === undefined && (info.valueSchemaId ?? 0) !== 0
}

export function schemaMissing({ name, valueSchemaId }: Pick<ColdTopicInfo, 'name' | 'valueSchemaId'>): Error {
  const message =
    `Topic ${name} has values of schema ${valueSchemaId}, which the log's schema ledger does not have: put its object ` +
    'below log/schemas/ back. Until then its table gets no rows; what is there is read without their values.'
  return notFound('SCHEMA_ID', message, { context: { topic: name, schema: valueSchemaId } })
}

/**
 * Without value columns where the topic's schema is missing: enough to read by.
 * @throws `invalid` for a partition spec that does not fit the columns, or value columns without a codec.
 */
export function tableLayout(info: PlannedTopic & { readonly valueSchemaId?: number }): TableLayout {
  if (info.valueMode !== 'raw' && info.valueCodec === undefined && !lacksSchema(info)) {
    const message = `Topic ${info.name} has value mode ${info.valueMode} but no value codec: give one, or use raw.`
    throw invalid('VALUE_MODE', message, { context: { topic: info.name, valueMode: info.valueMode } })
  }
  const { valueCodec } = info
  const valueFields = hasValueColumns(info.valueMode, valueCodec) ? fieldsOf(valueCodec) : []
  const schema = tableSchema(valueFields)
  return { schema, spec: partitionSpecOf(schema, info.partitionBy), valueFields, formatVersion: info.formatVersion ?? 2 }
}

/** Ids that a new table with columns of this codec is asked for; null where its values are no columns. */
export function valueFieldIds(codec: Codec): SchemaFieldId[] | null {
  return hasValueColumns('columns', codec) ? ownIds(fieldsOf(codec)) : null
}

const fieldsOf = ({ schema }: Codec): IcebergField[] => icebergFields(schema, FIRST_VALUE_ID)

export function createTableRequest(
  layout: TableLayout,
  properties: Readonly<Record<string, string>>,
): CreateTableRequest {
  return {
    schema: layout.schema,
    partitionSpec: layout.spec,
    properties: { ...tableProperties, ...(layout.formatVersion === 2 ? {} : { 'format-version': '3' }), ...properties },
  }
}

/** Our columns as the table has them now: foreign engines may rename, drop and add columns. */
export interface TableColumns {
  readonly layout: TableLayout
  readonly schema: IcebergSchema
  /** By our name: the column of the present schema; undefined when it was dropped. */
  readonly byName: ReadonlyMap<string, IcebergField | undefined>
  /** Our value columns, in the order of the layout. */
  readonly valueNames: readonly string[]
  /** Some value column is gone: the columns alone give no value back any more. */
  readonly lacksValues: boolean
}

/**
 * The ids of our columns in the table, undefined where they are those that we asked for. The marker says them; one that
 * was written with the table's creation does not know yet what the catalog made of the request, but then the table has
 * none but its first schema, which is that answer. Ids are never taken from the names of a later schema.
 *
 * @throws `unsupported` where an empty table was changed before anybody recorded its ids.
 */
export function fieldIdsOf(
  metadata: TableMetadata,
  layout: TableLayout,
  marker: Pick<Marker, 'snapshot' | 'fieldIds'>,
  table: string,
): FieldIds | undefined {
  if (marker.fieldIds !== undefined) return marker.fieldIds
  if (marker.snapshot !== null) return undefined
  const [first] = [...metadata.schemas].sort((a, b) => (a['schema-id'] ?? 0) - (b['schema-id'] ?? 0))
  const ids = answeredIds(layout.schema, first!)
  if (ids !== undefined && areAsked(ids, layout.schema)) return undefined
  if (ids !== undefined && metadata.schemas.length === 1) return ids
  const message =
    `The columns of table ${table} were changed before its field ids were recorded. ` +
    'It has no rows of the topic: drop it, and the next open makes it anew.'
  throw unsupported('SCHEMA_DRIFT', message, { context: { table } })
}

/**
 * Follows our columns by their recorded field ids.
 * @throws `unsupported` when a system column is gone, a column has another type, a nested field another name or id, or a
 * foreign column is required.
 */
export function tableColumns(
  metadata: TableMetadata,
  layout: TableLayout,
  table: string,
  ids: FieldIds | undefined,
): TableColumns {
  const schema = currentSchema(metadata)
  const present = new Map(schema.fields.map((field) => [field.id, field]))
  const byName = new Map<string, IcebergField | undefined>()
  for (const field of layout.schema.fields) {
    const found = present.get(idAt(ids, [field.name], field.id))
    if (found !== undefined && !sameType(found.type, field.type)) {
      throw drift(table, `column ${field.name} is now ${typeText(found.type)}, it was ${typeText(field.type)}`)
    }
    const moved = found === undefined ? undefined : movedField(field.type, found.type, [field.name], ids)
    if (moved !== undefined) throw drift(table, `the nested field ${moved.join('.')} is another one now`)
    if (found !== undefined) present.delete(found.id)
    byName.set(field.name, found)
  }
  for (const { name } of systemFields) {
    if (byName.get(name) === undefined) throw drift(table, `the system column ${name} is gone`)
  }
  for (const { name, required } of present.values()) {
    if (required) throw drift(table, `the column ${name} was added as required`)
  }
  const valueNames = layout.valueFields.map(({ name }) => name)
  return { layout, schema, byName, valueNames, lacksValues: valueNames.some((name) => byName.get(name) === undefined) }
}

// The path of the first nested field whose id is not the recorded one: two of one type may have changed their names.
function movedField(
  ours: IcebergType,
  theirs: IcebergType,
  path: readonly string[],
  ids: FieldIds | undefined,
): readonly string[] | undefined {
  const found = nestedFields(theirs)
  for (const [at, { name, id, type }] of nestedFields(ours).entries()) {
    const inner = [...path, name]
    if (found[at]!.id !== idAt(ids, inner, id)) return inner
    const moved = movedField(type, found[at]!.type, inner, ids)
    if (moved !== undefined) return moved
  }
  return undefined
}

// Of nested fields names, order and kinds; their ids are compared with the recorded ones.
function sameType(a: IcebergType, b: IcebergType): boolean {
  return typeText(a) === typeText(b)
}

function typeText(type: IcebergType): string {
  return foldIceberg(type, {
    primitive: (text) => text.replaceAll(' ', ''),
    list: (element) => `list<${typeText(element.type)}>`,
    map: (key, value) => `map<${typeText(key.type)},${typeText(value.type)}>`,
    struct: (fields) => `struct<${fields.map((field) => `${field.name}:${typeText(field.type)}`).join(',')}>`,
  })
}

function drift(table: string, what: string): Error {
  const message =
    `The schema of table ${table} is not the topic's any more: ${what}. ` +
    'Schema evolution is not supported by this version; undo the change.'
  return unsupported('SCHEMA_DRIFT', message, { context: { table } })
}
