import { namespaceText, tableText } from '@moulin/core'
import type {
  Catalog,
  CreateTableRequest,
  Int64,
  LoadedTable,
  Namespace,
  PartitionStatisticsFile,
  Snapshot,
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

export function snapshotOf(number: number, table: TableMetadata): Snapshot {
  return {
    'snapshot-id': BIG_ID + BigInt(number),
    'sequence-number': Number(table['last-sequence-number']) + 1,
    'timestamp-ms': table['last-updated-ms'],
    'manifest-list': `${table.location}/metadata/snap-${number}.avro`,
    summary: { operation: 'append', 'x-number': String(number) },
    'schema-id': table['current-schema-id'],
  }
}

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

export const setMain = (snapshotId: Int64): TableUpdate => ({
  action: 'set-snapshot-ref',
  'ref-name': 'main',
  type: 'branch',
  'snapshot-id': snapshotId,
})

export const setProperty = (name: string, value: string): TableCommit => ({
  requirements: [],
  updates: [{ action: 'set-properties', updates: { [name]: value } }],
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

export async function tablesOf(catalog: Catalog): Promise<string[]> {
  const names: string[] = []
  for await (const table of catalog.listTables()) names.push(tableText(table))
  return names.sort()
}

export async function namespacesOf(catalog: Catalog, parent: Namespace): Promise<string[]> {
  const names: string[] = []
  for await (const namespace of catalog.listNamespaces(parent)) names.push(namespaceText(namespace))
  return names.sort()
}
