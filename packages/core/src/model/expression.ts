/**
 * Predicates over columns, as data. Results of a scan are exact: the same tree also prunes files and row groups.
 * Nulls follow SQL: a comparison with a null is unknown, and so is its negation; only what is true passes.
 */
export type Expression =
  | { readonly op: Comparison; readonly column: string; readonly value: Literal }
  | { readonly op: 'isIn'; readonly column: string; readonly values: readonly Literal[] }
  | { readonly op: 'isNull' | 'notNull'; readonly column: string }
  | { readonly op: 'startsWith'; readonly column: string; readonly value: string }
  | { readonly op: 'and' | 'or'; readonly args: readonly Expression[] }
  | { readonly op: 'not'; readonly arg: Expression }

export type Comparison = 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte'
export type Literal = boolean | number | bigint | string | Date | Uint8Array

declare const requires: unique symbol

/** An expression with what it requires of a row: a wrong column name or value type does not compile. */
export type Where<R> = Expression & { readonly [requires]?: ((row: R) => void) | undefined }

/** A row as predicates see it: every column present, nulls set aside. */
export type Comparable<R> = { readonly [K in keyof R]-?: NonNullable<R[K]> }

type Widen<V> = V extends string
  ? string
  : V extends number
    ? number
    : V extends bigint
      ? bigint
      : V extends boolean
        ? boolean
        : V
type Compare = <C extends string, V extends Literal>(column: C, value: V) => Where<{ readonly [K in C]: Widen<V> }>

const compare =
  (op: Comparison): Compare =>
  (column, value) => ({ op, column, value })

export const eq: Compare = compare('eq')
/** Not equal; a null is neither equal nor unequal. */
export const ne: Compare = compare('ne')
export const lt: Compare = compare('lt')
export const lte: Compare = compare('lte')
export const gt: Compare = compare('gt')
export const gte: Compare = compare('gte')

export function isIn<C extends string, V extends Literal>(
  column: C,
  values: readonly V[],
): Where<{ readonly [K in C]: Widen<V> }> {
  return { op: 'isIn', column, values }
}
export function isNull<C extends string>(column: C): Where<{ readonly [K in C]: unknown }> {
  return { op: 'isNull', column }
}
export function notNull<C extends string>(column: C): Where<{ readonly [K in C]: unknown }> {
  return { op: 'notNull', column }
}
/** For strings. */
export function startsWith<C extends string>(column: C, value: string): Where<{ readonly [K in C]: string }> {
  return { op: 'startsWith', column, value }
}
// Each argument's requirement must hold: a union of functions infers the intersection of what they take.
type AllOf<A extends readonly Where<never>[]> =
  NonNullable<A[number][typeof requires]> extends (row: infer R) => void ? R : never

export function and<const A extends readonly Where<never>[]>(...args: A): Where<AllOf<A>> {
  return { op: 'and', args }
}
export function or<const A extends readonly Where<never>[]>(...args: A): Where<AllOf<A>> {
  return { op: 'or', args }
}
export function not<R>(arg: Where<R>): Where<R> {
  return { op: 'not', arg } as Where<R>
}

/** The columns that an expression names. */
export function columnsOf(expression: Expression): Set<string> {
  switch (expression.op) {
    case 'and':
    case 'or':
      return new Set(expression.args.flatMap((arg) => [...columnsOf(arg)]))
    case 'not':
      return columnsOf(expression.arg)
    default:
      return new Set([expression.column])
  }
}
