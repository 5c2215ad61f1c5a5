import { isKind } from '@moulin/core'
import type { TableMetadata, TableUpdate } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { emptyTable, people, snapshotOf, T0, tableOf } from './metadata.test-tables.ts'
import { checkTableMetadata } from './table-metadata.ts'
import { applyUpdates } from './updates.ts'

const apply = (metadata: TableMetadata, ...updates: TableUpdate[]): TableMetadata =>
  checkTableMetadata(applyUpdates(metadata, updates, { nowMs: T0 + 5_000 }), 'result')

const main = (number: number): TableUpdate => ({
  action: 'set-snapshot-ref',
  'ref-name': 'main',
  type: 'branch',
  'snapshot-id': snapshotOf(number)['snapshot-id'],
})
const add = (number: number, timestampMs?: number): TableUpdate => ({
  action: 'add-snapshot',
  snapshot: snapshotOf(number, timestampMs),
})

describe('applyUpdates', () => {
  it('leaves its input alone, and changes all or nothing', () => {
    const before = Object.freeze(tableOf(1))
    const text = JSON.stringify(before.properties)
    const updates: TableUpdate[] = [{ action: 'set-properties', updates: { a: '1' } }, add(1)]
    expect(() => apply(before, ...updates)).toThrow('already')
    expect(JSON.stringify(before.properties)).toBe(text)
  })

  it('adds a snapshot, makes it current and logs it', () => {
    const after = apply(tableOf(1), add(2), main(2))
    expect(after['current-snapshot-id']).toBe(snapshotOf(2)['snapshot-id'])
    expect(after['last-sequence-number']).toBe(2)
    expect(after['snapshot-log']!.map((entry) => entry['snapshot-id'])).toEqual([
      snapshotOf(1)['snapshot-id'],
      snapshotOf(2)['snapshot-id'],
    ])
  })

  it('refuses a snapshot id that is there, and a sequence number that does not rise', () => {
    const table = tableOf(2)
    expect(refusal(() => apply(table, add(2)))).toBe('SNAPSHOT_ID')
    expect(
      refusal(() => apply(table, { action: 'add-snapshot', snapshot: { ...snapshotOf(3), 'sequence-number': 2 } })),
    ).toBe('SEQUENCE_NUMBER')
    expect(
      refusal(() => apply(table, { action: 'add-snapshot', snapshot: { ...snapshotOf(3), 'schema-id': 9 } })),
    ).toBe('UNKNOWN_ID')
    expect(refusal(() => apply(table, main(7)))).toBe('UNKNOWN_SNAPSHOT')
  })

  it('never lets a time fall, even when the clock was set back', () => {
    const table = tableOf(2, 60_000)
    const after = applyUpdates(table, [add(3, T0 - 999_999), main(3)], { nowMs: T0 - 999_999 })
    // Nor stand: two entries of one time would make the first of them say nothing.
    expect(after['last-updated-ms']).toBe(T0 + 120_001)
    expect(after['snapshot-log']!.at(-1)!['timestamp-ms']).toBe(T0 + 120_001)
  })

  it('gives a new schema the next id, an equal one its old id, and -1 the one just added', () => {
    const wider = { ...people, fields: [...people.fields, { id: 1010, name: 'zip', required: false, type: 'string' }] }
    const one = apply(
      emptyTable(),
      { action: 'add-schema', schema: wider },
      { action: 'set-current-schema', 'schema-id': -1 },
    )
    expect(one['current-schema-id']).toBe(1)
    expect(one['last-column-id']).toBe(1010)
    const two = apply(one, { action: 'add-schema', schema: people }, { action: 'set-current-schema', 'schema-id': -1 })
    expect(two['current-schema-id']).toBe(0)
    expect(two.schemas).toHaveLength(2)
    expect(two['last-column-id']).toBe(1010)
    expect(refusal(() => apply(two, { action: 'set-current-schema', 'schema-id': -1 }))).toBe('LAST_ADDED')
    expect(refusal(() => apply(two, { action: 'set-current-schema', 'schema-id': 8 }))).toBe('UNKNOWN_ID')
  })

  it('gives partition fields ids that an equal field had before', () => {
    const byDay = { fields: [{ 'source-id': 1003, name: 'born_day', transform: 'day' }] }
    const both = { fields: [{ 'source-id': 1001, name: 'id_bucket', transform: 'bucket[4]' }, ...byDay.fields] }
    const one = apply(emptyTable(), { action: 'add-spec', spec: byDay }, { action: 'set-default-spec', 'spec-id': -1 })
    const two = apply(one, { action: 'add-spec', spec: both }, { action: 'set-default-spec', 'spec-id': -1 })
    expect(two['default-spec-id']).toBe(2)
    expect(two['partition-specs'][2]!.fields.map((field) => field['field-id'])).toEqual([1001, 1000])
    expect(two['last-partition-id']).toBe(1001)
    const three = apply(two, { action: 'add-spec', spec: byDay }, { action: 'set-default-spec', 'spec-id': -1 })
    expect(three['default-spec-id']).toBe(1)
  })

  it('adds sort orders from 1 and knows unsorted as 0', () => {
    const order = { 'order-id': 0, fields: [{ 'source-id': 1001 }] }
    const after = apply(
      emptyTable(),
      { action: 'add-sort-order', 'sort-order': order },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
    )
    expect(after['default-sort-order-id']).toBe(1)
    const back = apply(
      after,
      { action: 'add-sort-order', 'sort-order': { 'order-id': 5, fields: [] } },
      { action: 'set-default-sort-order', 'sort-order-id': -1 },
    )
    expect(back['default-sort-order-id']).toBe(0)
  })

  it('removes snapshots, with their statistics, and the part of the snapshot log that would have a hole', () => {
    const table = { ...tableOf(4), statistics: [{ 'snapshot-id': snapshotOf(2)['snapshot-id'] }] }
    const after = apply(table, { action: 'remove-snapshots', 'snapshot-ids': [snapshotOf(2)['snapshot-id'], 5n] })
    expect(after.snapshots!.map((snapshot) => snapshot['sequence-number'])).toEqual([1, 3, 4])
    expect(after['snapshot-log']).toHaveLength(2)
    expect(after.statistics).toEqual([])
  })

  it('refuses to remove a snapshot that a branch or tag names', () => {
    const tagged = apply(tableOf(3), {
      action: 'set-snapshot-ref',
      'ref-name': 'audit',
      type: 'tag',
      'snapshot-id': snapshotOf(1)['snapshot-id'],
    })
    const remove = (number: number): TableUpdate => ({
      action: 'remove-snapshots',
      'snapshot-ids': [snapshotOf(number)['snapshot-id']],
    })
    expect(refusal(() => apply(tagged, remove(1)))).toBe('SNAPSHOT_IN_USE')
    expect(refusal(() => apply(tagged, remove(3)))).toBe('SNAPSHOT_IN_USE')
    expect(apply(tagged, { action: 'remove-snapshot-ref', 'ref-name': 'audit' }, remove(1)).snapshots).toHaveLength(2)
  })

  it('has no current snapshot without main', () => {
    const after = apply(tableOf(1), { action: 'remove-snapshot-ref', 'ref-name': 'main' })
    expect(after['current-snapshot-id']).toBe(-1)
  })

  it('sets and removes properties by name, whatever the name', () => {
    const updates = JSON.parse('{"__proto__":"a","b":"2","c":"3"}') as Record<string, string>
    const after = apply(
      emptyTable({ b: '1' }),
      { action: 'set-properties', updates },
      { action: 'remove-properties', removals: ['c', 'not there'] },
    )
    expect(Object.entries(after.properties!).sort()).toEqual([
      ['__proto__', 'a'],
      ['b', '2'],
    ])
  })

  it('keeps the UUID, and refuses another format version or action by name', () => {
    const table = emptyTable()
    expect(apply(table, { action: 'assign-uuid', uuid: table['table-uuid'].toUpperCase() })['table-uuid']).toBe(
      table['table-uuid'],
    )
    expect(refusal(() => apply(table, { action: 'assign-uuid', uuid: 'x' }))).toBe('TABLE_UUID')
    for (const version of [1, 4]) {
      const update = { action: 'upgrade-format-version', 'format-version': version } as const
      expect(refusal(() => apply(table, update))).toBe('FORMAT_VERSION')
    }
    const key = { 'key-id': 'k', 'encrypted-key-metadata': 'AA==' }
    for (const update of [
      { action: 'enable-row-lineage' },
      { action: 'add-encryption-key', 'encryption-key': key },
      { action: 'remove-encryption-key', 'key-id': 'k' },
    ] as const) {
      expect(refusal(() => apply(table, update))).toBe('TABLE_UPDATE')
    }
    expect(() => apply(table, { action: 'add-mood' } as never)).toThrow('add-mood')
  })

  it('makes a table of version 3 out of one of version 2, with row ids from 0 on', () => {
    const table = tableOf(2)
    const to = (version: number): TableUpdate => ({ action: 'upgrade-format-version', 'format-version': version })
    expect(apply(table, to(2))).toMatchObject({ 'format-version': 2 })
    const upgraded = apply(table, to(3))
    expect(upgraded).toMatchObject({ 'format-version': 3, 'next-row-id': 0, snapshots: table.snapshots })
    expect(apply(upgraded, to(3))).toMatchObject({ 'format-version': 3, 'next-row-id': 0 })
    expect(apply(upgraded, { action: 'enable-row-lineage' })).toEqual(upgraded)
    expect(refusal(() => apply(upgraded, to(2)))).toBe('FORMAT_VERSION')
  })

  it('takes a snapshot without a parent whose sequence number another has: it has no older data', () => {
    const table = tableOf(2)
    const { 'parent-snapshot-id': _, ...rest } = snapshotOf(3)
    const add = (snapshot: object): TableUpdate => ({ action: 'add-snapshot', snapshot: { ...rest, ...snapshot } })
    const next = apply(table, add({ 'sequence-number': 2 }))
    expect(next.snapshots!.map((snapshot) => snapshot['sequence-number'])).toEqual([1, 2, 2])
    expect(apply(table, add({ 'sequence-number': 1 }))['last-sequence-number']).toBe(2)
    const parent = { 'parent-snapshot-id': snapshotOf(2)['snapshot-id'] }
    expect(refusal(() => apply(table, add({ ...parent, 'sequence-number': 2 })))).toBe('SEQUENCE_NUMBER')
    expect(refusal(() => apply(table, add({ 'sequence-number': 0 })))).toBe('SEQUENCE_NUMBER')
  })

  it('knows a schema again however its members are ordered, and with an empty list of identifier fields', () => {
    const table = emptyTable()
    const fields = people.fields.map(({ id, name, required, type }) => ({ type, required, name, id }))
    const same = apply(table, { action: 'add-schema', schema: { fields, 'identifier-field-ids': [], type: 'struct' } })
    expect(same.schemas).toHaveLength(1)
    const other = { type: 'struct' as const, fields, 'identifier-field-ids': [1001] }
    expect(apply(table, { action: 'add-schema', schema: other }).schemas).toHaveLength(2)
  })

  it('upgrades a table of version 1 to 2 and to 3', () => {
    const table = { ...emptyTable(), 'format-version': 1 }
    const to = (version: number): TableUpdate => ({ action: 'upgrade-format-version', 'format-version': version })
    expect(apply(table, to(2))).toMatchObject({ 'format-version': 2, 'last-sequence-number': 0 })
    expect(apply(table, to(3))).toMatchObject({ 'format-version': 3, 'next-row-id': 0 })
  })

  it('takes a snapshot of version 3 only with row ids that nobody has', () => {
    const table = apply(tableOf(2), { action: 'upgrade-format-version', 'format-version': 3 })
    const withIds = (first: number | undefined, rows: number | undefined): TableUpdate => {
      const ids = {
        ...(first !== undefined && { 'first-row-id': first }),
        ...(rows !== undefined && { 'added-rows': rows }),
      }
      return { action: 'add-snapshot', snapshot: { ...snapshotOf(3), ...ids } }
    }
    const next = apply(table, withIds(0, 7))
    expect(next['next-row-id']).toBe(7)
    for (const [first, rows] of [
      [6, 1],
      [undefined, 1],
      [7, undefined],
      [7, -1],
    ] as const) {
      const update = { ...withIds(first, rows) } as Extract<TableUpdate, { action: 'add-snapshot' }>
      const snapshot = { ...update.snapshot, 'snapshot-id': 5, 'sequence-number': 4 }
      expect(refusal(() => apply(next, { action: 'add-snapshot', snapshot }))).toBe('ROW_ID')
    }
    const snapshot = { ...snapshotOf(4), 'first-row-id': 100, 'added-rows': 1 }
    expect(apply(next, { action: 'add-snapshot', snapshot })['next-row-id']).toBe(101)
    // Of version 2 there are none.
    expect(apply(tableOf(2), { action: 'add-snapshot', snapshot: snapshotOf(3) })).not.toHaveProperty('next-row-id')
  })

  it('names earlier metadata files up to write.metadata.previous-versions-max', () => {
    let table = emptyTable({ 'write.metadata.previous-versions-max': '3' })
    for (let n = 1; n <= 5; n++) table = applyUpdates(table, [], { nowMs: T0, previousLocation: `v${n}` })
    expect(table['metadata-log']!.map((entry) => entry['metadata-file'])).toEqual(['v3', 'v4', 'v5'])
    let other = emptyTable()
    for (let n = 1; n <= 120; n++) other = applyUpdates(other, [], { nowMs: T0, previousLocation: `v${n}` })
    expect(other['metadata-log']).toHaveLength(100)
    expect(other['metadata-log']![0]).toEqual({ 'metadata-file': 'v21', 'timestamp-ms': T0 })
  })

  it('names no more of them than fit, whatever the table asks for', () => {
    let table = emptyTable({ 'write.metadata.previous-versions-max': '5000' })
    const previousLocation = `memory://main/${'m'.repeat(80)}`
    for (let n = 1; n <= 60; n++)
      table = applyUpdates(table, [], { nowMs: T0, previousLocation, metadataLogBytes: 4000 })
    const { length } = table['metadata-log']!
    expect(length).toBeGreaterThan(20)
    expect(JSON.stringify(table['metadata-log']).length).toBeLessThan(4000 + length + 2)
    const least = applyUpdates(table, [], { nowMs: T0, previousLocation: 'v61', metadataLogBytes: 1 })
    expect(least['metadata-log']).toHaveLength(1)
  })

  it('drops statistics of snapshots that went before, as others may leave them', () => {
    const at = (number: number): { 'snapshot-id': bigint } => ({
      'snapshot-id': snapshotOf(number)['snapshot-id'] as bigint,
    })
    const table = { ...tableOf(4), statistics: [at(9), at(3)], 'partition-statistics': [at(3), at(9), at(2)] }
    const after = apply(table, { action: 'remove-snapshots', 'snapshot-ids': [snapshotOf(2)['snapshot-id']] })
    expect([after.statistics, after['partition-statistics']]).toEqual([[at(3)], [at(3)]])
  })
})

function refusal(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isKind(error, 'invalid') || isKind(error, 'unsupported')) return error.code
    throw error
  }
  return 'accepted'
}
