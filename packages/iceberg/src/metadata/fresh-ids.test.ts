import type { CreateTableRequest, IcebergField } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { withFreshIds } from './fresh-ids.ts'

const long = (id: number, name: string): IcebergField => ({ id, name, required: false, type: 'long' })

const request: CreateTableRequest = {
  schema: {
    type: 'struct',
    'identifier-field-ids': [30],
    fields: [
      {
        id: 10,
        name: 'place',
        required: false,
        type: { type: 'struct', fields: [long(11, 'x'), { ...long(12, 'y'), doc: 'upwards' }] },
      },
      {
        id: 20,
        name: 'tags',
        required: false,
        type: {
          type: 'map',
          'key-id': 21,
          key: 'string',
          'value-id': 22,
          value: {
            type: 'list',
            'element-id': 23,
            element: { type: 'struct', fields: [long(24, 'n')] },
            'element-required': true,
          },
          'value-required': false,
        },
      },
      { ...long(30, 'id'), required: true, 'initial-default': 7 },
    ],
  },
  partitionSpec: { 'spec-id': 5, fields: [{ 'source-id': 30, 'field-id': 2000, name: 'b', transform: 'bucket[16]' }] },
  sortOrder: {
    'order-id': 1,
    fields: [{ 'source-id': 12, transform: 'identity', direction: 'asc', 'null-order': 'nulls-first' }],
  },
} as CreateTableRequest

describe('withFreshIds', () => {
  it('numbers the fields of a struct before what lies within them, and lets all names by id follow', () => {
    const { schema, partitionSpec, sortOrder } = withFreshIds(request)
    expect(schema).toEqual({
      type: 'struct',
      'identifier-field-ids': [3],
      fields: [
        {
          id: 1,
          name: 'place',
          required: false,
          type: { type: 'struct', fields: [long(4, 'x'), { ...long(5, 'y'), doc: 'upwards' }] },
        },
        {
          id: 2,
          name: 'tags',
          required: false,
          type: {
            type: 'map',
            'key-id': 6,
            key: 'string',
            'value-id': 7,
            value: {
              type: 'list',
              'element-id': 8,
              element: { type: 'struct', fields: [long(9, 'n')] },
              'element-required': true,
            },
            'value-required': false,
          },
        },
        { ...long(3, 'id'), required: true, 'initial-default': 7 },
      ],
    })
    expect(partitionSpec).toEqual({ fields: [{ 'source-id': 3, name: 'b', transform: 'bucket[16]' }] })
    expect(sortOrder!.fields).toMatchObject([{ 'source-id': 5 }])
  })

  it('leaves what is numbered so already as it is', () => {
    const once = withFreshIds(request)
    expect(withFreshIds(once)).toEqual(once)
  })

  it('refuses an id that is used twice, or named and not there', () => {
    const fields = [long(1, 'a'), long(1, 'b')]
    expect(() => withFreshIds({ schema: { type: 'struct', fields } })).toThrow(/field id 1 is used twice/)
    const spec = { fields: [{ 'source-id': 9, name: 'a', transform: 'identity' }] }
    expect(() => withFreshIds({ schema: { type: 'struct', fields: [long(1, 'a')] }, partitionSpec: spec })).toThrow(
      /no column with the id 9/,
    )
  })
})
