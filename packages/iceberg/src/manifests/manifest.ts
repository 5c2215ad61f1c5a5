import { assert, checkOptions, type IcebergSchema, option, type OptionTable, stringifyJson } from '@moulin/core'
import { writeAvroFile } from '@moulin/format'
import type { ManifestEntry, ManifestFile } from './data-file.ts'
import { manifestEntrySchema } from './manifest-schema.ts'
import type { FormatVersion } from '../metadata/format-version.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { partitionSummaries, partitionToAvro } from './partition-tuple.ts'

/** By the number that a manifest has for them. */
export const statuses: readonly ManifestEntry['status'][] = ['existing', 'added', 'deleted']

export interface WriteManifestRequest {
  /** Absolute URI at which the caller will store the bytes. */
  readonly path: string
  /** All files are of this spec. */
  readonly spec: BoundPartitionSpec
  /** The table's, with its schema-id. */
  readonly schema: IcebergSchema
  readonly entries: readonly ManifestEntry[]
  readonly snapshotId: bigint
  /** The snapshot's: what added files inherit. */
  readonly sequenceNumber: bigint
  /** Default 2. */
  readonly formatVersion?: FormatVersion
  /** Default `deflate`. */
  readonly codec?: 'null' | 'deflate'
}

const codecCheck = option.oneOf('null', 'deflate')
const specCheck = option.required(option.door('a bound partition spec', [], ['fields']))
const writeTable: OptionTable<WriteManifestRequest> = {
  path: option.required(option.text),
  spec: specCheck,
  schema: option.required(option.door('an Iceberg schema', [], ['type', 'fields'])),
  entries: option.required(option.listOf(option.objectOf('a manifest entry'))),
  snapshotId: option.required(option.int64('an id')),
  sequenceNumber: option.required(option.int64('a sequence number')),
  formatVersion: option.oneOf(2, 3),
  codec: codecCheck,
}

/**
 * Writes a data manifest and describes it for a manifest list. Added entries leave their sequence numbers and row ids to
 * inheritance, so on a lost race only the description changes. It has no first row id yet: {@link assignRowIds}.
 * Spec: "Manifests".
 */
export function writeManifest(request: WriteManifestRequest): {
  readonly bytes: Uint8Array
  readonly manifest: ManifestFile
} {
  checkOptions('writeManifest', request, writeTable)
  const { path, spec, schema, entries, snapshotId, sequenceNumber, formatVersion = 2, codec = 'deflate' } = request
  const schemaId = schema['schema-id'] ?? 0
  const specFields = spec.fields.map(({ sourceId, fieldId, name, transform }) => {
    return { 'source-id': sourceId, 'field-id': fieldId, name, transform: transform.name }
  })
  const bytes = writeAvroFile({
    schema: manifestEntrySchema(spec, formatVersion),
    metadata: {
      schema: stringifyJson({ ...schema, 'schema-id': schemaId }),
      'schema-id': String(schemaId),
      'partition-spec': stringifyJson(specFields),
      'partition-spec-id': String(spec.specId),
      'format-version': String(formatVersion),
      content: 'data',
    },
    records: entries.map((entry) => entryToAvro(entry, spec, formatVersion)),
    codec,
  })
  const manifest: ManifestFile = {
    path,
    sizeBytes: BigInt(bytes.length),
    specId: spec.specId,
    content: 'data',
    sequenceNumber,
    minSequenceNumber: lowestSequence(entries, sequenceNumber),
    addedSnapshotId: snapshotId,
    addedFiles: countOf(entries, 'added'),
    existingFiles: countOf(entries, 'existing'),
    deletedFiles: countOf(entries, 'deleted'),
    addedRows: rowsOf(entries, 'added'),
    existingRows: rowsOf(entries, 'existing'),
    deletedRows: rowsOf(entries, 'deleted'),
    partitions: partitionSummaries(
      entries.map(({ file }) => file.partition),
      spec,
    ),
  }
  return { bytes, manifest }
}

function countOf(entries: readonly ManifestEntry[], status: ManifestEntry['status']): number {
  return entries.filter((entry) => entry.status === status).length
}

function rowsOf(entries: readonly ManifestEntry[], status: ManifestEntry['status']): bigint {
  return entries.reduce((rows, entry) => (entry.status === status ? rows + entry.file.recordCount : rows), 0n)
}

/** Of live files; the manifest's own when there are none. */
function lowestSequence(entries: readonly ManifestEntry[], inherited: bigint): bigint {
  let lowest = inherited
  for (const { status, sequenceNumber } of entries) {
    if (status !== 'deleted' && sequenceNumber !== undefined && sequenceNumber < lowest) lowest = sequenceNumber
  }
  return lowest
}

function entryToAvro(entry: ManifestEntry, spec: BoundPartitionSpec, formatVersion: FormatVersion): object {
  const { file, status } = entry
  assert(file.specId === spec.specId, `all files of a manifest are of partition spec ${spec.specId}`)
  assert(status === 'added' || entry.sequenceNumber !== undefined, 'only an added file inherits its sequence number')
  return {
    status: statuses.indexOf(status),
    snapshot_id: entry.snapshotId,
    sequence_number: entry.sequenceNumber ?? null,
    file_sequence_number: entry.fileSequenceNumber ?? null,
    data_file: {
      content: file.content,
      file_path: file.filePath,
      file_format: file.fileFormat,
      partition: partitionToAvro(file.partition, spec),
      record_count: file.recordCount,
      file_size_in_bytes: file.fileSizeBytes,
      column_sizes: mapToAvro(file.columnSizes),
      value_counts: mapToAvro(file.valueCounts),
      null_value_counts: mapToAvro(file.nullValueCounts),
      nan_value_counts: mapToAvro(file.nanValueCounts),
      lower_bounds: mapToAvro(file.lowerBounds),
      upper_bounds: mapToAvro(file.upperBounds),
      key_metadata: null,
      split_offsets: file.splitOffsets.length === 0 ? null : file.splitOffsets,
      equality_ids: null,
      sort_order_id: file.sortOrderId ?? null,
      ...(formatVersion === 2 ? {} : { ...noDeletes, first_row_id: file.firstRowId ?? null }),
    },
  }
}

/** What version 3 says of files of deletes alone. */
const noDeletes = { referenced_data_file: null, content_offset: null, content_size_in_bytes: null }

function mapToAvro(map: ReadonlyMap<number, unknown>): object[] | null {
  return map.size === 0 ? null : Array.from(map, ([key, value]) => ({ key, value }))
}
