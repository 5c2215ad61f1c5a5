import type { Column, IcebergType } from '@moulin/core'
import { primitiveType, storageOf } from '../primitive-type.ts'

const arrays = {
  bool: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float32: Float32Array,
  float64: Float64Array,
} as const

/** A column of nulls. */
export function nullColumn(type: IcebergType, length: number): Column {
  const validity = new Uint8Array((length + 7) >> 3)
  const base = { length, validity }
  if (typeof type === 'string') {
    const { storage, width } = storageOf(primitiveType(type))
    if (storage === 'bytes') {
      return { storage, ...base, data: new Uint8Array(0), starts: new Int32Array(length), ends: new Int32Array(length) }
    }
    if (storage === 'fixed') return { storage, ...base, width: width!, values: new Uint8Array(length * width!) }
    return { storage, ...base, values: new arrays[storage as keyof typeof arrays](length) } as Column
  }
  switch (type.type) {
    case 'struct': {
      const fields = type.fields.map(({ name, type: member }) => ({ name, column: nullColumn(member, length) }))
      return { storage: 'struct', ...base, fields }
    }
    case 'list':
      return { storage: 'list', ...base, offsets: new Int32Array(length + 1), element: nullColumn(type.element, 0) }
    case 'map': {
      const fields = [
        { name: 'key', column: nullColumn(type.key, 0) },
        { name: 'value', column: nullColumn(type.value, 0) },
      ]
      const element: Column = { storage: 'struct', length: 0, validity: undefined, fields }
      return { storage: 'list', ...base, offsets: new Int32Array(length + 1), element }
    }
  }
}
