import { type Column, invalid, MAX_PRECISION, parsePrimitive, type PrimitiveType, unsupported } from '@moulin/core'

export type { PrimitiveType }

/** The type of columns that are null in every row, whatever a file has. Spec: "Primitive Types". */
export const UNKNOWN = 'unknown'

/** @throws `unsupported` for a type that is not one of format version 2 or a nanosecond timestamp of version 3; `invalid` for sizes out of range. */
export function primitiveType(text: string): PrimitiveType {
  const type = parsePrimitive(text)
  if (type === undefined)
    throw unsupported('ICEBERG_TYPE', `The type ${text} is not one that this version reads or writes.`)
  const { kind, precision, scale, width } = type
  if (kind === 'decimal' && (precision < 1 || precision > MAX_PRECISION || scale > precision)) {
    const message = `${text} is not a decimal: precision is 1 to ${MAX_PRECISION}, scale 0 to precision.`
    throw invalid('ICEBERG_TYPE', message)
  }
  if (kind === 'fixed' && width < 1) throw invalid('ICEBERG_TYPE', `${text} holds no bytes.`)
  return type
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
    case 'fixed':
      return { storage: 'fixed', width: type.width }
    case 'decimal':
      return type.precision <= 18 ? { storage: 'int64' } : { storage: 'fixed', width: type.width }
  }
}
