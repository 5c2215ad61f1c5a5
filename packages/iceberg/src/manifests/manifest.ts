import {
  assert,
  checkOptions,
  corrupt,
  type IcebergSchema,
  type JsonValue,
  option,
  type OptionTable,
  stringifyJson,
  unsupported,
} from '@moulin/core'
import { readAvroFile, writeAvroFile } from '@moulin/format'
import {
  bytesAt,
  bytesMapAt,
  intAt,
  longAt,
  longMapAt,
  longsAt,
  recordShape,
  required,
  rowAt,
  textAt,
  type AvroRow,
  type RecordShape,
} from './avro-records.ts'
import type { DataFile, ManifestEntry, ManifestFile } from './data-file.ts'
import { avroName, dataFileIds, entryIds, manifestEntrySchema, manifestFieldIds } from './manifest-schema.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { partitionFromAvro, partitionSummaries, partitionToAvro } from './partition-tuple.ts'

const statuses: readonly ManifestEntry['status'][] = ['existing', 'added', 'deleted']

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
  codec: codecCheck,
}

/**
 * Writes a data manifest of format version 2 and describes it for a manifest list. Added entries leave their sequence
 * numbers to inheritance, so on a lost race only `sequenceNumber` and `minSequenceNumber` of the description change.
 * Spec: "Manifests".
 */
