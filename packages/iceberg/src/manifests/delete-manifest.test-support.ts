import type { IcebergSchema, JsonObject, JsonValue } from '@moulin/core'
import { readAvroFile, writeAvroFile } from '@moulin/format'
import type { DataFile, DeleteFile, ManifestEntry, ManifestFile } from './data-file.ts'
import { writeManifest } from './manifest.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'

/** A manifest of deletes as other engines write it: the log itself writes none. */

export interface DeleteManifest {
  readonly path: string
  readonly spec: BoundPartitionSpec
  readonly schema: IcebergSchema
  /** Their sequence number is the manifest's where it is the same, else they are existing files. */
  readonly files: readonly DeleteFile[]
  readonly sequenceNumber: bigint
}

const optional = (id: number, name: string, type: string): JsonObject => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
})
const ofDeletes: readonly JsonObject[] = [
  optional(143, 'referenced_data_file', 'string'),
  optional(144, 'content_offset', 'long'),
  optional(145, 'content_size_in_bytes', 'long'),
]

export function writeDeleteManifest({ path, spec, schema, files, sequenceNumber }: DeleteManifest): {
  readonly bytes: Uint8Array
  readonly manifest: ManifestFile
} {
  const entries = files.map((file): ManifestEntry => {
    const own = file.sequenceNumber === sequenceNumber ? undefined : file.sequenceNumber
    return {
      status: own === undefined ? 'added' : 'existing',
      snapshotId: 5n,
      sequenceNumber: own,
      fileSequenceNumber: own,
      file: asData(file),
    }
  })
  const { bytes, manifest } = writeManifest({ path, spec, schema, entries, snapshotId: 5n, sequenceNumber })
  const avro = readAvroFile(bytes, { what: path })
  const changed = writeAvroFile({
    schema: withFields(avro.schema),
    metadata: {
      ...Object.fromEntries([...avro.metadata].filter(([key]) => !key.startsWith('avro.'))),
      content: 'deletes',
    },
    records: avro.records.map((record, at) => {
      const { data_file: file } = record as { data_file: object }
      return { ...record, data_file: { ...file, ...deleteColumns(files[at]!) } }
    }),
  })
  return { bytes: changed, manifest: { ...manifest, content: 'deletes', sizeBytes: BigInt(changed.length) } }
}

/** A file of deletes of an unpartitioned spec 0. */
export function deleteFile(
  content: DeleteFile['content'],
  name: string,
  sequenceNumber: bigint,
  more: Partial<DeleteFile> = {},
): DeleteFile {
  return {
    content,
    filePath: `file:///lake/t/data/${name}.${content === 'vector' ? 'puffin' : 'parquet'}`,
    specId: 0,
    partition: [],
    recordCount: 1n,
    fileSizeBytes: 100n,
    nullValueCounts: new Map(),
    nanValueCounts: new Map(),
    lowerBounds: new Map(),
    upperBounds: new Map(),
    sequenceNumber,
    equalityIds: content === 'equality' ? [1] : [],
    referencedDataFile: undefined,
    blob: content === 'vector' ? { offset: 4n, sizeBytes: 40n } : undefined,
    ...more,
  }
}

function asData(file: DeleteFile): DataFile {
  const { filePath, specId, partition, recordCount, fileSizeBytes } = file
  const { nullValueCounts, nanValueCounts, lowerBounds, upperBounds } = file
  const described = {
    filePath,
    specId,
    partition,
    recordCount,
    fileSizeBytes,
    nullValueCounts,
    nanValueCounts,
    lowerBounds,
    upperBounds,
  }
  const none = new Map<number, never>()
  const unknown = {
    columnSizes: none,
    valueCounts: none,
    splitOffsets: [],
    sortOrderId: undefined,
  }
  return { content: 0, fileFormat: 'PARQUET', ...described, ...unknown }
}

function deleteColumns({ content, equalityIds, referencedDataFile, blob }: DeleteFile): object {
  return {
    content: content === 'equality' ? 2 : 1,
    file_format: content === 'vector' ? 'PUFFIN' : 'PARQUET',
    equality_ids: equalityIds.length === 0 ? null : equalityIds,
    referenced_data_file: referencedDataFile ?? null,
    content_offset: blob?.offset ?? null,
    content_size_in_bytes: blob?.sizeBytes ?? null,
  }
}

function withFields(schema: JsonValue): JsonValue {
  const { fields, ...entry } = schema as unknown as { readonly fields: readonly JsonObject[] }
  const changed = fields.map((field) => {
    if (field['name'] !== 'data_file') return field
    const type = field['type'] as unknown as { readonly fields: readonly JsonObject[] }
    return { ...field, type: { ...type, fields: [...type.fields, ...ofDeletes] } }
  })
  return { ...entry, fields: changed }
}
