import { lengthOf } from '@moulin/core'
import { NAN_BITS_32, NAN_BITS_64 } from './nan-bits.ts'
import { newTextBuffer, textBuffer, type TextBuffer } from './text-buffer.ts'

/** Up to here, text is written faster character by character than by a call into native code. Its length takes one byte. */
const SHORT_TEXT = 20

/** A growing buffer with the primitives that Avro and Kafka's record batches share. */
export class ByteSink {
  buffer: TextBuffer
  length = 0
  /** Of the buffer, once it is needed: making one costs as much as a small record. */
  #view: DataView | undefined
  /** What {@link openIn} was given. */
  #lent: TextBuffer | undefined

  constructor(initialBytes: number = 16 * 1024) {
    this.buffer = newTextBuffer(initialBytes)
  }

  /** Writes into memory of somebody else's from now on, behind `position`, as far as that has room. */
  openIn(target: Uint8Array, position: number): void {
    const buffer = textBuffer(target)
    if (buffer !== this.buffer) this.#view = undefined
    this.#lent = this.buffer = buffer
    this.length = position
  }

  /** Goes on in other memory, with what has been written: who still writes to the old one writes for nobody. */
  leave(): void {
    this.#moveTo(this.buffer.length)
  }

  /** Where that ended; -1 when there was no room for what has been asked for at once, so that it went on elsewhere. */
  endIn(): number {
    return this.buffer === this.#lent ? this.length : -1
  }

  /** Makes room for `size` more bytes. */
  ensure(size: number): void {
    if (this.length + size > this.buffer.length) this.#moveTo(Math.max(this.length + size, this.buffer.length * 2))
  }

  #moveTo(sizeBytes: number): void {
    const moved = newTextBuffer(sizeBytes)
    moved.set(this.buffer.subarray(0, this.length))
    this.buffer = moved
    this.#view = undefined
  }

  get #bits(): DataView {
    const { buffer } = this
    return (this.#view ??= new DataView(buffer.buffer, buffer.byteOffset, buffer.length))
  }

  byte(value: number): void {
    this.ensure(1)
    this.buffer[this.length++] = value
  }

  /** A zigzag varint of a safe integer. */
  varint(value: number): void {
    this.ensure(10)
    const { buffer } = this
    if (value >= -0x40000000 && value < 0x40000000) {
      let bits = (value << 1) ^ (value >> 31)
      while (bits >= 0x80) {
        buffer[this.length++] = (bits & 0x7f) | 0x80
        bits >>>= 7
      }
      buffer[this.length++] = bits
      return
    }
    let rest = value >= 0 ? value * 2 : -value * 2 - 1
    if (!Number.isSafeInteger(rest)) return this.varlong(BigInt(value))
    while (rest >= 0x80) {
      buffer[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    buffer[this.length++] = rest
  }

  /** A zigzag varint of a signed 64-bit integer. */
  varlong(value: bigint): void {
    this.ensure(10)
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (rest >= 0x80n) {
      this.buffer[this.length++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.buffer[this.length++] = Number(rest)
  }

  /** A NaN is the usual one: whether a payload would get through JavaScript's numbers, nobody says. */
  float(value: number): void {
    this.ensure(4)
    if (value === value) this.#bits.setFloat32(this.length, value, true)
    else this.#bits.setInt32(this.length, NAN_BITS_32, true)
    this.length += 4
  }

  /** As {@link float}. */
  double(value: number): void {
    this.ensure(8)
    if (value === value) this.#bits.setFloat64(this.length, value, true)
    else {
      this.#bits.setInt32(this.length, 0, true)
      this.#bits.setInt32(this.length + 4, NAN_BITS_64, true)
    }
    this.length += 8
  }

  raw(bytes: Uint8Array): void {
    this.#set(bytes, lengthOf(bytes))
  }

  /** The varint of the length, then the bytes. */
  bytes(bytes: Uint8Array): void {
    const length = lengthOf(bytes)
    this.varint(length)
    this.#set(bytes, length)
  }

  #set(bytes: Uint8Array, length: number): void {
    this.ensure(length)
    this.buffer.set(bytes, this.length)
    this.length += length
  }

  /** The varint of the length in UTF-8, then the text. */
  string(text: string): void {
    if (text.length <= SHORT_TEXT && this.#shortAscii(text)) return
    const most = text.length * 3
    // As much as the varint below asks for again: growing would lose the text, which is not counted yet.
    this.ensure(most + 10)
    const start = this.length
    // Written behind a prefix as long as ASCII needs, which is nearly always right.
    const guess = varintSize(text.length)
    const size = this.buffer.utf8Write(text, start + guess, most)
    const prefix = varintSize(size)
    if (prefix !== guess) this.buffer.copyWithin(start + prefix, start + guess, start + guess + size)
    this.varint(size)
    this.length += size
  }

  /** Returns false, and has written nothing, where the text is not ASCII. */
  #shortAscii(text: string): boolean {
    const { length } = text
    this.ensure(length + 1)
    const { buffer } = this
    let at = this.length
    buffer[at++] = length * 2
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index)
      if (code >= 0x80) return false
      buffer[at++] = code
    }
    this.length = at
    return true
  }

  /** A copy of what was written since the last {@link reset}. */
  finish(): Uint8Array {
    return new Uint8Array(this.buffer.subarray(0, this.length))
  }

  reset(): void {
    this.length = 0
  }
}

/**
 * Keeps one sink; whoever comes while it is lent, such as a getter of the value that is being encoded, gets one of his
 * own.
 */
export class Lender<S extends ByteSink> {
  readonly #make: () => S
  #free: S | undefined

  constructor(make: () => S) {
    this.#make = make
  }

  take(): S {
    const sink = this.#free ?? this.#make()
    this.#free = undefined
    return sink
  }

  giveBack(sink: S): void {
    this.#free = sink
  }
}

/** Bytes of the zigzag varint of a count: an integer of 0 to 2^31 − 1. */
export function varintSize(count: number): number {
  if (count < 0x40) return 1
  if (count < 0x2000) return 2
  if (count < 0x100000) return 3
  return count < 0x8000000 ? 4 : 5
}
