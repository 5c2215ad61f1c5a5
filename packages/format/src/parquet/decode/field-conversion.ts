import type { Column, IcebergField, IcebergType } from '@moulin/core'

/** What values need on their way from the physical type to the column's. */
export type Cast =
  | 'none'
  | 'float-to-double'
  | 'signed-to-int64'
  | 'unsigned-to-int64'
  | 'uint64-to-int64'
  | 'int32-times-1000'
  | 'int64-times-1000'
  | 'int96-to-micros'
  | 'int96-to-nanos'
  | 'decimal'
  | 'date-to-micros'
  | 'date-to-nanos'

/** How a field of a file becomes a column. Plain data: it travels to a worker. */
export type FieldConversion = LeafConversion | ListConversion | StructConversion

export interface LeafConversion {
  readonly kind: 'leaf'
  /** Position among the leaves of the file's schema. */
  readonly leaf: number
  readonly cast: Cast
  readonly storage: Column['storage']
  /** Of `fixed`. */
  readonly width: number
}

/** A map is a list of structs of `key` and `value`. */
export interface ListConversion {
  readonly kind: 'list'
  /** A leaf whose levels say how the lists lie. */
  readonly shape: number
  /** Definition level from which on a list is not null, and that from which on it has an entry. */
  readonly level: number
  readonly entryLevel: number
  readonly type: IcebergType
  /** Undefined where the file lacks it: all null. */
  readonly element: FieldConversion | undefined
}

export interface StructConversion {
  readonly kind: 'struct'
  readonly shape: number
  readonly level: number
  readonly fields: readonly StructMember[]
}

export interface StructMember extends Pick<IcebergField, 'name' | 'type' | 'initial-default'> {
  /** Undefined where the file lacks it: its initial default, or null. */
  readonly conversion: FieldConversion | undefined
}
