import { describe, expect, it } from 'vitest'
import type { IcebergType } from '../doors/catalog.ts'
import { foldIceberg, foldType, nestedFields } from './fold-type.ts'
import { t } from './schema.ts'
import type { Type } from './schema.ts'

describe('folds over types', () => {
  it('take the types of a schema apart by how they nest', () => {
    const text = (type: Type): string =>
      foldType(type, {
        scalar: ({ spec }) => spec.kind,
        list: (element) => `[${text(element)}]`,
        map: (key, value) => `{${text(key)}: ${text(value)}}`,
        struct: (fields) => `(${fields.map((field) => `${field.name} ${text(field.type)}`).join(', ')})`,
      })
    const type = t.map(t.string, t.list(t.struct({ at: t.timestamp, of: t.decimal(4, 2).optional() })))
    expect(text(type)).toBe('{string: [(at timestamp, of decimal)]}')
  })

  it("give a table's lists and maps their members as fields", () => {
    const list: IcebergType = { type: 'list', 'element-id': 3, element: 'uuid', 'element-required': true }
    const value = { 'value-id': 5, value: list, 'value-required': false } as const
    const map: IcebergType = { type: 'map', 'key-id': 4, key: 'int', ...value }
    const struct: IcebergType = { type: 'struct', fields: [{ id: 6, name: 'a', required: false, type: 'int' }] }
    expect(nestedFields('long')).toEqual([])
    expect(nestedFields(list)).toEqual([{ id: 3, name: 'element', required: true, type: 'uuid' }])
    expect(nestedFields(map)).toEqual([
      { id: 4, name: 'key', required: true, type: 'int' },
      { id: 5, name: 'value', required: false, type: list },
    ])
    expect(nestedFields(struct)).toBe(struct.fields)
    const kind = { primitive: String, list: () => 'list', map: () => 'map', struct: () => 'struct' }
    expect(['fixed[3]', list, map, struct].map((type) => foldIceberg(type, kind))).toEqual([
      'fixed[3]',
      'list',
      'map',
      'struct',
    ])
  })
})
