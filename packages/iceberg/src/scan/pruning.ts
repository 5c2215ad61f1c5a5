import type { IcebergType } from '@moulin/core'
import { topBitsAt } from '@moulin/format'
import type { DataFile, ManifestFile } from '../manifests/data-file.ts'
import {
  compareBytes,
  compareDatum,
  datumOf,
  startsWithBytes,
  type Datum,
  type PartitionValue,
} from '../values/datum.ts'
import type { BoundColumn, Predicate, PredicateLeaf } from './predicate.ts'
import { primitiveOf, UNKNOWN, type PrimitiveType } from '../values/primitive-type.ts'
import { datumIn } from '../values/single-value.ts'
import { isOrderedAlike, isTimeOrdered } from '../values/uuid-order.ts'

/** What is known of one column's values in a set of rows. All of it is safe to believe: true means it may be. */
export interface ColumnFacts {
  readonly mayHaveNull: boolean
  readonly mayHaveValue: boolean
  readonly mayHaveNan: boolean
  /** No value but NaN is below. */
  readonly lower?: Datum | undefined
  /** No value but NaN is above. */
  readonly upper?: Datum | undefined
}

/**
 * False only if no row of the file can match.
 * Spec: "Scan Planning".
 */
export function metricsMightMatch(predicate: Predicate, file: DataFile): boolean {
  return mightMatch(predicate, (column, type) => fileFacts(file, column, type))
}

type StatedFile = Pick<
  DataFile,
  'recordCount' | 'valueCounts' | 'nullValueCounts' | 'nanValueCounts' | 'lowerBounds' | 'upperBounds' | 'splitOffsets'
>

/** What a manifest says of a column in a file. */
export function fileFacts(
  file: StatedFile,
  { id, type: columnType }: BoundColumn,
  type: PrimitiveType | undefined,
): ColumnFacts {
  if (columnType === UNKNOWN) return { mayHaveNull: true, mayHaveValue: false, mayHaveNan: false }
  const values = file.valueCounts.get(id) ?? file.recordCount
  const stated = file.nullValueCounts.get(id)
  const nulls = stated === undefined || stated < 0n || stated > values ? undefined : stated
  const nans = file.nanValueCounts.get(id)
  return {
    mayHaveNull: nulls !== 0n,
    mayHaveValue: nulls === undefined || nulls < values,
    mayHaveNan: nans !== 0n,
    ...fileBounds(type, file, id),
  }
}

/** What is true of the rows of both. */
export function bothFacts(a: ColumnFacts, b: ColumnFacts): ColumnFacts {
  return {
    mayHaveNull: a.mayHaveNull || b.mayHaveNull,
    mayHaveValue: a.mayHaveValue || b.mayHaveValue,
    mayHaveNan: a.mayHaveNan || b.mayHaveNan,
    lower: outer(a, b, 'lower', -1),
    upper: outer(a, b, 'upper', 1),
  }
}

function outer(a: ColumnFacts, b: ColumnFacts, side: 'lower' | 'upper', sign: 1 | -1): Datum | undefined {
  // Where there is no value, no bound is needed.
  if (!a.mayHaveValue) return b[side]
  if (!b.mayHaveValue) return a[side]
  const [one, other] = [a[side], b[side]]
  if (one === undefined || other === undefined || Number.isNaN(one) || Number.isNaN(other)) return undefined
  return compareDatum(one, other) * sign >= 0 ? one : other
}

/** A row group as its footer describes it; `ParquetRowGroup` of `@moulin/format` is one. */
export interface RowGroupBounds {
  readonly rowCount: number
  /** Bounds as {@link Datum}s of the type; what the footer does not state is absent. */
  bounds(
    fieldId: number,
    type: IcebergType,
  ): { readonly min?: Datum; readonly max?: Datum; readonly nullCount?: number }
}

/** False only if no row of the row group can match. A footer says nothing of NaNs. */
export function rowGroupMightMatch(predicate: Predicate, rowGroup: RowGroupBounds): boolean {
  return mightMatch(predicate, ({ id, type: columnType }) => {
    const { min, max, nullCount } = rowGroup.bounds(id, columnType)
    return {
      mayHaveNull: nullCount !== 0,
      mayHaveValue: nullCount === undefined || nullCount < rowGroup.rowCount,
      mayHaveNan: true,
      lower: min,
      upper: max,
    }
  })
}

/** False only if no row whose partition tuple is `values` can match; `predicate` comes from `projectPredicate`. */
export function partitionMightMatch(predicate: Predicate, values: readonly PartitionValue[]): boolean {
  return mightMatch(predicate, ({ id }) => {
    const value = values[id]
    if (value === undefined) return anything
    if (value === null) return { mayHaveNull: true, mayHaveValue: false, mayHaveNan: false }
    const datum = datumOf(value)
    const isNan = Number.isNaN(datum)
    return { mayHaveNull: false, mayHaveValue: true, mayHaveNan: isNan, lower: datum, upper: datum }
  })
}

/** False only if no live file of the manifest can match; `predicate` comes from `projectPredicate` of its spec. */
export function manifestMightMatch(predicate: Predicate, manifest: ManifestFile): boolean {
  if (manifest.addedFiles === 0 && manifest.existingFiles === 0) return false
  return mightMatch(predicate, ({ id }, type) => {
    const summary = manifest.partitions?.[id]
    if (summary === undefined) return anything
    const { containsNull, containsNan, lowerBound, upperBound } = summary
    return {
      mayHaveNull: containsNull,
      // The specification leaves the bounds out when all values are null or NaN; some writers leave them out always.
      mayHaveValue: true,
      mayHaveNan: containsNan !== false,
      ...bounds(type, lowerBound, upperBound),
    }
  })
}

