import { isKind } from '@moulin/core'
import type { TableRequirement } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { emptyTable, snapshotOf, tableOf } from './metadata.test-tables.ts'
import { checkRequirements } from './requirements.ts'

const table = tableOf(2)
const current = snapshotOf(2)['snapshot-id']

const held: TableRequirement[] = [
  { type: 'assert-table-uuid', uuid: table['table-uuid'].toUpperCase() },
  { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': current },
  { type: 'assert-ref-snapshot-id', ref: 'toString', 'snapshot-id': null },
  { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 1003 },
  { type: 'assert-current-schema-id', 'current-schema-id': 0 },
  { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 999 },
  { type: 'assert-default-spec-id', 'default-spec-id': 0 },
  { type: 'assert-default-sort-order-id', 'default-sort-order-id': 0 },
]

const broken: TableRequirement[] = [
  { type: 'assert-create' },
  { type: 'assert-table-uuid', uuid: '00000000-0000-4000-8000-000000000000' },
  { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': BigInt(current) + 1n },
  { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null },
  { type: 'assert-ref-snapshot-id', ref: 'audit', 'snapshot-id': current },
  { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 1004 },
  { type: 'assert-current-schema-id', 'current-schema-id': 1 },
  { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 1000 },
  { type: 'assert-default-spec-id', 'default-spec-id': 1 },
  { type: 'assert-default-sort-order-id', 'default-sort-order-id': 1 },
]

const refusal = (run: () => void): string | undefined => {
  try {
    run()
  } catch (error) {
    return isKind(error, 'conflict', 'REQUIREMENT_FAILED') && error.outcome === 'rejected'
      ? error.message
      : String(error)
  }
  return undefined
}

describe('checkRequirements', () => {
  it.each(held)('holds: $type', (requirement) => {
    expect(refusal(() => checkRequirements(table, [requirement]))).toBeUndefined()
  })

  it.each(broken)('is a conflict that names it: $type', (requirement) => {
    expect(refusal(() => checkRequirements(table, [...held, requirement]))).toContain(requirement.type)
  })

  it('wants no table for assert-create, and one for all else', () => {
    expect(refusal(() => checkRequirements(undefined, [{ type: 'assert-create' }]))).toBeUndefined()
    for (const requirement of held)
      expect(refusal(() => checkRequirements(undefined, [requirement]))).toContain(requirement.type)
  })

  it('takes no snapshot for null', () => {
    const requirement: TableRequirement = { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null }
    expect(refusal(() => checkRequirements(emptyTable(), [requirement]))).toBeUndefined()
  })

  it('refuses a requirement that it does not know, rather than pass it over', () => {
    expect(() => checkRequirements(table, [{ type: 'assert-mood' } as never])).toThrow('assert-mood')
  })
})
