import { foldIceberg, type IcebergField, type IcebergSchema, invalid } from '@moulin/core'
import { type PrimitiveType, primitiveType } from './primitive-type.ts'

/** One element of a footer's schema. Spec: parquet-format, `parquet.thrift`, SchemaElement. */
export interface ParquetElement {
  readonly name: string
  readonly type?: PhysicalType
  readonly type_length?: number
  readonly repetition_type?: 'REQUIRED' | 'OPTIONAL' | 'REPEATED'
  readonly num_children?: number
  readonly converted_type?: 'UTF8' | 'LIST' | 'MAP' | 'DECIMAL' | 'DATE' | 'TIMESTAMP_MICROS'
  readonly scale?: number
  readonly precision?: number
  readonly field_id?: number
  readonly logical_type?: ParquetLogicalType
}

export type PhysicalType = 'BOOLEAN' | 'INT32' | 'INT64' | 'FLOAT' | 'DOUBLE' | 'BYTE_ARRAY' | 'FIXED_LEN_BYTE_ARRAY'

export type ParquetLogicalType =
  | { readonly type: 'STRING' | 'MAP' | 'LIST' | 'DATE' | 'UUID' }
  | { readonly type: 'DECIMAL'; readonly precision: number; readonly scale: number }
  | { readonly type: 'TIME' | 'TIMESTAMP'; readonly isAdjustedToUTC: boolean; readonly unit: 'MICROS' | 'NANOS' }

/** A leaf of the schema: one column chunk in every row group, in this order. */
export interface Leaf {
  readonly fieldId: number
  /** Names from the top-level field down, as `path_in_schema` wants them. */
  readonly path: readonly string[]
  readonly type: PrimitiveType
  /** Below a list or map. */
  readonly isRepeated: boolean
  /** Of a value that is there, and of an element that is not the first of its list (Dremel levels). */
  readonly maxDefinition: number
  readonly maxRepetition: number
  /** With its annotations, as the footer states it. */
  readonly element: ParquetElement & { readonly type: PhysicalType }
}

export interface ParquetSchema {
  /** As the footer states it: real names, field ids, logical types. */
  readonly elements: readonly ParquetElement[]
  /**
   * The same tree for hyparquet-writer while it encodes: neutral names, so that none means anything to JavaScript, and
   * no annotations but LIST, so that values are written as the physical ones that they are.
   */
  readonly physical: readonly ParquetElement[]
  readonly leaves: readonly Leaf[]
}

/** The name that {@link ParquetSchema.physical} gives to the `index`th child of a group. */
export function neutralName(index: number): string {
  return `c${index}`
}

interface Levels {
  readonly definition: number
  readonly repetition: number
}

/**
 * The Parquet schema of an Iceberg schema (Iceberg spec, appendix A, "Parquet").
 * @throws `unsupported` for an unknown type; `invalid` for a repeated name or field id.
 */
