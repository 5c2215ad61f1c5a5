import { corrupt, exhausted } from '@moulin/core'

/** Types of Thrift's compact protocol. A bool field has its value in its type. */
export const thrift = {
  true: 1,
  false: 2,
  i8: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
} as const

const maxDepth = 32

/**
 * Reads Thrift's compact protocol without believing it: every length is compared with the bytes that are left, every
 * count with the caller's limit, before anything is made.
 *
 * Spec: Apache Thrift, "Thrift Compact protocol encoding".
 */
export class ThriftReader {
  position: number
  readonly #bytes: Uint8Array
  readonly #end: number
  readonly #what: string
  #depth = 0

  /** `what` names the bytes in errors. */
  constructor(bytes: Uint8Array, position: number, end: number, what: string) {
    this.#bytes = bytes
    this.position = position
    this.#end = Math.min(end, bytes.length)
    this.#what = what
  }

  /** Calls `field` for each field; one that returns false has left it unread, and it is skipped. */
  struct(field: (id: number, type: number) => boolean): void {
    if (++this.#depth > maxDepth) throw this.#corrupt(`is nested deeper than ${maxDepth}`)
    let id = 0
    for (;;) {
      const byte = this.#byte()
      if (byte === 0) break
      const type = byte & 0x0f
      id = byte >> 4 === 0 ? this.i32() : id + (byte >> 4)
      if (!field(id, type)) this.#skip(type)
    }
    this.#depth--
  }

  /**
   * Calls `element` for each element of a list of `type`. @throws `exhausted` for more than `maxCount`, naming `limit`.
   */
  list(type: number, maxCount: number, limit: string, element: (index: number) => void): void {
    const { type: actual, count } = this.#listHeader()
    if (count > 0 && actual !== type) throw this.#corrupt(`has a list of type ${actual} in place of ${type}`)
    if (count > maxCount) {
      const context = { what: this.#what, limit, max: maxCount, count }
      throw exhausted('PARQUET_LIMIT', `${this.#what} lists ${count}; the limit ${limit} is ${maxCount}.`, { context })
    }
    for (let index = 0; index < count; index++) element(index)
  }

  /** A list of booleans, a byte each. */
  bools(maxCount: number): boolean[] {
    const { type, count } = this.#listHeader()
    if (count > maxCount || (count > 0 && type !== thrift.true && type !== thrift.false))
      throw this.#corrupt(`has ${count} elements of type ${type} where ${maxCount} booleans may be`)
    return Array.from({ length: count }, () => this.#byte() === thrift.true)
  }

  i8(): number {
    return (this.#byte() << 24) >> 24
  }

  i32(): number {
    const value = this.#varint()
    if (value > 0xffffffff) throw this.#corrupt('has an integer beyond 32 bits')
    return (value >>> 1) ^ -(value & 1)
  }

  /** A 64-bit integer that must be a size, a count or a position: 0 to 2^53 − 1. */
  size(): number {
    const value = this.#varint()
    if (value % 2 !== 0) throw this.#corrupt('has a negative size')
    return value / 2
  }

  /** The same of what a reader can do without: undefined where it is none. */
  optionalSize(): number | undefined {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
      if (scale > 2 ** 62) throw this.#corrupt('has an integer without end')
    }
    return value % 2 === 0 && value <= 2 * Number.MAX_SAFE_INTEGER ? value / 2 : undefined
  }

  /** A view, not a copy. */
  binary(): Uint8Array {
    const length = this.#varint()
    const start = this.position
    if (length > this.#end - start) throw this.#corrupt(`has a string of ${length} bytes where fewer are left`)
    this.position += length
    return this.#bytes.subarray(start, start + length)
  }

  text(): string {
    return utf8.decode(this.binary())
  }

  #byte(): number {
    if (this.position >= this.#end) throw this.#corrupt('ends early')
    return this.#bytes[this.position++]!
  }

  // As a number: 53 bits hold every size; what does not fit is damage (a 64-bit value is only ever skipped).
  #varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte()
      value += (byte & 0x7f) * scale
      if (value > 2 * Number.MAX_SAFE_INTEGER) throw this.#corrupt('has an integer out of range')
      if (byte < 0x80) return value
      if (scale > 2 ** 56) throw this.#corrupt('has an integer without end')
    }
  }

  #listHeader(): { type: number; count: number } {
    const byte = this.#byte()
    const count = byte >> 4 === 15 ? this.#varint() : byte >> 4
    // Every element takes a byte at least.
    if (count > this.#end - this.position) throw this.#corrupt(`has a list of ${count} where fewer bytes are left`)
    return { type: byte & 0x0f, count }
  }

  #skip(type: number): void {
    switch (type) {
      case thrift.true:
      case thrift.false:
        return
      case thrift.i8:
        this.#byte()
        return
      case thrift.i16:
      case thrift.i32:
      case thrift.i64:
        this.#skipVarint()
        return
      case thrift.double:
        this.#advance(8)
        return
      case thrift.binary:
        this.binary()
        return
      case thrift.list:
      case thrift.set: {
        if (++this.#depth > maxDepth) throw this.#corrupt(`is nested deeper than ${maxDepth}`)
        const { type: element, count } = this.#listHeader()
        for (let i = 0; i < count; i++) {
          if (element === thrift.true || element === thrift.false) this.#byte()
          else this.#skip(element)
        }
        this.#depth--
        return
      }
      case thrift.struct:
        this.struct(() => false)
        return
      default:
        throw this.#corrupt(`has a field of unknown type ${type}`)
    }
  }

  #skipVarint(): void {
    for (let i = 0; this.#byte() >= 0x80; i++) if (i > 9) throw this.#corrupt('has an integer without end')
  }

  #advance(count: number): void {
    if (count > this.#end - this.position) throw this.#corrupt('ends early')
    this.position += count
  }

  #corrupt(how: string): Error {
    const context = { what: this.#what, position: this.position }
    return corrupt('PARQUET_THRIFT', `${this.#what} ${how} (at byte ${this.position}).`, { context })
  }
}

const utf8 = new TextDecoder()
