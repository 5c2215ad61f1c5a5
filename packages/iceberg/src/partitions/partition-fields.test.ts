import { isKind, type IcebergSchema } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bindPartitionSpec, checkPartitionSpec } from './partition-fields.ts'

const schema: IcebergSchema = {
  type: 'struct',
  fields: [
    { id: 1, name: 'id', required: false, type: 'long' },
    { id: 2, name: 'at', required: false, type: 'timestamptz' },
    {
      id: 3,
      name: 'place',
      required: false,
      type: { type: 'struct', fields: [{ id: 4, name: 'city', required: false, type: 'string' }] },
    },
  ],
}
const field = (sourceId: number, name: string, transform: string) => ({ 'source-id': sourceId, name, transform })

describe('bindPartitionSpec', () => {
  it('finds sources in structs, numbers fields that have no id, and takes a type from the first schema that has it', () => {
    const newer: IcebergSchema = { type: 'struct', fields: [{ id: 1, name: 'id', required: false, type: 'int' }] }
    const spec = {
      'spec-id': 3,
      fields: [field(1, 'id', 'identity'), field(4, 'city', 'truncate[2]'), field(9, 'lost', 'day')],
    }
    const bound = bindPartitionSpec(spec, [newer, schema])
    expect(bound.specId).toBe(3)
    expect(bound.fields.map(({ fieldId, resultType }) => [fieldId, resultType])).toEqual([
      [1000, 'int'],
      [1001, 'string'],
      [1002, undefined],
    ])
  })

  it('refuses a transform of several columns by name', () => {
    const several = { 'source-ids': [1, 2], name: 'both', transform: 'bucket[4]' } as never
    expect(() => bindPartitionSpec({ fields: [several] }, [schema])).toThrow(
      expect.toSatisfy((error) => isKind(error, 'unsupported', 'TRANSFORM') && error.message.includes('both')),
    )
  })
})

describe('checkPartitionSpec', () => {
  it('takes the identity of a column under its own name', () => {
    const fields = [field(1, 'id', 'identity'), field(2, 'at_day', 'day')]
    expect(checkPartitionSpec({ fields }, schema).fields).toHaveLength(2)
  })

  it.each([
    ['a column that is not there', [field(9, 'x', 'identity')]],
    ['a column in a struct', [field(4, 'x', 'identity')]],
    ['a transform that does not take the column', [field(1, 'x', 'day')]],
    ['a nested column', [field(3, 'x', 'identity')]],
    ['a name twice', [field(1, 'x', 'identity'), field(2, 'x', 'day')]],
    ['an empty name', [field(1, '', 'identity')]],
    ['the name of another column', [field(1, 'at', 'identity')]],
    ['a column’s name for what is not its identity', [field(2, 'at', 'day')]],
  ])('refuses %s', (_name, fields) => {
    expect(() => checkPartitionSpec({ fields }, schema)).toThrow(
      expect.toSatisfy((error) => isKind(error, 'invalid', 'PARTITION_SPEC')),
    )
  })
})
