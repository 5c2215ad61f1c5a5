import type { IcebergSchema, TableMetadata } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { schemasFrom } from './metadata-lookup.ts'

const schema = (id: number | undefined): IcebergSchema => ({
  type: 'struct',
  ...(id !== undefined && { 'schema-id': id }),
  fields: [],
})
const table = (current: number, ...ids: readonly (number | undefined)[]): TableMetadata =>
  ({ 'current-schema-id': current, schemas: ids.map(schema) }) as unknown as TableMetadata
const order = (schemas: readonly IcebergSchema[]): unknown[] => schemas.map((each) => each['schema-id'])

describe('the schemas that are asked for a column', () => {
  it('are the current one, then the newest, in whatever order the metadata lists them', () => {
    expect(order(schemasFrom(table(1, 0, 1, 2, 3)))).toEqual([1, 3, 2, 0])
    expect(order(schemasFrom(table(1, 3, 0, 2, 1)))).toEqual([1, 3, 2, 0])
    expect(order(schemasFrom(table(5, 5)))).toEqual([5])
  })

  it('are one that is given before all others, each once', () => {
    const metadata = table(3, 0, 1, 3)
    expect(order(schemasFrom(metadata, metadata.schemas[1]))).toEqual([1, 3, 0])
    expect(order(schemasFrom(metadata, metadata.schemas[0]))).toEqual([0, 3, 1])
  })
})
