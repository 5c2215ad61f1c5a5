import { namespaceText, tableText } from '@moulin/core'
import type {
  Catalog,
  CreateTableRequest,
  IcebergField,
  IcebergSchema,
  IcebergType,
  Int64,
  LoadedTable,
  Namespace,
  PartitionField,
  PartitionStatisticsFile,
  Snapshot,
  SortOrder,
  StagedTable,
  StatisticsFile,
  TableCommit,
  TableIdentifier,
  TableMetadata,
  TableRequirement,
  TableUpdate,
} from '@moulin/core'

export const orders: TableIdentifier = { namespace: ['shop'], name: 'orders' }
export const returns: TableIdentifier = { namespace: ['shop', 'eu'], name: 'returns' }

export const createRequest: CreateTableRequest = {
  schema: {
    type: 'struct',
    fields: [
      { id: 1, name: 'id', required: false, type: 'long' },
      { id: 2, name: 'city', required: false, type: 'string' },
    ],
  },
  partitionSpec: { fields: [{ 'source-id': 2, 'field-id': 1000, name: 'city', transform: 'identity' }] },
  properties: { owner: 'suite' },
}

/** Neighbours that a double cannot tell apart. */
export const BIG_ID = 9_007_199_254_740_993_000n

export const idOf = (number: number): bigint => BIG_ID + BigInt(number)

/** On top of the branch as it is. */
export function snapshotOf(number: number, table: TableMetadata, branch: string = 'main'): Snapshot {
  const parent = table.refs?.[branch]?.['snapshot-id']
  return {
    'snapshot-id': idOf(number),
    ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
    'sequence-number': Number(table['last-sequence-number']) + 1,
    'timestamp-ms': table['last-updated-ms'],
    'manifest-list': `${table.location}/metadata/snap-${number}.avro`,
    summary: { operation: 'append', 'x-number': String(number) },
    'schema-id': table['current-schema-id'],
    ...(table['format-version'] < 3 ? {} : { 'first-row-id': table['next-row-id'] ?? 0, 'added-rows': ADDED_ROWS }),
  }
}

/** Of each snapshot of format version 3. */
export const ADDED_ROWS = 10

export function partitionStatisticsOf(number: number, table: TableMetadata): PartitionStatisticsFile {
  return {
    'snapshot-id': BIG_ID + BigInt(number),
    'statistics-path': `${table.location}/metadata/partitions-${number}.parquet`,
    'file-size-in-bytes': 70,
  }
}

export function statisticsOf(number: number, table: TableMetadata): StatisticsFile {
  return {
    'snapshot-id': BIG_ID + BigInt(number),
    'statistics-path': `${table.location}/metadata/statistics-${number}.puffin`,
    'file-size-in-bytes': 700,
    'file-footer-size-in-bytes': 70,
    'blob-metadata': [],
  }
}

export const setMain = (snapshotId: Int64): TableUpdate => setBranch('main', snapshotId)

export const setBranch = (name: string, snapshotId: Int64): TableUpdate => ({
  action: 'set-snapshot-ref',
  'ref-name': name,
  type: 'branch',
  'snapshot-id': snapshotId,
})

/** A commit that requires nothing. */
export const commitOf = (...updates: TableUpdate[]): TableCommit => ({ requirements: [], updates })

export const setProperty = (name: string, value: string): TableCommit =>
  commitOf({ action: 'set-properties', updates: { [name]: value } })

/** In an update: what one before it in the same commit added. */
export const LAST = -1

export const column = (id: number, name: string, type: IcebergType = 'string'): IcebergField => ({
  id,
  name,
  required: false,
  type,
})

/** The current schema and these columns. */
export function widened(metadata: TableMetadata, ...fields: readonly IcebergField[]): IcebergSchema {
  const current = metadata.schemas.find((schema) => schema['schema-id'] === metadata['current-schema-id'])!
  return { type: 'struct', fields: [...current.fields, ...fields] }
}

export const useSchema = (schema: IcebergSchema): TableUpdate[] => [
  { action: 'add-schema', schema, 'last-column-id': Math.max(...schema.fields.map(({ id }) => id)) },
  { action: 'set-current-schema', 'schema-id': LAST },
]

export const useSpec = (...fields: PartitionField[]): TableUpdate[] => [
  { action: 'add-spec', spec: { 'spec-id': 0, fields } },
  { action: 'set-default-spec', 'spec-id': LAST },
]

