import { describe, expect, it } from 'vitest'
import type { SnapshotRef, TableMetadata } from '@moulin/core'
import { planExpiry } from './expiry.ts'
import type { ExpiryOptions } from './expiry.ts'
import { emptyTable, HOUR, snapshotOf, T0, tableOf } from './metadata.test-tables.ts'
import { tableMetadataBytes } from './table-metadata.ts'
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

  it('keeps by number alone what is stamped ahead of now, as a clock that was wrong leaves it', () => {
    const ahead = tableOf(130, 60_000)
    // 90 days before all of them: their age is not known.
    const plan = planExpiry(ahead, { nowMs: T0 - 90 * 24 * HOUR, keepSnapshots: 40 })
    expect(numbers(plan.snapshotIds)).toEqual(Array.from({ length: 90 }, (_, i) => i + 1))
    const properties = { 'history.expire.max-snapshot-age-ms': String(24 * HOUR) }
    expect(planExpiry(tableOf(9, 1, properties), { nowMs: T0 - HOUR, keepSnapshots: 4 }).snapshotIds).toHaveLength(5)
    const branch = withRef(tableOf(10, HOUR), 'aged', { type: 'branch', 'max-snapshot-age-ms': 99 * HOUR }, 8)
    expect(planExpiry(branch, { nowMs: T0 - HOUR, keepSnapshots: 1 }).snapshotIds).toHaveLength(8)
  })

  describe('when bytes press', () => {
    const size = (metadata: TableMetadata): number => tableMetadataBytes(metadata).length
    const after = (metadata: TableMetadata, options: Omit<ExpiryOptions, 'nowMs'>): TableMetadata => {
      const nowMs = Number(metadata['last-updated-ms'])
      return applyUpdates(metadata, planExpiry(metadata, { nowMs, ...options }).updates, { nowMs })
    }

    it('forgets young ones above an eighth of the bytes, a little more than it must, but not the newest hundred', () => {
      const metadata = tableOf(400, 1000)
      const whole = size(metadata)
      const left = after(metadata, { maxBytes: 4 * whole })
      expect(size(left)).toBeLessThanOrEqual(whole / 2)
      expect(size(left)).toBeGreaterThan((whole / 2) * 0.8)
      expect(left.snapshots!.length).toBeGreaterThan(100)
      expect(left.snapshots!.at(-1)).toEqual(metadata.snapshots!.at(-1))
      // What the commit adds counts, too.
      const fuller = after(metadata, { maxBytes: 4 * whole, addedBytes: whole / 8 })
      expect(fuller.snapshots!.length).toBeLessThan(left.snapshots!.length)
      expect(after(metadata, { maxBytes: 9 * whole }).snapshots).toHaveLength(400)
      // Nothing presses: all of the newest hundred stay.
      expect(after(metadata, { maxBytes: whole }).snapshots).toHaveLength(100)
    })

    it('forgets at last what the number, the table and its branches ask for, but nothing that is named or held', () => {
      const properties = {
        'history.expire.min-snapshots-to-keep': '1000',
        'history.expire.max-snapshot-age-ms': String(10_000 * HOUR),
      }
      let metadata = withRef(tableOf(300, 1000, properties), 'audit', { type: 'tag' }, 7)
      const asked = { type: 'branch', 'min-snapshots-to-keep': 90, 'max-snapshot-age-ms': 9_000 * HOUR } as const
      metadata = withRef(metadata, 'side', asked, 100)
      const whole = size(metadata)
      expect(after(metadata, { maxBytes: 2 * whole }).snapshots).toHaveLength(300)
      const held = new Set([snapshotOf(11)['snapshot-id'] as bigint, snapshotOf(250)['snapshot-id'] as bigint])
      const left = after(metadata, { maxBytes: whole / 3, held })
      expect(size(left)).toBeLessThan(whole / 3)
      expect(size(left)).toBeGreaterThan(whole / 6)
      expect(numbers(left.snapshots!.map((snapshot) => snapshot['snapshot-id'] as bigint))).toEqual(
        expect.arrayContaining([7, 11, 100, 250, 300]),
      )
      // However little room there is.
      const least = after(metadata, { maxBytes: 1, held })
      expect(numbers(least.snapshots!.map((snapshot) => snapshot['snapshot-id'] as bigint))).toEqual([
        7, 11, 100, 250, 300,
      ])
    })

    it('counts the statistics of a snapshot as its own', () => {
      const statistics = tableOf(60, 1000).snapshots!.map((snapshot) => ({
        'snapshot-id': snapshot['snapshot-id'],
        'statistics-path': `memory://main/${'s'.repeat(2000)}`,
      }))
      const metadata = { ...tableOf(60, 1000), statistics }
      const left = after(metadata, { maxBytes: 40_000 })
      expect(size(left)).toBeLessThan(40_000)
      expect(left.snapshots!.length).toBeGreaterThan(5)
      expect(left.statistics).toHaveLength(left.snapshots!.length)
    })
  })

  it('lets few that nobody asks for wait for more of them, unless bytes press', () => {
    const options = { nowMs: T0 + 1000 * HOUR, keepSnapshots: 10, batch: 16 }
    expect(planExpiry(tableOf(25, HOUR), options).updates).toEqual([])
    expect(planExpiry(tableOf(26, HOUR), options).snapshotIds).toHaveLength(16)
    expect(planExpiry(tableOf(12, HOUR), { ...options, maxBytes: 20_000 }).snapshotIds).toHaveLength(2)
  })
})
