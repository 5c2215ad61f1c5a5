import type { Column, IcebergField, IcebergType, StructColumn } from '@moulin/core'
import { foldIceberg, valueArrays } from '@moulin/core'
import { primitiveType, storageOf, UNKNOWN } from '../primitive-type.ts'

/** A column of nulls. */
export function nullColumn(type: IcebergType, length: number): Column {
  const validity = new Uint8Array((length + 7) >> 3)
  const base = { length, validity }
  const members = (fields: readonly IcebergField[], rows: number): StructColumn['fields'] =>
    fields.map((field) => ({ name: field.name, column: nullColumn(field.type, rows) }))
  const listOf = (element: Column): Column => ({
    storage: 'list',
    ...base,
    offsets: new Int32Array(length + 1),
    element,
  })
  return foldIceberg<Column>(type, {
    primitive(text) {
      if (text === UNKNOWN) return { storage: 'bool', ...base, values: new Uint8Array(length) }
      const { storage, width } = storageOf(primitiveType(text))
      if (storage === 'bytes') {
        const [starts, ends] = [new Int32Array(length), new Int32Array(length)]
        return { storage, ...base, data: new Uint8Array(0), starts, ends }
      }
      if (storage === 'fixed') return { storage, ...base, width: width!, values: new Uint8Array(length * width!) }
      return { storage, ...base, values: new valueArrays[storage as keyof typeof valueArrays](length) } as Column
    },
    struct: (fields) => ({ storage: 'struct', ...base, fields: members(fields, length) }),
    list: (element) => listOf(nullColumn(element.type, 0)),
    map: (...entry) => listOf({ storage: 'struct', length: 0, validity: undefined, fields: members(entry, 0) }),
  })
}
