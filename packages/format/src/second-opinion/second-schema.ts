import type { FileMetaData, SchemaElement } from 'hyparquet'
import type { FooterElement } from '../parquet/footer-element.ts'
import { neutralName } from '../parquet/parquet-schema.ts'

/** An element of a schema, in the words that both readers are brought to. */
export interface SecondElement {
  readonly name: string
  /** `INT32` to `FIXED_LEN_BYTE_ARRAY`; undefined for a group. */
  readonly type: string | undefined
  readonly typeLength: number | undefined
  readonly repetition: 'REQUIRED' | 'OPTIONAL' | 'REPEATED'
  readonly childCount: number
  readonly fieldId: number | undefined
  /** What the values mean: `none`, `string`, `timestamp MICROS`, `decimal 9 2` and so on. */
  readonly annotation: string
}

export function secondElements(schema: readonly SchemaElement[]): SecondElement[] {
  return schema.map((element) => ({
    name: element.name,
    type: element.type,
    typeLength: element.type_length,
    repetition: element.repetition_type ?? 'REQUIRED',
    childCount: element.num_children ?? 0,
    fieldId: element.field_id,
    annotation: annotationOf(element),
  }))
}

/** An element as our own reader has it, in the same words. */
export function ownElement({ annotation, ...element }: FooterElement): SecondElement {
  return { ...element, annotation: ownAnnotation(annotation) }
}

/** For people. */
export function elementText({ type, typeLength, repetition, childCount, fieldId, annotation }: SecondElement): string {
  const what =
    type === undefined ? `group of ${childCount}` : typeLength === undefined ? type : `${type}(${typeLength})`
  return `${repetition} ${what}, ${annotation}, ${fieldId === undefined ? 'no field id' : `field id ${fieldId}`}`
}

function ownAnnotation(annotation: FooterElement['annotation']): string {
  switch (annotation.kind) {
    case 'decimal':
      return `decimal ${annotation.precision} ${annotation.scale}`
    case 'time':
    case 'timestamp':
      return `${annotation.kind} ${annotation.unit}`
    case 'integer':
      return `${annotation.isSigned ? 'int' : 'uint'} ${annotation.bits}`
    default:
      return annotation.kind
  }
}

function annotationOf({ logical_type: logical, converted_type: converted, precision, scale }: SchemaElement): string {
  // A union of types to come has no name here, and an empty one says nothing.
  if (logical !== undefined && Object.keys(logical).length > 0) {
    switch (logical.type) {
      case 'STRING':
      case 'ENUM':
        return 'string'
      case 'MAP':
      case 'LIST':
      case 'DATE':
      case 'UUID':
        return logical.type.toLowerCase()
      case 'DECIMAL':
        return `decimal ${logical.precision ?? 0} ${logical.scale ?? 0}`
      case 'TIME':
      case 'TIMESTAMP':
        return `${logical.type.toLowerCase()} ${logical.unit}`
      case 'INTEGER':
        return `${logical.isSigned ? 'int' : 'uint'} ${logical.bitWidth}`
      default:
        return 'other'
    }
  }
  switch (converted) {
    case undefined:
      return 'none'
    case 'UTF8':
    case 'ENUM':
      return 'string'
    case 'MAP':
    case 'MAP_KEY_VALUE':
      return 'map'
    case 'LIST':
    case 'DATE':
      return converted.toLowerCase()
    case 'DECIMAL':
      return `decimal ${precision ?? 0} ${scale ?? 0}`
    case 'JSON':
    case 'BSON':
    case 'INTERVAL':
      return 'other'
    default:
      // `TIMESTAMP_MICROS`, `UINT_32`.
      return `${converted.slice(0, converted.indexOf('_')).toLowerCase()} ${converted.slice(converted.indexOf('_') + 1)}`
  }
}

/**
 * The same file under neutral names (`__proto__` may be one) and without annotations, so that hyparquet gives the values
 * as they lie there: its decimals would be floats, its times milliseconds, its maps objects.
 */
export function neutralMetadata(metadata: FileMetaData): FileMetaData {
  const schema: SchemaElement[] = []
  const paths: string[][] = []
  let next = 0
  const add = (path: string[]): void => {
    const element = metadata.schema[next++]
    if (element === undefined) return
    const { type, type_length, repetition_type, num_children = 0 } = element
    schema.push({
      name: path.at(-1) ?? 'root',
      ...(type === undefined ? { num_children } : { type }),
      ...(type_length === undefined ? {} : { type_length }),
      ...(repetition_type === undefined ? {} : { repetition_type }),
    })
    if (type !== undefined) paths.push(path)
    for (let index = 0; index < num_children; index++) add([...path, neutralName(index)])
  }
  add([])
  const row_groups = metadata.row_groups.map((group) => ({
    ...group,
    columns: group.columns.map((column, index) =>
      column.meta_data === undefined
        ? column
        : { ...column, meta_data: { ...column.meta_data, path_in_schema: paths[index] ?? [] } },
    ),
  }))
  return { ...metadata, schema, row_groups }
}
