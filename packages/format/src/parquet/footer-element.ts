import { formatCaps } from '@moulin/core'
import { thrift, type ThriftReader } from './thrift-reader.ts'

/** Names from the top level down: a level of a list or map is two groups and its member. */
export const maxPathParts: number = 1 + 2 * formatCaps.maxValueDepth

export interface FooterElement {
  readonly name: string
  readonly type: string | undefined
  readonly typeLength: number | undefined
  readonly repetition: 'REQUIRED' | 'OPTIONAL' | 'REPEATED'
  readonly childCount: number
  readonly fieldId: number | undefined
  readonly annotation: Annotation
}

/** A column of nulls, whatever its physical type. Spec: parquet.thrift, NullType. */
export function isUnknown({ type, annotation }: FooterElement): boolean {
  return type !== undefined && annotation.kind === 'unknown'
}

/** The logical type, or what the older converted type means. */
export type Annotation =
  | { readonly kind: 'none' | 'string' | 'list' | 'map' | 'date' | 'uuid' | 'unknown' }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'time' | 'timestamp'; readonly unit: TimeUnit }
  | { readonly kind: 'integer'; readonly isSigned: boolean; readonly bits: number }
  /** Known to Parquet, but nothing that an Iceberg type of ours is stored as. */
  | { readonly kind: 'other'; readonly name: string }

export type TimeUnit = 'MILLIS' | 'MICROS' | 'NANOS'

export const physicalTypes = [
  'BOOLEAN',
  'INT32',
  'INT64',
  'INT96',
  'FLOAT',
  'DOUBLE',
  'BYTE_ARRAY',
  'FIXED_LEN_BYTE_ARRAY',
] as const
const repetitions = ['REQUIRED', 'OPTIONAL', 'REPEATED'] as const
const units = [undefined, 'MILLIS', 'MICROS', 'NANOS'] as const

/** Reads one element of a footer's schema. Spec: parquet.thrift, SchemaElement. */
export function readElement(reader: ThriftReader): FooterElement {
  let name = ''
  let type: number | undefined
  let typeLength: number | undefined
  let repetition: FooterElement['repetition'] = 'REQUIRED'
  let childCount = 0
  let fieldId: number | undefined
  let converted: number | undefined
  let logical: Annotation | undefined
  let scale = 0
  let precision = 0
  reader.struct((id, fieldType) => {
    if (fieldType === thrift.i32) {
      const value = reader.i32()
      if (id === 1) type = value
      else if (id === 2) typeLength = value
      else if (id === 3) repetition = repetitions[value] ?? 'REQUIRED'
      else if (id === 5) childCount = value
      else if (id === 6) converted = value
      else if (id === 7) scale = value
      else if (id === 8) precision = value
      // Some writers state −1 for none.
      else if (id === 9) fieldId = value < 0 ? undefined : value
    } else if (id === 4 && fieldType === thrift.binary) name = reader.text()
    else if (id === 10 && fieldType === thrift.struct) logical = readLogicalType(reader)
    else return false
    return true
  })
  const annotation = logical ?? convertedAnnotation(converted, precision, scale)
  const physical = type === undefined ? undefined : (physicalTypes[type] ?? `physical type ${type}`)
  return { name, type: physical, typeLength, repetition, childCount, fieldId, annotation }
}

function readLogicalType(reader: ThriftReader): Annotation | undefined {
  let annotation: Annotation | undefined
  reader.struct((id, type) => {
    if (type !== thrift.struct) return false
    const simple = simpleLogicalTypes[id]
    if (id === 5) annotation = { kind: 'decimal', ...readDecimal(reader) }
    else if (id === 7 || id === 8) annotation = { kind: id === 7 ? 'time' : 'timestamp', unit: readUnit(reader) }
    else if (id === 10) annotation = { kind: 'integer', ...readInteger(reader) }
    else {
      annotation = simple ?? { kind: 'other', name: `logical type ${id}` }
      return false
    }
    return true
  })
  return annotation
}

const simpleLogicalTypes: Readonly<Record<number, Annotation>> = {
  1: { kind: 'string' },
  2: { kind: 'map' },
  3: { kind: 'list' },
  4: { kind: 'string' },
  6: { kind: 'date' },
  11: { kind: 'unknown' },
  12: { kind: 'other', name: 'JSON' },
  13: { kind: 'other', name: 'BSON' },
  14: { kind: 'uuid' },
  15: { kind: 'other', name: 'FLOAT16' },
  16: { kind: 'other', name: 'VARIANT' },
  17: { kind: 'other', name: 'GEOMETRY' },
  18: { kind: 'other', name: 'GEOGRAPHY' },
}

function readDecimal(reader: ThriftReader): { precision: number; scale: number } {
  let precision = 0
  let scale = 0
  reader.struct((id, type) => {
    if (type !== thrift.i32) return false
    const value = reader.i32()
    if (id === 1) scale = value
    else if (id === 2) precision = value
    return true
  })
  return { precision, scale }
}

function readUnit(reader: ThriftReader): TimeUnit {
  let unit: TimeUnit = 'MILLIS'
  reader.struct((id, type) => {
    if (id !== 2 || type !== thrift.struct) return false
    reader.struct((unitId) => {
      unit = units[unitId] ?? unit
      return false
    })
    return true
  })
  return unit
}

function readInteger(reader: ThriftReader): { isSigned: boolean; bits: number } {
  let isSigned = true
  let bits = 64
  reader.struct((id, type) => {
    if (id === 2) isSigned = type === thrift.true
    if (id !== 1 || type !== thrift.i8) return false
    bits = reader.i8()
    return true
  })
  return { isSigned, bits }
}

/** parquet-format, LogicalTypes, "Compatibility". */
function convertedAnnotation(converted: number | undefined, precision: number, scale: number): Annotation {
  switch (converted) {
    case undefined:
      return { kind: 'none' }
    case 0:
    case 4:
      return { kind: 'string' }
    case 1:
    case 2:
      return { kind: 'map' }
    case 3:
      return { kind: 'list' }
    case 5:
      return { kind: 'decimal', precision, scale }
    case 6:
      return { kind: 'date' }
    case 7:
    case 8:
      return { kind: 'time', unit: converted === 7 ? 'MILLIS' : 'MICROS' }
    case 9:
    case 10:
      return { kind: 'timestamp', unit: converted === 9 ? 'MILLIS' : 'MICROS' }
    default:
      if (converted >= 11 && converted <= 18)
        return { kind: 'integer', isSigned: converted >= 15, bits: 8 << ((converted - 11) % 4) }
      return { kind: 'other', name: `converted type ${converted}` }
  }
}
