import { assert, isValid, typeName, unsupported, type Column } from '@moulin/core'
import { bigIntBytes } from '@moulin/format'
import { type Datum } from '../values/datum.ts'
import type { BoundColumn, Predicate, PredicateLeaf } from './predicate.ts'

/** Whether a row passes. */
export type RowPredicate = (row: number) => boolean

/**
 * Compiles a predicate over columns: exact, with SQL's nulls. NaN equals itself and is above all numbers, as in most SQL
 * engines; −0 equals 0; strings compare by code point, binaries by unsigned byte. A column that `columnOf` does not
 * know is all null. Storage must be that of the column's type.
 */
export function compilePredicate(
  predicate: Predicate,
  columnOf: (column: BoundColumn) => Column | undefined,
): RowPredicate {
  switch (predicate.op) {
    case 'true':
      return () => true
    case 'false':
      return () => false
    case 'and': {
      const args = predicate.args.map((arg) => compilePredicate(arg, columnOf))
      return (row) => args.every((arg) => arg(row))
    }
    case 'or': {
      const args = predicate.args.map((arg) => compilePredicate(arg, columnOf))
      return (row) => args.some((arg) => arg(row))
    }
    default:
      return compileLeaf(predicate, columnOf(predicate.column))
  }
}

function compileLeaf(leaf: PredicateLeaf, column: Column | undefined): RowPredicate {
  if (column === undefined) return leaf.op === 'isNull' ? () => true : () => false
  if (leaf.op === 'isNull') return (row) => !isValid(column, row)
  if (leaf.op === 'notNull') return (row) => isValid(column, row)
  const test = testOf(leaf, column)
  return column.validity === undefined ? test : (row) => isValid(column, row) && test(row)
}

// Of rows that have a value.
function testOf({ op, column: bound, values }: PredicateLeaf, column: Column): RowPredicate {
  if (op === 'startsWith' || op === 'notStartsWith') {
    assert(column.storage === 'bytes', `a string column is not stored as ${column.storage}`)
    const prefix = values[0] as Uint8Array
    const starts: RowPredicate = (row) =>
      column.ends[row]! - column.starts[row]! >= prefix.length &&
      compareAt(column.data, column.starts[row]!, column.starts[row]! + prefix.length, prefix) === 0
    return op === 'startsWith' ? starts : (row) => !starts(row)
  }
  const compare = comparer(bound, column, values)
  switch (op) {
    case 'eq':
      return (row) => compare(row, 0) === 0
    case 'ne':
      return (row) => compare(row, 0) !== 0
    case 'lt':
      return (row) => compare(row, 0) < 0
    case 'lte':
      return (row) => compare(row, 0) <= 0
    case 'gt':
      return (row) => compare(row, 0) > 0
    case 'gte':
      return (row) => compare(row, 0) >= 0
    default: {
      const isIn = memberOf(compare, values.length)
      return op === 'isIn' ? isIn : (row) => !isIn(row)
    }
  }
}

/** The sign of a row's value minus the value at an index. */
type Comparer = (row: number, index: number) => number

/** Binary search: the values rise. */
function memberOf(compare: Comparer, count: number): RowPredicate {
  return (row) => {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >> 1
      const sign = compare(row, middle)
      if (sign === 0) return true
      if (sign < 0) high = middle
      else low = middle + 1
    }
    return false
  }
}

function comparer(bound: BoundColumn, column: Column, values: readonly Datum[]): Comparer {
  switch (column.storage) {
    case 'bool':
      return compareNumbers(column.values, values.map(Number))
    case 'int32':
      return compareNumbers(column.values, values as readonly number[])
    case 'float32':
    case 'float64':
      return compareFloats(column.values, values as readonly number[])
    case 'int64':
      return compareLongs(column.values, values as readonly bigint[])
    case 'bytes':
      return (row, index) => compareAt(column.data, column.starts[row]!, column.ends[row]!, values[index] as Uint8Array)
    case 'fixed': {
      const { width, values: data } = column
      const isDecimal = typeof values[0] === 'bigint'
      if (isDecimal) return compareDecimals(data, width, values as readonly bigint[])
      return (row, index) => compareAt(data, row * width, (row + 1) * width, values[index] as Uint8Array)
    }
    default:
      throw unsupported('EXPRESSION', `Column ${bound.name} of type ${typeName(bound.type)} does not compare.`)
  }
}

function compareNumbers(data: Uint8Array | Int32Array, values: readonly number[]): Comparer {
  return (row, index) => data[row]! - values[index]!
}

function compareFloats(data: Float32Array | Float64Array, values: readonly number[]): Comparer {
  return (row, index) => {
    const a = data[row]!
    const b = values[index]!
    if (a < b) return -1
    if (a > b) return 1
    return a === b ? 0 : Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  }
}

// By 32-bit halves: no bigint is made for a row.
function compareLongs(data: BigInt64Array, values: readonly bigint[]): Comparer {
  const halves = new Int32Array(data.buffer, data.byteOffset, data.length * 2)
  const literals = new Int32Array(BigInt64Array.from(values).buffer)
  return (row, index) => {
    const high = halves[row * 2 + 1]! - literals[index * 2 + 1]!
    return high !== 0 ? high : (halves[row * 2]! >>> 0) - (literals[index * 2]! >>> 0)
  }
}

// With the sign bit turned over, two's complement of one width is in the order of its bytes.
function compareDecimals(data: Uint8Array, width: number, values: readonly bigint[]): Comparer {
  const literals = values.map((value) => bigIntBytes(value, width))
  return (row, index) => {
    const literal = literals[index]!
    const start = row * width
    const first = (data[start]! ^ 0x80) - (literal[0]! ^ 0x80)
    return first !== 0 ? first : compareAt(data, start, start + width, literal)
  }
}

function compareAt(data: Uint8Array, start: number, end: number, other: Uint8Array): number {
  const shared = Math.min(end - start, other.length)
  for (let i = 0; i < shared; i++) {
    const difference = data[start + i]! - other[i]!
    if (difference !== 0) return difference
  }
  return end - start - other.length
}
