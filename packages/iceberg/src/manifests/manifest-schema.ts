import { internal, type JsonValue } from '@moulin/core'
import type { FormatVersion } from '../metadata/format-version.ts'
import type { BoundPartitionField, BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { primitiveOf, type PrimitiveType } from '../values/primitive-type.ts'

/** Field ids of manifests and manifest lists. Spec: "Manifests", "Manifest lists". */
export const entryIds = {
  status: 0,
  snapshotId: 1,
  dataFile: 2,
  sequenceNumber: 3,
  fileSequenceNumber: 4,
} as const

export const dataFileIds = {
  content: 134,
  filePath: 100,
  fileFormat: 101,
  partition: 102,
  recordCount: 103,
  fileSizeBytes: 104,
  columnSizes: 108,
  valueCounts: 109,
  nullValueCounts: 110,
  nanValueCounts: 137,
  lowerBounds: 125,
  upperBounds: 128,
  keyMetadata: 131,
  splitOffsets: 132,
  equalityIds: 135,
  sortOrderId: 140,
  firstRowId: 142,
  referencedDataFile: 143,
  contentOffset: 144,
  contentSizeBytes: 145,
} as const

export const manifestFileIds = {
  path: 500,
  sizeBytes: 501,
  specId: 502,
  content: 517,
  sequenceNumber: 515,
  minSequenceNumber: 516,
  addedSnapshotId: 503,
  addedFiles: 504,
  existingFiles: 505,
  deletedFiles: 506,
  addedRows: 512,
  existingRows: 513,
  deletedRows: 514,
  partitions: 507,
  keyMetadata: 519,
  firstRowId: 520,
} as const

export const summaryIds = { containsNull: 509, containsNan: 518, lowerBound: 510, upperBound: 511 } as const

function field(id: number, name: string, type: JsonValue): JsonValue {
  return { name, type, 'field-id': id }
}

function optional(id: number, name: string, type: JsonValue): JsonValue {
  return { name, type: ['null', type], default: null, 'field-id': id }
}

/** Avro's own maps have text keys only, so a map by field id is an array of pairs. */
function idMap(keyId: number, valueId: number, value: string): JsonValue {
  const fields = [field(keyId, 'key', 'int'), field(valueId, 'value', value)]
  return {
    type: 'array',
    items: { type: 'record', name: `k${keyId}_v${valueId}`, fields },
    logicalType: 'map',
  }
}

/** The Avro schema of a manifest for files of one spec. */
export function manifestEntrySchema(spec: BoundPartitionSpec, formatVersion: FormatVersion): JsonValue {
  const partition = { type: 'record', name: 'r102', fields: spec.fields.map(partitionFieldSchema) }
  const dataFile = [
    field(134, 'content', 'int'),
    field(100, 'file_path', 'string'),
    field(101, 'file_format', 'string'),
    field(102, 'partition', partition),
    field(103, 'record_count', 'long'),
    field(104, 'file_size_in_bytes', 'long'),
    optional(108, 'column_sizes', idMap(117, 118, 'long')),
    optional(109, 'value_counts', idMap(119, 120, 'long')),
    optional(110, 'null_value_counts', idMap(121, 122, 'long')),
    optional(137, 'nan_value_counts', idMap(138, 139, 'long')),
    optional(125, 'lower_bounds', idMap(126, 127, 'bytes')),
    optional(128, 'upper_bounds', idMap(129, 130, 'bytes')),
    optional(131, 'key_metadata', 'bytes'),
    optional(132, 'split_offsets', { type: 'array', items: 'long', 'element-id': 133 }),
    optional(135, 'equality_ids', { type: 'array', items: 'int', 'element-id': 136 }),
    optional(140, 'sort_order_id', 'int'),
    ...(formatVersion === 2 ? [] : entryFieldsOf3),
  ]
  const fields = [
    field(0, 'status', 'int'),
    optional(1, 'snapshot_id', 'long'),
    optional(3, 'sequence_number', 'long'),
    optional(4, 'file_sequence_number', 'long'),
    field(2, 'data_file', { type: 'record', name: 'r2', fields: dataFile }),
  ]
  return { type: 'record', name: 'manifest_entry', fields }
}

const entryFieldsOf3 = [
  optional(142, 'first_row_id', 'long'),
  optional(143, 'referenced_data_file', 'string'),
  optional(144, 'content_offset', 'long'),
  optional(145, 'content_size_in_bytes', 'long'),
]

const summary = {
  type: 'record',
  name: 'r508',
  fields: [
    field(509, 'contains_null', 'boolean'),
    optional(518, 'contains_nan', 'boolean'),
    optional(510, 'lower_bound', 'bytes'),
    optional(511, 'upper_bound', 'bytes'),
  ],
}

/** The Avro schema of a manifest list. */
export function manifestFileSchema(formatVersion: FormatVersion): JsonValue {
  const firstRowId = formatVersion === 2 ? [] : [optional(520, 'first_row_id', 'long')]
  return { type: 'record', name: 'manifest_file', fields: [...manifestFileFields, ...firstRowId] }
}

const manifestFileFields = [
  field(500, 'manifest_path', 'string'),
  field(501, 'manifest_length', 'long'),
  field(502, 'partition_spec_id', 'int'),
  field(517, 'content', 'int'),
  field(515, 'sequence_number', 'long'),
  field(516, 'min_sequence_number', 'long'),
  field(503, 'added_snapshot_id', 'long'),
  field(504, 'added_files_count', 'int'),
  field(505, 'existing_files_count', 'int'),
  field(506, 'deleted_files_count', 'int'),
  field(512, 'added_rows_count', 'long'),
  field(513, 'existing_rows_count', 'long'),
  field(514, 'deleted_rows_count', 'long'),
  optional(507, 'partitions', { type: 'array', items: summary, 'element-id': 508 }),
  optional(519, 'key_metadata', 'bytes'),
]

/** What files without field ids call them; Java's older names of the counts are among them. */
export const manifestFieldIds: ReadonlyMap<string, number> = new Map([
  ...idsIn(manifestEntrySchema({ specId: 0, fields: [] }, 3)),
  ...idsIn(manifestFileSchema(3)),
  ['added_data_files_count', 504],
  ['existing_data_files_count', 505],
  ['deleted_data_files_count', 506],
])

function idsIn(type: JsonValue): [string, number][] {
  if (Array.isArray(type)) return type.flatMap(idsIn)
  if (typeof type !== 'object' || type === null) return []
  const own: [string, number][] = []
  if (typeof type['field-id'] === 'number' && typeof type['name'] === 'string')
    own.push([type['name'], type['field-id']])
  const inner = [type['fields'], type['type'], type['items']]
  return [...own, ...inner.flatMap((part) => (part === undefined ? [] : idsIn(part)))]
}

/** As what a partition field is written. A void one has no values: it needs no column to have a type. */
export function writtenType({ name, resultType, transform }: Omit<BoundPartitionField, 'fieldId'>): PrimitiveType {
  const known = resultType ?? (transform.kind === 'void' ? 'int' : undefined)
  const type = known === undefined ? undefined : primitiveOf(known)
  if (type !== undefined) return type
  throw internal('PARTITION_SPEC', `The partition field ${name} has no known type: its values cannot be written.`)
}

function partitionFieldSchema(field: BoundPartitionField): JsonValue {
  const { fieldId, name, transform } = field
  const type = writtenType(field)
  // The specification makes a day an int; every writer in use marks that int as a date, and readers show it as one.
  const avro = transform.kind === 'day' ? { type: 'int', logicalType: 'date' } : avroType(type, fieldId)
  const safeName = avroName(name)
  const schema = optional(fieldId, safeName, avro) as { [key: string]: JsonValue }
  return safeName === name ? schema : { ...schema, 'iceberg-field-name': name }
}

/** Spec: appendix A, "Avro". A fixed is named after its field: a name may be defined only once. */
function avroType(type: PrimitiveType, fieldId: number): JsonValue {
  const fixed = { type: 'fixed', name: `fixed_${fieldId}`, size: type.width }
  switch (type.kind) {
    case 'date':
      return { type: 'int', logicalType: 'date' }
    case 'time':
      return { type: 'long', logicalType: 'time-micros' }
    case 'timestamp':
    case 'timestamptz':
      return { type: 'long', logicalType: 'timestamp-micros', 'adjust-to-utc': type.kind === 'timestamptz' }
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return { type: 'long', logicalType: 'timestamp-nanos', 'adjust-to-utc': type.kind === 'timestamptz_ns' }
    case 'decimal':
      return { ...fixed, logicalType: 'decimal', precision: type.precision, scale: type.scale }
    case 'uuid':
      return { ...fixed, logicalType: 'uuid' }
    case 'fixed':
      return fixed
    case 'binary':
      return 'bytes'
    default:
      return type.kind
  }
}

/** Avro takes ASCII letters, digits and `_`; any other character becomes `_x` and its code, as Iceberg's writers do. */
export function avroName(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]|^\d/gu, (character) =>
    /\d/.test(character) ? `_${character}` : `_x${character.codePointAt(0)!.toString(16).toUpperCase()}`,
  )
}
