import {
  Binary,
  Bool,
  type Data,
  type DataType,
  Field,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  TimestampMicrosecond,
  Utf8,
} from 'apache-arrow'
import type { BytesColumn, Column, ColumnBatch, IcebergSchema, IcebergType } from '@moulin/core'
import { nullCount } from '@moulin/core'

/** Batches as Arrow IPC: how the peers that are no JavaScript get the very same columns. */
export function arrowIpc(
  schema: IcebergSchema,
  batches: readonly ColumnBatch[],
  form: 'file' | 'stream' = 'file',
): Uint8Array {
  const fields = schema.fields.map(({ name, type, required }) => new Field(name, arrowType(type), !required))
  const arrowSchema = new Schema(fields)
  const recordBatches = batches.map(({ length, columns }) => {
    const byName = new Map(columns.map(({ name, column }) => [name, column]))
    const children = schema.fields.map(({ name, type }) => arrowData(type, byName.get(name)!))
    return new RecordBatch(arrowSchema, makeData({ type: new Struct(fields), length, nullCount: 0, children }))
  })
  return tableToIPC(new Table(arrowSchema, recordBatches), form)
}

function arrowType(type: IcebergType): DataType {
  if (typeof type !== 'string') {
    if (type.type === 'list') return new List(new Field('element', arrowType(type.element), !type['element-required']))
    if (type.type === 'struct')
      return new Struct(type.fields.map((field) => new Field(field.name, arrowType(field.type), !field.required)))
    throw new Error(`No bench has a column of type ${type.type}.`)
  }
  const make = primitives[type]
  if (make === undefined) throw new Error(`No bench has a column of type ${type}.`)
  return make()
}

const primitives: Readonly<Record<string, () => DataType>> = {
  boolean: () => new Bool(),
  int: () => new Int32(),
  long: () => new Int64(),
  float: () => new Float32(),
  double: () => new Float64(),
  timestamp: () => new TimestampMicrosecond(),
  timestamptz: () => new TimestampMicrosecond('UTC'),
  string: () => new Utf8(),
  binary: () => new Binary(),
}

function arrowData(type: IcebergType, column: Column): Data {
  const { length } = column
  const nulls = nullCount(column)
  const base = { length, nullCount: nulls, ...(nulls > 0 && { nullBitmap: column.validity! }) }
  switch (column.storage) {
    case 'bytes':
      return makeData({ type: arrowType(type) as Utf8, ...base, ...backToBack(column) })
    case 'list': {
      if (typeof type === 'string' || type.type !== 'list') throw new Error('A list column has a list type.')
      const child = arrowData(type.element, column.element)
      return makeData({ type: arrowType(type) as List, ...base, valueOffsets: column.offsets, child })
    }
    case 'struct': {
      if (typeof type === 'string' || type.type !== 'struct') throw new Error('A struct column has a struct type.')
      const children = type.fields.map((field, at) => arrowData(field.type, column.fields[at]!.column))
      return makeData({ type: arrowType(type) as Struct, ...base, children })
    }
    case 'bool':
    case 'fixed':
      throw new Error(`No bench has a column stored as ${column.storage}.`)
    default:
      return makeData({ type: arrowType(type) as Int64, ...base, data: column.values as BigInt64Array })
  }
}

function backToBack(column: BytesColumn): { valueOffsets: Int32Array; data: Uint8Array } {
  const { length, starts, ends, validity } = column
  const isNull = (row: number): boolean => validity !== undefined && (validity[row >> 3]! & (1 << (row & 7))) === 0
  const valueOffsets = new Int32Array(length + 1)
  for (let row = 0; row < length; row++)
    valueOffsets[row + 1] = valueOffsets[row]! + (isNull(row) ? 0 : ends[row]! - starts[row]!)
  const data = new Uint8Array(valueOffsets[length]!)
  for (let row = 0; row < length; row++)
    if (!isNull(row)) data.set(column.data.subarray(starts[row], ends[row]), valueOffsets[row])
  return { valueOffsets, data }
}
