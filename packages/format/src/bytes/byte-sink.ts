import { lengthOf } from '@moulin/core'
import { NAN_BITS_32, NAN_BITS_64 } from './nan-bits.ts'
import { newTextBuffer, textBuffer, type TextBuffer } from './text-buffer.ts'

/** A growing buffer with the primitives that Avro and Kafka's record batches share. */
export class ByteSink {
  buffer: TextBuffer
  length = 0
  #view: DataView
  /** What {@link openIn} was given last, and the same as this writes to it. */
  #lent: Uint8Array | undefined
  #lentBuffer: TextBuffer | undefined
  #lentView: DataView | undefined

  constructor(initialBytes: number = 16 * 1024) {
    this.buffer = newTextBuffer(initialBytes)
    this.#view = new DataView(this.buffer.buffer)
  }

  /** Writes into memory of somebody else's from now on, behind `position`, as far as that has room. */
  openIn(target: Uint8Array, position: number): void {
    // Record after record goes into the same memory.
    if (target !== this.#lent) {
      this.#lent = target
      this.#lentBuffer = textBuffer(target)
      this.#lentView = new DataView(target.buffer, target.byteOffset, target.length)
    }
    this.buffer = this.#lentBuffer!
    this.#view = this.#lentView!
    this.length = position
  }

  /** Goes on in other memory, with what has been written: who still writes to the old one writes for nobody. */
  leave(): void {
    this.#moveTo(this.buffer.length)
  }

  /** Where that ended; -1 when there was no room for what has been asked for at once, so that it went on elsewhere. */
  endIn(): number {
    return this.buffer === this.#lentBuffer ? this.length : -1
  }

  /** Makes room for `size` more bytes. */
  ensure(size: number): void {
    if (this.length + size > this.buffer.length) this.#moveTo(Math.max(this.length + size, this.buffer.length * 2))
  }

  #moveTo(sizeBytes: number): void {
    const moved = newTextBuffer(sizeBytes)
    moved.set(this.buffer.subarray(0, this.length))
    this.buffer = moved
    this.#view = new DataView(moved.buffer)
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
    if (value === value) this.#view.setFloat32(this.length, value, true)
    else this.#view.setInt32(this.length, NAN_BITS_32, true)
    this.length += 4
  }

  /** As {@link float}. */
  double(value: number): void {
    this.ensure(8)
    if (value === value) this.#view.setFloat64(this.length, value, true)
    else {
      this.#view.setInt32(this.length, 0, true)
      this.#view.setInt32(this.length + 4, NAN_BITS_64, true)
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
