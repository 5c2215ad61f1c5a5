import type { Column, ColumnBatch, IcebergField, IcebergType } from '@moulin/core'
import { decimalWidth, isValid, nestedFields } from '@moulin/core'
import { primitiveType, storageOf } from './primitive-type.ts'

/** A field of a schema under test. */
export function field(id: number, name: string, type: IcebergType, required = false): IcebergField {
  return { id, name, type, required }
}

export function listType(id: number, element: IcebergType, required = false): IcebergType {
  return { type: 'list', 'element-id': id, element, 'element-required': required }
}

export function mapType(id: number, key: IcebergType, value: IcebergType, required = false): IcebergType {
  return { type: 'map', 'key-id': id, key, 'value-id': id + 1, value, 'value-required': required }
}

export function structType(...fields: IcebergField[]): IcebergType {
  return { type: 'struct', fields }
}

/** The headers column of every table. */
export const headersType: IcebergType = listType(
  8,
  structType(field(9, 'key', 'string', true), field(10, 'value', 'binary')),
  true,
)

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A big-endian decimal of the width that `precision` needs. */
export function decimalBytes(unscaled: bigint, precision: number): Uint8Array {
  const bytes = new Uint8Array(decimalWidth(precision))
  for (let i = bytes.length - 1, rest = unscaled; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}

/** A column from one plain value a row; null is null, a list is an array, a struct an array of its members, a map an array of such pairs. */
export function columnFrom(type: IcebergType, values: readonly unknown[]): Column {
  const length = values.length
  const hasNull = values.includes(null)
  const validity = hasNull ? new Uint8Array((length + 7) >> 3) : undefined
  if (validity !== undefined) for (let i = 0; i < length; i++) if (values[i] !== null) validity[i >> 3]! |= 1 << (i & 7)
  const base = { length, validity }
  if (typeof type === 'object' && type.type === 'struct') {
    const fields = type.fields.map(({ name, type: member }, index) => ({
      name,
      column: columnFrom(
        member,
        values.map((value) => (value as unknown[] | null)?.[index] ?? null),
      ),
    }))
    return { storage: 'struct', ...base, fields }
  }
  if (typeof type === 'object') {
    const lists = values as readonly (unknown[] | null)[]
    const offsets = new Int32Array(length + 1)
    for (let i = 0; i < length; i++) offsets[i + 1] = offsets[i]! + (lists[i]?.length ?? 0)
    const element = type.type === 'list' ? type.element : structType(...nestedFields(type))
    return {
      storage: 'list',
      ...base,
      offsets,
      element: columnFrom(
        element,
        lists.flatMap((list) => list ?? []),
      ),
    }
  }
  const { storage, width } = storageOf(primitiveType(type))
  switch (storage) {
    case 'bool':
      return { storage, ...base, values: Uint8Array.from(values, (value) => (value === true ? 1 : 0)) }
    case 'int32':
      return { storage, ...base, values: Int32Array.from(values, (value) => (value as number | null) ?? 0) }
    case 'int64':
      return { storage, ...base, values: BigInt64Array.from(values, (value) => (value as bigint | null) ?? 0n) }
    case 'float32':
      return { storage, ...base, values: Float32Array.from(values, (value) => (value as number | null) ?? 0) }
    case 'float64':
      return { storage, ...base, values: Float64Array.from(values, (value) => (value as number | null) ?? 0) }
    case 'fixed': {
      const bytes = new Uint8Array(length * width!)
      for (let i = 0; i < length; i++) bytes.set((values[i] as Uint8Array | null) ?? [], i * width!)
      return { storage, ...base, width: width!, values: bytes }
    }
    default: {
      const parts = values as readonly (Uint8Array | null)[]
      const starts = new Int32Array(length)
      const ends = new Int32Array(length)
      let size = 0
      for (let i = 0; i < length; i++) {
        starts[i] = size
        size += parts[i]?.length ?? 0
        ends[i] = size
      }
      const data = new Uint8Array(size)
      for (let i = 0; i < length; i++) data.set(parts[i] ?? [], starts[i])
      return { storage: 'bytes', ...base, data, starts, ends }
    }
  }
}

/** The plain values of a column: the reverse of {@link columnFrom}. */
export function valuesOf(column: Column): unknown[] {
  const values: unknown[] = []
  const inner = column.storage === 'list' ? valuesOf(column.element) : []
  const members = column.storage === 'struct' ? column.fields.map((member) => valuesOf(member.column)) : []
  for (let row = 0; row < column.length; row++) {
    if (!isValid(column, row)) values.push(null)
    else if (column.storage === 'bool') values.push(column.values[row] === 1)
    else if (column.storage === 'bytes') values.push(column.data.slice(column.starts[row], column.ends[row]))
    else if (column.storage === 'fixed') values.push(column.values.slice(row * column.width, (row + 1) * column.width))
    else if (column.storage === 'list') values.push(inner.slice(column.offsets[row], column.offsets[row + 1]))
    else if (column.storage === 'struct') values.push(members.map((member) => member[row]))
    else values.push(column.values[row])
  }
  return values
}

/** A batch from plain rows, one array of values a field. */
export function batchFrom(fields: readonly IcebergField[], rows: readonly (readonly unknown[])[]): ColumnBatch {
  const columns = fields.map(({ name, type }, index) => {
    const column = columnFrom(
      type,
      rows.map((row) => row[index]),
    )
    return { name, column }
  })
  return { length: rows.length, columns }
}

export function rowsOf(batch: ColumnBatch): unknown[][] {
  const columns = batch.columns.map(({ column }) => valuesOf(column))
  return Array.from({ length: batch.length }, (_, row) => columns.map((column) => column[row]))
}