export function parquetSchema(schema: IcebergSchema): ParquetSchema {
  const root = { name: 'table', num_children: schema.fields.length }
  const elements: ParquetElement[] = [root]
  const physical: ParquetElement[] = [root]
  const leaves: Leaf[] = []
  const ids = new Set<number>()

  const addGroup = (path: readonly string[], fields: readonly IcebergField[], levels: Levels): void => {
    const names = new Set<string>()
    for (const [index, field] of fields.entries()) {
      if (names.has(field.name)) throw invalid('ICEBERG_SCHEMA', `Two fields are named ${JSON.stringify(field.name)}.`)
      names.add(field.name)
      add([...path, field.name], neutralName(index), field, levels)
    }
  }

  const push = (element: ParquetElement, name: string, marks: Partial<ParquetElement>): void => {
    elements.push({ ...element, ...marks })
    physical.push({ ...element, name, ...(marks.converted_type === 'LIST' ? { converted_type: 'LIST' as const } : {}) })
  }

  const add = (path: readonly string[], neutral: string, field: IcebergField, above: Levels): void => {
    const { id, name, required, type } = field
    if (ids.has(id)) throw invalid('ICEBERG_SCHEMA', `Two fields have the id ${id}.`)
    ids.add(id)
    const base: ParquetElement = { name, repetition_type: required ? 'REQUIRED' : 'OPTIONAL', field_id: id }
    const levels = { ...above, definition: above.definition + (required ? 0 : 1) }
    const below = { definition: levels.definition + 1, repetition: levels.repetition + 1 }
    const addRepeated = (name: 'list' | 'key_value', members: readonly IcebergField[]): void => {
      push({ name, repetition_type: 'REPEATED', num_children: members.length }, name, {})
      for (const member of members) add([...path, name, member.name], member.name, member, below)
    }
    foldIceberg<void>(type, {
      primitive(text) {
        const primitive = primitiveType(text)
        const { marks, ...physicalType } = leafElement(primitive)
        push({ ...base, ...physicalType }, neutral, marks)
        const element = { ...base, ...physicalType, ...marks }
        const { definition: maxDefinition, repetition: maxRepetition } = levels
        const isRepeated = maxRepetition > 0
        leaves.push({ fieldId: id, path, type: primitive, isRepeated, maxDefinition, maxRepetition, element })
      },
      list(element) {
        push({ ...base, num_children: 1 }, neutral, { converted_type: 'LIST', logical_type: { type: 'LIST' } })
        addRepeated('list', [element])
      },
      map(key, value) {
        push({ ...base, num_children: 1 }, neutral, { converted_type: 'MAP', logical_type: { type: 'MAP' } })
        addRepeated('key_value', [key, value])
      },
      struct(fields) {
        push({ ...base, num_children: fields.length }, neutral, {})
        addGroup(path, fields, levels)
      },
    })
  }

  addGroup([], schema.fields, { definition: 0, repetition: 0 })
  return { elements, physical, leaves }
}

interface LeafElement {
  readonly type: PhysicalType
  readonly type_length?: number
  readonly marks: Partial<ParquetElement>
}

function leafElement(type: PrimitiveType): LeafElement {
  switch (type.kind) {
    case 'boolean':
      return { type: 'BOOLEAN', marks: {} }
    case 'int':
      return { type: 'INT32', marks: {} }
    case 'date':
      return { type: 'INT32', marks: { converted_type: 'DATE', logical_type: { type: 'DATE' } } }
    case 'long':
      return { type: 'INT64', marks: {} }
    case 'time':
      // The converted type would claim UTC (parquet-format, LogicalTypes, "TIME").
      return { type: 'INT64', marks: { logical_type: { type: 'TIME', isAdjustedToUTC: false, unit: 'MICROS' } } }
    case 'timestamptz': {
      const logical_type = { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' } as const
      return { type: 'INT64', marks: { converted_type: 'TIMESTAMP_MICROS', logical_type } }
    }
    case 'timestamp':
    case 'timestamp_ns':
    case 'timestamptz_ns': {
      const unit = type.kind === 'timestamp' ? 'MICROS' : 'NANOS'
      const isAdjustedToUTC = type.kind === 'timestamptz_ns'
      return { type: 'INT64', marks: { logical_type: { type: 'TIMESTAMP', isAdjustedToUTC, unit } } }
    }
    case 'float':
      return { type: 'FLOAT', marks: {} }
    case 'double':
      return { type: 'DOUBLE', marks: {} }
    case 'string':
      return { type: 'BYTE_ARRAY', marks: { converted_type: 'UTF8', logical_type: { type: 'STRING' } } }
    case 'binary':
      return { type: 'BYTE_ARRAY', marks: {} }
    case 'uuid':
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 16, marks: { logical_type: { type: 'UUID' } } }
    case 'fixed':
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: type.width, marks: {} }
    case 'decimal': {
      const { precision, scale } = type
      const logical_type = { type: 'DECIMAL', precision, scale } as const
      const marks = { converted_type: 'DECIMAL', precision, scale, logical_type } as const
      if (precision <= 9) return { type: 'INT32', marks }
      if (precision <= 18) return { type: 'INT64', marks }
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: type.width, marks }
    }
  }
}
