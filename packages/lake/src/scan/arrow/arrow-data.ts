import type { Column } from '@moulin/core'
import type { Data, DataType } from 'apache-arrow'
import type { Arrow } from './arrow-package.ts'
import { gatherBytes } from './gather-bytes.ts'

type Of<S extends Column['storage']> = Extract<Column, { storage: S }>

/** Bytes of a 128-bit decimal. */
const DECIMAL_BYTES = 16

/**
 * A column as Arrow data of the type that `arrowSchema` gives for it, over the same memory wherever Arrow lays values
 * out as we do. What is laid out anew: booleans (bits), decimals (128 bits), and bytes that do not lie back to back.
 *
 * Spec: Arrow columnar format, "Physical Memory Layout".
 */
export function arrowData(arrow: Arrow, type: DataType, column: Column): Data {
  // The nulls are left for Arrow to count when it first wants to know.
  const base = { length: column.length, ...(column.validity === undefined ? {} : { nullBitmap: column.validity }) }
  // Which kind of data goes with which type is said by the two switches; the library's overloads cannot follow them.
  const make = (props: object): Data => arrow.makeData({ type, ...base, ...props } as never)
  if (arrow.DataType.isNull(type)) return arrow.makeData({ type, length: column.length })
  switch (column.storage) {
    case 'bool':
      return make({ data: packBits(column) })
    case 'int64':
      return make({ data: arrow.DataType.isDecimal(type) ? decimalsOfLongs(column) : column.values })
    case 'bytes': {
      const { data, offsets } = backToBack(column) ?? gatherBytes(column)
      return make({ data, valueOffsets: offsets })
    }
    case 'fixed':
      return make({ data: arrow.DataType.isDecimal(type) ? decimalsOfFixed(column) : column.values })
    case 'list':
      return make({ valueOffsets: column.offsets, child: arrowData(arrow, childType(type, 0), column.element) })
    case 'struct':
      return make({ children: column.fields.map((field, at) => arrowData(arrow, childType(type, at), field.column)) })
    default:
      return make({ data: column.values })
  }
}

function childType({ children }: DataType, at: number): DataType {
  return (children as { type: DataType }[])[at]!.type
}

/** Decoded columns keep starts and ends as two views of one array, each value beginning where the last one ends. */
function backToBack({
  length,
  data,
  starts,
  ends,
}: Of<'bytes'>): { data: Uint8Array; offsets: Int32Array } | undefined {
  const isOneArray = starts.buffer === ends.buffer && ends.byteOffset === starts.byteOffset + 4
  return isOneArray ? { data, offsets: new Int32Array(starts.buffer, starts.byteOffset, length + 1) } : undefined
}

function packBits({ length, values }: Of<'bool'>): Uint8Array {
  const bits = new Uint8Array((length + 7) >> 3)
  for (let row = 0; row < length; row++) bits[row >> 3]! |= values[row]! << (row & 7)
  return bits
}

function decimalsOfLongs({ length, values }: Of<'int64'>): Uint32Array {
  const halves = new Int32Array(values.buffer, values.byteOffset, length * 2)
  const words = new Uint32Array(length * 4)
  for (let row = 0; row < length; row++) {
    const high = halves[row * 2 + 1]!
    words[row * 4] = halves[row * 2]!
    words[row * 4 + 1] = high
    words[row * 4 + 2] = words[row * 4 + 3] = high >> 31
  }
  return words
}

// Big-endian of the type's width to little-endian of 16 bytes.
function decimalsOfFixed({ length, width, values }: Of<'fixed'>): Uint32Array {
  const bytes = new Uint8Array(length * DECIMAL_BYTES)
  for (let row = 0; row < length; row++) {
    const from = row * width
    const to = row * DECIMAL_BYTES
    for (let at = 0; at < width; at++) bytes[to + at] = values[from + width - 1 - at]!
    bytes.fill(values[from]! >= 0x80 ? 0xff : 0, to + width, to + DECIMAL_BYTES)
  }
  return new Uint32Array(bytes.buffer)
}
