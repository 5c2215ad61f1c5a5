import { PositionSetBuilder } from '@moulin/format'
import type { PositionSet } from '@moulin/format'

/** Which rows of one data file are deleted, by position in the file: what comes of its delete files, or of its deletion vector. */
export interface RowMask {
  /** Not empty. Two masks of a file with one key have the same rows: what is made of a file's rows is remembered under it. */
  readonly key: string
  /** How many rows are deleted. */
  readonly size: number
  /** How many of the rows `[start, end)` of the file. */
  countIn(start: number, end: number): number
  /** Those of the rows `[start, end)` of the file that are left, counted from `start`, rising; undefined: all of them. */
  leftIn(start: number, end: number): Int32Array | undefined
}

/**
 * The mask of rows at these positions; undefined where there are none.
 * @param positions In any order; one that comes twice is one row.
 */
export function rowMask(key: string, positions: Iterable<number>): RowMask | undefined {
  const rows = new PositionSetBuilder()
  for (const position of positions) rows.add(position)
  return maskOf(key, rows.finish())
}

/** The mask of rows at these positions, which it keeps as they are; undefined where there are none. */
export function maskOf(key: string, rows: PositionSet): RowMask | undefined {
  if (rows.size === 0) return undefined
  return {
    key,
    size: rows.size,
    countIn: (start, end) => rows.countIn(start, end),
    leftIn(start, end) {
      const count = rows.countIn(start, end)
      if (count === 0) return undefined
      const left = new Int32Array(end - start - count)
      let length = 0
      let next = start
      const keepTo = (row: number): void => {
        while (next < row) left[length++] = next++ - start
      }
      rows.runsIn(start, end, (from, to) => {
        keepTo(from)
        next = to
      })
      keepTo(end)
      return left
    },
  }
}
