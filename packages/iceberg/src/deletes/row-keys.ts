import { internal, isValid } from '@moulin/core'
import type { Column, ColumnBatch } from '@moulin/core'

/**
 * The keys of a batch's rows: one text for all rows that an equality delete takes for the same, and no others. Null is equal to null (in
 * a struct that is null, to another of these), every NaN to every other one, and −0 not to 0: as in Iceberg's own sets of rows, whose
 * floats are compared by Java's `Float.compare` and hashed by their bits.
 * @param batch Of the fields of `equalityFields`, whatever file they were read from.
 *
 * Spec: "Equality Delete Files"; Iceberg Java: `StructLikeSet`, `Comparators`, `JavaHashes`.
 */
export function rowKeys({ columns }: ColumnBatch): (row: number) => string {
  const parts = columns.flatMap(({ column }) => partsOf(column, 1))
  let bytes = Buffer.alloc(64)
  return (row) => {
    let at = 0
    for (const { size, write } of parts) {
      const needed = at + 1 + size(row)
      if (needed > bytes.length) bytes = Buffer.concat([bytes], needed * 2)
      at = write(row, bytes, at)
    }
    return bytes.toString('latin1', 0, at)
  }
}

/** One column of a key: whether there is a value, and if so what it is. */
interface KeyPart {
  /** Bytes of the value at most. */
  size(row: number): number
  /** @returns where the next one goes. */
  write(row: number, bytes: Buffer, at: number): number
}

/** @param depth What stands for a null of this column itself. */
function partsOf(column: Column, depth: number): readonly KeyPart[] {
  const parts =
    column.storage === 'struct'
      ? column.fields.flatMap((field) => partsOf(field.column, depth + 1))
      : [primitivePart(column)]
  if (column.validity === undefined) return parts
  return parts.map(({ size, write }) => ({
    size: (row) => (isValid(column, row) ? size(row) : 0),
    write(row, bytes, at) {
      if (isValid(column, row)) return write(row, bytes, at)
      bytes[at] = depth
      return at + 1
    },
  }))
}

function primitivePart(column: Column): KeyPart {
  switch (column.storage) {
    case 'bool':
      return fixedPart(1, (row, bytes, at) => void (bytes[at] = column.values[row]!))
    case 'int32':
      return fixedPart(4, (row, bytes, at) => void bytes.writeInt32LE(column.values[row]!, at))
    case 'int64':
      return bytesPart(8, bytesOf(column.values))
    case 'float32':
      // A number is written as the one NaN, whatever NaN it is.
      return fixedPart(4, (row, bytes, at) => void bytes.writeFloatLE(oneNaN(column.values[row]!), at))
    case 'float64':
      return fixedPart(8, (row, bytes, at) => void bytes.writeDoubleLE(oneNaN(column.values[row]!), at))
    case 'fixed':
      return bytesPart(column.width, column.values)
    case 'bytes': {
      const { data, starts, ends } = column
      return {
        size: (row) => 4 + ends[row]! - starts[row]!,
        write(row, bytes, at) {
          const [start, end] = [starts[row]!, ends[row]!]
          bytes[at] = 0
          bytes.writeInt32LE(end - start, at + 1)
          bytes.set(data.subarray(start, end), at + 5)
          return at + 5 + end - start
        },
      }
    }
    default:
      throw internal('ROW_KEY', `A key has no ${column.storage}; equalityFields lets none through.`)
  }
}

function fixedPart(width: number, put: (row: number, bytes: Buffer, at: number) => void): KeyPart {
  return {
    size: () => width,
    write(row, bytes, at) {
      bytes[at] = 0
      put(row, bytes, at + 1)
      return at + 1 + width
    },
  }
}

function bytesPart(width: number, values: Uint8Array): KeyPart {
  return fixedPart(width, (row, bytes, at) => {
    for (let k = 0; k < width; k++) bytes[at + k] = values[row * width + k]!
  })
}

function bytesOf({ buffer, byteOffset, byteLength }: BigInt64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function oneNaN(value: number): number {
  return Number.isNaN(value) ? NaN : value
}