const anything: ColumnFacts = { mayHaveNull: true, mayHaveValue: true, mayHaveNan: true }

/**
 * Iceberg's Java library makes the bounds of a file of those of its row groups, comparing signed halves: of UUIDs
 * sorted from `00…` to `a0…` in two row groups it says `00…` to `5f…`. What such bounds leave out does not show in them, so
 * for a file of several row groups only those of time-ordered UUIDs are believed, whose top bits do not vary.
 */
function fileBounds(
  type: PrimitiveType | undefined,
  file: StatedFile,
  id: number,
): Pick<ColumnFacts, 'lower' | 'upper'> {
  const lower = file.lowerBounds.get(id)
  const upper = file.upperBounds.get(id)
  const isMerged = type?.kind === 'uuid' && file.splitOffsets.length !== 1
  return isMerged && !(isTimeOrdered(lower) && isTimeOrdered(upper)) ? {} : bounds(type, lower, upper)
}

/** None of UUIDs that a writer may have ordered by signed halves, as Iceberg's Java library does. */
function bounds(
  type: PrimitiveType | undefined,
  lower: Uint8Array | undefined,
  upper: Uint8Array | undefined,
): Pick<ColumnFacts, 'lower' | 'upper'> {
  if (type?.kind === 'uuid' && !isOrderedAlike(seenTopBits(lower) | seenTopBits(upper))) return {}
  const [least, most] = [bound(type, lower), bound(type, upper)]
  // Bounds that contradict each other say nothing.
  const areInOrder = least === undefined || most === undefined || compareDatum(least, most) <= 0
  return areInOrder ? { lower: least, upper: most } : {}
}

const seenTopBits = (uuid: Uint8Array | undefined): number => (uuid?.length === 16 ? topBitsAt(uuid, 0) : 0)

function bound(type: PrimitiveType | undefined, bytes: Uint8Array | undefined): Datum | undefined {
  // One that is no value of the type says nothing, as one that is not there.
  return type === undefined || bytes === undefined ? undefined : datumIn(type, bytes)
}

export type FactsOf = (column: BoundColumn, type: PrimitiveType | undefined) => ColumnFacts

/** False only if no row of which these are the facts can match. */
export function mightMatch(predicate: Predicate, factsOf: FactsOf): boolean {
  switch (predicate.op) {
    case 'true':
      return true
    case 'false':
      return false
    case 'and':
      return predicate.args.every((arg) => mightMatch(arg, factsOf))
    case 'or':
      return predicate.args.some((arg) => mightMatch(arg, factsOf))
    default:
      return leafMightMatch(predicate, factsOf)
  }
}

function leafMightMatch(leaf: PredicateLeaf, factsOf: FactsOf): boolean {
  // Metrics are of leaves: of a list, struct or map itself nothing is known.
  if (typeof leaf.column.type !== 'string') return true
  const type = primitiveOf(leaf.column.type)
  const facts = factsOf(leaf.column, type)
  if (leaf.op === 'isNull') return facts.mayHaveNull
  if (!facts.mayHaveValue || leaf.op === 'notNull') return facts.mayHaveValue
  const isFloat = type?.kind === 'float' || type?.kind === 'double'
  // A bound that is NaN (a known fault of writers) says nothing; and above all numbers there may be a NaN.
  const lower = Number.isNaN(facts.lower) ? undefined : facts.lower
  const upper = Number.isNaN(facts.upper) || (isFloat && facts.mayHaveNan) ? undefined : facts.upper
  return rangeMightMatch(leaf, lower, upper)
}

function rangeMightMatch({ op, values }: PredicateLeaf, lower: Datum | undefined, upper: Datum | undefined): boolean {
  const value = values[0]!
  const aboveLower = (sign: number): boolean => lower === undefined || Math.sign(compareDatum(value, lower)) >= sign
  const belowUpper = (sign: number): boolean => upper === undefined || Math.sign(compareDatum(upper, value)) >= sign
  switch (op) {
    case 'lt':
      return aboveLower(1)
    case 'lte':
      return aboveLower(0)
    case 'gt':
      return belowUpper(1)
    case 'gte':
      return belowUpper(0)
    case 'startsWith':
      return prefixMightMatch(value as Uint8Array, lower, upper)
    case 'notStartsWith':
      // All between two values with the prefix have it too.
      return !(hasPrefix(lower, value as Uint8Array) && hasPrefix(upper, value as Uint8Array))
    case 'eq':
    case 'isIn':
      return values.some((each) => isWithin(each, lower, upper))
    default: {
      const isOneValue = lower !== undefined && upper !== undefined && compareDatum(lower, upper) === 0
      return !(isOneValue && values.some((each) => compareDatum(each, lower) === 0))
    }
  }
}

function isWithin(value: Datum, lower: Datum | undefined, upper: Datum | undefined): boolean {
  if (lower !== undefined && compareDatum(value, lower) < 0) return false
  return upper === undefined || compareDatum(value, upper) <= 0
}

function prefixMightMatch(prefix: Uint8Array, lower: Datum | undefined, upper: Datum | undefined): boolean {
  if (upper !== undefined && compareBytes(upper as Uint8Array, prefix) < 0) return false
  return lower === undefined || compareBytes((lower as Uint8Array).subarray(0, prefix.length), prefix) <= 0
}

function hasPrefix(bound: Datum | undefined, prefix: Uint8Array): boolean {
  return bound !== undefined && startsWithBytes(bound as Uint8Array, prefix)
}
