/** Rows of one row group: a list while they are few, a bit a row once that is smaller. */
export class RowSet {
  readonly #rowCount: number
  #rows = new Int32Array(16)
  #length = 0
  #isSorted = true
  #bits: Uint8Array | undefined

  constructor(rowCount: number) {
    this.#rowCount = rowCount
  }

  get size(): number {
    return this.#length
  }

  get sizeBytes(): number {
    return (this.#bits ?? this.#rows).byteLength
  }

  /** A row that is not among them yet. */
  add(row: number): void {
    if (this.#bits === undefined && this.#length === this.#rows.length) this.#grow()
    if (this.#bits === undefined) {
      if (this.#length > 0 && row < this.#rows[this.#length - 1]!) this.#isSorted = false
      this.#rows[this.#length] = row
    } else {
      this.#bits[row >> 3]! |= 1 << (row & 7)
    }
    this.#length++
  }

  has(row: number): boolean {
    if (this.#bits !== undefined) return (this.#bits[row >> 3]! & (1 << (row & 7))) !== 0
    const at = this.#lowerBound(row)
    return at < this.#length && this.#rows[at] === row
  }

  /** The others of `[start, end)`, counted from `start`; undefined: all of them. */
  othersIn(start: number, end: number): Int32Array | undefined {
    const others = new Int32Array(end - start)
    let kept = 0
    if (this.#bits !== undefined) {
      for (let row = start; row < end; row++) if (!this.has(row)) others[kept++] = row - start
    } else {
      for (let row = start, at = this.#lowerBound(start); row < end; row++) {
        if (at < this.#length && this.#rows[at] === row) at++
        else others[kept++] = row - start
      }
    }
    return kept === others.length ? undefined : others.subarray(0, kept)
  }

  #lowerBound(row: number): number {
    if (!this.#isSorted) this.#rows.subarray(0, this.#length).sort()
    this.#isSorted = true
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#rows[middle]! < row) low = middle + 1
      else high = middle
    }
    return low
  }

  #grow(): void {
    const bytes = (this.#rowCount + 7) >> 3
    if (this.#length * 8 < bytes) {
      const rows = new Int32Array(this.#length * 2)
      rows.set(this.#rows)
      this.#rows = rows
      return
    }
    const bits = new Uint8Array(bytes)
    for (const row of this.#rows) bits[row >> 3]! |= 1 << (row & 7)
    this.#bits = bits
    this.#rows = new Int32Array(0)
  }
}
