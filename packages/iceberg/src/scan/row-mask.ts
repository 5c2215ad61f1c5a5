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
 * The mask of rows at these positions; undefined where there are none. Takes eight bytes a row.
 * @param positions In any order; one that comes twice is one row.
 */
export function rowMask(key: string, positions: Iterable<number>): RowMask | undefined {
  const rows = Float64Array.from(new Set(positions)).sort()
  return rows.length === 0 ? undefined : new ListedRows(key, rows)
}

class ListedRows implements RowMask {
  readonly key: string
  readonly #rows: Float64Array

  constructor(key: string, rows: Float64Array) {
    this.key = key
    this.#rows = rows
  }

  get size(): number {
    return this.#rows.length
  }

  countIn(start: number, end: number): number {
    return this.#lowerBound(end) - this.#lowerBound(start)
  }

  leftIn(start: number, end: number): Int32Array | undefined {
    let at = this.#lowerBound(start)
    const count = this.#lowerBound(end) - at
    if (count === 0) return undefined
    const left = new Int32Array(end - start - count)
    let length = 0
    for (let row = start; row < end; row++) {
      if (this.#rows[at] === row) at++
      else left[length++] = row - start
    }
    return left
  }

  #lowerBound(row: number): number {
    let low = 0
    let high = this.#rows.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#rows[middle]! < row) low = middle + 1
      else high = middle
    }
    return low
  }
}
