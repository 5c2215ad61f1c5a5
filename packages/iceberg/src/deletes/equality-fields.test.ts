import type { IcebergField, IcebergSchema, IcebergType } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { equalityFields } from './equality-fields.ts'

const field = (id: number, name: string, type: IcebergType): IcebergField => ({ id, name, required: false, type })
const struct = (...fields: readonly IcebergField[]): IcebergType => ({ type: 'struct', fields })
const schemaOf = (id: number, ...fields: readonly IcebergField[]): IcebergSchema => ({
  type: 'struct',
  'schema-id': id,
  fields,
})
const place = struct(field(4, 'x', 'int'), field(5, 'y', 'int'), field(6, 'deep', struct(field(7, 'z', 'string'))))
const list: IcebergType = {
  type: 'list',
  'element-id': 9,
  element: struct(field(10, 'e', 'int')),
  'element-required': true,
}
const schemas = [
  schemaOf(0, field(1, 'id', 'int'), field(2, 'gone', 'string'), field(3, 'place', place)),
  schemaOf(1, field(1, 'number', 'long'), field(3, 'place', place), field(8, 'list', list)),
]
const of = (...ids: readonly number[]): readonly IcebergField[] =>
  equalityFields(schemas.toReversed(), ids, 'd.parquet')

describe('equalityFields', () => {
  it('takes a column as the first schema that has it says', () => {
    expect(of(1)).toEqual([field(1, 'number', 'long')])
    expect(of(2)).toEqual([field(2, 'gone', 'string')])
    expect(of(2, 1, 2)).toEqual([field(1, 'number', 'long'), field(2, 'gone', 'string')])
  })

  it('keeps of structs the way to the column, and one struct once', () => {
    expect(of(5)).toEqual([field(3, 'place', struct(field(5, 'y', 'int')))])
    expect(of(7, 4)).toEqual([
      field(3, 'place', struct(field(4, 'x', 'int'), field(6, 'deep', struct(field(7, 'z', 'string'))))),
    ])
  })

  it('refuses what no schema has, and what is not compared', () => {
    expect(() => of(99)).toThrow(expect.objectContaining({ kind: 'corrupt', code: 'EQUALITY_FIELD' }))
    expect(() => of()).toThrow(expect.objectContaining({ kind: 'corrupt', code: 'EQUALITY_FIELD' }))
    for (const id of [3, 6, 8, 9, 10])
      expect(() => of(id)).toThrow(expect.objectContaining({ kind: 'unsupported', code: 'EQUALITY_TYPE' }))
  })
})
