import { bucket, byValue, day } from '@moulin/core'
import type { CreateTableRequest, IcebergField, PartitionFieldOf } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { createdTable } from './created-table.ts'
import { people, T0 } from './metadata.test-tables.ts'
import { creationUpdates, newTableMetadata, partitionSpecOf } from './new-table.ts'
import { checkTableMetadata } from './table-metadata.ts'

const make = (request: Partial<CreateTableRequest>): ReturnType<typeof newTableMetadata> =>
  newTableMetadata({ schema: people, ...request }, { uuid: 'u-1', location: 'memory://main/t', nowMs: T0 })

const field = (id: number, name: string): IcebergField => ({ id, name, required: false, type: 'int' })

describe('newTableMetadata', () => {
  it('makes valid metadata without a snapshot', () => {
    const metadata = make({ partitionSpec: partitionSpecOf(people, [day('born'), bucket(4, 'id')]) })
    expect(checkTableMetadata(metadata, 'new')).toEqual(metadata)
    expect(metadata).toMatchObject({
      'format-version': 2,
      'current-snapshot-id': -1,
      'last-column-id': 1003,
      'last-partition-id': 1001,
      'partition-specs': [{ 'spec-id': 0, fields: [{ 'field-id': 1000 }, { 'field-id': 1001 }] }],
      'sort-orders': [{ 'order-id': 0, fields: [] }],
    })
    expect(make({})['last-partition-id']).toBe(999)
  })

  it('keeps the ids of the request', () => {
    const spec = { fields: [{ 'source-id': 1001, 'field-id': 1000, name: 'a', transform: 'bucket[2]' }] }
    const two = { fields: [...spec.fields, { 'source-id': 1003, name: 'b', transform: 'day' }] }
    expect(make({ partitionSpec: two })['partition-specs'][0]!.fields.map((f) => f['field-id'])).toEqual([1000, 1001])
  })

  it('refuses a schema that is empty or repeats an id or a name, and a spec that does not fit', () => {
    const schemaOf = (...fields: IcebergField[]): Partial<CreateTableRequest> => ({
      schema: { type: 'struct', fields },
    })
    expect(() => make(schemaOf())).toThrow('at least one column')
    expect(() => make(schemaOf(field(1, 'a'), field(1, 'b')))).toThrow('id 1 is used twice')
    expect(() => make(schemaOf(field(1, 'a'), field(2, 'a')))).toThrow('repeated')
    const spec = (transform: string, source = 1001): Partial<CreateTableRequest> => ({
      partitionSpec: { fields: [{ 'source-id': source, name: 'p', transform }] },
    })
    expect(() => make(spec('day'))).toThrow('day')
    expect(() => make(spec('identity', 77))).toThrow('77')
    expect(() => make(spec('zorder'))).toThrow('zorder')
  })

  it('takes the property format-version as a question, and refuses all but 1 to 3', () => {
    const made = make({ properties: { 'format-version': '2', a: '1' } })
    expect(made).toMatchObject({ 'format-version': 2, properties: { a: '1' } })
    expect(made).not.toHaveProperty('next-row-id')
    expect(made.properties).toEqual({ a: '1' })
    expect(make({ properties: { 'format-version': '3' } })).toMatchObject({ 'format-version': 3, 'next-row-id': 0 })
    expect(make({ properties: { 'format-version': '1' } })).toMatchObject({ 'format-version': 1, properties: {} })
    for (const version of ['0', '4', '2.0', 'two'])
      expect(() => make({ properties: { 'format-version': version } })).toThrow(version)
  })
})

describe('creationUpdates', () => {
  it('are what makes the same table by a commit', () => {
    const order = { 'order-id': 7, fields: [{ 'source-id': 1001, transform: 'identity', direction: 'asc' }] }
    const request: CreateTableRequest = {
      schema: people,
      partitionSpec: partitionSpecOf(people, [day('born')]),
      sortOrder: order,
      properties: { 'format-version': '3', a: '1' },
    }
    const table = { uuid: 'u-1', location: 'memory://main/t', nowMs: T0 }
    const made = newTableMetadata(request, table)
    expect(createdTable(creationUpdates(request, table), { ...table, uuid: 'other' })).toEqual(made)
    expect(made).toMatchObject({ 'default-sort-order-id': 1, 'sort-orders': [{ ...order, 'order-id': 1 }] })
  })
})

describe('partitionSpecOf', () => {
  it('finds columns by name', () => {
    expect(partitionSpecOf(people, [byValue('name')]).fields).toEqual([
      { 'source-id': 1002, 'field-id': 1000, name: 'name', transform: 'identity' },
    ])
  })

  it.each<[string, PartitionFieldOf, string]>([
    ['an unknown column', day('nowhere'), 'nowhere'],
    ['a transform that does not take it', day('name'), 'transform day'],
    ['a name that a column has', { ...day('born'), name: 'id' }, '"id"'],
  ])('refuses %s', (_what, partitionField, named) => {
    expect(() => partitionSpecOf(people, [partitionField])).toThrow(named)
  })
})
