import {
  corrupt,
  invalid,
  isKind,
  unsupported,
  type IcebergField,
  type IcebergSchema,
  type IcebergType,
  type PartitionSpec,
} from '@moulin/core'
import { parseTransform, transformResultType, type Transform } from './transform.ts'

/** A partition spec with all that its fields' values need to be made, written, read and pruned by. */
export interface BoundPartitionSpec {
  readonly specId: number
  readonly fields: readonly BoundPartitionField[]
}

export interface BoundPartitionField {
  readonly fieldId: number
  readonly name: string
  readonly sourceId: number
  readonly transform: Transform
  /** Undefined: no schema knows the column any more; values are then kept as they are stored, and nothing is pruned by them. */
  readonly source: IcebergField | undefined
  readonly resultType: IcebergType | undefined
}

/** Field ids of partition specs begin here. Spec: "Partition specs". */
export const FIRST_PARTITION_FIELD_ID = 1000

/**
 * Looks a spec's columns up. `schemas`: the first that has a column decides its type (put the current one first).
 * @throws `unsupported` naming an unknown transform; `invalid` when a transform does not take its column.
 * Spec: "Partitioning".
 */
export function bindPartitionSpec(spec: PartitionSpec, schemas: readonly IcebergSchema[]): BoundPartitionSpec {
  const fields = spec.fields.map((field, position) => {
    if (typeof field['source-id'] !== 'number') {
      throw unsupported(
        'TRANSFORM',
        `The partition field ${field.name} has several source columns: such transforms are not supported.`,
      )
    }
    const transform = parseTransform(field.transform)
    const source = fieldById(schemas, field['source-id'])
    return {
      fieldId: field['field-id'] ?? FIRST_PARTITION_FIELD_ID + position,
      name: field.name,
      sourceId: field['source-id'],
      transform,
      source,
      resultType: source === undefined ? undefined : transformResultType(transform, source.type),
    }
  })
  return { specId: spec['spec-id'] ?? 0, fields }
}

/**
 * {@link bindPartitionSpec} for a spec that is only read by: of a field that is not understood (an unknown transform, several sources, a
 * source of a type that we lack) the values are kept as they are stored, and nothing is pruned by them.
 * Spec: "Partition Transforms".
 */
export function bindForReading(spec: PartitionSpec, schemas: readonly IcebergSchema[]): BoundPartitionSpec {
  const fields = spec.fields.map((field, position): BoundPartitionField => {
    const one = {
      ...spec,
      fields: [{ ...field, 'field-id': field['field-id'] ?? FIRST_PARTITION_FIELD_ID + position }],
    }
    try {
      return bindPartitionSpec(one, schemas).fields[0]!
    } catch (error) {
      if (!isKind(error, 'unsupported') && !isKind(error, 'invalid')) throw error
      const { name, transform } = field
      const unknown = { source: undefined, resultType: undefined }
      // As of a column that no schema has: what is made of its values is not looked at.
      const asStored = { name: String(transform), kind: 'identity', width: 0 } as const
      return { fieldId: one.fields[0]!['field-id'], name, sourceId: NO_SOURCE, transform: asStored, ...unknown }
    }
  })
  return { specId: spec['spec-id'] ?? 0, fields }
}

const NO_SOURCE = -1

/**
 * {@link bindPartitionSpec} for a spec that is to be written with: every column must be there, at the top level, and
 * every name once.
 * @throws `invalid`, also for a name that a column of another kind has.
 */
export function checkPartitionSpec(spec: PartitionSpec, schema: IcebergSchema): BoundPartitionSpec {
  const bound = bindPartitionSpec(spec, [schema])
  const names = new Set<string>()
  for (const { name, sourceId, source, transform } of bound.fields) {
    if (source === undefined) throw badSpec(name, `its source, column id ${sourceId}, is not in the schema`)
    if (!schema.fields.includes(source)) throw badSpec(name, `its source ${source.name} is not a top-level column`)
    if (name === '' || names.has(name)) throw badSpec(name, 'its name is empty or repeated')
    names.add(name)
    const column = schema.fields.find((field) => field.name === name)
    if (column !== undefined && !(column === source && transform.kind === 'identity'))
      throw badSpec(name, `its name is a column's; only the identity of that column may bear it`)
  }
  return bound
}

function badSpec(name: string, why: string): Error {
  return invalid('PARTITION_SPEC', `The partition field ${JSON.stringify(name)} is not valid: ${why}.`)
}

/** The spec of that id. @throws `corrupt` when the table has none. */
export function specById(specs: readonly PartitionSpec[], specId: number): PartitionSpec {
  const spec = specs.find((candidate) => (candidate['spec-id'] ?? 0) === specId)
  if (spec !== undefined) return spec
  throw corrupt('PARTITION_SPEC', `A manifest names partition spec ${specId}, which the table's metadata lacks.`)
}

function fieldById(schemas: readonly IcebergSchema[], id: number): IcebergField | undefined {
  for (const { fields } of schemas) {
    const found = findField(fields, id)
    if (found !== undefined) return found
  }
  return undefined
}

// A source may lie in a struct, never in a list or map.
function findField(fields: readonly IcebergField[], id: number): IcebergField | undefined {
  for (const field of fields) {
    if (field.id === id) return field
    if (typeof field.type === 'object' && field.type.type === 'struct') {
      const found = findField(field.type.fields, id)
      if (found !== undefined) return found
    }
  }
  return undefined
}
