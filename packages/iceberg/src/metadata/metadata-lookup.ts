import { assert, notFound, sameInt64, shown } from '@moulin/core'
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

/**
 * All schemas in the order in which they are asked for a column: `first` (default: the current one), then the newest. A spec's column may
 * be gone from the one that is read with; and a table that was replaced has other columns under old ids, so what is read of an older
 * snapshot asks that snapshot's own schema first.
 *
 * @example bindForReading(spec, schemasFrom(metadata))
 *
 * Spec: "Schemas and Data Types".
 */
export function schemasFrom(
  metadata: TableMetadata,
  first: IcebergSchema = currentSchema(metadata),
): readonly IcebergSchema[] {
  const newest = metadata.schemas.toSorted((a, b) => (b['schema-id'] ?? 0) - (a['schema-id'] ?? 0))
  return [first, ...newest.filter((schema) => schema !== first)]
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

/** Which snapshot of a table is meant: by id, as it was at a time (ms since the epoch), or by the name of a branch or tag. */
export type SnapshotChoice = Int64 | { readonly timestamp: number } | { readonly ref: string }

/**
 * The table as it was: the metadata with the chosen snapshot as the current one, and the schema that it is read with. That is the
 * snapshot's own, but of a branch the table's.
 * @throws `not-found` code `SNAPSHOT` for an id that the metadata lacks, or a time before the first snapshot or of one that has expired;
 * code `REF` for a name that is none.
 * Spec: "Point in Time Reads (Time Travel)", "Snapshot References".
 */
export function metadataAt(metadata: TableMetadata, choice: SnapshotChoice): TableMetadata {
  const { snapshot, isBranch } = chosen(metadata, choice)
  const schemaId = isBranch ? undefined : snapshot['schema-id']
  const isKnown = schemaId !== undefined && schemaById(metadata, schemaId) !== undefined
  return {
    ...metadata,
    'current-snapshot-id': snapshot['snapshot-id'],
    ...(isKnown && { 'current-schema-id': schemaId }),
  }
}

function chosen(metadata: TableMetadata, choice: SnapshotChoice): { snapshot: Snapshot; isBranch: boolean } {
  if (typeof choice !== 'object') return { snapshot: kept(metadata, choice, `no snapshot ${choice}`), isBranch: false }
  if ('ref' in choice) {
    const { refs = {} } = metadata
    const ref = Object.hasOwn(refs, choice.ref) ? refs[choice.ref] : undefined
    if (ref === undefined) {
      const names = Object.keys(refs).join(', ') || 'none'
      const message = `The table has no branch or tag ${shown(choice.ref)}; it has ${names}.`
      throw notFound('REF', message, { context: { ref: choice.ref } })
    }
    return { snapshot: kept(metadata, ref['snapshot-id'], 'no such snapshot'), isBranch: ref.type === 'branch' }
  }
  const { timestamp } = choice
  const at = `no snapshot of ${timestamp} (ms since the epoch)`
  return { snapshot: kept(metadata, snapshotIdAsOf(metadata, timestamp), at), isBranch: false }
}

function kept(metadata: TableMetadata, id: Int64 | undefined, what: string): Snapshot {
  const snapshot = snapshotById(metadata, id)
  if (snapshot !== undefined) return snapshot
  const message = `The table has ${what}: it may have expired. snapshots() says which there are.`
  throw notFound('SNAPSHOT', message, { context: id === undefined ? {} : { snapshotId: id } })
}

/** The snapshot that was the current one at that time, by the log; of a table without a log, by the chain of the current one. */
function snapshotIdAsOf(metadata: TableMetadata, timestamp: number): Int64 | undefined {
  const log = metadata['snapshot-log'] ?? []
  const history = log.length > 0 ? log : [...ancestors(metadata)].reverse()
  return history.findLast((entry) => BigInt(entry['timestamp-ms']) <= BigInt(Math.floor(timestamp)))?.['snapshot-id']
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
