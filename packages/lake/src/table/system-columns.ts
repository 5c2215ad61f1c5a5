import type { Codec, IcebergField, IcebergSchema, SystemRow, ValueMode } from '@moulin/core'

/** The name of a system column (DESIGN §4). */
export type SystemColumn = keyof SystemRow

/**
 * Field ids 1 to 20 belong to the system columns, reserved whether a column is present or not; nested ids follow their
 * parent. 16 is `_kafka_topic`, 17 `_kafka_ingested_at`: no table of this version has them.
 */
export const systemIds: Readonly<Record<SystemColumn, number>> = {
  _kafka_partition: 1,
  _kafka_offset: 2,
  _kafka_incarnation: 3,
  _kafka_timestamp: 4,
  _kafka_timestamp_type: 5,
  _kafka_key: 6,
  _kafka_headers: 7,
  _kafka_crc: 11,
  _kafka_value_state: 12,
  _kafka_value: 13,
  _kafka_schema_id: 14,
  _kafka_key_schema_id: 15,
}

/** In the order of the table. */
export const systemNames = Object.keys(systemIds) as readonly SystemColumn[]

/** Value columns begin here. */
export const FIRST_VALUE_ID = 1001

const optional = (name: SystemColumn, type: IcebergField['type'], doc: string): IcebergField => ({
  id: systemIds[name],
  name,
  required: false,
  type,
  doc,
})

/** In DESIGN's order, all optional: a row without `_kafka_partition` is a foreign one, invisible to the log. */
export const systemFields: readonly IcebergField[] = [
  optional('_kafka_partition', 'int', 'Partition of the log; null in a row that the log does not know'),
  optional('_kafka_offset', 'long', 'Offset within the partition'),
  optional('_kafka_incarnation', 'int', 'Which life of the topic the offset belongs to'),
  optional('_kafka_timestamp', 'timestamptz', 'Timestamp of the record; null for none'),
  optional('_kafka_timestamp_type', 'int', '0: set by the producer, 1: set at append'),
  optional('_kafka_key', 'binary', 'Key of the record, as sent'),
  optional(
    '_kafka_headers',
    {
      type: 'list',
      'element-id': 8,
      'element-required': false,
      element: {
        type: 'struct',
        fields: [
          { id: 9, name: 'key', required: false, type: 'string' },
          { id: 10, name: 'value', required: false, type: 'binary' },
        ],
      },
    },
    'Headers in their order; keys may repeat',
  ),
  optional('_kafka_crc', 'int', 'CRC32C of place, time, key, value and headers, signed'),
  optional('_kafka_value_state', 'string', 'typed, typed+raw, raw or null: where the bytes of the value are'),
  optional('_kafka_value', 'binary', 'Bytes of the value where the columns do not give them back'),
  optional('_kafka_schema_id', 'int', "Schema of the value in the log's ledger; 0 for none"),
  optional('_kafka_key_schema_id', 'int', "Schema of the key in the log's ledger; 0 for none"),
]

/** Who a row is. Without one of them no row of the table is a record. */
export const identityNames: readonly SystemColumn[] = ['_kafka_partition', '_kafka_offset', '_kafka_incarnation']

/** What else the log keeps of a record. */
export const contentNames: readonly SystemColumn[] = systemNames.filter((name) => !identityNames.includes(name))

/** What `_kafka_value_state` says. */
export type ValueState = SystemRow['_kafka_value_state']

/** `_kafka_timestamp_type` as the column has it. */
export const timestampTypes = { create: 0, append: 1 } as const

/** Whether the values of a topic become columns; without it they are kept as bytes. */
export function hasValueColumns(mode: ValueMode, codec: Codec | undefined): codec is Codec {
  return mode !== 'raw' && codec?.columnar !== undefined
}

/** The schema of a topic's table: system columns first, then the value's own fields, every one of them optional. */
export function tableSchema(valueFields: readonly IcebergField[]): IcebergSchema {
  const fields = [...systemFields, ...valueFields.map((field) => ({ ...field, required: false }))]
  return { type: 'struct', 'schema-id': 0, fields }
}

/** Bounds of the identity columns are kept in full, so that manifests give exact offset ranges whoever writes. */
export const tableProperties: Readonly<Record<string, string>> = {
  'write.metadata.metrics.default': 'truncate(16)',
  'write.metadata.metrics.column._kafka_partition': 'full',
  'write.metadata.metrics.column._kafka_offset': 'full',
  'write.parquet.compression-codec': 'zstd',
}

/** Keys of a data file's footer that say whose it is. */
export const footerKeys = { log: 'moulin.log', topic: 'moulin.topic', commit: 'moulin.commit' } as const

/** Keys of a snapshot's summary that say whose it is. */
export const summaryKeys = {
  log: 'moulin.log',
  topic: 'moulin.topic',
  commit: 'moulin.commit',
  epoch: 'moulin.epoch',
  /** SHA-256 of the marker that was committed with the snapshot, so that an edit by hand shows. */
  marker: 'moulin.marker-sha256',
  /** Name of the ledger object of that marker, where it has one. */
  ledger: 'moulin.ledger-sha256',
  /** When it was committed, milliseconds since the epoch, where the snapshot bears an earlier time. */
  committed: 'moulin.committed-ms',
} as const
