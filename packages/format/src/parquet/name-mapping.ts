/** Iceberg spec, "Name Mapping Serialization". */
export interface NameMapping {
  readonly 'field-id'?: number
  readonly names: readonly string[]
  readonly fields?: readonly NameMapping[]
}
