import { datumOf, partitionValueOf, type Datum } from '../values/datum.ts'
import type { BoundPartitionField, BoundPartitionSpec } from '../partitions/partition-fields.ts'
import { distinct, mapLeaves, type LeafOp, type Predicate, type PredicateLeaf } from './predicate.ts'
import { primitiveOf } from '../values/primitive-type.ts'
import { codePointEnd, valueTransform } from '../partitions/transform.ts'

/**
 * The inclusive projection of a predicate: if it is false of a partition tuple, no row of that tuple matches the
 * predicate. Its columns are positions in the tuple.
 * Spec: "Scan Planning".
 */
export function projectPredicate(predicate: Predicate, spec: BoundPartitionSpec): Predicate {
  return mapLeaves(predicate, (leaf) => {
    const args = spec.fields.flatMap((field, position) => {
      const projected = field.sourceId === leaf.column.id ? projectLeaf(leaf, field, position) : undefined
      return projected ?? []
    })
    return { op: 'and', args }
  })
}

// Undefined: the field says nothing of the leaf.
function projectLeaf(leaf: PredicateLeaf, field: BoundPartitionField, position: number): PredicateLeaf | undefined {
  const { transform, source, resultType } = field
  if (source === undefined || resultType === undefined || transform.kind === 'void') return undefined
  const column = { id: position, name: field.name, type: resultType }
  if (transform.kind === 'identity' || leaf.op === 'isNull' || leaf.op === 'notNull') return { ...leaf, column }

  const type = primitiveOf(source.type)!
  const apply = valueTransform(transform, source.type)
  const project = (value: Datum): Datum => datumOf(apply(partitionValueOf(value, type))!)
  const projected = (op: LeafOp, values: readonly Datum[]): PredicateLeaf => {
    const all = values.map(project)
    if (!times.has(transform.kind)) return { op, column, values: distinct(all) }
    const above = all.flatMap((each) => (typeof each === 'number' && each < 0 ? [each + 1] : []))
    if (op === 'eq' || op === 'isIn') return { op: 'isIn', column, values: distinct([...all, ...above]) }
    return { op, column, values: op === 'lte' && above.length > 0 ? above : all }
  }
  const value = leaf.values[0]!
  if (leaf.op === 'eq' || leaf.op === 'isIn') return projected(leaf.op, leaf.values)
  if (transform.kind === 'bucket') return undefined
  switch (leaf.op) {
    // All others keep the order of values.
    case 'lt':
      return projected('lte', [neighbour(value, -1)])
    case 'lte':
      return projected('lte', [value])
    case 'gt':
      return projected('gte', [neighbour(value, 1)])
    case 'gte':
      return projected('gte', [value])
    case 'startsWith':
    case 'notStartsWith': {
      const text = partitionValueOf(value, type) as string
      // The values keep `width` code points: of a longer prefix nothing more than these is to be seen.
      const isWhole = codePointEnd(text, transform.width) === text.length
      if (isWhole) return { ...leaf, column }
      return leaf.op === 'startsWith' ? projected('eq', [value]) : undefined
    }
    default:
      return undefined
  }
}

/**
 * Old writers (Iceberg up to 0.10) rounded times before 1970 up: what began in the hour before it is in hour 0 there. So such values are
 * looked for one further up as well.
 */
const times: ReadonlySet<string> = new Set(['year', 'month', 'day', 'hour'])

/** The next whole value: below 8 is at most 7. Other values are themselves. */
function neighbour(value: Datum, step: 1 | -1): Datum {
  if (typeof value === 'number') return value + step
  return typeof value === 'bigint' ? value + BigInt(step) : value
}
