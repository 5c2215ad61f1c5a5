import { type IcebergField, type IcebergSchema, decimalWidth, invalid, unsupported } from '@moulin/core'
import type { SchemaElement } from 'hyparquet'
import { type PrimitiveType, primitiveType } from './primitive-type.ts'

/** A leaf of the schema: one column chunk in every row group, in this order. */
export interface Leaf {
  readonly fieldId: number
  /** Names from the top-level field down, as `path_in_schema` wants them. */
  readonly path: readonly string[]
  readonly type: PrimitiveType
  /** Below a list. */
  readonly isRepeated: boolean
  /** With its annotations, as the footer states it. */
  readonly element: SchemaElement
}

export interface ParquetSchema {
  /** As the footer states it: real names, field ids, logical types. */
  readonly elements: readonly SchemaElement[]
  /**
   * The same tree for hyparquet-writer while it encodes: neutral names, so that none means anything to JavaScript, and
   * no annotations but LIST, so that values are written as the physical ones that they are.
   */
  readonly physical: readonly SchemaElement[]
  readonly leaves: readonly Leaf[]
}

/** The name that {@link ParquetSchema.physical} gives to the `index`th child of a group. */
export function neutralName(index: number): string {
  return `c${index}`
}

/**
 * The Parquet schema of an Iceberg schema (Iceberg spec, appendix A, "Parquet").
 * @throws `unsupported` for a map or an unknown type; `invalid` for a repeated name or field id.
 */
export function parquetSchema(schema: IcebergSchema): ParquetSchema {
  const root = { name: 'table', num_children: schema.fields.length }
  const elements: SchemaElement[] = [root]
  const physical: SchemaElement[] = [root]
  const leaves: Leaf[] = []
  const ids = new Set<number>()

  const addGroup = (path: readonly string[], fields: readonly IcebergField[], isRepeated: boolean): void => {
    const names = new Set<string>()
    for (const [index, field] of fields.entries()) {
      if (names.has(field.name)) throw invalid('ICEBERG_SCHEMA', `Two fields are named ${JSON.stringify(field.name)}.`)
      names.add(field.name)
      add([...path, field.name], neutralName(index), field, isRepeated)
    }
  }

  const push = (element: SchemaElement, name: string, marks: Partial<SchemaElement>): void => {
    elements.push({ ...element, ...marks })
    physical.push({ ...element, name, ...(marks.converted_type === 'LIST' ? { converted_type: 'LIST' as const } : {}) })
  }

  const add = (path: readonly string[], neutral: string, field: IcebergField, isRepeated: boolean): void => {
    const { id, name, required, type } = field
    if (ids.has(id)) throw invalid('ICEBERG_SCHEMA', `Two fields have the id ${id}.`)
    ids.add(id)
    const base: SchemaElement = { name, repetition_type: required ? 'REQUIRED' : 'OPTIONAL', field_id: id }
    if (typeof type === 'string') {
      const primitive = primitiveType(type)
      const { marks, ...physicalType } = leafElement(primitive)
      push({ ...base, ...physicalType }, neutral, marks)
      leaves.push({ fieldId: id, path, type: primitive, isRepeated, element: elements.at(-1)! })
      return
    }
    switch (type.type) {
      case 'struct':
        push({ ...base, num_children: type.fields.length }, neutral, {})
        addGroup(path, type.fields, isRepeated)
        return
      case 'list': {
        push({ ...base, num_children: 1 }, neutral, { converted_type: 'LIST', logical_type: { type: 'LIST' } })
        push({ name: 'list', repetition_type: 'REPEATED', num_children: 1 }, 'list', {})
        const element = { id: type['element-id'], name: 'element', required: type['element-required'] }
        add([...path, 'list', 'element'], 'element', { ...element, type: type.element }, true)
        return
      }
      case 'map':
        throw unsupported('PARQUET_MAP', `Field ${path.join('.')} is a map; this version does not write maps.`)
    }
  }

  addGroup([], schema.fields, false)
  return { elements, physical, leaves }
}

type LeafElement = Pick<SchemaElement, 'type' | 'type_length'> & { readonly marks: Partial<SchemaElement> }

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
    case 'timestamp':
      return { type: 'INT64', marks: { logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' } } }
    case 'timestamptz': {
      const logical_type = { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MICROS' } as const
      return { type: 'INT64', marks: { converted_type: 'TIMESTAMP_MICROS', logical_type } }
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
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: decimalWidth(precision), marks }
    }
  }
}
