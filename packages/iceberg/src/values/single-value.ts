import { assert, corrupt, internal, typeName, unsupported, type IcebergType } from '@moulin/core'
import { bigIntBytes, bigIntOf, bigIntWidth } from '@moulin/format'
import { datumOf, partitionValueOf, type Datum, type PartitionValue } from './datum.ts'
import { primitiveOf, type PrimitiveType } from './primitive-type.ts'

/**
 * The bytes of one value, as bounds in manifests hold it. The value must be of the type; see {@link PartitionValue}.
 * @throws `unsupported` for nested types.
 * Spec: appendix D, "Binary single-value serialization".
 */
export function encodeSingleValue(type: IcebergType, value: Exclude<PartitionValue, null>): Uint8Array {
  return encodeDatum(primitive(type), datumOf(value))
}

/**
 * The value of the bytes. An int where a long is asked for (and a float for a double) is read as one: it was written
 * before the column was promoted.
 * @throws `corrupt` when the bytes are no value of the type.
 */
export function decodeSingleValue(type: IcebergType, bytes: Uint8Array): Exclude<PartitionValue, null> {
  const parsed = primitive(type)
  return partitionValueOf(decodeDatum(parsed, bytes), parsed) as Exclude<PartitionValue, null>
}

function primitive(type: IcebergType): PrimitiveType {
  const parsed = primitiveOf(type)
  if (parsed !== undefined) return parsed
  throw unsupported('SINGLE_VALUE', `A ${typeName(type)} has no single-value form; only primitive types have.`)
}

/** {@link encodeSingleValue} in which a string is its UTF-8 bytes. */
export function encodeDatum(type: PrimitiveType, value: Datum): Uint8Array {
  switch (type.kind) {
    case 'boolean':
      return Uint8Array.of(value === true ? 1 : 0)
    case 'int':
    case 'date':
      return bytesOf(4, (view) => view.setInt32(0, value as number, true))
    case 'float':
      return bytesOf(4, (view) => view.setFloat32(0, value as number, true))
    case 'double':
      return bytesOf(8, (view) => view.setFloat64(0, value as number, true))
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      assert(typeof value === 'bigint', `a ${type.kind} is a bigint`)
      return bytesOf(8, (view) => view.setBigInt64(0, value, true))
    case 'decimal':
      assert(typeof value === 'bigint', 'a decimal is a bigint')
      return bigIntBytes(value, bigIntWidth(value))
    case 'string':
    case 'uuid':
    case 'fixed':
    case 'binary':
      assert(typeof value === 'object', `a ${type.kind} is bytes`)
      return value
    default:
      throw internal('SINGLE_VALUE', `No single-value form of ${type.kind as string}.`)
  }
}

/** {@link decodeSingleValue} in which a string is its UTF-8 bytes. */
export function decodeDatum(type: PrimitiveType, bytes: Uint8Array): Datum {
  const datum = datumIn(type, bytes)
  if (datum !== undefined) return datum
  throw corrupt('SINGLE_VALUE', `${bytes.length} bytes are no single value of type ${type.kind}.`)
}

/** {@link decodeSingleValue}, but undefined where the bytes are no value of the type: such a bound says nothing. */
export function singleValueIn(type: IcebergType, bytes: Uint8Array): Exclude<PartitionValue, null> | undefined {
  const parsed = primitive(type)
  const datum = datumIn(parsed, bytes)
  return datum === undefined ? undefined : (partitionValueOf(datum, parsed) as Exclude<PartitionValue, null>)
}

/** {@link decodeDatum}, but undefined where the bytes are no value of the type. */
export function datumIn(type: PrimitiveType, bytes: Uint8Array): Datum | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  switch (type.kind) {
    case 'boolean':
      if (bytes.length === 1) return bytes[0] !== 0
      break
    case 'int':
    case 'date':
      if (bytes.length === 4) return view.getInt32(0, true)
      break
    case 'float':
      if (bytes.length === 4) return view.getFloat32(0, true)
      break
    case 'double':
      if (bytes.length === 8) return view.getFloat64(0, true)
      if (bytes.length === 4) return view.getFloat32(0, true)
      break
    case 'long':
      if (bytes.length === 4) return BigInt(view.getInt32(0, true))
      if (bytes.length === 8) return view.getBigInt64(0, true)
      break
    case 'timestamp':
      // Written as a date, before the column was promoted.
      if (bytes.length === 4) return BigInt(view.getInt32(0, true)) * 86_400_000_000n
      if (bytes.length === 8) return view.getBigInt64(0, true)
      break
    case 'timestamp_ns':
      if (bytes.length === 4) return BigInt(view.getInt32(0, true)) * 86_400_000_000_000n
      if (bytes.length === 8) return view.getBigInt64(0, true)
      break
    case 'time':
    case 'timestamptz':
    case 'timestamptz_ns':
      if (bytes.length === 8) return view.getBigInt64(0, true)
      break
    case 'decimal':
      if (bytes.length >= 1 && bytes.length <= 16) return bigIntOf(bytes, 0, bytes.length)
      break
    case 'uuid':
      if (bytes.length === 16) return bytes
      break
    // A bound of a fixed column may be cut short, like one of a string.
    case 'fixed':
      if (bytes.length <= type.width) return bytes
      break
    case 'string':
    case 'binary':
      return bytes
    default:
  }
  return undefined
}

function bytesOf(length: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length)
  write(new DataView(bytes.buffer))
  return bytes
}
