import { nestedFields } from '@moulin/core'
import type { IcebergField } from '@moulin/core'
import { currentSpec } from '@moulin/iceberg'
import type { DataFile } from '@moulin/iceberg'
import type { TableState } from '../table/table-state.ts'

/** A leaf that others have added, at any depth. */
interface OthersLeaf {
  readonly id: number
  /** A file without it has a value there. */
  readonly hasInitial: boolean
}

/**
 * Columns of others that the files do not have, by id: rows in them have the initial default, whatever a row would be given today. What
 * files are partitioned by is not among them.
 */
export function lackedColumns(files: readonly DataFile[], { columns, loaded }: TableState): ReadonlySet<number> {
  const ours = new Set([...columns.followed.values()].map(({ theirs }) => theirs.id))
  const sources = new Set(currentSpec(loaded.metadata).fields.map((field) => field['source-id']))
  const others = columns.schema.fields.filter(({ id }) => !ours.has(id) && !sources.has(id))
  return new Set(others.filter((field) => leavesOf(field).every((id) => isLacked(files, id))).map(({ id }) => id))
}

/**
 * Whether the files have the same in what others have added, as far as manifests tell. Rows of ours have one value there, a default, so
 * counts and bounds say all of it that they are likely to differ by.
 */
export function sameOthers(vanished: readonly DataFile[], encoded: readonly DataFile[], state: TableState): boolean {
  const isTold = vanished.every(({ valueCounts }) => valueCounts.size > 0)
  return othersLeaves(state).every(({ id, hasInitial }) => {
    if (!isTold) return false
    if (!isLacked(vanished, id)) return valuesOf(vanished, id) === valuesOf(encoded, id)
    return isLacked(encoded, id) || (!hasInitial && encoded.every((file) => isNull(file, id)))
  })
}

function othersLeaves({ columns }: TableState): OthersLeaf[] {
  const ours = new Set([...columns.followed.values()].flatMap(({ read }) => idsOf(read)))
  const within = (field: IcebergField, hasInitial: boolean): OthersLeaf[] => {
    const initial = field['initial-default']
    const has = hasInitial || (!ours.has(field.id) && initial !== undefined && initial !== null)
    if (typeof field.type !== 'string') return nestedFields(field.type).flatMap((inner) => within(inner, has))
    return ours.has(field.id) ? [] : [{ id: field.id, hasInitial: has }]
  }
  return columns.schema.fields.flatMap((field) => within(field, false))
}

function idsOf({ id, type }: IcebergField): number[] {
  return [id, ...(typeof type === 'string' ? [] : nestedFields(type).flatMap(idsOf))]
}

const leavesOf = (field: IcebergField): number[] =>
  typeof field.type === 'string' ? [field.id] : nestedFields(field.type).flatMap(leavesOf)

const isLacked = (files: readonly DataFile[], id: number): boolean => !files.some((file) => file.valueCounts.has(id))

const isNull = ({ valueCounts, nullValueCounts }: DataFile, id: number): boolean =>
  valueCounts.get(id) === nullValueCounts.get(id)

/** As text, to be compared: how many values and nulls, and between which bounds. */
function valuesOf(files: readonly DataFile[], id: number): string {
  const sum = (counts: 'valueCounts' | 'nullValueCounts'): bigint =>
    files.reduce((total, file) => total + (file[counts].get(id) ?? 0n), 0n)
  const bounds = files.flatMap(({ lowerBounds, upperBounds }) => {
    return [lowerBounds.get(id), upperBounds.get(id)].map((bound) => Buffer.from(bound ?? []).toString('hex'))
  })
  return [sum('valueCounts'), sum('nullValueCounts'), ...new Set(bounds.sort())].join()
}
