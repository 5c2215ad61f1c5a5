import { type Column, corrupt, type IcebergType } from '@moulin/core'
import type { DecodedArray } from 'hyparquet'
import { unscaledDecimal } from '../leaf-bounds.ts'
import { primitiveType, storageOf } from '../primitive-type.ts'
import type { FieldConversion, LeafConversion } from './read-field.ts'

/** A run of decoded values: those of the rows `[rowStart, rowStart + values.length)`. */
export interface ValueChunk {
  readonly rowStart: number
  readonly values: DecodedArray
}

/**
 * Values as hyparquet decodes them, as a column of the rows `[start, end)`.
 * @throws `corrupt` when they do not cover the rows, or are not what the schema says.
 */
export function columnOf(
  conversion: FieldConversion,
  chunks: readonly ValueChunk[],
  start: number,
  end: number,
): Column {
  const parts: ValueChunk[] = []
  let next = start
  for (const { rowStart, values } of chunks) {
    const from = next - rowStart
    const to = Math.min(end - rowStart, values.length)
    if (from < 0) break
    if (from >= to) continue
    parts.push({ rowStart: next - start, values: from === 0 && to === values.length ? values : values.slice(from, to) })
    next = rowStart + to
  }
  if (next !== end) throw badValue(`ends at row ${next} of ${end}`)
  return conversion.kind === 'leaf'
    ? leafColumn(conversion.leaf, parts, end - start)
    : nestedColumn(
        conversion,
        parts.flatMap(({ values }) => Array.from(values as unknown[])),
      )
}

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
  if (type.type === 'struct') {
    const fields = type.fields.map(({ name, type: member }) => ({ name, column: nullColumn(member, length) }))
    return { storage: 'struct', ...base, fields }
  }
  const element = type.type === 'list' ? type.element : 'binary'
  return { storage: 'list', ...base, offsets: new Int32Array(length + 1), element: nullColumn(element, 0) }
}

/** A column of lists without elements, none of them null. */
export function emptyLists(type: IcebergType, length: number): Column {
  return { ...nullColumn(type, length), validity: undefined }
}

const arrays = {
  bool: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float32: Float32Array,
  float64: Float64Array,
} as const

class Validity {
  readonly #bits: Uint8Array
  #nulls = 0
  constructor(length: number) {
    this.#bits = new Uint8Array((length + 7) >> 3).fill(0xff)
    if (length % 8 !== 0) this.#bits[this.#bits.length - 1] = (1 << (length % 8)) - 1
  }
  setNull(row: number): void {
    this.#bits[row >> 3]! &= ~(1 << (row & 7))
    this.#nulls++
  }
  /** Undefined when there are no nulls, as columns want it. */
  finish(): Uint8Array | undefined {
    return this.#nulls === 0 ? undefined : this.#bits
  }
}

function leafColumn(leaf: LeafConversion, parts: readonly ValueChunk[], length: number): Column {
  if (leaf.storage === 'bytes') return bytesColumn(parts, length)
  const validity = new Validity(length)
  const { storage, width } = leaf
  if (storage === 'fixed') {
    const values = new Uint8Array(length * width)
    forEach(parts, validity, (value, row) => values.set(fixedBytes(leaf, value), row * width))
    return { storage, length, validity: validity.finish(), width, values }
  }
  const values = new arrays[storage](length)
  const only = parts.length === 1 ? parts[0]!.values : undefined
  if (only !== undefined && only.constructor === values.constructor && storage !== 'bool' && leaf.factor === 1) {
    values.set(only as never)
  } else if (storage === 'int64') {
    const target = values as BigInt64Array
    forEach(parts, validity, (value, row) => void (target[row] = int64(leaf, value)))
  } else {
    const wanted = storage === 'bool' ? 'boolean' : 'number'
    const target = values as Int32Array
    forEach(parts, validity, (value, row) => {
      if (typeof value !== wanted) throw badValue(`has a ${typeof value} in place of a ${wanted}`)
      target[row] = Number(value)
    })
  }
  return { storage, length, validity: validity.finish(), values } as Column
}

