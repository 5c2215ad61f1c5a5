import { describe, expect, it } from 'vitest'
import type { SnapshotRef, TableMetadata } from '@moulin/core'
import { planExpiry } from './expiry.ts'
import { emptyTable, HOUR, snapshotOf, T0, tableOf } from './metadata.test-tables.ts'
import { applyUpdates } from './updates.ts'

const numbers = (ids: readonly bigint[]): number[] => ids.map((id) => Number(id - 3_055_729_675_574_597_000n))
const withRef = (
  metadata: TableMetadata,
  name: string,
  ref: Omit<SnapshotRef, 'snapshot-id'>,
  number: number,
): TableMetadata => ({
  ...metadata,
  refs: { ...metadata.refs, [name]: { ...ref, 'snapshot-id': snapshotOf(number)['snapshot-id'] } },
})

describe('planExpiry', () => {
  it('forgets what is both old and beyond the newest 100', () => {
    const metadata = tableOf(150, 60_000)
    const plan = planExpiry(metadata, { nowMs: T0 + 150 * 60_000 })
    // 150 minutes of history: those of the last 120 stay, and the newest 100 anyway.
    expect(numbers(plan.snapshotIds)).toEqual(Array.from({ length: 29 }, (_, i) => i + 1))
    const later = planExpiry(metadata, { nowMs: T0 + 1000 * HOUR })
    expect(numbers(later.snapshotIds)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    expect(applyUpdates(metadata, later.updates, { nowMs: T0 }).snapshots).toHaveLength(100)
  })

  it('forgets nothing that is young, however many there are, and nothing of an empty table', () => {
    expect(planExpiry(tableOf(300, 1000), { nowMs: T0 + HOUR }).updates).toEqual([])
    expect(planExpiry(emptyTable(), { nowMs: T0 + 1000 * HOUR }).updates).toEqual([])
  })

  it('keeps what tags and branches name', () => {
    let metadata = withRef(tableOf(10), 'audit', { type: 'tag' }, 2)
    metadata = withRef(metadata, 'test', { type: 'branch' }, 4)
    const plan = planExpiry(metadata, { nowMs: T0 + 1000 * HOUR, keepSnapshots: 3 })
    expect(numbers(plan.snapshotIds)).toEqual([1, 3, 5, 6, 7])
  })

  it('keeps what a branch asks for itself', () => {
    let metadata = withRef(tableOf(10, HOUR), 'test', { type: 'branch', 'min-snapshots-to-keep': 2 }, 4)
    metadata = withRef(metadata, 'aged', { type: 'branch', 'max-snapshot-age-ms': 4 * HOUR }, 8)
    const plan = planExpiry(metadata, { nowMs: T0 + 10 * HOUR, keepSnapshots: 1 })
    expect(numbers(plan.snapshotIds)).toEqual([1, 2, 5])
  })

  it('keeps more when the table properties ask for more, never less', () => {
    const options = { nowMs: T0 + 1000 * HOUR, keepSnapshots: 5 }
    const count = (properties: Record<string, string>): number =>
      planExpiry(tableOf(20, HOUR, properties), options).snapshotIds.length
    expect(count({})).toBe(15)
    expect(count({ 'history.expire.min-snapshots-to-keep': '12' })).toBe(8)
    expect(count({ 'history.expire.min-snapshots-to-keep': '1' })).toBe(15)
    expect(count({ 'history.expire.max-snapshot-age-ms': String(2000 * HOUR) })).toBe(0)
    expect(count({ 'history.expire.max-snapshot-age-ms': 'soon' })).toBe(15)
  })
})
