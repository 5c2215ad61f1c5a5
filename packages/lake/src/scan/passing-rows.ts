import type { Column, ColumnBatch } from '@moulin/core'
import { compilePredicate } from '@moulin/iceberg'
import type { BoundColumn, Predicate } from '@moulin/iceberg'

/** Some rows of a batch, under our names. */
export interface PassingRows {
  readonly batch: ColumnBatch
  /** Rising; undefined: all of them. */
  readonly rows: Int32Array | undefined
  /** The columns' memory stays as it is; otherwise it is valid until the next batch is asked for. */
  readonly isOwned: boolean
}

type ColumnOf = (column: BoundColumn) => Column | undefined

export const countOf = ({ batch, rows }: PassingRows): number => rows?.length ?? batch.length

/**
 * The rows among these (default: all) that pass, rising; undefined when all do. Conjunctions go condition by condition, over
 * what is left.
 */
export function passingRows(
  predicate: Predicate,
  length: number,
  columnOf: ColumnOf,
  among?: Int32Array,
): Int32Array | undefined {
  return narrowed(predicate, length, among, columnOf)
}

function narrowed(
  predicate: Predicate,
  length: number,
  among: Int32Array | undefined,
  columnOf: ColumnOf,
): Int32Array | undefined {
  switch (predicate.op) {
    case 'true':
      return among
    case 'false':
      return new Int32Array(0)
    case 'and': {
      let left = among
      for (const arg of predicate.args) left = narrowed(arg, length, left, columnOf)
      return left
    }
    default:
      return filtered(length, among, compilePredicate(predicate, columnOf))
  }
}

function filtered(
  length: number,
  among: Int32Array | undefined,
  passes: (row: number) => boolean,
): Int32Array | undefined {
  const count = among?.length ?? length
  const rows = new Int32Array(count)
  let kept = 0
  for (let at = 0; at < count; at++) {
    const row = among === undefined ? at : among[at]!
    if (passes(row)) rows[kept++] = row
  }
  return kept === count ? among : rows.subarray(0, kept)
}
