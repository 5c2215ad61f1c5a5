import type { Expression, Literal } from '@moulin/core'

/** Whether the predicate is true, false, or (null) unknown for a row, by SQL's rules. Only what is true passes. */
export function rowMatches(where: Expression, row: Readonly<Record<string, unknown>>): boolean | null {
  switch (where.op) {
    case 'and':
      return every(where.args.map((arg) => rowMatches(arg, row)))
    case 'or':
      return not(every(where.args.map((arg) => not(rowMatches(arg, row)))))
    case 'not':
      return not(rowMatches(where.arg, row))
    case 'isNull':
      return row[where.column] === null
    case 'notNull':
      return row[where.column] !== null
    case 'isIn':
      return not(every(where.values.map((value) => not(compared('eq', row[where.column], value)))))
    case 'startsWith': {
      const text = row[where.column] as string | null
      return text === null ? null : text.startsWith(where.value)
    }
    default:
      return compared(where.op, row[where.column], where.value)
  }
}

function every(parts: readonly (boolean | null)[]): boolean | null {
  if (parts.includes(false)) return false
  return parts.includes(null) ? null : true
}

const not = (part: boolean | null): boolean | null => (part === null ? null : !part)

type Comparing = Extract<Expression, { readonly value: Literal }>['op']

function compared(op: Comparing, value: unknown, literal: Literal): boolean | null {
  if (value === null) return null
  const order = orderOf(value, literal)
  switch (op) {
    case 'eq':
      return order === 0
    case 'ne':
      return order !== 0
    case 'lt':
      return order < 0
    case 'lte':
      return order <= 0
    case 'gt':
      return order > 0
    default:
      return order >= 0
  }
}

/** Texts and bytes by their bytes, all else by number. */
function orderOf(value: unknown, literal: Literal): number {
  const isExact = typeof value === 'bigint' || typeof literal === 'bigint'
  const [left, right] = [comparable(value, isExact), comparable(literal, isExact)]
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right)
  // Numbers and 64-bit ones compare with each other exactly.
  if (left < right) return -1
  return left > right ? 1 : 0
}

/** `isExact`: beside a 64-bit number, which for a time are its microseconds. */
function comparable(value: unknown, isExact: boolean): Uint8Array | number | bigint {
  if (typeof value === 'string') return Buffer.from(value)
  if (value instanceof Date) return isExact ? BigInt(value.getTime()) * 1000n : value.getTime()
  return typeof value === 'boolean' ? Number(value) : (value as Uint8Array | number | bigint)
}
