import type { IcebergField, IcebergType } from '../doors/catalog.ts'
import type { Field, Type, TypeSpec } from './schema.ts'

/** A type of a schema that holds no other. */
export interface ScalarType extends Type {
  readonly spec: Exclude<TypeSpec, { readonly kind: 'list' | 'map' | 'struct' }>
}

/** What to make of a type by how it nests: one level, so that the fold says how it goes on. */
export interface TypeFold<R> {
  scalar(type: ScalarType): R
  list(element: Type): R
  map(key: Type, value: Type): R
  struct(fields: readonly Field[]): R
}

export function foldType<R>(type: Type, fold: TypeFold<R>): R {
  const { spec } = type
  switch (spec.kind) {
    case 'list':
      return fold.list(spec.element)
    case 'map':
      return fold.map(spec.key, spec.value)
    case 'struct':
      return fold.struct(spec.fields)
    default:
      return fold.scalar(type as ScalarType)
  }
}

/** {@link TypeFold} for the types of a table. */
export interface IcebergFold<R> {
  primitive(type: string): R
  list(element: IcebergField): R
  map(key: IcebergField, value: IcebergField): R
  struct(fields: readonly IcebergField[]): R
}

/** The element of a list, and key and value of a map, come as fields of those names. */
export function foldIceberg<R>(type: IcebergType, fold: IcebergFold<R>): R {
  if (typeof type === 'string') return fold.primitive(type)
  switch (type.type) {
    case 'list':
      return fold.list({
        id: type['element-id'],
        name: 'element',
        required: type['element-required'],
        type: type.element,
      })
    case 'map':
      return fold.map(
        { id: type['key-id'], name: 'key', required: true, type: type.key },
        { id: type['value-id'], name: 'value', required: type['value-required'], type: type.value },
      )
    case 'struct':
      return fold.struct(type.fields)
  }
}

/** The fields right inside a type, named as {@link foldIceberg} names them. */
export function nestedFields(type: IcebergType): readonly IcebergField[] {
  return foldIceberg(type, nested)
}

const nested: IcebergFold<readonly IcebergField[]> = {
  primitive: () => [],
  list: (element) => [element],
  map: (key, value) => [key, value],
  struct: (fields) => fields,
}
