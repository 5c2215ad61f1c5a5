import { assert, checkOptions, corrupt, option, type OptionTable, unsupported } from '@moulin/core'
import { readAvroFile, writeAvroFile } from '@moulin/format'
import {
  booleanAt,
  bytesAt,
  intAt,
  longAt,
  recordShape,
  required,
  rowsAt,
  textAt,
  type AvroRow,
  type RecordShape,
} from './avro-records.ts'
import type { FormatVersion } from '../metadata/format-version.ts'
import type { ManifestFile, PartitionSummary } from './data-file.ts'
import { manifestFieldIds, manifestFileIds, manifestFileSchema, summaryIds } from './manifest-schema.ts'

export interface WriteManifestListRequest {
  readonly manifests: readonly ManifestFile[]
  readonly snapshotId: bigint
  readonly parentSnapshotId: bigint | null
  readonly sequenceNumber: bigint
  /** The snapshot's, of format version 3; without it the list is of version 2. */
  readonly firstRowId?: bigint | undefined
  /** Default `deflate`. */
  readonly codec?: 'null' | 'deflate'
}

const id = option.int64('an id')
const writeTable: OptionTable<WriteManifestListRequest> = {
  manifests: option.required(option.listOf(option.objectOf('a manifest'))),
  snapshotId: option.required(id),
  parentSnapshotId: option.required(option.anyOf(id, option.nothing)),
  sequenceNumber: option.required(option.int64('a sequence number')),
  firstRowId: option.int64('a row id'),
  codec: option.oneOf('null', 'deflate'),
}

/**
 * Writes the manifest list of one snapshot. In version 3 every manifest of data has its first row id: {@link assignRowIds}.
 * @throws `corrupt` for a manifest of unknown counts (an old writer's): version 2 requires them.
 * Spec: "Manifest lists".
 */
export function writeManifestList(request: WriteManifestListRequest): Uint8Array {
  checkOptions('writeManifestList', request, writeTable)
  const { manifests, snapshotId, parentSnapshotId, sequenceNumber, firstRowId, codec = 'deflate' } = request
  const formatVersion = firstRowId === undefined ? 2 : 3
  return writeAvroFile({
    schema: manifestFileSchema(formatVersion),
    metadata: {
      'snapshot-id': String(snapshotId),
      'parent-snapshot-id': String(parentSnapshotId),
      'sequence-number': String(sequenceNumber),
      ...(firstRowId === undefined ? {} : { 'first-row-id': String(firstRowId) }),
      'format-version': String(formatVersion),
    },
    records: manifests.map((manifest) => manifestToAvro(manifest, formatVersion)),
    codec,
  })
}

function manifestToAvro(manifest: ManifestFile, formatVersion: FormatVersion): object {
  const { content, firstRowId } = manifest
  const lacksRowId = formatVersion === 3 && content === 'data' && firstRowId === undefined
  assert(!lacksRowId, 'a manifest of data has a first row id')
  const known = <T>(count: T | undefined): T => {
    if (count !== undefined) return count
    throw corrupt('MANIFEST_COUNTS', `The manifest list says nothing of the counts of ${manifest.path}.`)
  }
  return {
    manifest_path: manifest.path,
    manifest_length: manifest.sizeBytes,
    partition_spec_id: manifest.specId,
    content: manifest.content === 'data' ? 0 : 1,
    sequence_number: manifest.sequenceNumber,
    min_sequence_number: manifest.minSequenceNumber,
    added_snapshot_id: manifest.addedSnapshotId,
    added_files_count: known(manifest.addedFiles),
    existing_files_count: known(manifest.existingFiles),
    deleted_files_count: known(manifest.deletedFiles),
    added_rows_count: known(manifest.addedRows),
    existing_rows_count: known(manifest.existingRows),
    deleted_rows_count: known(manifest.deletedRows),
    partitions: manifest.partitions?.map(summaryToAvro) ?? null,
    key_metadata: null,
    ...(formatVersion === 2 ? {} : { first_row_id: content === 'data' ? firstRowId : null }),
  }
}

