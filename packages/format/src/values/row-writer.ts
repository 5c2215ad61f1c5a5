import { copyRange, ViewOf } from '../bytes/copy-range.ts'
import { decimalCount, putDigits } from '../bytes/decimal-digits.ts'
import { putLong } from '../bytes/varint.ts'

const SHORT_BYTES = 48

/**
 * Writes one value into memory of the caller. Past the end it writes nothing and goes on counting, so that
 * `position` is where the value would end: larger than the target means there was no room.
 */
export class RowWriter {
  readonly #views = new ViewOf()
  target: Uint8Array = new Uint8Array(0)
  position = 0

  open(target: Uint8Array, position: number): void {
    this.target = target
    this.position = position
  }

  byte(value: number): void {
    // A store beyond the end of a typed array does nothing.
    this.target[this.position++] = value
  }

  /** A long of signed 32-bit halves, zigzag, minimal. */
  long(high: number, low: number): void {
    this.position = putLong(this.target, this.position, high, low)
  }

  int(value: number): void {
    this.long(value >> 31, value)
  }

  /** A safe integer. */
  number(value: number): void {
    this.long(Math.floor(value / 0x100000000) | 0, value | 0)
  }

  bigint(value: bigint): void {
    this.long(Number(BigInt.asIntN(32, value >> 32n)), Number(BigInt.asIntN(32, value)))
  }

  /** Little-endian. */
  bits(value: number): void {
    this.byte(value & 0xff)
    this.byte((value >>> 8) & 0xff)
    this.byte((value >>> 16) & 0xff)
    this.byte(value >>> 24)
  }

  raw(bytes: Uint8Array, start: number, end: number): void {
    const { target, position } = this
    this.position += end - start
    if (this.position > target.length) return
    if (end - start < SHORT_BYTES) for (let at = start; at < end; at++) target[position + at - start] = bytes[at]!
    else target.set(bytes.subarray(start, end), position)
  }

  /** The same with a view over `bytes` at hand, which makes it faster. */
  range(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const { target, position } = this
    this.position += end - start
    if (this.position > target.length) return
    copyRange(target, this.#views.of(target), position, bytes, view, start, end)
  }

  /** The decimal digits of a safe integer. */
  integer(value: number): void {
    if (value < 0) this.byte(0x2d)
    const magnitude = value < 0 ? -value : value
    this.digits(magnitude, decimalCount(magnitude))
  }

  /** The last `count` digits of a safe integer that is not negative, zeros in front. */
  digits(value: number, count: number): void {
    putDigits(this.target, this.position, value, count)
    this.position += count
  }

  /** Text of ASCII alone. */
  ascii(text: string): void {
    for (let at = 0; at < text.length; at++) this.target[this.position++] = text.charCodeAt(at)
  }
}
