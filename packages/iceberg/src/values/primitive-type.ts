import { type IcebergType, MAX_PRECISION, parsePrimitive, unsupported } from '@moulin/core'
import type { PrimitiveKind, PrimitiveType } from '@moulin/core'

export type { PrimitiveKind, PrimitiveType }

/**
 * Undefined for struct, list and map.
 * @throws `unsupported` naming a type that we have no values of, such as `variant`.
 */
export function primitiveOf(type: IcebergType): PrimitiveType | undefined {
  if (typeof type !== 'string') return undefined
  const primitive = parsePrimitive(type)
  if (primitive !== undefined && isInRange(primitive)) return primitive
  throw unsupported('COLUMN_TYPE', `The column type ${type} is not supported.`, { context: { type } })
}

function isInRange({ kind, precision }: PrimitiveType): boolean {
  return kind !== 'decimal' || (precision >= 1 && precision <= MAX_PRECISION)
}
