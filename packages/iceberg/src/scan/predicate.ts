import {
  invalid,
  type Comparison,
  type Expression,
  type IcebergField,
  type IcebergType,
  shown,
  typeName,
} from '@moulin/core'
import { compareDatum, type Datum } from '../values/datum.ts'
import { literalDatum } from '../values/literal.ts'

/**
 * An expression bound to columns: names resolved, literals as stored, and `not` pushed down to the leaves. Then a leaf
 * that is unknown (a comparison with null) may count as false: `and` and `or` give true in the same cases.
 */
export type Predicate =
  { readonly op: 'true' | 'false' } | { readonly op: 'and' | 'or'; readonly args: readonly Predicate[] } | PredicateLeaf

export interface PredicateLeaf {
  readonly op: LeafOp
  readonly column: BoundColumn
  /** One; for isIn and notIn all, rising and distinct; for isNull and notNull none. */
  readonly values: readonly Datum[]
}

export type LeafOp = Comparison | 'isIn' | 'notIn' | 'isNull' | 'notNull' | 'startsWith' | 'notStartsWith'

/** A top-level column by its field id, or a field of a partition tuple by its position. */
export interface BoundColumn {
  readonly id: number
  readonly name: string
  readonly type: IcebergType
}

/** The predicate with what `make` says in the place of each comparison. */
export function mapLeaves(predicate: Predicate, make: (leaf: PredicateLeaf) => Predicate): Predicate {
  switch (predicate.op) {
    case 'true':
    case 'false':
      return predicate
    case 'and':
    case 'or':
      return { op: predicate.op, args: predicate.args.map((arg) => mapLeaves(arg, make)) }
    default:
      return make(predicate)
  }
}

const opposite: Readonly<Record<LeafOp, LeafOp>> = {
  eq: 'ne',
  ne: 'eq',
  lt: 'gte',
  gte: 'lt',
  gt: 'lte',
  lte: 'gt',
  isIn: 'notIn',
  notIn: 'isIn',
  isNull: 'notNull',
  notNull: 'isNull',
  startsWith: 'notStartsWith',
  notStartsWith: 'startsWith',
}

/**
 * Binds an expression to the top-level columns of a schema. Undefined means every row.
 * @throws `invalid` for a column that is not there, or a literal of the wrong type, naming the column and its type.
 */
export function bindExpression(expression: Expression | undefined, fields: readonly IcebergField[]): Predicate {
  if (expression === undefined) return { op: 'true' }
  return bind(expression, new Map(fields.map((field) => [field.name, field])), false)
}

function bind(expression: Expression, fields: ReadonlyMap<string, IcebergField>, negated: boolean): Predicate {
  if (typeof expression !== 'object' || expression === null)
    throw invalid('EXPRESSION', `${shown(expression)} is no expression: make them with eq, and, not and the like.`)
  switch (expression.op) {
    case 'not':
      return bind(expression.arg, fields, !negated)
    case 'and':
    case 'or': {
      const args = listOf(expression.args).map((arg) => bind(arg, fields, negated))
      return { op: negated ? (expression.op === 'and' ? 'or' : 'and') : expression.op, args }
    }
    default:
      return bindLeaf(expression, fields, negated)
  }
}

type LeafExpression = Exclude<Expression, { op: 'and' | 'or' | 'not' }>

function bindLeaf(expression: LeafExpression, fields: ReadonlyMap<string, IcebergField>, negated: boolean): Predicate {
  const { op, column: name } = expression
  if (typeof op !== 'string' || !Object.hasOwn(opposite, op))
    throw invalid('EXPRESSION', `${shown(op)} is no operator of an expression.`)
  const field = fields.get(name)
  if (field === undefined) {
    const names = [...fields.keys()].join(', ')
    throw invalid('EXPRESSION', `There is no column ${shown(name)}; the columns are ${names}.`, {
      context: { column: shown(name) },
    })
  }
  const { id, type } = field
  if (op === 'startsWith' && type !== 'string') {
    const message = `startsWith takes a string column; ${name} is of type ${typeName(type)}.`
    throw invalid('EXPRESSION', message, { context: { column: name } })
  }
  const values = distinct(literalsOf(expression).map((literal) => literalDatum(literal, name, type)))
  // No value is in an empty list, and a null is not unknown to be in it either.
  if (op === 'isIn' && values.length === 0) return { op: negated ? 'true' : 'false' }
  return { op: negated ? opposite[op] : op, column: { id, name, type }, values }
}

function literalsOf(expression: LeafExpression): readonly (Datum | string | Date)[] {
  if ('values' in expression) return listOf(expression.values)
  return 'value' in expression ? [expression.value] : []
}

function listOf<T>(values: readonly T[]): readonly T[] {
  if (Array.isArray(values)) return values
  throw invalid('EXPRESSION', `${shown(values)} stands where an expression wants an array.`)
}

/** Rising, each once. */
export function distinct(values: readonly Datum[]): Datum[] {
  const sorted = values.toSorted(compareDatum)
  return sorted.filter((value, at) => at === 0 || compareDatum(value, sorted[at - 1]!) !== 0)
}
