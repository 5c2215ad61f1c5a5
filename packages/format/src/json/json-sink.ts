import { ByteSink } from '../bytes/byte-sink.ts'
import { decimalCount, putDigits } from '../bytes/decimal-digits.ts'

/** Up to here, text is looked through and written faster character by character than by calls into native code. */
const SHORT_TEXT = 24
const QUOTE = 0x22
const BACKSLASH = 0x5c
const MINUS = 0x2d

/** What times are written to. */
export interface TextTarget {
  byte(value: number): void
  ascii(text: string): void
  /** The last `count` digits of a safe integer that is not negative, zeros in front. */
  digits(value: number, count: number): void
}

/** Where JSON text is written, as UTF-8. */
export class JsonSink extends ByteSink implements TextTarget {
  /** Text of ASCII alone. */
  ascii(text: string): void {
    const { length } = text
    this.ensure(length)
    const { buffer } = this
    let at = this.length
    for (let index = 0; index < length; index++) buffer[at++] = text.charCodeAt(index)
    this.length = at
  }

  /** A few bytes. */
  few(bytes: Uint8Array): void {
    const { length } = bytes
    this.ensure(length)
    const { buffer } = this
    let at = this.length
    for (let index = 0; index < length; index++) buffer[at++] = bytes[index]!
    this.length = at
  }

  digits(value: number, count: number): void {
    this.ensure(count)
    putDigits(this.buffer, this.length, value, count)
    this.length += count
  }

  /** A safe integer. */
  integer(value: number): void {
    if (value < 0) this.byte(MINUS)
    const magnitude = value < 0 ? -value : value
    this.digits(magnitude, decimalCount(magnitude))
  }

  /** A string with `JSON.stringify`'s escapes, which has no half surrogate pair. */
  quoted(text: string): void {
    const isWritten = text.length > SHORT_TEXT ? this.#longPlain(text) : this.#shortPlain(text)
    if (!isWritten) this.#utf8(JSON.stringify(text))
  }

  /** As {@link #shortPlain}, by a native call: what has to be escaped is seen in the bytes, and is rare. */
  #longPlain(text: string): boolean {
    const most = text.length * 3
    this.ensure(most + 2)
    const { buffer } = this
    const start = this.length + 1
    const end = start + buffer.utf8Write(text, start, most)
    for (let at = start; at < end; at++) {
      const byte = buffer[at]!
      if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH) return false
    }
    buffer[start - 1] = QUOTE
    buffer[end] = QUOTE
    this.length = end + 1
    return true
  }

  /** Returns false, and has written nothing, for text that does not stand for itself. */
  #shortPlain(text: string): boolean {
    const { length } = text
    this.ensure(length + 2)
    const { buffer } = this
    let at = this.length
    buffer[at++] = QUOTE
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code < 0x20 || code >= 0x80 || code === QUOTE || code === BACKSLASH) return false
      buffer[at++] = code
    }
    buffer[at++] = QUOTE
    this.length = at
    return true
  }

  #utf8(text: string): void {
    const most = text.length * 3
    this.ensure(most)
    this.length += this.buffer.utf8Write(text, this.length, most)
  }
}
