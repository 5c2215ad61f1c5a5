import { type IcebergType, MAX_PRECISION, parsePrimitive, unsupported } from '@moulin/core'
import type { PrimitiveKind as AnyKind, PrimitiveType as AnyPrimitive } from '@moulin/core'

/** Those of format version 2, the one that is read and written. */
export type PrimitiveKind = Exclude<AnyKind, 'timestamp_ns' | 'timestamptz_ns'>
export type PrimitiveType = AnyPrimitive<PrimitiveKind>

/**
 * Undefined for struct, list and map.
 * @throws `unsupported` naming a type that format version 2 does not have.
 */
export function primitiveOf(type: IcebergType): PrimitiveType | undefined {
  if (typeof type !== 'string') return undefined
  const primitive = parsePrimitive(type)
  if (primitive !== undefined && isOurs(primitive)) return primitive
  throw unsupported('COLUMN_TYPE', `The column type ${type} is not supported: it is no type of format version 2.`, {
    context: { type },
  })
}

function isOurs(type: AnyPrimitive): type is PrimitiveType {
  const { kind, precision } = type
  if (kind === 'decimal') return precision >= 1 && precision <= MAX_PRECISION
  return kind !== 'timestamp_ns' && kind !== 'timestamptz_ns'
}
