import { parseJson, schema, stringifyJson, t } from '@moulin/core'
import type { IcebergSchema, JsonValue, Snapshot, TableMetadata } from '@moulin/core'
import { newTableMetadata } from './new-table.ts'
import { icebergFields } from './schema-mapping.ts'
import { applyUpdates } from './updates.ts'

export const T0 = 1_700_000_000_000
export const HOUR = 3_600_000

export const people: IcebergSchema = {
  type: 'struct',
  fields: icebergFields(schema({ id: t.long, name: t.string.optional(), born: t.date }), 1001),
}

export function emptyTable(properties: Readonly<Record<string, string>> = {}): TableMetadata {
  return newTableMetadata(
    { schema: people, properties },
    { uuid: '9c12d441-03fe-4693-9a96-a0705ddf69c1', location: 'memory://main/tables/shop/people', nowMs: T0 },
  )
}

export function snapshotOf(number: number, timestampMs: number = T0 + number): Snapshot {
  return {
    // Beyond 2^53: neighbours are one apart, so that any rounding makes two of them the same.
    'snapshot-id': 3_055_729_675_574_597_000n + BigInt(number),
    ...(number === 1 ? {} : { 'parent-snapshot-id': 3_055_729_675_574_597_000n + BigInt(number - 1) }),
    'sequence-number': number,
    'timestamp-ms': timestampMs,
    'manifest-list': `memory://main/tables/shop/people/metadata/snap-${number}.avro`,
    summary: { operation: 'append' },
    'schema-id': 0,
  }
}

/** A table of `count` snapshots, one after the other, `stepMs` apart. */
export function tableOf(count: number, stepMs: number = 1, properties: Record<string, string> = {}): TableMetadata {
  let metadata = emptyTable(properties)
  for (let number = 1; number <= count; number++) {
    const snapshot = snapshotOf(number, T0 + number * stepMs)
    metadata = applyUpdates(
      metadata,
      [
        { action: 'add-snapshot', snapshot },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshot['snapshot-id'] },
      ],
      { nowMs: T0 + number * stepMs },
    )
  }
  return metadata
}

/** The JSON of a table, to be damaged. */
export function jsonOf(metadata: TableMetadata): { [key: string]: JsonValue } {
  return parseJson(stringifyJson(metadata), 'test') as { [key: string]: JsonValue }
}