export const useOrder = (...fields: SortOrder['fields']): TableUpdate[] => [
  { action: 'add-sort-order', 'sort-order': { 'order-id': fields.length === 0 ? 0 : 1, fields } },
  { action: 'set-default-sort-order', 'sort-order-id': LAST },
]

export const byCity: PartitionField = { 'source-id': 2, 'field-id': 1000, name: 'city', transform: 'identity' }
export const byBucket: PartitionField = { 'source-id': 1, 'field-id': 1001, name: 'id_bucket', transform: 'bucket[16]' }

export const ascending = (sourceId: number): SortOrder['fields'][number] => ({
  transform: 'identity',
  'source-id': sourceId,
  direction: 'asc',
  'null-order': 'nulls-first',
})

/** What a commit says that makes a staged table. */
export function updatesOf({ metadata }: StagedTable): TableUpdate[] {
  const [schema, spec, order] = [metadata.schemas[0]!, metadata['partition-specs'][0]!, metadata['sort-orders'][0]!]
  return [
    { action: 'assign-uuid', uuid: metadata['table-uuid'] },
    { action: 'upgrade-format-version', 'format-version': metadata['format-version'] },
    { action: 'add-schema', schema, 'last-column-id': metadata['last-column-id'] },
    { action: 'set-current-schema', 'schema-id': LAST },
    { action: 'add-spec', spec },
    { action: 'set-default-spec', 'spec-id': LAST },
    { action: 'add-sort-order', 'sort-order': order },
    { action: 'set-default-sort-order', 'sort-order-id': LAST },
    { action: 'set-location', location: metadata.location },
    { action: 'set-properties', updates: metadata.properties ?? {} },
  ]
}

export const creationOf = (staged: StagedTable, ...more: readonly TableUpdate[]): TableCommit => ({
  requirements: [{ type: 'assert-create' }],
  updates: [...updatesOf(staged), ...more],
})

/** A commit of one snapshot on top of the table as it was loaded. */
export function appendOf(number: number, { metadata }: LoadedTable): TableCommit {
  const snapshot = snapshotOf(number, metadata)
  const current = metadata.refs?.['main']?.['snapshot-id'] ?? null
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': current },
    ],
    updates: [{ action: 'add-snapshot', snapshot }, setMain(snapshot['snapshot-id'])],
  }
}

/** One requirement of each kind that the table meets; a table is there, so none that it is not. */
export function metRequirements({ metadata }: LoadedTable): TableRequirement[] {
  const main = metadata.refs?.['main']?.['snapshot-id'] ?? null
  return [
    { type: 'assert-table-uuid', uuid: metadata['table-uuid'] },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': main },
    { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] },
    { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] },
    { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': metadata['last-partition-id'] },
    { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] },
    { type: 'assert-default-sort-order-id', 'default-sort-order-id': metadata['default-sort-order-id'] },
  ]
}

/** One requirement of each kind that the table does not meet. */
export function brokenRequirements({ metadata }: LoadedTable): TableRequirement[] {
  return [
    { type: 'assert-create' },
    { type: 'assert-table-uuid', uuid: '00000000-0000-4000-8000-000000000000' },
    { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': BIG_ID + 999n },
    { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': metadata['last-column-id'] + 1 },
    { type: 'assert-current-schema-id', 'current-schema-id': metadata['current-schema-id'] + 1 },
    { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': metadata['last-partition-id'] + 1 },
    { type: 'assert-default-spec-id', 'default-spec-id': metadata['default-spec-id'] + 1 },
    { type: 'assert-default-sort-order-id', 'default-sort-order-id': metadata['default-sort-order-id'] + 1 },
  ]
}

/** Of all namespaces, or of one. */
export async function tablesOf(catalog: Catalog, namespace?: Namespace): Promise<string[]> {
  const names: string[] = []
  const options = namespace === undefined ? {} : { namespace }
  for await (const table of catalog.listTables(options)) names.push(tableText(table))
  return names.sort()
}

export async function namespacesOf(catalog: Catalog, parent: Namespace): Promise<string[]> {
  const names: string[] = []
  for await (const namespace of catalog.listNamespaces(parent)) names.push(namespaceText(namespace))
  return names.sort()
}