export function writeManifest(request: WriteManifestRequest): {
  readonly bytes: Uint8Array
  readonly manifest: ManifestFile
} {
  checkOptions('writeManifest', request, writeTable)
  const { path, spec, schema, entries, snapshotId, sequenceNumber, codec = 'deflate' } = request
  const schemaId = schema['schema-id'] ?? 0
  const specFields = spec.fields.map(({ sourceId, fieldId, name, transform }) => {
    return { 'source-id': sourceId, 'field-id': fieldId, name, transform: transform.name }
  })
  const bytes = writeAvroFile({
    schema: manifestEntrySchema(spec),
    metadata: {
      schema: stringifyJson({ ...schema, 'schema-id': schemaId }),
      'schema-id': String(schemaId),
      'partition-spec': stringifyJson(specFields),
      'partition-spec-id': String(spec.specId),
      'format-version': '2',
      content: 'data',
    },
    records: entries.map((entry) => entryToAvro(entry, spec)),
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

function entryToAvro(entry: ManifestEntry, spec: BoundPartitionSpec): object {
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
    },
  }
}

function mapToAvro(map: ReadonlyMap<number, unknown>): object[] | null {
  return map.size === 0 ? null : Array.from(map, ([key, value]) => ({ key, value }))
}

export interface ReadManifestOptions {
  /** From the manifest list: what entries inherit. */
  readonly manifest: ManifestFile
  /** The manifest's spec, bound to the table's schemas. */
  readonly spec: BoundPartitionSpec
  /** Give deleted entries too; default false, since a scan must not see them. */
  readonly withDeleted?: boolean
}

const readTable: OptionTable<ReadManifestOptions> = {
  manifest: option.required(option.door('an entry of a manifest list', [], ['path', 'sizeBytes'])),
  spec: specCheck,
  withDeleted: option.flag,
}

/**
 * Reads a data manifest, by field id, from any writer; sequence numbers are inherited.
 * @throws `unsupported` naming files of deletes, encrypted files, and formats other than Parquet; `corrupt`;
 * `exhausted`.
 * Spec: "Manifests", "Sequence Number Inheritance".
 */
export function readManifest(bytes: Uint8Array, options: ReadManifestOptions): ManifestEntry[] {
  checkOptions('readManifest', options, readTable)
  const { manifest, spec, withDeleted = false } = options
  const what = `The manifest ${manifest.path}`
  if (BigInt(bytes.length) !== manifest.sizeBytes)
    throw corrupt('MANIFEST_LENGTH', `${what} has ${bytes.length} bytes; its manifest list says ${manifest.sizeBytes}.`)
  const { schema, metadata, records } = readAvroFile(bytes, { what })
  if (metadata.get('content') === 'deletes') throw deletes(what)
  const version = metadata.get('format-version') ?? '1'
  if (version !== '1' && version !== '2')
    throw unsupported('FORMAT_VERSION', `${what} is of format version ${version}; 1 and 2 are read.`)

  const shapes = shapesOf(schema, what, spec)
  const entries: ManifestEntry[] = []
  for (const record of records) {
    const status = statuses[required(intAt, shapes.entry, record, entryIds.status)]
    if (status === undefined) throw corrupt('MANIFEST_STATUS', `${what} has an entry of unknown status.`)
    if (status !== 'deleted' || withDeleted) entries.push(entryFromAvro(record, status, shapes, manifest, spec))
  }
  return entries
}

interface Shapes {
  readonly entry: RecordShape
  readonly dataFile: RecordShape
  readonly partition: RecordShape
}

function shapesOf(schema: JsonValue, what: string, spec: BoundPartitionSpec): Shapes {
  const entry = recordShape(schema, `An entry of ${what}`, manifestFieldIds)
  const dataFile = recordShape(entry.types.get(entryIds.dataFile), `A data file in ${what}`, manifestFieldIds)
  const names = new Map(spec.fields.map(({ name, fieldId }) => [avroName(name), fieldId]))
  const partition = recordShape(dataFile.types.get(dataFileIds.partition), `A partition tuple in ${what}`, names)
  return { entry, dataFile, partition }
}

function entryFromAvro(
  record: AvroRow,
  status: ManifestEntry['status'],
  shapes: Shapes,
  manifest: ManifestFile,
  spec: BoundPartitionSpec,
): ManifestEntry {
  const { entry } = shapes
  // Version 1 knew no sequence numbers: all its files count as older than any of version 2.
  const inherited = status === 'added' || manifest.sequenceNumber === 0n ? manifest.sequenceNumber : undefined
  const sequenceNumber = longAt(entry, record, entryIds.sequenceNumber) ?? inherited
  if (sequenceNumber === undefined && status === 'existing')
    throw corrupt('MANIFEST_SEQUENCE', `The manifest ${manifest.path} has an existing file without a sequence number.`)
  return {
    status,
    snapshotId: longAt(entry, record, entryIds.snapshotId) ?? manifest.addedSnapshotId,
    sequenceNumber,
    fileSequenceNumber: longAt(entry, record, entryIds.fileSequenceNumber) ?? inherited,
    file: dataFileFromAvro(required(rowAt, entry, record, entryIds.dataFile), shapes, spec),
  }
}

function dataFileFromAvro(row: AvroRow, { dataFile, partition }: Shapes, spec: BoundPartitionSpec): DataFile {
  const ids = dataFileIds
  const filePath = required(textAt, dataFile, row, ids.filePath)
  const content = intAt(dataFile, row, ids.content) ?? 0
  if (content !== 0) throw deletes(filePath)
  const format = required(textAt, dataFile, row, ids.fileFormat)
  if (format.toUpperCase() !== 'PARQUET') {
    const message = `${filePath} is a data file of format ${format}, which is not supported; only Parquet is.`
    throw unsupported('FILE_FORMAT', message, { context: { filePath, format } })
  }
  if (bytesAt(dataFile, row, ids.keyMetadata) !== undefined)
    throw unsupported('ENCRYPTION', `${filePath} is encrypted (it has key metadata), which is not supported.`)
  const tuple = required(rowAt, dataFile, row, ids.partition)
  return {
    content: 0,
    filePath,
    fileFormat: 'PARQUET',
    specId: spec.specId,
    partition: partitionFromAvro(tuple, partition, spec),
    recordCount: required(longAt, dataFile, row, ids.recordCount),
    fileSizeBytes: required(longAt, dataFile, row, ids.fileSizeBytes),
    columnSizes: longMapAt(dataFile, row, ids.columnSizes) ?? new Map(),
    valueCounts: longMapAt(dataFile, row, ids.valueCounts) ?? new Map(),
    nullValueCounts: longMapAt(dataFile, row, ids.nullValueCounts) ?? new Map(),
    nanValueCounts: longMapAt(dataFile, row, ids.nanValueCounts) ?? new Map(),
    lowerBounds: bytesMapAt(dataFile, row, ids.lowerBounds) ?? new Map(),
    upperBounds: bytesMapAt(dataFile, row, ids.upperBounds) ?? new Map(),
    splitOffsets: longsAt(dataFile, row, ids.splitOffsets) ?? [],
    sortOrderId: intAt(dataFile, row, ids.sortOrderId),
  }
}

/** The error for anything that deletes rows: reading on would show rows that are gone. */
export function deletes(what: string): Error {
  return unsupported(
    'DELETE_FILES',
    `${what} holds row-level deletes, which are not supported; rewrite the table's data files (copy on write) first.`,
    { context: { what } },
  )
}
