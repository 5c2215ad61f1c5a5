import { checkOptions, corrupt, option, type JsonValue, type OptionTable, unsupported } from '@moulin/core'
import { readAvroFile } from '@moulin/format'
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
import type { DataFile, DeleteFile, ManifestEntry, ManifestFile } from './data-file.ts'
import { avroName, dataFileIds, entryIds, manifestFieldIds } from './manifest-schema.ts'
import { statuses } from './manifest.ts'
import { partitionFromAvro } from './partition-tuple.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'

export interface ReadManifestOptions {
  /** From the manifest list: what entries inherit. */
  readonly manifest: ManifestFile
  /** The manifest's spec, bound to the table's schemas. */
  readonly spec: BoundPartitionSpec
  /** Give deleted entries too; default false, since a scan must not see them. */
  readonly withDeleted?: boolean
}

const deletesTable: OptionTable<Omit<ReadManifestOptions, 'withDeleted'>> = {
  manifest: option.required(option.door('an entry of a manifest list', [], ['path', 'sizeBytes'])),
  spec: option.required(option.door('a bound partition spec', [], ['fields'])),
}
const optionTable: OptionTable<ReadManifestOptions> = { ...deletesTable, withDeleted: option.flag }

/**
 * Reads a data manifest of format version 1, 2 or 3, by field id, from any writer; sequence numbers and row ids are inherited.
 * @throws `unsupported` naming encrypted files, and formats other than Parquet; `corrupt`; `exhausted`.
 * Spec: "Manifests", "Sequence Number Inheritance", "First Row ID Inheritance".
 */
export function readManifest(bytes: Uint8Array, options: ReadManifestOptions): ManifestEntry[] {
  checkOptions('readManifest', options, optionTable)
  const { manifest, spec, withDeleted = false } = options
  const { records, shapes } = opened(bytes, 'data', options)
  const entries: ManifestEntry[] = []
  const rowIdOf = rowIds(manifest)
  for (const record of records) {
    const status = statusOf(record, shapes)
    if (status === 'deleted' && !withDeleted) continue
    const file = dataFileFromAvro(required(rowAt, shapes.entry, record, entryIds.dataFile), shapes, spec)
    const firstRowId = status === 'deleted' ? file.firstRowId : rowIdOf(file)
    entries.push({ status, ...inheritedBy(record, status, shapes, manifest), file: { ...file, firstRowId } })
  }
  return entries
}

/**
 * Reads the live files of a delete manifest, by field id, from any writer.
 * @throws `unsupported` naming encrypted files, and formats other than Parquet and Puffin; `corrupt`; `exhausted`.
 * Spec: "Manifests", "Delete Formats".
 */
export function readDeleteManifest(bytes: Uint8Array, options: Omit<ReadManifestOptions, 'withDeleted'>): DeleteFile[] {
  checkOptions('readDeleteManifest', options, deletesTable)
  const { manifest, spec } = options
  const { records, shapes } = opened(bytes, 'deletes', options)
  const files: DeleteFile[] = []
  for (const record of records) {
    const status = statusOf(record, shapes)
    if (status === 'deleted') continue
    const { sequenceNumber } = inheritedBy(record, status, shapes, manifest)
    const row = required(rowAt, shapes.entry, record, entryIds.dataFile)
    files.push(deleteFileFromAvro(row, shapes, spec, sequenceNumber!))
  }
  return files
}

/**
 * The first row ids of a manifest's live files, asked for in their order. Nobody has any in a manifest without one: it was given to no
 * snapshot of version 3. Spec: "First Row ID Inheritance".
 */
export function rowIds({
  firstRowId,
}: ManifestFile): (file: Pick<DataFile, 'firstRowId' | 'recordCount'>) => bigint | undefined {
  let next = firstRowId
  return (file) => {
    if (next === undefined || file.firstRowId !== undefined) return next === undefined ? undefined : file.firstRowId
    const own = next
    next += file.recordCount
    return own
  }
}

/** @throws `unsupported` for a manifest that is of another format version. */
export function checkManifestVersion(metadata: ReadonlyMap<string, string>, what: string): void {
  const version = metadata.get('format-version') ?? '1'
  if (version === '1' || version === '2' || version === '3') return
  throw unsupported('FORMAT_VERSION', `${what} is of format version ${version}; 1, 2 and 3 are read.`)
}

/** A manifest that a snapshot of format version 1 names itself, as a manifest list would describe it. */
export function describedManifest(bytes: Uint8Array, path: string, snapshotId: bigint): ManifestFile {
  const { metadata } = readAvroFile(bytes, { what: `The manifest ${path}` })
  const unknown = undefined
  return {
    path,
    sizeBytes: BigInt(bytes.length),
    specId: Number(metadata.get('partition-spec-id') ?? 0),
    content: 'data',
    sequenceNumber: 0n,
    minSequenceNumber: 0n,
    addedSnapshotId: snapshotId,
    addedFiles: unknown,
    existingFiles: unknown,
    deletedFiles: unknown,
    addedRows: unknown,
    existingRows: unknown,
    deletedRows: unknown,
    partitions: unknown,
  }
}

