import { MapKeys } from '../values/map-keys.ts'

/**
 * A cursor over one Avro datum on its way into columns. It never throws: the first thing that does not decode sets
 * `isBad`, and all reads after it give nothing of worth. No BigInt and no string is made.
 */
export class RowCursor {
  bytes: Uint8Array = new Uint8Array(0)
  position = 0
  end = 0
  isBad = false
  /** Encoding the value again would give these bytes. */
  isCanonical = true
  /** A map may hold a key twice: its columns are not what the value says. */
  mayRepeat = false
  readonly keys: MapKeys = new MapKeys()
  /** The last long as signed 32-bit halves. */
  high = 0
  low = 0

  open(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes
    this.position = start
    this.end = end
    this.isBad = false
    this.isCanonical = true
    this.mayRepeat = false
    this.keys.length = 0
  }

  /**
   * How many items the next block of an array or a map has, 0 at its end. They fit in what is left, so a few bytes never
   * ask for many items. The canonical form is one block without its size.
   */
  block(isFirst: boolean, minimumItemBytes: number): number {
    let count = this.int()
    if (count === 0) return 0
    if (!isFirst) this.isCanonical = false
    if (count < 0) {
      count = -count
      this.isCanonical = false
      const size = this.int()
      if (size < 0 || size > this.end - this.position) this.isBad = true
    }
    if (count * minimumItemBytes > this.end - this.position) this.isBad = true
    return this.isBad ? 0 : count
  }

  /** Takes `size` bytes; returns where they begin. */
  take(size: number): number {
    const start = this.position
    if (size < 0 || size > this.end - start) {
      this.isBad = true
      return start
    }
    this.position = start + size
    return start
  }

  /** A long into `high` and `low`. */
  long(): void {
    const { bytes, end } = this
    let at = this.position
    let low = 0
    // 28 bits here, 28 and 8 in `longRest`: no shift reaches over 32.
    for (let shift = 0; shift < 28; shift += 7) {
      if (at >= end) break
      const byte = bytes[at++]!
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        if (byte === 0 && shift > 0) this.isCanonical = false
        this.position = at
        this.low = (low >>> 1) ^ -(low & 1)
        this.high = this.low >> 31
        return
      }
    }
    this.#longRest(at, low)
  }

  #longRest(from: number, low: number): void {
    let at = from
    let middle = 0
    let high = 0
    for (let index = 0; index < 6 && at < this.end; index++) {
      const byte = this.bytes[at++]!
      if (index === 5 && byte > 1) break
      if (index < 4) middle |= (byte & 0x7f) << (7 * index)
      else high |= (byte & 0x7f) << (7 * index - 28)
      if (byte >= 0x80) continue
      if (byte === 0) this.isCanonical = false
      this.position = at
      const bitsLow = low | (middle << 28)
      const bitsHigh = (middle >>> 4) | (high << 24)
      const sign = -(bitsLow & 1)
      this.low = ((bitsLow >>> 1) | (bitsHigh << 31)) ^ sign
      this.high = (bitsHigh >>> 1) ^ sign
      return
    }
    this.isBad = true
  }

  /** A 32-bit integer: an int, a length, an index. */
  int(): number {
    const at = this.position
    if (at < this.end) {
      const byte = this.bytes[at]!
      if (byte < 0x80) {
        this.position = at + 1
        return (byte >>> 1) ^ -(byte & 1)
      }
    }
    this.long()
    if (this.high !== this.low >> 31) this.isBad = true
    return this.low
  }

  /** Little-endian 32 bits from `start`. */
  bits(start: number): number {
    const { bytes } = this
    return bytes[start]! | (bytes[start + 1]! << 8) | (bytes[start + 2]! << 16) | (bytes[start + 3]! << 24)
  }
}
