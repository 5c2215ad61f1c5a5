import { type IcebergType, MAX_PRECISION, parsePrimitive, unsupported } from '@moulin/core'
import type { PrimitiveKind, PrimitiveType } from '@moulin/core'

export type { PrimitiveKind, PrimitiveType }

/** The type of columns that are null in every row. Spec: "Primitive Types". */
export const UNKNOWN = 'unknown'

/**
 * Undefined for struct, list and map, and for `unknown`, which has no values.
 * @throws `unsupported` naming a type that we have no values of, such as `variant`.
 */
export function primitiveOf(type: IcebergType): PrimitiveType | undefined {
  if (typeof type !== 'string' || type === UNKNOWN) return undefined
  const primitive = parsePrimitive(type)
  if (primitive !== undefined && isInRange(primitive)) return primitive
  throw unsupported('COLUMN_TYPE', `The column type ${type} is not supported.`, { context: { type } })
}

function isInRange({ kind, precision }: PrimitiveType): boolean {
  return kind !== 'decimal' || (precision >= 1 && precision <= MAX_PRECISION)
}
