import { invalid, stringifyJson } from '@moulin/core'
import type { IcebergSchema, PartitionField, PartitionSpec, SortOrder, TableMetadata } from '@moulin/core'
import type { Change } from './change.ts'
import { lastColumnId, repeatedFieldId } from './schema-mapping.ts'

export function idOfLast(id: number, lastAdded: number | undefined, action: string): number {
  if (id !== -1) return id
  if (lastAdded !== undefined) return lastAdded
  throw invalid('LAST_ADDED', `${action} -1 means the one added by the same commit, but the commit added none.`)
}

/** A schema with the same fields keeps its id, whatever id it was given; a new one takes the next. */
export function addSchema(
  metadata: TableMetadata,
  update: { readonly schema: IcebergSchema; readonly 'last-column-id'?: number },
  change: Change,
): TableMetadata {
  const repeated = repeatedFieldId(update.schema)
  if (repeated !== undefined) throw invalid('FIELD_ID', `The field id ${repeated} is used twice in the schema.`)
  const last = Math.max(lastColumnId(update.schema), update['last-column-id'] ?? 0, metadata['last-column-id'])
  const shape = shapeOf(update.schema, 'schema-id')
  const count = update.schema.fields.length
  const same = metadata.schemas.find(
    (schema) => schema.fields.length === count && shapeOf(schema, 'schema-id') === shape,
  )
  const id = same?.['schema-id'] ?? nextId(metadata.schemas.map((schema) => schema['schema-id']))
  change.lastAdded.schemaId = id
  const schemas = same === undefined ? [...metadata.schemas, { ...update.schema, 'schema-id': id }] : metadata.schemas
  return { ...metadata, schemas, 'last-column-id': last }
}

/**
 * Forgets schemas; ids that are not there are fine.
 * @throws `invalid` for the current schema, and for one that a snapshot names.
 */
export function removeSchemas(metadata: TableMetadata, ids: readonly number[]): TableMetadata {
  const used = metadata.snapshots?.find(({ 'schema-id': id }) => typeof id === 'number' && ids.includes(id))
  const by = ids.includes(metadata['current-schema-id'])
    ? { id: metadata['current-schema-id'], user: 'it is the current one' }
    : used && { id: used['schema-id']!, user: `the snapshot ${used['snapshot-id']} names it` }
  if (by !== undefined) {
    const message = `The schema ${by.id} cannot be removed: ${by.user}.`
    throw invalid('SCHEMA_IN_USE', message, { context: { schemaId: by.id } })
  }
  return { ...metadata, schemas: metadata.schemas.filter((schema) => !ids.includes(schema['schema-id']!)) }
}

/**
 * Forgets partition specs; ids that are not there are fine. That no live manifest is of one is for whoever asks to know:
 * it has read them, and requires that no branch has moved since.
 * @throws `invalid` for the default spec.
 */
export function removeSpecs(metadata: TableMetadata, ids: readonly number[]): TableMetadata {
  const id = metadata['default-spec-id']
  if (ids.includes(id)) {
    const message = `The partition spec ${id} cannot be removed: it is the default one.`
    throw invalid('SPEC_IN_USE', message, { context: { specId: id } })
  }
  const kept = metadata['partition-specs'].filter((spec) => !ids.includes(spec['spec-id']!))
  return { ...metadata, 'partition-specs': kept }
}

/**
 * Partition fields keep an id that an equal (source, transform) had in an earlier spec, so that files of both specs
 * have one column for it; a field without an id takes the next.
 */
export function addSpec(metadata: TableMetadata, spec: PartitionSpec, change: Change): TableMetadata {
  const earlier = metadata['partition-specs'].flatMap(({ fields }) => fields)
  let last = metadata['last-partition-id']
  const fields = spec.fields.map((field): PartitionField & { readonly 'field-id': number } => {
    const id = field['field-id'] ?? earlier.find((other) => sameTransform(other, field))?.['field-id'] ?? ++last
    last = Math.max(last, id)
    return { ...field, 'field-id': id }
  })
  const shape = stringifyJson(fields.map(specShape))
  const same = metadata['partition-specs'].find((other) => stringifyJson(other.fields.map(specShape)) === shape)
  const id = same?.['spec-id'] ?? nextId(metadata['partition-specs'].map((other) => other['spec-id']))
  change.lastAdded.specId = id
  const specs = metadata['partition-specs']
  const kept = same === undefined ? [...specs, { ...spec, 'spec-id': id, fields }] : specs
  return { ...metadata, 'partition-specs': kept, 'last-partition-id': last }
}

const sameTransform = (a: PartitionField, b: PartitionField): boolean =>
  a['source-id'] === b['source-id'] && a.transform === b.transform

const specShape = (field: PartitionField): unknown[] => [
  field['source-id'],
  field['field-id'],
  field.name,
  field.transform,
]

/** Order 0 is "unsorted" and has no fields. */
export function addSortOrder(metadata: TableMetadata, order: SortOrder, change: Change): TableMetadata {
  const shape = shapeOf(order, 'order-id')
  const same = metadata['sort-orders'].find((other) => shapeOf(other, 'order-id') === shape)
  const unused = Math.max(1, nextId(metadata['sort-orders'].map((other) => other['order-id'])))
  const id = same?.['order-id'] ?? (order.fields.length === 0 ? 0 : unused)
  change.lastAdded.sortOrderId = id
  if (same !== undefined) return metadata
  return { ...metadata, 'sort-orders': [...metadata['sort-orders'], { ...order, 'order-id': id }] }
}

/** Writers order members differently, and some write a list of identifier fields that is empty. */
function shapeOf(value: object, without: string): string {
  const kept = Object.entries(value).filter(([name, member]) => {
    const isNothing = name === 'identifier-field-ids' && Array.isArray(member) && member.length === 0
    return name !== without && !isNothing
  })
  return stringifyJson(inOrder(Object.fromEntries(kept)))
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  const sorted = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return sorted.map(([name, member]) => [name, inOrder(member)])
}

const nextId = (ids: readonly (number | undefined)[]): number => Math.max(-1, ...ids.map((id) => id ?? -1)) + 1
