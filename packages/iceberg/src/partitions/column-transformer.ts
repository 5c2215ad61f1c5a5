import { assert, invalid, isValid, type Column, type IcebergType } from '@moulin/core'
import { bigIntOf } from '@moulin/format'
import { copyOf, type PartitionValue } from '../values/datum.ts'
import { murmur3, murmur3Long } from '../values/murmur3.ts'
import { primitiveOf, type PrimitiveType } from '../values/primitive-type.ts'
import { bucketOf, clampInt, transformResultType, valueTransform, type Transform } from './transform.ts'

/** The partition value of one row of a column. Call it for rows in order: it remembers the last value. */
export type ColumnTransformer = (column: Column, row: number) => PartitionValue

type Present = Exclude<PartitionValue, null>

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A transform over columns of type `source`, whose storage must be the type's. A row whose value equals the one before
 * costs no allocation, and hash and time transforms make no bigint.
 * @throws `invalid` when the transform does not take such a column; when called, for a string that is not UTF-8.
 */
export function columnTransformer(transform: Transform, source: IcebergType): ColumnTransformer {
  transformResultType(transform, source)
  const type = primitiveOf(source)!
  if (transform.kind === 'void') return () => null
  const present = transformerOf(transform, source, type)
  return (column, row) => (isValid(column, row) ? present(column, row) : null)
}

function transformerOf(transform: Transform, source: IcebergType, type: PrimitiveType): ColumnTransformer {
  const { kind, width } = transform
  switch (type.kind) {
    case 'boolean':
      return (column, row) => {
        assert(column.storage === 'bool', `a boolean column is not stored as ${column.storage}`)
        return column.values[row] === 1
      }
    case 'int':
    case 'date':
    case 'float':
    case 'double':
      return memoised(valueTransform(transform, source))
    case 'long':
    case 'time':
      return kind === 'bucket' ? longBuckets(width) : longs(valueTransform(transform, source))
    case 'timestamp':
    case 'timestamptz':
      if (kind === 'bucket') return longBuckets(width)
      return kind === 'identity' ? longs((value) => value) : times(transform)
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return longs(valueTransform(transform, source))
    case 'decimal': {
      const apply = valueTransform(transform, source)
      const small = longs(apply)
      const large = byteRows((bytes) => apply(bigIntOf(bytes, 0, bytes.length)))
      return (column, row) => (column.storage === 'int64' ? small(column, row) : large(column, row))
    }
    case 'string':
      if (kind === 'bucket') return byteBuckets(width)
      return byteRows(stringTransform(valueTransform(transform, source)))
    case 'uuid':
    case 'fixed':
    case 'binary':
      if (kind === 'bucket') return byteBuckets(width)
      return byteRows(valueTransform(transform, source))
  }
}

function memoised(apply: (value: Present) => PartitionValue): ColumnTransformer {
  let last: number | undefined
  let result: PartitionValue = null
  return (column, row) => {
    const { storage } = column
    const isNumeric = storage === 'int32' || storage === 'float32' || storage === 'float64'
    assert(isNumeric, `a column of numbers is not stored as ${storage}`)
    const value = column.values[row]!
    if (!Object.is(value, last)) {
      result = apply(value)
      last = value
    }
    return result
  }
}

/** The column's int64 values as pairs of 32-bit halves, low first; made once per column. */
function halvesReader(): (column: Column) => Int32Array {
  let last: Column | undefined
  let halves: Int32Array = new Int32Array(0)
  return (column) => {
    if (column !== last) {
      assert(column.storage === 'int64', `a 64-bit column is not stored as ${column.storage}`)
      halves = new Int32Array(column.values.buffer, column.values.byteOffset, column.values.length * 2)
      last = column
    }
    return halves
  }
}

function longs(apply: (value: Present) => PartitionValue): ColumnTransformer {
  const halvesOf = halvesReader()
  let low = 0
  let high = 0
  let result: PartitionValue = null
  return (column, row) => {
    const halves = halvesOf(column)
    if (result === null || halves[row * 2] !== low || halves[row * 2 + 1] !== high) {
      low = halves[row * 2]!
      high = halves[row * 2 + 1]!
      result = apply((BigInt(high) << 32n) | BigInt(low >>> 0))
    }
    return result
  }
}

function longBuckets(buckets: number): ColumnTransformer {
  const halvesOf = halvesReader()
  return (column, row) => {
    const halves = halvesOf(column)
    return bucketOf(murmur3Long(halves[row * 2 + 1]!, halves[row * 2]!), buckets)
  }
}

const MICROS_PER_HOUR = 3_600_000_000
const HOURS_PER_DAY = 24

/** Hours come out of the halves; days, months and years follow from the hour and change rarely. */
function times(transform: Transform): ColumnTransformer {
  const halvesOf = halvesReader()
  const ofDay = transform.kind === 'hour' ? undefined : valueTransform(transform, 'date')
  let lastDay: number | undefined
  let result: PartitionValue = null
  return (column, row) => {
    const halves = halvesOf(column)
    const hour = hourOf(halves[row * 2 + 1]!, halves[row * 2]! >>> 0)
    if (ofDay === undefined) return clampInt(hour)
    const day = Math.floor(hour / HOURS_PER_DAY)
    if (day !== lastDay) {
      result = ofDay(day)
      lastDay = day
    }
    return result
  }
}

// Long division in two digits of 2^16, each step below 2^53: exact for all 64-bit values, with no bigint.
function hourOf(high: number, low: number): number {
  const first = high * 65536 + Math.floor(low / 65536)
  const quotient = Math.floor(first / MICROS_PER_HOUR)
  const rest = (first - quotient * MICROS_PER_HOUR) * 65536 + (low % 65536)
  return quotient * 65536 + Math.floor(rest / MICROS_PER_HOUR)
}

/** `apply` gets a copy of a row's bytes, once for each run of equal ones. */
function byteRows(apply: (bytes: Uint8Array) => PartitionValue): ColumnTransformer {
  let last: Uint8Array | undefined
  let result: PartitionValue = null
  const remembered = (data: Uint8Array, start: number, end: number): PartitionValue => {
    if (last === undefined || !equalAt(data, start, end, last)) {
      last = copyOf(data, start, end)
      result = apply(last)
    }
    return result
  }
  return (column, row) => {
    if (column.storage === 'bytes') return remembered(column.data, column.starts[row]!, column.ends[row]!)
    assert(column.storage === 'fixed', `a column of bytes is not stored as ${column.storage}`)
    return remembered(column.values, row * column.width, (row + 1) * column.width)
  }
}

function equalAt(data: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.length) return false
  for (let i = 0; i < other.length; i++) if (data[start + i] !== other[i]) return false
  return true
}

function byteBuckets(buckets: number): ColumnTransformer {
  return (column, row) => {
    if (column.storage === 'bytes') return bucketOf(murmur3(column.data, column.starts[row], column.ends[row]), buckets)
    assert(column.storage === 'fixed', `a column of bytes is not stored as ${column.storage}`)
    return bucketOf(murmur3(column.values, row * column.width, (row + 1) * column.width), buckets)
  }
}

function stringTransform(apply: (value: Present) => PartitionValue): (bytes: Uint8Array) => PartitionValue {
  return (bytes) => {
    try {
      return apply(decoder.decode(bytes))
    } catch (cause) {
      throw invalid('PARTITION_VALUE', 'A string of a partition column is not UTF-8.', { cause })
    }
  }
}
