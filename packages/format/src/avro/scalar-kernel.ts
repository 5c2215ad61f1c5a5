import type { BytesColumn, Column, FixedColumn, PrimitiveColumn } from '@moulin/core'
import { copyRange } from '../bytes/copy-range.ts'
import { NAN_BITS_32, NAN_BITS_64 } from '../bytes/nan-bits.ts'
import { longSize, putLong, putUint, uintSize } from '../bytes/varint.ts'
import { varintSize } from '../bytes/byte-sink.ts'
import { UUID_TEXT_BYTES, writeUuid } from '../values/scalars.ts'
import type { AvroNode } from './avro-node.ts'
import { millisOf } from './scalar-encoder.ts'

/** Encodes many rows of one column in a loop, into the bytes that the column's `ColumnEncoder` gives. */
export interface ColumnKernel {
  /** Adds the bytes of row `rows[i]` to `sizes[i]`, which is below 0 for good where the row has no encoding. */
  addSizes(column: Column, rows: Int32Array, sizes: Int32Array): void
  /** Writes row `rows[i]` at `places[i]`, which is then where it ends. All rows have an encoding. */
  write(column: Column, rows: Int32Array, target: Uint8Array, places: Int32Array): void
}

/**
 * The kernel of a scalar column for rows that have a value; undefined where its rows are encoded one by one. Null rows may
 * be among those whose size is asked for: their slots hold anything, and what is added for them does not count.
 */
export function scalarKernel({ type: { spec }, encoding, children }: AvroNode): ColumnKernel | undefined {
  switch (spec.kind) {
    case 'boolean':
      return booleanKernel
    case 'int':
    case 'date':
      return intKernel
    case 'long':
    case 'int53':
      return longKernel
    case 'float':
      return floatKernel
    case 'double':
      return doubleKernel
    case 'string':
      return encoding.type === 'enum' ? undefined : bytesKernel
    case 'binary':
      return bytesKernel
    case 'uuid':
      return encoding.type === 'fixed' ? fixedKernel : uuidKernel
    case 'fixed':
      return fixedKernel
    case 'decimal':
      return undefined
    default:
      if (children.length > 0) return undefined
      return 'as' in spec && spec.as === 'micros' ? longKernel : millisKernel
  }
}

const numbers = (column: Column): Exclude<PrimitiveColumn['values'], BigInt64Array> =>
  (column as PrimitiveColumn).values as Int32Array

/** The values as 32-bit words, two to a value of 64 bits, low first. */
function wordsOf(column: Column): Int32Array {
  const { buffer, byteOffset, byteLength } = (column as PrimitiveColumn).values
  return new Int32Array(buffer, byteOffset, byteLength >> 2)
}

function addConstant(sizes: Int32Array, size: number): void {
  for (let at = 0; at < sizes.length; at++) sizes[at]! += size
}

const booleanKernel: ColumnKernel = {
  addSizes: (_column, _rows, sizes) => addConstant(sizes, 1),
  write(column, rows, target, places) {
    const values = numbers(column)
    for (let at = 0; at < rows.length; at++) target[places[at]!++] = values[rows[at]!]!
  },
}

const intKernel: ColumnKernel = {
  addSizes(column, rows, sizes) {
    const values = numbers(column)
    for (let at = 0; at < rows.length; at++) {
      const value = values[rows[at]!]!
      sizes[at]! += uintSize((value << 1) ^ (value >> 31))
    }
  },
  write(column, rows, target, places) {
    const values = numbers(column)
    for (let at = 0; at < rows.length; at++) {
      const value = values[rows[at]!]!
      places[at] = putUint(target, places[at]!, (value << 1) ^ (value >> 31))
    }
  },
}

const longKernel: ColumnKernel = {
  addSizes(column, rows, sizes) {
    const words = wordsOf(column)
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!
      sizes[at]! += longSize(words[row * 2 + 1]!, words[row * 2]!)
    }
  },
  write(column, rows, target, places) {
    const words = wordsOf(column)
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!
      places[at] = putLong(target, places[at]!, words[row * 2 + 1]!, words[row * 2]!)
    }
  },
}

const HALF = 0x100000000

const millisKernel: ColumnKernel = {
  addSizes(column, rows, sizes) {
    const words = wordsOf(column)
    for (let at = 0; at < rows.length; at++) {
      const millis = millisOf(column, words, rows[at]!)
      sizes[at]! += longSize(Math.floor(millis / HALF) | 0, millis | 0)
    }
  },
  write(column, rows, target, places) {
    const words = wordsOf(column)
    for (let at = 0; at < rows.length; at++) {
      const millis = millisOf(column, words, rows[at]!)
      places[at] = putLong(target, places[at]!, Math.floor(millis / HALF) | 0, millis | 0)
    }
  },
}

// Bits go through no number: a signalling NaN would come out as another. Little-endian, as all machines that run Node.
function putWord(target: Uint8Array, position: number, word: number): void {
  target[position] = word
  target[position + 1] = word >>> 8
  target[position + 2] = word >>> 16
  target[position + 3] = word >>> 24
}

const floatKernel: ColumnKernel = {
  addSizes: (_column, _rows, sizes) => addConstant(sizes, 4),
  write(column, rows, target, places) {
    const values = numbers(column)
    const words = wordsOf(column)
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!
      const value = values[row]!
      putWord(target, places[at]!, value === value ? words[row]! : NAN_BITS_32)
      places[at]! += 4
    }
  },
}

const doubleKernel: ColumnKernel = {
  addSizes: (_column, _rows, sizes) => addConstant(sizes, 8),
  write(column, rows, target, places) {
    const values = numbers(column)
    const words = wordsOf(column)
    const view = viewOf(target)
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!
      const value = values[row]!
      const place = places[at]!
      const isNumber = value === value
      view.setInt32(place, isNumber ? words[row * 2]! : 0, true)
      view.setInt32(place + 4, isNumber ? words[row * 2 + 1]! : NAN_BITS_64, true)
      places[at] = place + 8
    }
  },
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

const bytesKernel: ColumnKernel = {
  addSizes(column, rows, sizes) {
    const { starts, ends } = column as BytesColumn
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!
      const size = ends[row]! - starts[row]!
      sizes[at]! += size + varintSize(size)
    }
  },
  write(column, rows, target, places) {
    const { data, starts, ends } = column as BytesColumn
    const from = viewOf(data)
    const to = viewOf(target)
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!
      const start = starts[row]!
      const end = ends[row]!
      const place = putUint(target, places[at]!, (end - start) << 1)
      copyRange(target, to, place, data, from, start, end)
      places[at] = place + end - start
    }
  },
}

const fixedKernel: ColumnKernel = {
  addSizes: (column, _rows, sizes) => addConstant(sizes, (column as FixedColumn).width),
  write(column, rows, target, places) {
    const { values, width } = column as FixedColumn
    const from = viewOf(values)
    const to = viewOf(target)
    for (let at = 0; at < rows.length; at++) {
      const start = rows[at]! * width
      copyRange(target, to, places[at]!, values, from, start, start + width)
      places[at]! += width
    }
  },
}

/** A UUID as text, with its length. */
const uuidKernel: ColumnKernel = {
  addSizes: (_column, _rows, sizes) => addConstant(sizes, 1 + UUID_TEXT_BYTES),
  write(column, rows, target, places) {
    const { values } = column as FixedColumn
    for (let at = 0; at < rows.length; at++) {
      const place = places[at]!
      target[place] = UUID_TEXT_BYTES * 2
      writeUuid(values, rows[at]! * 16, target, place + 1)
      places[at] = place + 1 + UUID_TEXT_BYTES
    }
  },
}
