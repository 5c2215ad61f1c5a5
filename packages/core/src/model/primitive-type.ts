import { decimalWidth } from '../columns/columns.ts'
import type { IcebergType } from '../doors/catalog.ts'

/** The primitives that are their own names. */
export const plainPrimitives = [
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
  'string',
  'binary',
  'uuid',
] as const

/** The primitives of Iceberg's format version 2, and the nanosecond timestamps of version 3. */
export type PrimitiveKind = (typeof plainPrimitives)[number] | 'decimal' | 'fixed'

/**
 * An Iceberg primitive taken apart. `precision` and `scale` are those of a decimal, else 0. `width` is the number of bytes
 * of fixed, uuid and decimal values as Avro stores them, else 0.
 */
export interface PrimitiveType<Kind extends PrimitiveKind = PrimitiveKind> {
  readonly kind: Kind
  readonly precision: number
  readonly scale: number
  readonly width: number
}

/** The most digits that a decimal may have. */
export const MAX_PRECISION = 38

const decimal = /^decimal\(\s*(\d{1,9})\s*,\s*(\d{1,9})\s*\)$/
const fixed = /^fixed\[\s*(\d{1,9})\s*\]$/
const parsed = new Map<string, PrimitiveType>()

/**
 * The primitive of this text, undefined where it is none. The numbers are those of the text, a decimal's width 0 above
 * {@link MAX_PRECISION}: who takes types of strangers checks them. Iceberg spec, "Primitive Types".
 */
export function parsePrimitive(text: string): PrimitiveType | undefined {
  const known = parsed.get(text)
  if (known !== undefined) return known
  const type = parse(text)
  // Types come from files of others: the memory that they take here is bounded.
  if (type !== undefined && parsed.size < 1000) parsed.set(text, type)
  return type
}

function parse(text: string): PrimitiveType | undefined {
  const kind = plainPrimitives.find((name) => name === text)
  if (kind !== undefined) return { kind, precision: 0, scale: 0, width: kind === 'uuid' ? 16 : 0 }
  const numbers = decimal.exec(text)
  if (numbers !== null) {
    const [precision, scale] = [Number(numbers[1]), Number(numbers[2])]
    return { kind: 'decimal', precision, scale, width: precision > MAX_PRECISION ? 0 : decimalWidth(precision) }
  }
  const length = fixed.exec(text)
  return length === null ? undefined : { kind: 'fixed', precision: 0, scale: 0, width: Number(length[1]) }
}

/** The type as the specification writes it, for messages. */
export function typeName(type: IcebergType): string {
  return typeof type === 'string' ? type : type.type
}
