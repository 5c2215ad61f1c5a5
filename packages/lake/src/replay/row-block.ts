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

  /** For the rows of one source among those of others. */
  #gathered: Int32Array[] | undefined

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
    this.#eachSource(0, this.length, this.sizes, (source, rows, sizes) => source.sizes(rows, sizes))
    for (let at = 0; at < this.length; at++) {
      const source = this.sources[at]
      if (source === undefined || this.sizes[at]! >= 0) continue
      this.sources[at] = undefined
      this.fail(at, source.faultOf(this.rows[at]!))
    }
  }

  /** Writes what lies in columns of the rows `[start, end)`. */
  writeColumns(start: number, end: number, target: Uint8Array): void {
    this.#eachSource(start, end, this.places, (source, rows, places, sizes) => {
      source.encodeRows(rows, sizes, target, places)
    })
  }

  // The rows of each source with their numbers, which `use` may change, and their sizes.
  #eachSource(start: number, end: number, numbers: Int32Array, use: UseRows): void {
    const { rows, sizes, sources } = this
    const first = sources[start]
    let same = start
    while (same < end && sources[same] === first) same++
    if (same === end) {
      if (first !== undefined && start < end) {
        use(first, rows.subarray(start, end), numbers.subarray(start, end), sizes.subarray(start, end))
      }
      return
    }
    const done = new Set<ValueSource | undefined>([undefined])
    for (let from = start; from < end; from++) {
      const source = sources[from]
      if (done.has(source)) continue
      done.add(source)
      this.#gather(source!, from, end, numbers, use)
    }
  }

  #gather(source: ValueSource, start: number, end: number, numbers: Int32Array, use: UseRows): void {
    const [at, rows, own, sizes] = (this.#gathered ??= [0, 1, 2, 3].map(() => new Int32Array(this.capacity)))
    let count = 0
    for (let row = start; row < end; row++) {
      if (this.sources[row] !== source) continue
      at![count] = row
      rows![count] = this.rows[row]!
      own![count] = numbers[row]!
      sizes![count++] = this.sizes[row]!
    }
    use(source, rows!.subarray(0, count), own!.subarray(0, count), sizes!.subarray(0, count))
    for (let index = 0; index < count; index++) numbers[at![index]!] = own![index]!
  }
}

type UseRows = (source: ValueSource, rows: Int32Array, numbers: Int32Array, sizes: Int32Array) => void
