/** Which offsets of a range have a row. Whole chunks cost a number; only ragged ones keep a bitmap. */
export class OffsetCoverage {
  readonly #start: bigint
  readonly #end: bigint
  /** By chunk number: a bitmap while it fills, then its count. */
  readonly #chunks = new Map<number, { bits: Uint8Array | undefined; count: number }>()
  rows = 0n
  /** Rows whose offset another row has, or that lie outside. */
  strays = 0n

  constructor(start: bigint, end: bigint) {
    this.#start = start
    this.#end = end
  }

  /** Returns whether another row has the offset. */
  add(offset: bigint): boolean {
    this.rows++
    if (offset < this.#start || offset >= this.#end) {
      this.strays++
      return false
    }
    const index = Number(offset - this.#start)
    const at = index % CHUNK
    const chunk = this.#chunk(Math.floor(index / CHUNK))
    if (chunk.bits === undefined || (chunk.bits[at >> 3]! & (1 << (at & 7))) !== 0) {
      this.strays++
      return true
    }
    chunk.bits[at >> 3]! |= 1 << (at & 7)
    chunk.count++
    if (chunk.count === CHUNK) chunk.bits = undefined
    return false
  }

  /** Whether it is an offset of the range. */
  covers(offset: bigint): boolean {
    return offset >= this.#start && offset < this.#end
  }

  /** Whether it is an offset of the range, and no row has it. */
  lacks(offset: bigint): boolean {
    if (!this.covers(offset)) return false
    const index = Number(offset - this.#start)
    const chunk = this.#chunks.get(Math.floor(index / CHUNK))
    if (chunk === undefined) return true
    const at = index % CHUNK
    return chunk.bits !== undefined && (chunk.bits[at >> 3]! & (1 << (at & 7))) === 0
  }

  /** Offsets with a row, each counted once. */
  get covered(): bigint {
    let count = 0n
    for (const chunk of this.#chunks.values()) count += BigInt(chunk.count)
    return count
  }

  /** Half-open runs of offsets without a row, in order. */
  *gaps(): Generator<{ readonly from: bigint; readonly to: bigint }> {
    const size = Number(this.#end - this.#start)
    let from: number | undefined
    for (let first = 0; first < size; first += CHUNK) {
      const chunk = this.#chunks.get(first / CHUNK)
      const last = Math.min(first + CHUNK, size)
      if (chunk === undefined) {
        from ??= first
      } else if (chunk.bits === undefined) {
        if (from !== undefined) yield this.#range(from, first)
        from = undefined
      } else {
        for (let index = first; index < last; index++) {
          const at = index - first
          const isThere = (chunk.bits[at >> 3]! & (1 << (at & 7))) !== 0
          if (!isThere) from ??= index
          else if (from !== undefined) {
            yield this.#range(from, index)
            from = undefined
          }
        }
      }
    }
    if (from !== undefined) yield this.#range(from, size)
  }

  /** Half-open runs of offsets with one, in order. */
  *runs(): Generator<{ readonly from: bigint; readonly to: bigint }> {
    let from = this.#start
    for (const gap of this.gaps()) {
      if (gap.from > from) yield { from, to: gap.from }
      from = gap.to
    }
    if (from < this.#end) yield { from, to: this.#end }
  }

  #range(from: number, to: number): { from: bigint; to: bigint } {
    return { from: this.#start + BigInt(from), to: this.#start + BigInt(to) }
  }

  #chunk(number: number): { bits: Uint8Array | undefined; count: number } {
    let chunk = this.#chunks.get(number)
    if (chunk === undefined) {
      chunk = { bits: new Uint8Array(CHUNK / 8), count: 0 }
      this.#chunks.set(number, chunk)
    }
    return chunk
  }
}

const CHUNK = 65_536
