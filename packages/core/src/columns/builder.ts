import type { Column } from './columns.ts'

const INITIAL_ROWS = 1024

// Every append is one comparison with `capacity`, one store, and the validity bit once there has been a null: that is
// the whole price of a row, and no call stays that the compiler cannot take in.
/** What all builders share: the count of rows, and which of them are null. */
export abstract class Builder {
  length = 0
  /** Rows that there is memory for. */
  protected capacity = 0
  // Bits are meaningful only after the first null; before it every row is valid and none is kept.
  protected hasNulls = false
  protected bits: Uint8Array = noBits

  appendNull(): void {
    const at = this.length
    if (at === this.capacity) this.reserve(at + 1)
    if (!this.hasNulls) this.beginNulls()
    this.bits[at >> 3]! &= ~(1 << (at & 7))
    this.length = at + 1
  }

  /** Makes room for `rows` rows in all, so that appends up to there do not grow. */
  reserve(rows: number): void {
    if (rows <= this.capacity) return
    // A multiple of 8, so that the bitmap has whole bytes.
    const capacity = (Math.max(rows, this.capacity * 2, INITIAL_ROWS) + 7) & ~7
    this.grow(capacity)
    if (this.hasNulls) this.bits = grown(this.bits, capacity >> 3)
    this.capacity = capacity
  }

  /** Forgets all rows from `length` on: undoes a half-decoded row. */
  truncate(length: number): void {
    this.length = length
  }

  /** Forgets all rows, keeps the memory. */
  clear(): void {
    this.length = 0
    this.hasNulls = false
  }

  /** A column over the builder's memory: good until the next append or clear. */
  abstract view(): Column
  /** Memory for `rows` rows. */
  protected abstract grow(rows: number): void

  protected markValid(at: number): void {
    this.bits[at >> 3]! |= 1 << (at & 7)
  }

  protected validity(): Uint8Array | undefined {
    if (!this.hasNulls) return undefined
    const { bits, length } = this
    // No stray bits behind the last row.
    if ((length & 7) !== 0) bits[length >> 3]! &= (1 << (length & 7)) - 1
    return bits.subarray(0, (length + 7) >> 3)
  }

  private beginNulls(): void {
    const bytes = this.capacity >> 3
    if (this.bits.length < bytes) this.bits = new Uint8Array(bytes)
    this.bits.fill(0xff, 0, (this.length + 7) >> 3)
    this.hasNulls = true
  }
}

const noBits = new Uint8Array(0)

export type Numbers = Uint8Array | Int32Array | BigInt64Array | Float32Array | Float64Array

/** A longer copy. */
export function grown<A extends Numbers>(array: A, length: number): A {
  const larger = new (array.constructor as new (length: number) => A)(length)
  larger.set(array as never)
  return larger
}
