import type { JsonObject, JsonValue, Snapshot, TableMetadata } from '@moulin/core'
import { FIRST_PARTITION_FIELD_ID } from '../partitions/partition-fields.ts'
import { check, optionalArray } from './metadata-shape.ts'

const isMissing = (value: unknown): value is null | undefined => value === undefined || value === null

/**
 * Metadata of format version 1 with the members that later versions require, and without those that these replaced: one schema and one
 * spec become lists of one, and whatever there was is older than any sequence number. A table that never had a UUID has an empty one.
 *
 * Spec: "Table Metadata", column v1; "Writer requirements: Reading v1 metadata for v2".
 */
export function fromFirstFormat(json: JsonObject, what: string): JsonObject {
  const { schema, 'partition-spec': spec, ...rest } = json
  const given: { [member: string]: JsonValue } = { ...rest, ...schemasOf(json, schema, what) }
  const specs = specsOf(json, spec, what)
  given['partition-specs'] = [...specs]
  for (const [member, value] of Object.entries(replaced(specs))) if (isMissing(given[member])) given[member] = value
  const snapshots = optionalArray(json['snapshots'], `${what}: snapshots`)
  if (snapshots.length > 0)
    given['snapshots'] = snapshots.map((snapshot, at) => snapshotOf(snapshot, `${what}: snapshots[${at}]`))
  return given
}

/**
 * {@link fromFirstFormat} back: what readers of version 1 need, and nothing that only later versions have. The lists that came with later
 * versions are allowed in it, and kept.
 *
 * Spec: "Table Metadata", column v1; "Writing v1 metadata".
 */
export function toFirstFormat(metadata: TableMetadata): object {
  const { 'last-sequence-number': _, 'table-uuid': uuid, snapshots = [], ...rest } = metadata
  const schema = metadata.schemas.find((one) => one['schema-id'] === metadata['current-schema-id'])
  const spec = metadata['partition-specs'].find((one) => one['spec-id'] === metadata['default-spec-id'])
  return {
    ...rest,
    ...(uuid === '' ? {} : { 'table-uuid': uuid }),
    schema,
    'partition-spec': spec?.fields ?? [],
    snapshots: snapshots.map(firstSnapshot),
  }
}

function firstSnapshot({ 'sequence-number': _, 'manifest-list': list, ...rest }: Snapshot): object {
  return rest.manifests === undefined ? { ...rest, 'manifest-list': list } : rest
}

/** What there was nothing of. */
const replaced = (specs: readonly JsonValue[]): { readonly [member: string]: JsonValue } => ({
  'table-uuid': '',
  'last-sequence-number': 0,
  'default-spec-id': 0,
  'last-partition-id': specs.flatMap(fieldIds).reduce((last, id) => Math.max(last, id), FIRST_PARTITION_FIELD_ID - 1),
  'sort-orders': [{ 'order-id': 0, fields: [] }],
  'default-sort-order-id': 0,
})

function schemasOf(json: JsonObject, schema: JsonValue | undefined, what: string): JsonObject {
  if (!isMissing(json['schemas'])) return {}
  const one = check.object(schema, `${what}: schema`)
  const id = isMissing(one['schema-id']) ? 0 : one['schema-id']
  return { schemas: [{ ...one, 'schema-id': id }], 'current-schema-id': id }
}

function specsOf(json: JsonObject, spec: JsonValue | undefined, what: string): readonly JsonValue[] {
  const specs = isMissing(json['partition-specs'])
    ? [{ 'spec-id': 0, fields: check.array(spec, `${what}: partition-spec`) as JsonValue[] }]
    : check.array(json['partition-specs'], `${what}: partition-specs`)
  return specs.map((member, at) => {
    const one = check.object(member, `${what}: partition-specs[${at}]`)
    const fields = check.array(one['fields'], `${what}: partition-specs[${at}].fields`)
    return { ...one, fields: fields.map((field, position) => numbered(field, position)) }
  })
}

// Writers of version 1 counted them by position, and did not say so.
function numbered(field: JsonValue, position: number): JsonValue {
  const isNumbered =
    typeof field !== 'object' || field === null || Array.isArray(field) || !isMissing(field['field-id'])
  return isNumbered ? field : { ...field, 'field-id': FIRST_PARTITION_FIELD_ID + position }
}

function fieldIds(spec: JsonValue): number[] {
  const { fields } = spec as { fields: JsonValue[] }
  return fields.flatMap((field) => {
    const id = typeof field === 'object' && field !== null && !Array.isArray(field) ? field['field-id'] : undefined
    return typeof id === 'number' ? [id] : []
  })
}

function snapshotOf(member: JsonValue, what: string): JsonValue {
  const snapshot = check.object(member, what)
  const isListed = isMissing(snapshot['manifest-list'])
  return {
    ...snapshot,
    ...(isMissing(snapshot['sequence-number']) && { 'sequence-number': 0 }),
    ...(isMissing(snapshot['summary']) && { summary: {} }),
    // Before there were manifest lists.
    ...(isListed && { 'manifest-list': '', manifests: [...check.strings(snapshot['manifests'], `${what}.manifests`)] }),
  }
}
