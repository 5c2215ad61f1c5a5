import { stringifyJson } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { readCommitTable, readCommitTransaction, readCreateTable, readRenameTable } from './requests.ts'

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(stringifyJson(value))
const schema = { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'id', type: 'long', required: true }] }
const bad = expect.objectContaining({ kind: 'invalid', code: 'BAD_REQUEST' })
const snapshot = {
  'snapshot-id': 9_007_199_254_740_993n,
  'sequence-number': 1,
  'timestamp-ms': 1,
  'manifest-list': 'file:///m',
  summary: { operation: 'append' },
}

describe('bodies of requests', () => {
  it('keep ids of 64 bits, and leave out what is null but where null is a word', () => {
    const read = readCommitTable(
      bytes({
        identifier: { namespace: ['a'], name: 't' },
        requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null }],
        updates: [{ action: 'add-snapshot', snapshot: { ...snapshot, 'parent-snapshot-id': null } }],
      }),
    )
    expect(read.requirements).toEqual([{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null }])
    expect(read.updates).toEqual([{ action: 'add-snapshot', snapshot }])
  })

  it.each([
    { action: 'set-properties' },
    { action: 'set-properties', updates: { a: 1 } },
    { action: 'add-schema', schema: { type: 'struct' } },
    { action: 'add-snapshot', snapshot: { ...snapshot, 'snapshot-id': '1' } },
    { action: 'set-snapshot-ref', 'ref-name': 'main', 'snapshot-id': 1, type: 'twig' },
    { action: 'remove-snapshots', 'snapshot-ids': [1, null] },
    { action: 'add-spec', spec: { fields: [{ name: 'x' }] } },
    { action: 'set-statistics', statistics: { 'snapshot-id': 1 } },
    { action: 7 },
    null,
  ])('refuse an update that is not whole: %j', (update) => {
    expect(() => readCommitTable(bytes({ requirements: [], updates: [update] }))).toThrow(bad)
  })

  it('let an update pass that nobody knows: whoever applies it says so', () => {
    const update = { action: 'set-mood', mood: 'good' }
    expect(readCommitTable(bytes({ requirements: [], updates: [update] })).updates).toEqual([update])
  })

  it('refuse what is no JSON, and no table', () => {
    expect(() => readCommitTable(new TextEncoder().encode('<html>'))).toThrow(bad)
    expect(() => readCreateTable(bytes({ name: 't' }))).toThrow(bad)
    expect(() => readCreateTable(bytes({ name: 't', schema: { ...schema, 'schema-id': 'x' } }))).toThrow(bad)
    expect(() => readRenameTable(bytes({ source: { namespace: ['a'], name: 'b' } }))).toThrow(bad)
    expect(readCreateTable(bytes({ name: 't', schema, location: null, 'stage-create': false }))).toEqual({
      name: 't',
      schema,
      'stage-create': false,
    })
  })

  it('name a table of a transaction once', () => {
    const change = { identifier: { namespace: ['a'], name: 't' }, requirements: [], updates: [] }
    const other = { ...change, identifier: { namespace: ['a.t'], name: '' } }
    expect(readCommitTransaction(bytes({ 'table-changes': [change, other] }))['table-changes']).toHaveLength(2)
    expect(() => readCommitTransaction(bytes({ 'table-changes': [change, change] }))).toThrow(bad)
  })
})
