import type { WalLocation } from '@moulin/core'

const FIRST_CAPACITY = 4

/** What is kept of a section in the write-ahead tier, but for its first offset: it follows the section before. */
export interface SectionRow {
  readonly lastOffset: bigint
  readonly valueSchemaId: number
  readonly keySchemaId: number
}

/**
 * The sections of one partition, in order, as columns of numbers: 48 bytes a section and no object, for a log may hold
 * millions of small ones. Sections come at the end and go at the beginning.
 */
export class SectionTable {
  #first = 0
  #end = 0
  #capacity = 0
  #lastOffsets = new BigInt64Array(0)
  #positions = new Float64Array(0)
  #bytesBefore = new Float64Array(0)
  #durableMs = new Float64Array(0)
  #sizes = new Uint32Array(0)
  #segments = new Uint32Array(0)
  #valueSchemaIds = new Uint32Array(0)
  #keySchemaIds = new Uint32Array(0)
  /** Ids of segments, by the numbers above. Neighbours nearly always share one. */
  #segmentIds: string[] = []

  get length(): number {
    return this.#end - this.#first
  }

  /** Memory of the columns, and about that of the names of segments. */
  get memoryBytes(): number {
    return this.#capacity * 48 + this.#segmentIds.length * 64
  }

  /** `bytesBefore`: of the partition's sections before it, ever. */
  push(row: SectionRow, location: WalLocation, durableMs: number, bytesBefore: number): void {
    if (this.#end === this.#capacity) this.#makeRoom()
    const at = this.#end++
    this.#lastOffsets[at] = row.lastOffset
    this.#bytesBefore[at] = bytesBefore
    this.#durableMs[at] = durableMs
    this.#valueSchemaIds[at] = row.valueSchemaId
    this.#keySchemaIds[at] = row.keySchemaId
    this.#place(at, location)
  }

  /** The number of the first section that reaches to `offset` or beyond; `length` without any. */
  indexOf(offset: bigint): number {
    let low = this.#first
    let high = this.#end
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#lastOffsets[middle]! < offset) low = middle + 1
      else high = middle
    }
    return low - this.#first
  }

  lastOffset(index: number): bigint {
    return this.#lastOffsets[this.#first + index]!
  }

  bytesBefore(index: number): number {
    return this.#bytesBefore[this.#first + index]!
  }

  durableMs(index: number): number {
    return this.#durableMs[this.#first + index]!
  }

  valueSchemaId(index: number): number {
    return this.#valueSchemaIds[this.#first + index]!
  }

  keySchemaId(index: number): number {
    return this.#keySchemaIds[this.#first + index]!
  }

  location(index: number): WalLocation {
    const at = this.#first + index
    const segment = this.#segmentIds[this.#segments[at]!]!
    return { segment, position: this.#positions[at]!, sizeBytes: this.#sizes[at]! }
  }

  /** The section lies elsewhere now. Returns where it was. */
  move(index: number, location: WalLocation): WalLocation {
    const before = this.location(index)
    this.#place(this.#first + index, location)
    // Nothing comes or goes when sections move, and each may leave a segment behind.
    if (this.#segmentIds.length > 2 * this.length + FIRST_CAPACITY) this.#forgetSegments()
    return before
  }

  /** Takes the first sections away, and says where they were. */
  drop(count: number): WalLocation[] {
    const dropped = Array.from({ length: count }, (_, index) => this.location(index))
    this.#first += count
    const { length } = this
    if (length * 4 <= this.#capacity) this.#resize(length * 2)
    return dropped
  }

  #place(at: number, { segment, position, sizeBytes }: WalLocation): void {
    // From behind: the newest segment is the last.
    let id = this.#segmentIds.length - 1
    while (id >= 0 && this.#segmentIds[id] !== segment) id--
    if (id < 0) id = this.#segmentIds.push(segment) - 1
    this.#segments[at] = id
    this.#positions[at] = position
    this.#sizes[at] = sizeBytes
  }

  #makeRoom(): void {
    const { length } = this
    // Where half of it is free at the beginning, moving is enough.
    this.#resize(length * 2 <= this.#capacity && length > 0 ? this.#capacity : Math.max(FIRST_CAPACITY, length * 2))
  }

  #resize(capacity: number): void {
    const [first, end] = [this.#first, this.#end]
    const resized = <A extends BigInt64Array | Float64Array | Uint32Array>(column: A, larger: A): A => {
      larger.set(column.subarray(first, end) as never)
      return larger
    }
    this.#lastOffsets = resized(this.#lastOffsets, new BigInt64Array(capacity))
    this.#positions = resized(this.#positions, new Float64Array(capacity))
    this.#bytesBefore = resized(this.#bytesBefore, new Float64Array(capacity))
    this.#durableMs = resized(this.#durableMs, new Float64Array(capacity))
    this.#sizes = resized(this.#sizes, new Uint32Array(capacity))
    this.#segments = resized(this.#segments, new Uint32Array(capacity))
    this.#valueSchemaIds = resized(this.#valueSchemaIds, new Uint32Array(capacity))
    this.#keySchemaIds = resized(this.#keySchemaIds, new Uint32Array(capacity))
    this.#first = 0
    this.#end = end - first
    this.#capacity = capacity
    this.#forgetSegments()
  }

  /** Keeps the ids that are still in use. */
  #forgetSegments(): void {
    const ids: string[] = []
    const numbers = new Map<number, number>()
    for (let at = this.#first; at < this.#end; at++) {
      const old = this.#segments[at]!
      let number = numbers.get(old)
      if (number === undefined) {
        number = ids.push(this.#segmentIds[old]!) - 1
        numbers.set(old, number)
      }
      this.#segments[at] = number
    }
    this.#segmentIds = ids
  }
}
