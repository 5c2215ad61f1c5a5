import { foldType } from '@moulin/core'
import type { Field as SchemaField, ScalarType, Type } from '@moulin/core'
import type { DataType, Field, Schema } from 'apache-arrow'
import type { Arrow } from './arrow-package.ts'

/** The canonical extension type: engines that know it show a UUID, others its 16 bytes. */
const uuidExtension = new Map([
  ['ARROW:extension:name', 'arrow.uuid'],
  ['ARROW:extension:metadata', ''],
])

/**
 * Columns as an Arrow schema. Everything but the key of a map is nullable: a row without a readable value has null in
 * each of its value columns, and other engines may write rows, too.
 *
 * Spec: Arrow columnar format, "Logical Types"; canonical extensions, "UUID".
 */
export function arrowSchema(arrow: Arrow, columns: readonly SchemaField[]): Schema {
  return new arrow.Schema(columns.map(({ name, type }) => arrowField(arrow, name, type)))
}

function arrowField(arrow: Arrow, name: string, type: Type, nullable = true): Field {
  const metadata = type.spec.kind === 'uuid' ? uuidExtension : undefined
  return new arrow.Field(name, arrowType(arrow, type), nullable, metadata)
}

function arrowType(arrow: Arrow, type: Type): DataType {
  return foldType<DataType>(type, {
    scalar: (scalar) => scalarType(arrow, scalar),
    list: (element) => new arrow.List(arrowField(arrow, 'item', element)),
    map(key, value) {
      const entry = new arrow.Struct([arrowField(arrow, 'key', key, false), arrowField(arrow, 'value', value)])
      return new arrow.Map_(new arrow.Field('entries', entry as never, false))
    },
    struct: (fields) => new arrow.Struct(fields.map(({ name, type }) => arrowField(arrow, name, type))),
  })
}

function scalarType(arrow: Arrow, { spec }: ScalarType): DataType {
  switch (spec.kind) {
    case 'unknown':
      return new arrow.Null()
    case 'boolean':
      return new arrow.Bool()
    case 'int':
      return new arrow.Int32()
    case 'int53':
    case 'long':
      return new arrow.Int64()
    case 'float':
      return new arrow.Float32()
    case 'double':
      return new arrow.Float64()
    case 'decimal':
      return new arrow.Decimal(spec.scale, spec.precision, 128)
    case 'string':
      return new arrow.Utf8()
    case 'binary':
      return new arrow.Binary()
    case 'uuid':
      return new arrow.FixedSizeBinary(16)
    case 'fixed':
      return new arrow.FixedSizeBinary(spec.length)
    case 'date':
      return new arrow.DateDay()
    case 'time':
      return new arrow.TimeMicrosecond()
    case 'timestamp':
      return timestampType(arrow, spec.as, null)
    case 'timestamptz':
      return timestampType(arrow, spec.as, 'UTC')
  }
}

function timestampType(arrow: Arrow, as: 'native' | 'micros' | 'nanos', zone: string | null): DataType {
  return as === 'nanos' ? new arrow.TimestampNanosecond(zone) : new arrow.TimestampMicrosecond(zone)
}
