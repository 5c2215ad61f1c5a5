import { parsePrimitive } from '@moulin/core'
import type { Expression, IcebergField, IcebergType, Literal } from '@moulin/core'
import { bindExpression, mapLeaves } from '@moulin/iceberg'
import type { Datum, Predicate } from '@moulin/iceberg'
import type { TableColumns } from '../table/table-layout.ts'

const NO_ID = -1

/**
 * The expression over our columns, bound to those of the table: literals are of our types, and what they are compared with is what
 * the table says, which may be more than ours holds. A column that is gone has an id that no file has.
 * @throws as {@link bindExpression}.
 */
export function boundToTable(where: Expression | undefined, columns: TableColumns): Predicate {
  return promoted(bindExpression(where, ourFields(columns)), columns)
}

function ourFields({ byName, layout }: TableColumns): IcebergField[] {
  return layout.schema.fields.map((field) => ({ ...field, id: byName.get(field.name)?.id ?? NO_ID }))
}

function promoted(predicate: Predicate, columns: TableColumns): Predicate {
  return mapLeaves(predicate, (leaf) => {
    const { column, values } = leaf
    const type = columns.byName.get(column.name)?.type
    if (type === undefined || !isPromoted(column.type, type)) return leaf
    return { ...leaf, column: { ...column, type }, values: values.map((value) => wider(value, column.type, type)) }
  })
}

const isPromoted = (ours: IcebergType, theirs: IcebergType): theirs is string =>
  typeof ours === 'string' && typeof theirs === 'string' && ours !== theirs

/** A value of our type as one of the type that the column was promoted to. */
function wider(value: Datum, ours: IcebergType, theirs: string): Datum {
  switch (parsePrimitive(theirs)?.kind) {
    case 'long':
      return BigInt(value as number)
    case 'timestamp':
      return ours === 'date' ? BigInt(value as number) * MICROS_PER_DAY : value
    case 'timestamp_ns':
      return BigInt(value as number) * MICROS_PER_DAY * 1000n
    default:
      return value
  }
}

const MICROS_PER_DAY = 86_400_000_000n

/** The same expression with the table's names for our columns, and its literals as those of the table's types. */
export function renamed(expression: Expression, columns: TableColumns): Expression {
  switch (expression.op) {
    case 'and':
    case 'or':
      return { op: expression.op, args: expression.args.map((arg) => renamed(arg, columns)) }
    case 'not':
      return { op: 'not', arg: renamed(expression.arg, columns) }
    default: {
      const { name, type } = columns.byName.get(expression.column)!
      const ours = columns.layout.schema.fields.find((field) => field.name === expression.column)!
      const column = { ...expression, column: name }
      // The text of a decimal is one of the wider one, too.
      if (!isPromoted(ours.type, type) || parsePrimitive(type)?.kind === 'decimal') return column
      const bound = bindExpression(expression, [ours])
      if (!('values' in bound)) return column
      const values = bound.values.map((value) => wider(value, ours.type, type) as Literal)
      if ('value' in column) return { ...column, value: values[0]! } as Expression
      return 'values' in column ? { ...column, values } : column
    }
  }
}