function opened(
  bytes: Uint8Array,
  content: ManifestFile['content'],
  { manifest, spec }: ReadManifestOptions,
): { readonly records: readonly AvroRow[]; readonly shapes: Shapes } {
  const what = manifestName(bytes, manifest)
  const { schema, metadata, records } = readAvroFile(bytes, { what })
  checkManifest(metadata, content, what)
  return { records, shapes: shapesOf(schema, what, spec) }
}

/** What a manifest is called in errors. @throws `corrupt` where the bytes are not as many as its list says. */
export function manifestName(bytes: Uint8Array, { path, sizeBytes }: ManifestFile): string {
  const what = `The manifest ${path}`
  if (BigInt(bytes.length) === sizeBytes) return what
  throw corrupt('MANIFEST_LENGTH', `${what} has ${bytes.length} bytes; its manifest list says ${sizeBytes}.`)
}

/** @throws `corrupt` where it is of other content; `unsupported` for a format version beyond 3. */
export function checkManifest(
  metadata: ReadonlyMap<string, string>,
  content: ManifestFile['content'],
  what: string,
): void {
  const said = metadata.get('content') ?? content
  if (said !== content)
    throw corrupt('MANIFEST_CONTENT', `${what} is of ${said}; its manifest list says that it is of ${content}.`)
  checkManifestVersion(metadata, what)
}

/** How the records of one manifest are laid out. */
export interface Shapes {
  readonly entry: RecordShape
  readonly dataFile: RecordShape
  readonly partition: RecordShape
}

export function shapesOf(schema: JsonValue, what: string, spec: BoundPartitionSpec): Shapes {
  const entry = recordShape(schema, `An entry of ${what}`, manifestFieldIds)
  const dataFile = recordShape(entry.types.get(entryIds.dataFile), `A data file in ${what}`, manifestFieldIds)
  const names = new Map(spec.fields.map(({ name, fieldId }) => [avroName(name), fieldId]))
  const partition = recordShape(dataFile.types.get(dataFileIds.partition), `A partition tuple in ${what}`, names)
  return { entry, dataFile, partition }
}

export function statusOf(record: AvroRow, { entry }: Shapes): ManifestEntry['status'] {
  const status = statuses[required(intAt, entry, record, entryIds.status)]
  if (status !== undefined) return status
  throw corrupt('MANIFEST_STATUS', `${entry.what} is of unknown status.`)
}

export function inheritedBy(
  record: AvroRow,
  status: ManifestEntry['status'],
  { entry }: Shapes,
  manifest: ManifestFile,
): Pick<ManifestEntry, 'snapshotId' | 'sequenceNumber' | 'fileSequenceNumber'> {
  // Version 1 knew no sequence numbers: all its files count as older than any of version 2.
  const inherited = status === 'added' || manifest.sequenceNumber === 0n ? manifest.sequenceNumber : undefined
  const sequenceNumber = longAt(entry, record, entryIds.sequenceNumber) ?? inherited
  if (sequenceNumber === undefined && status === 'existing')
    throw corrupt('MANIFEST_SEQUENCE', `The manifest ${manifest.path} has an existing file without a sequence number.`)
  return {
    snapshotId: longAt(entry, record, entryIds.snapshotId) ?? manifest.addedSnapshotId,
    sequenceNumber,
    fileSequenceNumber: longAt(entry, record, entryIds.fileSequenceNumber) ?? inherited,
  }
}

export function dataFileFromAvro(row: AvroRow, shapes: Shapes, spec: BoundPartitionSpec): DataFile {
  const { dataFile } = shapes
  const ids = dataFileIds
  const filePath = required(textAt, dataFile, row, ids.filePath)
  const content = intAt(dataFile, row, ids.content) ?? 0
  if (content !== 0) throw misplaced(filePath, content, shapes)
  checkFormat(row, shapes, filePath, ['PARQUET'], 'a data file')
  return {
    content: 0,
    filePath,
    fileFormat: 'PARQUET',
    ...described(row, shapes, spec),
    columnSizes: longMapAt(dataFile, row, ids.columnSizes) ?? new Map(),
    valueCounts: longMapAt(dataFile, row, ids.valueCounts) ?? new Map(),
    splitOffsets: longsAt(dataFile, row, ids.splitOffsets) ?? [],
    sortOrderId: intAt(dataFile, row, ids.sortOrderId),
    firstRowId: longAt(dataFile, row, ids.firstRowId),
  }
}

