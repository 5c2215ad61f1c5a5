import { isUtf8 } from 'node:buffer'
import { MapKeys } from '../values/map-keys.ts'
import { newTextBuffer, putUtf8, textBuffer, type TextBuffer } from '../bytes/text-buffer.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const MINUS = 0x2d
const ZERO = 0x30
/** Nesting of a value that is passed over. */
const MAX_DEPTH = 512

/**
 * A cursor over one JSON text. It never throws: the first thing that is not as expected sets `isBad`. A scanner leaves
 * what it found in the fields below; text stays bytes.
 */
export class JsonCursor {
  bytes: TextBuffer = textBuffer(new Uint8Array(0))
  position = 0
  end = 0
  isBad = false
  /** What was scanned so far is in the form that the encoder gives. */
  isCanonical = true
  /** The last integer as signed 32-bit halves. */
  high = 0
  low = 0
  /** The last number. */
  number = 0
  /** The last string without its escapes: `text[textStart, textEnd)`, which is `bytes` itself when it had none. */
  text: TextBuffer = this.bytes
  textStart = 0
  textEnd = 0
  #scratch: TextBuffer = newTextBuffer(256)
  #source: Uint8Array | undefined

  /** Objects must have the canonical order, and no space anywhere. */
  isStrict = true
  /** A map may hold a key twice: its columns are not what the value says. */
  mayRepeat = false
  readonly keys: MapKeys = new MapKeys()

  open(bytes: Uint8Array, start: number, end: number, isStrict: boolean): void {
    // Most calls come with the arena of the last one.
    if (bytes !== this.#source) {
      this.#source = bytes
      this.bytes = textBuffer(bytes)
    }
    this.position = start
    this.end = end
    this.isBad = false
    this.isCanonical = true
    this.isStrict = isStrict
    this.mayRepeat = false
    this.keys.length = 0
  }

  /** Passes over exactly these bytes if they come next. */
  accept(expected: Uint8Array): boolean {
    const { bytes, position } = this
    const { length } = expected
    if (length > this.end - position) return false
    for (let at = 0; at < length; at++) if (bytes[position + at] !== expected[at]) return false
    this.position = position + length
    return true
  }

  acceptByte(expected: number): boolean {
    if (this.peek() !== expected) return false
    this.position++
    return true
  }

  /** The next byte, -1 at the end. */
  peek(): number {
    return this.position < this.end ? this.bytes[this.position]! : -1
  }

  skipSpace(): void {
    for (let byte = this.peek(); byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09; byte = this.peek())
      this.position++
  }

  acceptNull(): boolean {
    return this.peek() === 0x6e && this.accept(nullBytes)
  }

  /** This byte must come next; around it, when the reading is not strict, space. */
  expect(byte: number): void {
    if (!this.isStrict) this.skipSpace()
    if (!this.acceptByte(byte)) this.#fail()
    if (!this.isStrict) this.skipSpace()
  }

  /** Enters an array or an object; false when it is empty, or none. */
  begin(open: number, close: number): boolean {
    if (!this.acceptByte(open)) this.#fail()
    if (!this.isStrict) this.skipSpace()
    return !this.isBad && !this.acceptByte(close)
  }

  /** Behind an item: whether another one comes. */
  next(close: number): boolean {
    if (this.isBad) return false
    if (!this.isStrict) this.skipSpace()
    if (!this.acceptByte(0x2c)) {
      if (!this.acceptByte(close)) this.#fail()
      return false
    }
    if (!this.isStrict) this.skipSpace()
    return true
  }