function summaryToAvro({ containsNull, containsNan, lowerBound, upperBound }: PartitionSummary): object {
  return {
    contains_null: containsNull,
    contains_nan: containsNan ?? null,
    lower_bound: lowerBound ?? null,
    upper_bound: upperBound ?? null,
  }
}

export interface ReadManifestListOptions {
  /** Names it in errors. */
  readonly path: string
}

const readTable: OptionTable<ReadManifestListOptions> = { path: option.required(option.text) }

/**
 * Reads a manifest list, by field id, from any writer of version 1, 2 or 3: manifests of data and of deletes, live or not.
 * @throws `unsupported` naming encrypted manifests; `corrupt`; `exhausted`.
 * Spec: "Manifest lists".
 */
export function readManifestList(bytes: Uint8Array, options: ReadManifestListOptions): ManifestFile[] {
  checkOptions('readManifestList', options, readTable)
  const { path } = options
  const what = `The manifest list ${path}`
  const { schema, records } = readAvroFile(bytes, { what })
  const shape = recordShape(schema, `An entry of ${what}`, manifestFieldIds)
  const summaries = summaryShape(shape)
  return records.map((record) => manifestFromAvro(record, shape, summaries))
}

function manifestFromAvro(row: AvroRow, shape: RecordShape, summaries: RecordShape | undefined): ManifestFile {
  const ids = manifestFileIds
  const path = required(textAt, shape, row, ids.path)
  if (bytesAt(shape, row, ids.keyMetadata) !== undefined)
    throw unsupported('ENCRYPTION', `The manifest ${path} is encrypted (it has key metadata), which is not supported.`)
  const content = intAt(shape, row, ids.content) ?? 0
  if (content !== 0 && content !== 1)
    throw unsupported('MANIFEST_CONTENT', `The manifest ${path} is of unknown content ${content}.`)
  return {
    path,
    sizeBytes: required(longAt, shape, row, ids.sizeBytes),
    specId: required(intAt, shape, row, ids.specId),
    content: content === 0 ? 'data' : 'deletes',
    sequenceNumber: longAt(shape, row, ids.sequenceNumber) ?? 0n,
    minSequenceNumber: longAt(shape, row, ids.minSequenceNumber) ?? 0n,
    addedSnapshotId: required(longAt, shape, row, ids.addedSnapshotId),
    addedFiles: intAt(shape, row, ids.addedFiles),
    existingFiles: intAt(shape, row, ids.existingFiles),
    deletedFiles: intAt(shape, row, ids.deletedFiles),
    addedRows: longAt(shape, row, ids.addedRows),
    existingRows: longAt(shape, row, ids.existingRows),
    deletedRows: longAt(shape, row, ids.deletedRows),
    partitions: summaries && rowsAt(shape, row, ids.partitions)?.map((summary) => summaryFromAvro(summary, summaries)),
    firstRowId: content === 0 ? longAt(shape, row, ids.firstRowId) : undefined,
  }
}

function summaryShape(shape: RecordShape): RecordShape | undefined {
  const type = shape.types.get(manifestFileIds.partitions)
  if (type === undefined) return undefined
  const list = Array.isArray(type) ? type.find((branch) => branch !== 'null') : type
  const items = typeof list === 'object' && list !== null && !Array.isArray(list) ? list['items'] : undefined
  return recordShape(items, `A partition summary of ${shape.what}`, manifestFieldIds)
}

function summaryFromAvro(row: AvroRow, shape: RecordShape): PartitionSummary {
  return {
    // Read by those who must not miss anything: not stated means it may be.
    containsNull: booleanAt(shape, row, summaryIds.containsNull) ?? true,
    containsNan: booleanAt(shape, row, summaryIds.containsNan),
    lowerBound: bytesAt(shape, row, summaryIds.lowerBound),
    upperBound: bytesAt(shape, row, summaryIds.upperBound),
  }
}