const [POSITIONS, EQUALITY] = [1, 2]

function deleteFileFromAvro(
  row: AvroRow,
  shapes: Shapes,
  spec: BoundPartitionSpec,
  sequenceNumber: bigint,
): DeleteFile {
  const { dataFile } = shapes
  const ids = dataFileIds
  const filePath = required(textAt, dataFile, row, ids.filePath)
  const content = intAt(dataFile, row, ids.content) ?? 0
  if (content !== POSITIONS && content !== EQUALITY) throw misplaced(filePath, content, shapes)
  const formats = content === POSITIONS ? ['PARQUET', 'PUFFIN'] : ['PARQUET']
  const isVector = checkFormat(row, shapes, filePath, formats, 'a file of deletes') === 'PUFFIN'
  const equalityIds = content === EQUALITY ? (longsAt(dataFile, row, ids.equalityIds) ?? []).map(Number) : []
  if (content === EQUALITY && equalityIds.length === 0)
    throw corrupt('EQUALITY_IDS', `${filePath} deletes rows by their values, and does not say of which columns.`)
  const file = {
    filePath,
    ...described(row, shapes, spec),
    sequenceNumber,
    equalityIds,
    referencedDataFile: textAt(dataFile, row, ids.referencedDataFile),
  }
  if (!isVector) return { ...file, content: content === EQUALITY ? 'equality' : 'positions', blob: undefined }
  return { ...file, content: 'vector', blob: blobOf(row, shapes, file) }
}

function blobOf(
  row: AvroRow,
  { dataFile }: Shapes,
  {
    filePath,
    fileSizeBytes,
    referencedDataFile,
  }: Pick<DeleteFile, 'filePath' | 'fileSizeBytes' | 'referencedDataFile'>,
): NonNullable<DeleteFile['blob']> {
  const offset = longAt(dataFile, row, dataFileIds.contentOffset)
  const sizeBytes = longAt(dataFile, row, dataFileIds.contentSizeBytes)
  const isWhole = referencedDataFile !== undefined && offset !== undefined && sizeBytes !== undefined
  if (isWhole && offset >= 0n && sizeBytes >= 0n && offset + sizeBytes <= fileSizeBytes) return { offset, sizeBytes }
  const message = `The deletion vector in ${filePath} lacks its data file, or its place of ${offset} and ${sizeBytes} bytes in ${fileSizeBytes}.`
  throw corrupt('DELETION_VECTOR', message, { context: { filePath, referencedDataFile } })
}

/** What files of rows and of deletes say alike. */
function described(
  row: AvroRow,
  { dataFile, partition }: Shapes,
  spec: BoundPartitionSpec,
): Pick<
  DataFile,
  | 'specId'
  | 'partition'
  | 'recordCount'
  | 'fileSizeBytes'
  | 'nullValueCounts'
  | 'nanValueCounts'
  | 'lowerBounds'
  | 'upperBounds'
> {
  const ids = dataFileIds
  return {
    specId: spec.specId,
    partition: partitionFromAvro(required(rowAt, dataFile, row, ids.partition), partition, spec),
    recordCount: required(longAt, dataFile, row, ids.recordCount),
    fileSizeBytes: required(longAt, dataFile, row, ids.fileSizeBytes),
    nullValueCounts: longMapAt(dataFile, row, ids.nullValueCounts) ?? new Map(),
    nanValueCounts: longMapAt(dataFile, row, ids.nanValueCounts) ?? new Map(),
    lowerBounds: bytesMapAt(dataFile, row, ids.lowerBounds) ?? new Map(),
    upperBounds: bytesMapAt(dataFile, row, ids.upperBounds) ?? new Map(),
  }
}

/** Which of the formats the file is of. */
function checkFormat(
  row: AvroRow,
  { dataFile }: Shapes,
  filePath: string,
  formats: readonly string[],
  what: string,
): string {
  const format = required(textAt, dataFile, row, dataFileIds.fileFormat)
  const known = formats.find((one) => one === format.toUpperCase())
  if (known === undefined) {
    const message = `${filePath} is ${what} of format ${format}, which is not supported; only Parquet is.`
    throw unsupported('FILE_FORMAT', message, { context: { filePath, format } })
  }
  if (bytesAt(dataFile, row, dataFileIds.keyMetadata) !== undefined)
    throw unsupported('ENCRYPTION', `${filePath} is encrypted (it has key metadata), which is not supported.`)
  return known
}

function misplaced(filePath: string, content: number, { dataFile }: Shapes): Error {
  const message = `${filePath} is of content ${content}, which does not belong where it is: ${dataFile.what}.`
  return corrupt('MANIFEST_CONTENT', message, { context: { filePath, content } })
}
