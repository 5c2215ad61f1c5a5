import type { Operation, Scene } from './operation.ts'
import type { Metadata } from './stranger.ts'

/** What an engine says that does not do something, and to which tables that may come. */
export interface Refusal {
  readonly says: RegExp
  readonly when: (scene: Scene) => boolean
}

const isFormat3 = ({ stranger }: Scene): boolean => stranger.metadata['format-version'] >= 3
const isSorted = ({ stranger }: Scene): boolean => stranger.metadata['default-sort-order-id'] !== 0
const fieldsOf = ({ stranger }: Scene): { readonly source: number; readonly transform: string }[] =>
  stranger.metadata['partition-specs'].flatMap(({ fields }) =>
    fields.map((field) => ({ source: field['source-id'], transform: field.transform })),
  )
const hasTransforms = (scene: Scene): boolean => fieldsOf(scene).some(({ transform }) => transform !== 'identity')
const namesTwice = (scene: Scene): boolean => {
  const sources = fieldsOf(scene).map(({ source }) => source)
  return new Set(sources).size < sources.length
}
const wasPartitioned = (scene: Scene): boolean => fieldsOf(scene).length > 0
const mayHave =
  (total: string) =>
  ({ stranger: { metadata } }: Scene): boolean => {
    const current = metadata.snapshots.find((each) => each['snapshot-id'] === metadata['current-snapshot-id'])
    return current !== undefined && current.summary[total] !== '0'
  }
export const hasEqualityDeletes = mayHave('total-equality-deletes')
export const hasPositionDeletes = mayHave('total-position-deletes')

/** Of a table that always had partitions, only those of one could be deleted by value. */
export const noPartition: readonly Refusal[] = [
  {
    says: /IllegalArgumentException: name a partition/,
    when: ({ stranger }) => stranger.metadata['partition-specs'].every(({ fields }) => fields.length > 0),
  },
]

export function idOf(metadata: Metadata, column: string): number | undefined {
  const schema = metadata.schemas.find((each) => each['schema-id'] === metadata['current-schema-id'])!
  return schema.fields.find(({ name }) => name === column)?.id
}

/** Whether the table's present spec makes partitions of the column. */
function isPartitionedBy({ stranger: { metadata } }: Scene, column: string): boolean {
  const spec = metadata['partition-specs'].find((each) => each['spec-id'] === metadata['default-spec-id'])!
  const id = idOf(metadata, column)
  return spec.fields.some((field) => field['source-id'] === id)
}

/** Whether a sort order of the table, the present one or one of before, names the column. */
export function isSortedBy({ stranger: { metadata } }: Scene, column: string): boolean {
  const id = idOf(metadata, column)
  return metadata['sort-orders'].some(({ fields }) => fields.some((field) => field['source-id'] === id))
}

/** Spark drops none of these columns while the table's partitions are made of it. */
export const ofPartitionColumns = (columns: readonly string[]): readonly Refusal[] =>
  columns.map((column) => ({
    says: new RegExp(`Cannot find source column for partition field[^]*DROP COLUMN ${column}$`),
    when: (scene) => isPartitionedBy(scene, column),
  }))

/** Writes no format 3, and other transforms than identity want a package of their own. */
export const ofPyiceberg: readonly Refusal[] = [
  { says: /ValueError: Cannot write manifest(?: list)? for table version: 3/, when: isFormat3 },
  { says: /NotInstalledError: pyiceberg_core needs to be installed/, when: hasTransforms },
]

/** Reads no table with deletes by value, either. */
export const ofPyicebergDeletes: readonly Refusal[] = [
  ...ofPyiceberg,
  { says: /ValueError: PyIceberg does not yet support equality deletes/, when: hasEqualityDeletes },
]

/** Makes structs of evolved partitions, which then name a column twice. */
export const ofDuckdb: readonly Refusal[] = [
  { says: /Not implemented Error: INSERT into a sorted iceberg table is not supported/, when: isSorted },
  { says: /Error while casting - duplicate name "[^"]+" in struct/, when: namesTwice },
]

/** Takes copy-on-write for a reason to do nothing. */
export const ofDuckdbDeletes: readonly Refusal[] = [
  ...ofDuckdb,
  {
    says: /set_iceberg_table_properties/,
    when: ({ stranger }) => stranger.metadata.properties['write.delete.mode'] === 'copy-on-write',
  },
]

/** Columns that a partition spec or a sort order is made of may not be altered in every way. */
const ofSpark: readonly Refusal[] = [
  { says: /Unsupported table change/, when: (scene) => isSorted(scene) || wasPartitioned(scene) },
]

/** Whether it is one that the operation may meet with such a table. */
export const isRefusal = ({ refusals = [] }: Operation, scene: Scene, message: string): boolean =>
  [...refusals, ...ofSpark].some(({ says, when }) => says.test(message) && when(scene))
