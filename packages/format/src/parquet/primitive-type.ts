import { type Column, type IcebergType, decimalWidth, invalid, unsupported } from '@moulin/core'

/** An Iceberg primitive, read from its text. */
export type PrimitiveType =
  | { readonly kind: Exclude<PrimitiveKind, 'decimal' | 'fixed'> }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'fixed'; readonly width: number }

type PrimitiveKind = (typeof plain)[number] | 'decimal' | 'fixed'

const plain = [
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

const decimal = /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/
const fixed = /^fixed\[\s*(\d+)\s*\]$/

/** @throws `unsupported` for a type that is not one of format version 2 or a nanosecond timestamp of version 3; `invalid` for sizes out of range. */
export function primitiveType(text: string): PrimitiveType {
  const name = plain.find((kind) => kind === text)
  if (name !== undefined) return { kind: name }
  const numbers = decimal.exec(text)
  if (numbers !== null) {
    const [precision, scale] = [Number(numbers[1]), Number(numbers[2])]
    if (precision < 1 || precision > 38 || scale > precision)
      throw invalid('ICEBERG_TYPE', `${text} is not a decimal: precision is 1 to 38, scale 0 to precision.`)
    return { kind: 'decimal', precision, scale }
  }
  const length = fixed.exec(text)
  if (length !== null) {
    const width = Number(length[1])
    if (width < 1) throw invalid('ICEBERG_TYPE', `${text} holds no bytes.`)
    return { kind: 'fixed', width }
  }
  throw unsupported('ICEBERG_TYPE', `The type ${text} is not one that this version reads or writes.`)
}

/** How core's columns hold a primitive; `width` only for `fixed`. */
export function storageOf(type: PrimitiveType): { readonly storage: Column['storage']; readonly width?: number } {
  switch (type.kind) {
    case 'boolean':
      return { storage: 'bool' }
    case 'int':
    case 'date':
      return { storage: 'int32' }
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return { storage: 'int64' }
    case 'float':
      return { storage: 'float32' }
    case 'double':
      return { storage: 'float64' }
    case 'string':
    case 'binary':
      return { storage: 'bytes' }
    case 'uuid':
      return { storage: 'fixed', width: 16 }
    case 'fixed':
      return { storage: 'fixed', width: type.width }
    case 'decimal':
      return type.precision <= 18 ? { storage: 'int64' } : { storage: 'fixed', width: decimalWidth(type.precision) }
  }
}

/** For messages. */
export function typeName(type: IcebergType): string {
  return typeof type === 'string' ? type : type.type
}