  /** A string into `text`. */
  scanText(): void {
    const { bytes, end } = this
    if (!this.acceptByte(QUOTE)) return this.#fail()
    const start = this.position
    let at = start
    let isAscii = true
    for (; at < end; at++) {
      const byte = bytes[at]!
      if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) break
      if (byte >= 0x80) isAscii = false
    }
    if (at >= end || bytes[at]! < 0x20) return this.#fail()
    if (bytes[at] === BACKSLASH) return this.#scanEscaped(start)
    if (!isAscii && !isUtf8(bytes.subarray(start, at))) return this.#fail()
    this.text = bytes
    this.textStart = start
    this.textEnd = at
    this.position = at + 1
  }

  #scanEscaped(start: number): void {
    const { bytes, end } = this
    // No escape is shorter than what it stands for.
    if (this.#scratch.length < end - start) this.#scratch = newTextBuffer((end - start) * 2)
    const scratch = this.#scratch
    let length = 0
    let at = start
    for (;;) {
      const byte = at < end ? bytes[at]! : 0
      if (byte < 0x20) return this.#fail()
      if (byte === QUOTE) break
      at++
      if (byte !== BACKSLASH) {
        scratch[length++] = byte
        continue
      }
      this.position = at
      const code = this.#escape()
      if (this.isBad) return
      length = putUtf8(scratch, length, code)
      at = this.position
    }
    if (!isUtf8(bytes.subarray(start, at))) return this.#fail()
    this.text = scratch
    this.textStart = 0
    this.textEnd = length
    this.position = at + 1
  }

  /** What stands behind a backslash, as a code point. */
  #escape(): number {
    const letter = this.peek()
    this.position++
    if (letter !== 0x75) {
      const code = shortEscapes.get(letter)
      if (code === undefined) this.#fail()
      if (letter === 0x2f) this.isCanonical = false
      return code ?? 0
    }
    const start = this.position
    const unit = this.#hex4()
    if (unit >= 0x20 || isShort(unit)) this.isCanonical = false
    for (let at = start; at < start + 4; at++)
      if (this.bytes[at]! >= 0x41 && this.bytes[at]! <= 0x46) this.isCanonical = false
    if (unit < 0xd800 || unit > 0xdfff) return unit
    const hasPair = unit < 0xdc00 && this.acceptByte(BACKSLASH) && this.acceptByte(0x75)
    const second = hasPair ? this.#hex4() : 0
    // Half a surrogate pair is no text.
    if (second < 0xdc00 || second > 0xdfff) this.#fail()
    return 0x10000 + ((unit - 0xd800) << 10) + (second - 0xdc00)
  }

  #hex4(): number {
    let value = 0
    for (let digit = 0; digit < 4; digit++) {
      const byte = this.peek()
      const nibble =
        byte >= ZERO && byte <= 0x39
          ? byte - ZERO
          : (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66
            ? (byte | 0x20) - 0x57
            : -1
      if (nibble < 0) this.#fail()
      value = value * 16 + nibble
      this.position++
    }
    return value
  }

  /** An integer into `high` and `low`; one of the kind 1.0 or 1e3 only where a double is exact. */
  scanInteger(): void {
    const { bytes, end } = this
    const start = this.position
    const isNegative = bytes[start] === MINUS && start < end
    const first = isNegative ? start + 1 : start
    let at = first
    let value = 0
    for (; at < end; at++) {
      const digit = bytes[at]! - ZERO
      if (digit < 0 || digit > 9) break
      if (at - first < 10) value = value * 10 + digit
    }
    const count = at - first
    const next = at < end ? bytes[at]! | 0x20 : 0
    if (next === 0x2e || next === 0x65 || count === 0) return this.#scanRoundInteger()
    if (count > 19 || (count > 1 && bytes[first] === ZERO)) return this.#fail()
    this.position = at
    if (count <= 10) this.#setNumber(isNegative ? -value : value)
    else this.#setWide(first, at, isNegative)
    if (isNegative && count === 1 && value === 0) this.isCanonical = false
  }

  /** 11 to 19 digits: too many for a double, so the last nine apart. */
  #setWide(first: number, end: number, isNegative: boolean): void {
    const { bytes } = this
    let top = 0
    for (let at = first; at < end - 9; at++) top = top * 10 + bytes[at]! - ZERO
    let bottom = 0
    for (let at = end - 9; at < end; at++) bottom = bottom * 10 + bytes[at]! - ZERO
    // top × 10^9 + bottom in pieces that a double holds exactly: top is below 2^34.
    const lower = (top % 0x10000) * 1e9 + bottom
    const upper = Math.floor(top / 0x10000) * 1e9
    const sum = (upper % 0x10000) * 0x10000 + lower
    const high = Math.floor(upper / 0x10000) + Math.floor(sum / 0x100000000)
    const low = sum % 0x100000000
    const isInRange = high < 0x80000000 || (isNegative && high === 0x80000000 && low === 0)
    if (!isInRange) return this.#fail()
    this.low = isNegative ? -low | 0 : low | 0
    this.high = isNegative ? ~high + (low === 0 ? 1 : 0) : high
    this.high |= 0
    this.number = this.high * 0x100000000 + (this.low >>> 0)
  }

  #scanRoundInteger(): void {
    this.scanNumber()
    if (!Number.isSafeInteger(this.number)) this.#fail()
    this.isCanonical = false
    this.#setNumber(this.number)
  }

  #setNumber(value: number): void {
    this.number = value
    this.high = Math.floor(value / 0x100000000) | 0
    this.low = value | 0
  }

  /** A number into `number`. Infinite where it is too large for a double. */
  scanNumber(): void {
    if (this.#scanShortNumber()) return
    const token = this.scanNumberToken()
    if (this.isBad) return
    this.number = Number(token)
    if (String(this.number) !== token) this.isCanonical = false
  }

  /**
   * Up to 15 digits without an exponent, which are nearly all numbers. Their integer and the power of ten are exact, so
   * one division gives the nearest double; and no two such texts give the same double, so this one is its shortest.
   */
  #scanShortNumber(): boolean {
    const { bytes, end } = this
    const isNegative = this.peek() === MINUS
    const first = isNegative ? this.position + 1 : this.position
    let point = -1
    let value = 0
    let at = first
    for (; at < end; at++) {
      const byte = bytes[at]!
      if (byte >= ZERO && byte <= 0x39) value = value * 10 + byte - ZERO
      else if (byte === 0x2e && point < 0) point = at
      else if (isNumberByte(byte)) return false
      else break
    }
    const digits = at - first - (point < 0 ? 0 : 1)
    const whole = (point < 0 ? at : point) - first
    const fraction = digits - whole
    const hasLeadingZero = whole > 1 && bytes[first] === ZERO
    if (digits > 15 || whole === 0 || hasLeadingZero || (point >= 0 && fraction === 0)) return false
    const magnitude = fraction === 0 ? value : value / powersOfTen[fraction]!
    this.number = isNegative ? -magnitude : magnitude
    this.position = at
    const isShortest = fraction === 0 || bytes[at - 1] !== ZERO
    // Below 10^-6 the canonical form has an exponent, and zero has no sign.
    if (!isShortest || magnitude < 1e-6) this.isCanonical = isShortest && value === 0 && !isNegative && this.isCanonical
    return true
  }

  /** The text of a number. */
  scanNumberToken(): string {
    const start = this.position
    let at = start
    while (at < this.end && isNumberByte(this.bytes[at]!)) at++
    const token = this.bytes.latin1Slice(start, at)
    if (!numberPattern.test(token)) this.#fail()
    this.position = at
    return token
  }

  /** Passes over any value. */
  skipValue(depth: number = 0): void {
    this.skipSpace()
    const byte = this.peek()
    if (byte === 0x7b || byte === 0x5b) this.#skipNested(byte, depth)
    else if (byte === QUOTE) this.scanText()
    else if (byte === MINUS || (byte >= ZERO && byte <= 0x39)) this.scanNumberToken()
    else this.scanLiteral()
  }

  #skipNested(open: number, depth: number): void {
    const isObject = open === 0x7b
    const close = open + 2
    if (depth >= MAX_DEPTH) return this.#fail()
    this.position++
    this.skipSpace()
    if (this.acceptByte(close)) return
    while (!this.isBad) {
      if (isObject) this.scanKey()
      this.skipValue(depth + 1)
      this.skipSpace()
      if (this.acceptByte(close)) return
      if (!this.acceptByte(0x2c)) this.#fail()
    }
  }

  /** A key with its colon, and the space around, into `text`. */
  scanKey(): void {
    this.skipSpace()
    this.scanText()
    this.skipSpace()
    if (!this.acceptByte(0x3a)) this.#fail()
  }
  /** `true`, `false` or `null`. */
  scanLiteral(): boolean | null {
    if (this.accept(trueBytes)) return true
    if (this.accept(falseBytes)) return false
    if (!this.accept(nullBytes)) this.#fail()
    return null
  }

  #fail(): void {
    this.isBad = true
  }
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
const trueBytes = ascii('true')
const falseBytes = ascii('false')
const nullBytes = ascii('null')

const powersOfTen = Array.from({ length: 16 }, (_, power) => 10 ** power)

const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function isNumberByte(byte: number): boolean {
  return (byte >= ZERO && byte <= 0x39) || byte === MINUS || byte === 0x2b || byte === 0x2e || (byte | 0x20) === 0x65
}

/** The escapes of one letter. */
const shortEscapes = new Map<number, number>([
  [QUOTE, QUOTE],
  [BACKSLASH, BACKSLASH],
  [0x2f, 0x2f],
  [0x62, 8],
  [0x66, 12],
  [0x6e, 10],
  [0x72, 13],
  [0x74, 9],
])

function isShort(unit: number): boolean {
  return unit === 8 || unit === 9 || unit === 10 || unit === 12 || unit === 13
}
