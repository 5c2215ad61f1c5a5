import { invalid, isKind, notFound, unsupported } from '@moulin/core'
import type {
  Codec,
  ColdTopicInfo,
  CreateTableRequest,
  IcebergField,
  IcebergSchema,
  PartitionSpec,
  PlannedTopic,
  SchemaFieldId,
  TableMetadata,
} from '@moulin/core'
import { currentSchema, icebergFields, partitionSpecOf } from '@moulin/iceberg'
import { answeredIds, areAsked, idAt, ownIds } from './field-ids.ts'
import type { FieldIds } from './field-ids.ts'
import { followField, mustBeGiven } from './followed-field.ts'
import type { FollowedField } from './followed-field.ts'
import type { Marker } from './marker.ts'
import {
  FIRST_VALUE_ID,
  hasValueColumns,
  identityNames,
  systemNames,
  tableProperties,
  tableSchema,
} from './system-columns.ts'

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
  return {
    schema,
    spec: partitionSpecOf(schema, info.partitionBy),
    valueFields,
    formatVersion: info.formatVersion ?? 2,
  }
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

/** Our columns as the table has them now: foreign engines may rename, drop, add, move and promote columns and their members. */
export interface TableColumns {
  readonly layout: TableLayout
  readonly schema: IcebergSchema
  /** By our name: the column of the present schema; undefined when it was dropped. */
  readonly byName: ReadonlyMap<string, IcebergField | undefined>
  /** By our name, what is left of it: how it is read and written. */
  readonly followed: ReadonlyMap<string, FollowedField>
  /** Our value columns, in the order of the layout. */
  readonly valueNames: readonly string[]
  /** Paths of ours that the table has no more. */
  readonly gone: readonly string[]
  /** Some value column, or a member of one, is gone: the columns alone give no value back any more. */
  readonly lacksValues: boolean
  /** Some other part of records is gone: key, headers, timestamp, checksum and the like. */
  readonly lacksSystem: boolean
  /** The column that is gone without which no row is a record; undefined while all of them are there. */
  readonly lostIdentity: string | undefined
  /** Paths of what others have added, that must have a value, and that no writer of ours has one for. */
  readonly unfilled: readonly string[]
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
 * @throws `unsupported` when a column has a type that ours cannot become.
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
  const followed = new Map<string, FollowedField>()
  const clash = (what: string): Error => drift(table, what)
  for (const field of layout.schema.fields) {
    const found = present.get(idAt(ids, [field.name], field.id))
    byName.set(field.name, found)
    if (found === undefined) continue
    present.delete(found.id)
    followed.set(field.name, followField(field, found, ids, clash))
  }
  const goneOf = (name: string): readonly string[] => followed.get(name)?.gone ?? [name]
  const valueNames = layout.valueFields.map(({ name }) => name)
  const [values, system] = [valueNames, systemNames].map((names) => names.flatMap(goneOf))
  const unfilled = [...followed.values()].flatMap((field) => field.unfilled)
  for (const field of present.values()) if (mustBeGiven(field)) unfilled.push(field.name)
  return {
    layout,
    schema,
    byName,
    followed,
    valueNames,
    gone: [...system!, ...values!],
    lacksValues: values!.length > 0,
    lacksSystem: system!.length > 0,
    lostIdentity: identityNames.find((name) => !followed.has(name)),
    unfilled,
  }
}

/** @throws `unsupported` code `REQUIRED_COLUMN` where others have added what every row must have, and nobody says what. */
export function checkFillable({ unfilled }: TableColumns, table: string): void {
  const [column] = unfilled
  if (column === undefined) return
  const message =
    `Table ${table} requires a value of ${column}, which no record has, so nothing more is tiered; reads go on. ` +
    'Make the column optional, or give it a write default.'
  throw unsupported('REQUIRED_COLUMN', message, { context: { table, column } })
}

/** What an error of the file's writer means where others have made a column of ours required: at the first record without it. */
export function ofRequired(error: unknown, table: string): unknown {
  if (!isKind(error, 'invalid', 'REQUIRED_NULL')) return error
  const { column } = error.context
  const message =
    `Table ${table} requires a value of ${String(column)} now, which a record has not, so nothing more is tiered; reads go on. ` +
    'Make the column optional again.'
  return unsupported('REQUIRED_COLUMN', message, { context: { table, column }, cause: error })
}

function drift(table: string, what: string): Error {
  const message =
    `The schema of table ${table} is not the topic's any more: ${what}. ` +
    'A column may be renamed, moved, promoted and dropped; undo the change.'
  return unsupported('SCHEMA_DRIFT', message, { context: { table } })
}
