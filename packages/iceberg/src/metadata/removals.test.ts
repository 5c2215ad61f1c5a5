import type { StatisticsFile, TableMetadata, TableUpdate } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { people, snapshotOf, T0, tableOf } from './metadata.test-tables.ts'
import { checkTableMetadata } from './table-metadata.ts'
import { applyUpdates } from './updates.ts'

const apply = (metadata: TableMetadata, ...updates: TableUpdate[]): TableMetadata =>
  checkTableMetadata(applyUpdates(metadata, updates, { nowMs: T0 + 5_000 }), 'result')

const idOf = (number: number): bigint => BigInt(snapshotOf(number)['snapshot-id'])
const path = (name: string): string => `memory://main/tables/shop/people/metadata/${name}`
const puffin = (number: number, name: string): StatisticsFile => ({
  'snapshot-id': idOf(number),
  'statistics-path': path(name),
  'file-size-in-bytes': 900,
  'file-footer-size-in-bytes': 90,
  'blob-metadata': [
    { type: 'apache-datasketches-theta-v1', 'snapshot-id': idOf(number), 'sequence-number': number, fields: [1001] },
  ],
})
const ofPartitions = (number: number, name: string) => ({
  'snapshot-id': idOf(number),
  'statistics-path': path(name),
  'file-size-in-bytes': 70,
})

describe('statistics of snapshots', () => {
  it('are set, replaced snapshot by snapshot, and removed, each kind for itself', () => {
    const set = apply(
      tableOf(3),
      { action: 'set-statistics', statistics: puffin(2, 'a.puffin') },
      { action: 'set-statistics', statistics: puffin(3, 'b.puffin'), 'snapshot-id': idOf(3) },
      { action: 'set-statistics', statistics: puffin(2, 'c.puffin') },
      { action: 'set-partition-statistics', 'partition-statistics': ofPartitions(2, 'p.parquet') },
    )
    expect(set.statistics).toEqual([puffin(3, 'b.puffin'), puffin(2, 'c.puffin')])
    expect(set['partition-statistics']).toEqual([ofPartitions(2, 'p.parquet')])
    const fewer = apply(set, { action: 'remove-statistics', 'snapshot-id': idOf(2) })
    expect(fewer.statistics).toEqual([puffin(3, 'b.puffin')])
    expect(fewer['partition-statistics']).toEqual([ofPartitions(2, 'p.parquet')])
    const none = apply(fewer, { action: 'remove-partition-statistics', 'snapshot-id': idOf(2) })
    expect(none['partition-statistics']).toEqual([])
  })

  it('are removed where there are none, and leave the table as it was', () => {
    const after = apply(
      tableOf(1),
      { action: 'remove-statistics', 'snapshot-id': 7n },
      { action: 'remove-partition-statistics', 'snapshot-id': 7n },
    )
    expect(after).not.toHaveProperty('statistics')
    expect(after).not.toHaveProperty('partition-statistics')
  })

  it('are refused for a snapshot that is not there, even by its neighbour, and where the update names another', () => {
    const table = tableOf(2)
    expect(() => apply(table, { action: 'set-statistics', statistics: puffin(3, 'a') })).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'UNKNOWN_SNAPSHOT', context: { snapshotId: idOf(3) } }) as Error,
    )
    const partitions = { action: 'set-partition-statistics', 'partition-statistics': ofPartitions(9, 'a') } as const
    expect(() => apply(table, partitions)).toThrow('partition-statistics')
    const crossed = { action: 'set-statistics', statistics: puffin(2, 'a'), 'snapshot-id': idOf(1) } as const
    expect(() => apply(table, crossed)).toThrow(expect.objectContaining({ code: 'STATISTICS' }) as Error)
  })
})

describe('schemas and partition specs', () => {
  const wider = { ...people, fields: [...people.fields, { id: 1010, name: 'zip', required: false, type: 'string' }] }
  const byDay = { fields: [{ 'source-id': 1003, name: 'born_day', transform: 'day' }] }
  const evolved = apply(
    tableOf(1),
    { action: 'add-schema', schema: wider },
    { action: 'add-spec', spec: byDay },
    { action: 'set-default-spec', 'spec-id': -1 },
  )

  it('are forgotten by id; others stay, and an id that is not there is fine', () => {
    const after = apply(
      evolved,
      { action: 'remove-schemas', 'schema-ids': [1, 40] },
      { action: 'remove-partition-specs', 'spec-ids': [0, 40] },
    )
    expect(after.schemas.map((schema) => schema['schema-id'])).toEqual([0])
    expect(after['partition-specs'].map((spec) => spec['spec-id'])).toEqual([1])
    // Ids of fields are never given twice.
    expect([after['last-column-id'], after['last-partition-id']]).toEqual([1010, 1000])
  })

  it('are kept while they are in use', () => {
    const current = apply(evolved, { action: 'set-current-schema', 'schema-id': 1 })
    const inUse = expect.objectContaining({ kind: 'invalid', code: 'SCHEMA_IN_USE' }) as Error
    expect(() => apply(current, { action: 'remove-schemas', 'schema-ids': [1] })).toThrow(inUse)
    // The snapshot was written with it.
    expect(() => apply(current, { action: 'remove-schemas', 'schema-ids': [0] })).toThrow(inUse)
    expect(() => apply(current, { action: 'remove-partition-specs', 'spec-ids': [0, 1] })).toThrow(
      expect.objectContaining({ kind: 'invalid', code: 'SPEC_IN_USE', context: { specId: 1 } }) as Error,
    )
  })
})
