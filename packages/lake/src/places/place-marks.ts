const NOTHING = 0
const ALL = 0xff

/** Which offsets of a range have a row, and which have several: two bits an offset. */
export class PlaceMarks {
  readonly from: bigint
  /** Exclusive. */
  readonly to: bigint
  readonly #seen: Uint8Array
  readonly #doubled: Uint8Array

  constructor(from: bigint, to: bigint) {
    const bytes = Math.ceil(Number(to - from) / 8)
    this.from = from
    this.to = to
    this.#seen = new Uint8Array(bytes)
    this.#doubled = new Uint8Array(bytes)
  }

  /** A row; outside of the range it does not matter. */
  add(offset: bigint): void {
    if (offset < this.from || offset >= this.to) return
    const at = Number(offset - this.from)
    this.#mark(at >> 3, 1 << (at & 7))
  }

  /** A row at each of `[from, to)`. */
  addRange(from: bigint, to: bigint): void {
    const start = Number((from > this.from ? from : this.from) - this.from)
    const end = Number((to < this.to ? to : this.to) - this.from)
    if (end <= start) return
    const [first, last] = [start >> 3, (end - 1) >> 3]
    for (let byte = first; byte <= last; byte++) {
      const bits = byte === first ? (ALL << (start & 7)) & ALL : ALL
      this.#mark(byte, byte === last ? bits & (ALL >> (7 - ((end - 1) & 7))) : bits)
    }
  }

  /** Offsets with several rows, rising. */
  *doubled(): Generator<bigint> {
    for (let byte = 0; byte < this.#doubled.length; byte++) {
      const bits = this.#doubled[byte]!
      if (bits === NOTHING) continue
      for (let bit = 0; bit < 8; bit++) if ((bits & (1 << bit)) !== 0) yield this.from + BigInt(byte * 8 + bit)
    }
  }

  #mark(byte: number, bits: number): void {
    this.#doubled[byte]! |= this.#seen[byte]! & bits
    this.#seen[byte]! |= bits
  }
}
