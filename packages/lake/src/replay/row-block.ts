import type { ValueSource } from './value-source.ts'

/**
 * Rows on their way into records: what is found out about all of them before the first is written. Values that lie in
 * columns have their sizes then, so that room is left for them, and are written a column at a time.
 */
export class RowBlock {
  readonly capacity: number
  length = 0
  readonly rows: Int32Array
  /** Bytes of each value; −1: it is null. */
  readonly sizes: Int32Array
  /** Whose columns the value is in; undefined: it is raw, or null. */
  readonly sources: (ValueSource | undefined)[]
  /** Where the values that are in columns are to be. */
  readonly places: Int32Array
  /** 1 where the value is not known to be the one that was sent, unless the checksum says so. */
  readonly isDegraded: Uint8Array
  /** Why a row does not say what its record was: by position, few. */
  readonly faults: Map<number, string> = new Map()

  constructor(capacity: number) {
    this.capacity = capacity
    this.rows = new Int32Array(capacity)
    this.sizes = new Int32Array(capacity)
    this.sources = new Array<ValueSource | undefined>(capacity).fill(undefined)
    this.places = new Int32Array(capacity)
    this.isDegraded = new Uint8Array(capacity)
  }

  fail(at: number, why: string): void {
    this.isDegraded[at] = 1
    this.faults.set(at, why)
  }

  /** Asks the columns for the sizes of what lies in them; a row that has no encoding is null, and why is its fault. */
  measureColumns(): void {
    this.#eachSource(0, this.length, (source, from, to) => {
      const sizes = this.sizes.subarray(from, to)
      source.sizes(this.rows.subarray(from, to), sizes)
      for (let at = from; at < to; at++) {
        if (this.sizes[at]! >= 0) continue
        this.sources[at] = undefined
        this.fail(at, source.faultOf(this.rows[at]!))
      }
    })
  }

  /** Writes what lies in columns of the rows `[start, end)`. */
  writeColumns(start: number, end: number, target: Uint8Array): void {
    this.#eachSource(start, end, (source, from, to) => {
      const sizes = this.sizes.subarray(from, to)
      source.encodeRows(this.rows.subarray(from, to), sizes, target, this.places.subarray(from, to))
    })
  }

  // Neighbours of the same columns go together.
  #eachSource(start: number, end: number, use: (source: ValueSource, from: number, to: number) => void): void {
    for (let from = start; from < end;) {
      const source = this.sources[from]
      let to = from + 1
      while (to < end && this.sources[to] === source) to++
      if (source !== undefined) use(source, from, to)
      from = to
    }
  }
}
