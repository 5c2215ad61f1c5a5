import type { BytesColumn, Column, FixedColumn, PrimitiveColumn } from '@moulin/core'
import { invalid } from '@moulin/core'
import { ViewOf } from '../bytes/copy-range.ts'
import { halvesByColumn } from '../bytes/int64-halves.ts'
import { bigIntBytes, bigIntOf, bigIntWidth, floorMillis, UUID_TEXT_BYTES, writeUuid } from '../values/scalars.ts'
import type { AvroEnum } from './avro-schema.ts'
import { NAN_BITS_32, NAN_BITS_64 } from '../bytes/nan-bits.ts'
import { symbolBytes } from './symbol-builder.ts'
import type { AvroNode } from './avro-node.ts'
import type { RowWriter } from '../values/row-writer.ts'

/** Writes the value of one row: the inverse of `ColumnDecoder`. */
export type ColumnEncoder = (column: Column, row: number, writer: RowWriter) => void

type Values<A> = { readonly values: A }
const int32 = (column: Column): Int32Array => (column as unknown as Values<Int32Array>).values

/** Composes the encoder of a scalar that is there; `path` names it in errors. */
export function scalarEncoder({ type: { spec }, encoding }: AvroNode, path: string): ColumnEncoder {
  switch (spec.kind) {
    case 'boolean':
      return (column, row, writer) => writer.byte((column as Values<Uint8Array> & Column).values[row]!)
    case 'int':
    case 'date':
      return (column, row, writer) => writer.int(int32(column)[row]!)
    case 'long':
    case 'int53':
      return longEncoder()
    case 'float':
      return encodeFloat
    case 'double':
      return encodeDouble
    case 'string':
      return encoding.type === 'enum' ? symbolEncoder(path, encoding) : bytesEncoder()
    case 'binary':
      return bytesEncoder()
    case 'uuid':
      return encoding.type === 'fixed' ? encodeFixed : encodeUuid
    case 'fixed':
      return encodeFixed
    case 'decimal':
      return decimalEncoder(encoding.type === 'fixed' ? encoding.size : -1)
    default:
      return 'as' in spec && spec.as === 'micros' ? longEncoder() : millisEncoder()
  }
}

function longEncoder(): ColumnEncoder {
  const halves = halvesByColumn()
  return (column, row, writer) => {
    const words = halves(column)
    writer.long(words[row * 2 + 1]!, words[row * 2]!)
  }
}

function millisEncoder(): ColumnEncoder {
  const halves = halvesByColumn()
  return (column, row, writer) => writer.number(millisOf(column, halves(column), row))
}

/** Microseconds to milliseconds, downwards: only a row changed in SQL can have a finer time. */
export function millisOf(column: Column, halves: Int32Array, row: number): number {
  const micros = halves[row * 2 + 1]! * 0x100000000 + (halves[row * 2]! >>> 0)
  if (Number.isSafeInteger(micros)) return Math.floor(micros / 1000)
  // A thousandth of what 64 bits hold is safe again.
  return Number(floorMillis((column as PrimitiveColumn & { values: BigInt64Array }).values[row]!))
}

const float32 = new Float32Array(1)
const float32Bits = new Int32Array(float32.buffer)
const float64 = new Float64Array(1)
const float64Bits = new Int32Array(float64.buffer)

function encodeFloat(column: Column, row: number, writer: RowWriter): void {
  const value = (column as unknown as Values<Float32Array>).values[row]!
  float32[0] = value
  writer.bits(value === value ? float32Bits[0]! : NAN_BITS_32)
}

function encodeDouble(column: Column, row: number, writer: RowWriter): void {
  const value = (column as unknown as Values<Float64Array>).values[row]!
  float64[0] = value
  writer.bits(value === value ? float64Bits[0]! : 0)
  writer.bits(value === value ? float64Bits[1]! : NAN_BITS_64)
}

function bytesEncoder(): ColumnEncoder {
  const views = new ViewOf()
  return (column, row, writer) => {
    const { data, starts, ends } = column as BytesColumn
    const start = starts[row]!
    const end = ends[row]!
    writer.int(end - start)
    writer.range(data, views.of(data), start, end)
  }
}

function symbolEncoder(path: string, encoding: AvroEnum): ColumnEncoder {
  const symbols = symbolBytes(encoding)
  return (column, row, writer) => {
    const { data, starts, ends } = column as BytesColumn
    const size = ends[row]! - starts[row]!
    const index = symbols.findIndex(
      (symbol) => symbol.length === size && symbol.every((byte, at) => byte === data[starts[row]! + at]),
    )
    if (index < 0) {
      const given = Buffer.from(data.subarray(starts[row]!, ends[row]!)).toString()
      throw invalid('COLUMN_SYMBOL', `The column ${path} holds ${JSON.stringify(given)}, no symbol of its enum.`)
    }
    writer.int(index)
  }
}

function encodeFixed(column: Column, row: number, writer: RowWriter): void {
  const { values, width } = column as FixedColumn
  writer.raw(values, row * width, row * width + width)
}

const uuid = new Uint8Array(UUID_TEXT_BYTES)

function encodeUuid(column: Column, row: number, writer: RowWriter): void {
  writeUuid((column as FixedColumn).values, row * 16, uuid, 0)
  writer.int(UUID_TEXT_BYTES)
  writer.raw(uuid, 0, UUID_TEXT_BYTES)
}

function decimalEncoder(size: number): ColumnEncoder {
  return (column, row, writer) => {
    const unscaled =
      column.storage === 'fixed'
        ? bigIntOf(column.values, row * column.width, (row + 1) * column.width)
        : (column as PrimitiveColumn & { values: BigInt64Array }).values[row]!
    const width = size < 0 ? bigIntWidth(unscaled) : size
    if (size < 0) writer.int(width)
    writer.raw(bigIntBytes(unscaled, width), 0, width)
  }
}
