import { decimalWidth, unsupported, type IcebergType } from '@moulin/core'

/** A primitive type taken apart. `width` is the number of bytes of fixed, uuid and decimal values as Avro stores them. */
export interface PrimitiveType {
  readonly kind: PrimitiveKind
  readonly precision: number
  readonly scale: number
  readonly width: number
}

export type PrimitiveKind =
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'decimal'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'string'
  | 'uuid'
  | 'fixed'
  | 'binary'

const plainKinds = new Set<string>([
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'string',
  'binary',
])
const decimalType = /^decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)$/
const fixedType = /^fixed\[\s*(\d{1,9})\s*\]$/
const parsed = new Map<string, PrimitiveType>()

/**
 * Undefined for struct, list and map.
 * @throws `unsupported` naming a type that format version 2 does not have.
 * Spec: "Primitive types".
 */
export function primitiveOf(type: IcebergType): PrimitiveType | undefined {
  if (typeof type !== 'string') return undefined
  const known = parsed.get(type)
  if (known !== undefined) return known
  const primitive = parsePrimitive(type)
  // Types come from files of others: the memory that they take here is bounded.
  if (parsed.size < 1000) parsed.set(type, primitive)
  return primitive
}

function parsePrimitive(type: string): PrimitiveType {
  if (plainKinds.has(type)) return { kind: type as PrimitiveKind, precision: 0, scale: 0, width: 0 }
  if (type === 'uuid') return { kind: 'uuid', precision: 0, scale: 0, width: 16 }
  const decimal = decimalType.exec(type)
  if (decimal !== null) {
    const precision = Number(decimal[1])
    const scale = Number(decimal[2])
    if (precision >= 1 && precision <= 38) return { kind: 'decimal', precision, scale, width: decimalWidth(precision) }
  }
  const fixed = fixedType.exec(type)
  if (fixed !== null) return { kind: 'fixed', precision: 0, scale: 0, width: Number(fixed[1]) }
  throw unsupported('COLUMN_TYPE', `The column type ${type} is not supported: it is no type of format version 2.`, {
    context: { type },
  })
}

/** The type as the specification writes it, for messages. */
export function typeName(type: IcebergType): string {
  return typeof type === 'string' ? type : type.type
}
