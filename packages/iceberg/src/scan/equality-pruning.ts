import type { IcebergField } from '@moulin/core'
import type { DataFile, DeleteFile } from '../manifests/data-file.ts'
import type { BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { compareDatum } from '../values/datum.ts'
import { primitiveOf } from '../values/primitive-type.ts'
import { fileFacts, type ColumnFacts } from './pruning.ts'

/** A data file as its manifest lists it. */
export interface ComparedFile {
  readonly file: DataFile
  readonly spec: BoundPartitionSpec
}

/**
 * Of a data file, which files of equality deletes may be about it, by what manifests say of both. False only where no row can be like one of
 * the deletes: in one of the columns there is nothing that both may have, be it a null, a NaN or a value. What is not stated, or cannot
 * be, may be anything.
 * @param fields What rows are compared by, as `equalityFields` gives it.
 * Spec: "Scan Planning".
 */
export function equalityMightMatch(
  { file, spec }: ComparedFile,
  fields: readonly IcebergField[],
): (deletes: DeleteFile) => boolean {
  const leaves = leavesOf(fields, false).flatMap(({ field, isDefaulted }) => {
    const type = primitiveOf(field.type)
    const column = { id: field.id, name: field.name, type: field.type }
    const isTold = spec.fields.some(({ sourceId }) => sourceId === field.id)
    const facts = fileFacts(file, column, type)
    // Where the file lacks the column, it is not the file that says what is there.
    const isElsewhere = (isDefaulted || isTold) && facts.lower === undefined && facts.upper === undefined
    return isElsewhere ? [] : [{ type, column, facts, isFloat: type?.kind === 'float' || type?.kind === 'double' }]
  })
  return (deletes) => {
    // Of a file of deletes no more is kept than this, which is enough: unknown is whatever may be.
    const stated = { ...deletes, valueCounts: none, splitOffsets: [] }
    return leaves.every(({ type, column, facts, isFloat }) => mayMeet(facts, fileFacts(stated, column, type), isFloat))
  }
}

const none: ReadonlyMap<number, bigint> = new Map()

interface Leaf {
  readonly field: IcebergField
  /** It, or a struct around it, has a default where a file lacks it. */
  readonly isDefaulted: boolean
}

function leavesOf(fields: readonly IcebergField[], isWithin: boolean): readonly Leaf[] {
  return fields.flatMap((field) => {
    const isDefaulted = isWithin || (field['initial-default'] ?? null) !== null
    const { type } = field
    return typeof type === 'object' && type.type === 'struct'
      ? leavesOf(type.fields, isDefaulted)
      : [{ field, isDefaulted }]
  })
}

function mayMeet(a: ColumnFacts, b: ColumnFacts, isFloat: boolean): boolean {
  if (a.mayHaveNull && b.mayHaveNull) return true
  if (!a.mayHaveValue || !b.mayHaveValue) return false
  // Bounds leave NaNs out.
  if (isFloat && a.mayHaveNan && b.mayHaveNan) return true
  return !isBelow(a, b) && !isBelow(b, a)
}

/** Whether all values of the one are below all of the other; a bound that is NaN says nothing. */
function isBelow({ upper }: ColumnFacts, { lower }: ColumnFacts): boolean {
  if (upper === undefined || lower === undefined || Number.isNaN(upper) || Number.isNaN(lower)) return false
  return compareDatum(upper, lower) < 0
}
