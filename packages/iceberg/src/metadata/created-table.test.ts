import type { TableUpdate } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { createdTable } from './created-table.ts'
import { people, snapshotOf, T0 } from './metadata.test-tables.ts'
import { creationUpdates } from './new-table.ts'
import { checkTableMetadata, parseTableMetadata, tableMetadataBytes } from './table-metadata.ts'

const table = { uuid: 'u-1', location: 'memory://main/t', nowMs: T0 }
const whole = creationUpdates({ schema: people, properties: { a: '1' } }, { uuid: 'u-2', location: 'memory://main/x' })
const make = (...updates: TableUpdate[]): ReturnType<typeof createdTable> => createdTable(updates, table)
const without = (action: TableUpdate['action']): TableUpdate[] => whole.filter((update) => update.action !== action)

describe('createdTable', () => {
  it('has the UUID and location that the updates name, else those that its catalog gives', () => {
    expect(make(...whole)).toMatchObject({ 'table-uuid': 'u-2', location: 'memory://main/x', properties: { a: '1' } })
    expect(make(...without('assign-uuid'))['table-uuid']).toBe('u-1')
    expect(make(...without('set-location')).location).toBe('memory://main/t')
    expect(make(...without('upgrade-format-version'))['format-version']).toBe(2)
  })

  it('takes all that a transaction did after it began: later schemas, snapshots, refs', () => {
    const snapshot = { ...snapshotOf(1), 'schema-id': 1 }
    const wider = { ...people, fields: [...people.fields, { id: 1004, name: 'x', required: false, type: 'int' }] }
    const made = make(
      ...whole,
      { action: 'add-schema', schema: wider },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshot['snapshot-id'] },
    )
    expect(checkTableMetadata(made, 'made')).toEqual(made)
    expect(made).toMatchObject({
      'current-schema-id': 1,
      'last-column-id': 1004,
      'last-sequence-number': 1,
      'current-snapshot-id': snapshot['snapshot-id'],
      'snapshot-log': [{ 'snapshot-id': snapshot['snapshot-id'] }],
      'metadata-log': [],
    })
  })

  it.each(['set-current-schema', 'set-default-spec', 'set-default-sort-order'] as const)(
    'is refused without %s, by name',
    (action) => {
      const refusal = expect.objectContaining({ code: 'TABLE_INCOMPLETE', context: { update: action } }) as Error
      expect(() => make(...without(action))).toThrow(refusal)
    },
  )

  it('begins as the first version that is asked for, and goes on to the later one', () => {
    const to = (version: number): TableUpdate => ({ action: 'upgrade-format-version', 'format-version': version })
    expect(make(...whole, to(3))).toMatchObject({ 'format-version': 3, 'next-row-id': 0 })
    expect(make(to(1), ...without('upgrade-format-version'))['format-version']).toBe(1)
    expect(() => make(to(4), ...whole)).toThrow('format version 4')
    expect(() => make(to(3), ...without('upgrade-format-version'), to(2))).toThrow('nothing goes back')
  })

  it('of version 1 is stored as its readers know it, and comes back', () => {
    const made = make({ action: 'upgrade-format-version', 'format-version': 1 }, ...without('upgrade-format-version'))
    const { 'sequence-number': _, ...first } = snapshotOf(1)
    const id = first['snapshot-id']
    const grown = createdTable(
      [
        { action: 'upgrade-format-version', 'format-version': 1 },
        ...without('upgrade-format-version'),
        { action: 'add-snapshot', snapshot: first as never },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
      ],
      table,
    )
    for (const metadata of [made, grown]) {
      const bytes = tableMetadataBytes(metadata)
      expect(parseTableMetadata(bytes, 'v1')).toEqual(metadata)
      const json = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
      expect(json).toMatchObject({ 'format-version': 1, schema: { ...people, 'schema-id': 0 }, 'partition-spec': [] })
      expect(json).not.toHaveProperty('last-sequence-number')
      for (const snapshot of json['snapshots'] as object[]) expect(snapshot).not.toHaveProperty('sequence-number')
    }
    expect(grown.snapshots).toHaveLength(1)
  })
})
