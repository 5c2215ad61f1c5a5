import { assert, sameInt64 } from '@moulin/core'
import type { IcebergSchema, Int64, PartitionSpec, Snapshot, TableMetadata } from '@moulin/core'
import { specById } from '../partitions/partition-fields.ts'

export function currentSchema(metadata: TableMetadata): IcebergSchema {
  const schema = schemaById(metadata, metadata['current-schema-id'])
  assert(schema !== undefined, 'table metadata has its current schema')
  return schema
}

/** Undefined when it is not there; {@link currentSchema} for the snapshots that name none. */
export function schemaById(metadata: TableMetadata, id: number): IcebergSchema | undefined {
  return metadata.schemas.find((schema) => schema['schema-id'] === id)
}

export function currentSpec(metadata: TableMetadata): PartitionSpec {
  return specById(metadata['partition-specs'], metadata['default-spec-id'])
}

/** Undefined for a table without one. */
export function currentSnapshot(metadata: TableMetadata): Snapshot | undefined {
  return snapshotById(metadata, metadata['current-snapshot-id'])
}

export function snapshotById(metadata: TableMetadata, id: Int64 | null | undefined): Snapshot | undefined {
  if (id === null || id === undefined) return undefined
  return metadata.snapshots?.find((snapshot) => sameInt64(snapshot['snapshot-id'], id))
}

/** A table property; a name of `Object.prototype` is not one. */
export function propertyOf(metadata: TableMetadata, name: string): string | undefined {
  const properties = metadata.properties
  return properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined
}

/**
 * The snapshot `from` (default: the current one), its parent, and so on, as far as the metadata still knows them.
 * The chain ends silently where a parent was expired: look at the last one's `parent-snapshot-id`.
 */
export function* ancestors(metadata: TableMetadata, from?: Int64): Generator<Snapshot> {
  const byId = new Map(metadata.snapshots?.map((snapshot) => [BigInt(snapshot['snapshot-id']), snapshot]))
  const first = from ?? metadata['current-snapshot-id']
  let snapshot = first === null || first === undefined ? undefined : byId.get(BigInt(first))
  while (snapshot !== undefined) {
    yield snapshot
    // Forgetting what was seen ends a cycle, which is damage that must not hang the reader.
    byId.delete(BigInt(snapshot['snapshot-id']))
    const parent: Int64 | null | undefined = snapshot['parent-snapshot-id']
    snapshot = parent === null || parent === undefined ? undefined : byId.get(BigInt(parent))
  }
}
