import type { Column, IcebergType } from '@moulin/core'
import { isValid } from '@moulin/core'
import type { DecodedArray, Encoding } from 'hyparquet'
import { bytesDictionary } from './bytes-dictionary.ts'
import type { LeafBounds } from '../parquet/leaf-bounds.ts'
import { neutralName } from '../parquet/parquet-schema.ts'
import { type PrimitiveType, primitiveType } from '../parquet/primitive-type.ts'

/** What hyparquet-writer takes for one top-level column. Without an encoding it decides about a dictionary itself. */
export interface WriterValues {
  readonly data: DecodedArray
  readonly encoding?: Encoding
}

/**
 * A flat column as values of its physical type. Where there are no nulls the typed array itself is handed over. The
 * encoding is chosen here wherever that spares the library a search: its own dictionary trial costs a Map lookup a row.
 */
export function flatValues(type: PrimitiveType, column: Column, bounds: LeafBounds): WriterValues {
  const isConstant = bounds.lower !== undefined && bounds.lower === bounds.upper
  switch (column.storage) {
    case 'bool':
      return { data: boxed(column, (row) => column.values[row] === 1) }
    case 'int32': {
      const data = column.validity === undefined ? column.values : boxed(column, (row) => column.values[row]!)
      return isConstant ? { data, encoding: 'RLE_DICTIONARY' } : { data }
    }
    case 'int64':
      if (isInt32(type)) return { data: boxed(column, (row) => Number(column.values[row])) }
      return int64Values(column, bounds, isConstant)
    case 'float32':
    case 'float64': {
      const data = column.validity === undefined ? column.values : boxed(column, (row) => column.values[row]!)
      // The library's dictionary is a Map, which takes −0 for 0.
      const isSafe = bounds.nanCount === 0 && !hasNegativeZero(column.values)
      return isSafe ? { data } : { data, encoding: 'PLAIN' }
    }
    case 'bytes': {
      const dictionary = bytesDictionary(column)
      if (dictionary === undefined) return { data: boxed(column, (row) => bytesAt(column, row)), encoding: 'PLAIN' }
      const { entries, indexes } = dictionary
      return { data: boxed(column, (row) => entries[indexes[row]!]!), encoding: 'RLE_DICTIONARY' }
    }
    case 'fixed':
      return { data: boxed(column, (row) => bytesAt(column, row)), encoding: 'PLAIN' }
    case 'list':
    case 'struct':
      return { data: boxed(column, () => null) }
  }
}

/** A column that is all null. Its encoding is fixed, so that nothing is searched for. */
export function nullValues(length: number): WriterValues {
  return { data: new Array<null>(length).fill(null), encoding: 'PLAIN' }
}

/** Any column as nested arrays and objects, for the library's own shredding; members under their neutral names. */
export function nestedValues(type: IcebergType, column: Column | undefined, length: number): unknown[] {
  if (column === undefined) return new Array<null>(length).fill(null)
  switch (column.storage) {
    case 'list': {
      const { offsets, element } = column
      if (offsets[length] === offsets[0]) return boxed(column, () => empty)
      const elementType = typeof type === 'object' && type.type === 'list' ? type.element : 'binary'
      const elements = nestedValues(elementType, element, element.length)
      return boxed(column, (row) => {
        const [start, end] = [offsets[row]!, offsets[row + 1]!]
        return start === end ? empty : elements.slice(start, end)
      })
    }
    case 'struct': {
      const fields = typeof type === 'object' && type.type === 'struct' ? type.fields : []
      const members = fields.map((field) => {
        const child = column.fields.find(({ name }) => name === field.name)
        return nestedValues(field.type, child?.column, length)
      })
      return boxed(column, (row) => {
        const object = Object.create(null) as Record<string, unknown>
        for (let i = 0; i < members.length; i++) object[neutralName(i)] = members[i]![row]
        return object
      })
    }
    case 'bool':
      return boxed(column, (row) => column.values[row] === 1)
    case 'bytes':
    case 'fixed':
      return boxed(column, (row) => bytesAt(column, row))
    case 'int64':
      if (typeof type === 'string' && isInt32(primitiveType(type)))
        return boxed(column, (row) => Number(column.values[row]))
      return boxed(column, (row) => column.values[row]!)
    default:
      return boxed(column, (row) => column.values[row]!)
  }
}

/** A decimal that is int64 in a column and INT32 in the file. */
function isInt32(type: PrimitiveType): boolean {
  return type.kind === 'decimal' && type.precision <= 9
}

const empty: readonly never[] = []

function boxed<T>(column: Column, valueAt: (row: number) => T): (T | null)[] {
  const values = new Array<T | null>(column.length)
  for (let row = 0; row < column.length; row++) values[row] = isValid(column, row) ? valueAt(row) : null
  return values
}

function bytesAt(column: Column & { readonly storage: 'bytes' | 'fixed' }, row: number): Uint8Array {
  if (column.storage === 'bytes') return column.data.subarray(column.starts[row], column.ends[row])
  return column.values.subarray(row * column.width, (row + 1) * column.width)
}

// Offsets and the like: while they fit 32 bits they go over as numbers, for which the library's delta encoder has a path
// without BigInts; a run of consecutive ones then costs a few bits a block.
function int64Values(
  column: Column & { readonly storage: 'int64' },
  bounds: LeafBounds,
  isConstant: boolean,
): WriterValues {
  const { values, validity, length } = column
  if (isConstant) {
    const value = bounds.lower as bigint
    if (validity === undefined) return { data: new Array<bigint>(length).fill(value), encoding: 'RLE_DICTIONARY' }
    return { data: boxed(column, () => value), encoding: 'RLE_DICTIONARY' }
  }
  if (validity !== undefined) return { data: boxed(column, (row) => values[row]!) }
  const halves = new Int32Array(values.buffer, values.byteOffset, length * 2)
  if (!isRising(halves, length)) return { data: values }
  const narrow = new Int32Array(length)
  for (let row = 0; row < length; row++) narrow[row] = halves[row * 2]!
  return { data: narrow, encoding: 'DELTA_BINARY_PACKED' }
}

/** Whether all values are int32 and none is below the one before. */
function isRising(halves: Int32Array, length: number): boolean {
  let last = -0x80000000
  for (let row = 0; row < length; row++) {
    const low = halves[row * 2]!
    if (halves[row * 2 + 1] !== low >> 31 || low < last) return false
    last = low
  }
  return length > 0
}

function hasNegativeZero(values: Float32Array | Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (values[i] === 0 && Object.is(values[i], -0)) return true
  return false
}