function forEach(parts: readonly ValueChunk[], validity: Validity, set: (value: unknown, row: number) => void): void {
  for (const { rowStart, values } of parts) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as unknown
      if (value === null) validity.setNull(rowStart + i)
      // A hole: a level promised a value that its page does not hold.
      else if (value === undefined) throw badValue('has fewer values than its levels say')
      else set(value, rowStart + i)
    }
  }
}

function int64(leaf: LeafConversion, value: unknown): bigint {
  let number: bigint
  if (typeof value === 'bigint') number = value
  else if (typeof value === 'number') number = BigInt(value)
  else if (value instanceof Uint8Array && leaf.isDecimal) number = unscaledDecimal(value)
  else throw badValue(`has a ${typeof value} in place of an integer`)
  number *= BigInt(leaf.factor)
  if (BigInt.asIntN(64, number) !== number) throw badValue('has an integer beyond 64 bits')
  return number
}

function fixedBytes({ isDecimal, width }: LeafConversion, value: unknown): Uint8Array {
  if (!isDecimal) {
    if (value instanceof Uint8Array && value.length === width) return value
    throw badValue(`has a value that is not ${width} bytes`)
  }
  if (value instanceof Uint8Array && value.length === width) return value
  let rest = value instanceof Uint8Array ? unscaledDecimal(value) : BigInt(value as number | bigint)
  if (BigInt.asIntN(width * 8, rest) !== rest) throw badValue('has a decimal beyond its precision')
  const bytes = new Uint8Array(width)
  for (let i = width - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}

/** Copies the bytes together, so that the pages can go; a value that repeats in a run is copied once. */
function bytesColumn(parts: readonly ValueChunk[], length: number): Column {
  const starts = new Int32Array(length)
  const ends = new Int32Array(length)
  const validity = new Validity(length)
  let size = 0
  let last: unknown
  forEach(parts, validity, (value, row) => {
    if (!(value instanceof Uint8Array)) throw badValue(`has a ${typeof value} in place of bytes`)
    if (value !== last) size += value.length
    last = value
    starts[row] = size - value.length
    ends[row] = size
  })
  if (size > 0x7fffffff) throw badValue('has more than 2 GiB of bytes in one row group')
  const data = new Uint8Array(size)
  last = undefined
  for (const { rowStart, values } of parts) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as Uint8Array | null
      if (value === null || value === last) continue
      data.set(value, starts[rowStart + i])
      last = value
    }
  }
  return { storage: 'bytes', length, validity: validity.finish(), data, starts, ends }
}

/** Lists come as arrays, structs as objects under neutral names; both are null or undefined when null. */
function nestedColumn(conversion: FieldConversion, values: readonly unknown[]): Column {
  const length = values.length
  if (conversion.kind === 'leaf')
    return leafColumn(conversion.leaf, [{ rowStart: 0, values: values as unknown[] }], length)
  const validity = new Validity(length)
  for (let row = 0; row < length; row++) if (values[row] === null || values[row] === undefined) validity.setNull(row)
  if (conversion.kind === 'struct') {
    const fields = conversion.fields.map(({ name, type, index, conversion: member }) => {
      if (member === undefined) return { name, column: nullColumn(type, length) }
      const key = `c${index}`
      const column = nestedColumn(
        member,
        values.map((value) => (value as Record<string, unknown> | null | undefined)?.[key] ?? null),
      )
      return { name, column }
    })
    return { storage: 'struct', length, validity: validity.finish(), fields }
  }
  const offsets = new Int32Array(length + 1)
  const elements: unknown[] = []
  for (let row = 0; row < length; row++) {
    const list = values[row]
    if (Array.isArray(list)) for (const element of list as unknown[]) elements.push(element ?? null)
    else if (list !== null && list !== undefined) throw badValue('has a value in place of a list')
    offsets[row + 1] = elements.length
  }
  const element =
    conversion.element === undefined
      ? nullColumn(conversion.type, elements.length)
      : nestedColumn(conversion.element, elements)
  return { storage: 'list', length, validity: validity.finish(), offsets, element }
}

function badValue(how: string): Error {
  return corrupt('PARQUET_VALUES', `The column ${how}.`)
}
