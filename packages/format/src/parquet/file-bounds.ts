import type { IcebergType } from '@moulin/core'
import { bigIntOf } from '../values/scalars.ts'
import type { MetricValue } from './file-writer.ts'
import { compareMetricValues } from './leaf-bounds.ts'
import type { FileNode } from './file-node.ts'
import type { ParquetBounds } from './parquet-file.ts'

/** As stored in a footer or an index: plain-encoded. */
export interface StoredBounds {
  readonly minValue: Uint8Array | undefined
  readonly maxValue: Uint8Array | undefined
  readonly nullCount: number | undefined
}

/**
 * What a footer or an index states. Either bound may be there without the other; but where they contradict each other, or
 * one of two is no value (of the wrong length, or NaN), neither is believed, and `contradicts` is told.
 */
export function statedBounds(
  stored: StoredBounds,
  leaf: FileNode,
  type: IcebergType | undefined,
  contradicts: (reason: string) => void = () => {},
): ParquetBounds {
  const { minValue, maxValue, nullCount } = stored
  const nulls = nullCount === undefined ? {} : { nullCount }
  const [lower, upper] = [boundValue(minValue, leaf, type), boundValue(maxValue, leaf, type)]
  // A zero may stand for the other one (parquet.thrift, ColumnOrder).
  const min = lower === 0 && isFloat(leaf) ? -0 : lower
  const max = upper === 0 && isFloat(leaf) ? 0 : upper
  if (minValue !== undefined && maxValue !== undefined) {
    if ((min === undefined) !== (max === undefined)) {
      contradicts(`Its ${min === undefined ? 'least' : 'greatest'} value is none of its type.`)
      return nulls
    }
    if (min !== undefined && max !== undefined && compareMetricValues(min, max) > 0) {
      contradicts('Its least value is above its greatest.')
      return nulls
    }
  }
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }), ...nulls }
}

const isFloat = ({ element }: FileNode): boolean => element.type === 'FLOAT' || element.type === 'DOUBLE'

function boundValue(
  bytes: Uint8Array | undefined,
  leaf: FileNode,
  type: IcebergType | undefined,
): MetricValue | undefined {
  if (bytes === undefined) return undefined
  const value = physicalValue(bytes, leaf)
  if (value === undefined || (typeof value === 'number' && Number.isNaN(value))) return undefined
  const { annotation } = leaf.element
  // An annotation may stand at any physical type in a damaged file.
  const isInteger = leaf.element.type === 'INT32' || leaf.element.type === 'INT64'
  switch (annotation.kind) {
    case 'decimal':
      if (typeof value === 'object')
        return value.length > maxDecimalBytes ? undefined : bigIntOf(value, 0, value.length)
      return isInteger ? BigInt(value) : undefined
    case 'time':
    case 'timestamp':
      if (!isInteger || typeof value === 'object' || (annotation.unit === 'NANOS' && !isNanos(type))) return undefined
      return annotation.unit === 'MILLIS' ? BigInt(value) * 1000n : BigInt(value)
    case 'other':
      return undefined
    case 'integer':
      // Those that fit a signed integer order like one.
      if (!annotation.isSigned && annotation.bits > 16) return undefined
      break
    case 'date':
      if (type === 'timestamp' && isInteger) return BigInt(value as number | bigint) * microsPerDay
      if (type === 'timestamp_ns' && isInteger) return BigInt(value as number | bigint) * microsPerDay * 1000n
      break
    default:
  }
  return type === 'long' && isInteger ? BigInt(value as number | bigint) : value
}

const microsPerDay = 86_400_000_000n

/** Twice what the largest precision takes. */
const maxDecimalBytes = 32

function physicalValue(bytes: Uint8Array, { element }: FileNode): MetricValue | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (element.type) {
    case 'BOOLEAN':
      return bytes.length === 1 ? bytes[0] !== 0 : undefined
    case 'INT32':
      return bytes.length === 4 ? view.getInt32(0, true) : undefined
    case 'INT64':
      return bytes.length === 8 ? view.getBigInt64(0, true) : undefined
    case 'FLOAT':
      return bytes.length === 4 ? view.getFloat32(0, true) : undefined
    case 'DOUBLE':
      return bytes.length === 8 ? view.getFloat64(0, true) : undefined
    case 'BYTE_ARRAY':
      return bytes
    case 'FIXED_LEN_BYTE_ARRAY':
      return bytes.length === element.typeLength ? bytes : undefined
    default:
      return undefined
  }
}

function isNanos(type: IcebergType | undefined): boolean {
  return type === 'timestamp_ns' || type === 'timestamptz_ns'
}
