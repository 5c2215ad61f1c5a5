import { BytesBuilder, Int32Builder, Int64Builder, ListBuilder, StructBuilder } from '@moulin/core'
import type { Arena, ColumnBuilder } from '@moulin/core'
import type { SystemColumn } from '../table/system-columns.ts'

/** Builders of the columns that the log itself has in a table. */
export interface SystemBuilders {
  readonly partition: Int32Builder
  readonly incarnation: Int32Builder
  readonly offset: Int64Builder
  readonly timestamp: Int64Builder
  readonly timestampType: Int32Builder
  readonly key: BytesBuilder
  readonly headerKey: BytesBuilder
  readonly headerValue: BytesBuilder
  readonly header: StructBuilder
  readonly headers: ListBuilder
  readonly crc: Int32Builder
  readonly state: BytesBuilder
  readonly raw: BytesBuilder
  readonly schemaId: Int32Builder
  readonly keySchemaId: Int32Builder
}

/** Strings and bytes are positions in the arena. */
export function systemBuilders(arena: Arena): SystemBuilders {
  const headerKey = new BytesBuilder(arena)
  const headerValue = new BytesBuilder(arena)
  const header = new StructBuilder([
    { name: 'key', builder: headerKey },
    { name: 'value', builder: headerValue },
  ])
  return {
    partition: new Int32Builder(),
    incarnation: new Int32Builder(),
    offset: new Int64Builder(),
    timestamp: new Int64Builder(),
    timestampType: new Int32Builder(),
    key: new BytesBuilder(arena),
    headerKey,
    headerValue,
    header,
    headers: new ListBuilder(header),
    crc: new Int32Builder(),
    state: new BytesBuilder(arena),
    raw: new BytesBuilder(arena),
    schemaId: new Int32Builder(),
    keySchemaId: new Int32Builder(),
  }
}

/** In the order of the table. */
export function systemOrder(builders: SystemBuilders): (readonly [name: SystemColumn, builder: ColumnBuilder])[] {
  return [
    ['_kafka_partition', builders.partition],
    ['_kafka_offset', builders.offset],
    ['_kafka_incarnation', builders.incarnation],
    ['_kafka_timestamp', builders.timestamp],
    ['_kafka_timestamp_type', builders.timestampType],
    ['_kafka_key', builders.key],
    ['_kafka_headers', builders.headers],
    ['_kafka_crc', builders.crc],
    ['_kafka_value_state', builders.state],
    ['_kafka_value', builders.raw],
    ['_kafka_schema_id', builders.schemaId],
    ['_kafka_key_schema_id', builders.keySchemaId],
  ]
}
