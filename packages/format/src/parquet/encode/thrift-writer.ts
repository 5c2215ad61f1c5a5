import { PageBuffer } from './page-buffer.ts'
import { thrift } from '../thrift-reader.ts'

/**
 * Writes Thrift's compact protocol: the reverse of `ThriftReader`. Fields of a struct must come in the order of their ids.
 *
 * Spec: Apache Thrift, "Thrift Compact protocol encoding".
 */
export class ThriftWriter {
  readonly buffer: PageBuffer = new PageBuffer()
  #lastId = 0

  /** A struct as a field. */
  struct(id: number, fields: () => void): void {
    this.#field(id, thrift.struct)
    this.element(fields)
  }

  /** A struct of its own, or as an element of a list. */
  element(fields: () => void): void {
    const outer = this.#lastId
    this.#lastId = 0
    fields()
    this.buffer.byte(0)
    this.#lastId = outer
  }

  /** The header of a list; its elements follow. */
  list(id: number, type: number, count: number): void {
    this.#field(id, thrift.list)
    if (count < 15) this.buffer.byte((count << 4) | type)
    else {
      this.buffer.byte(0xf0 | type)
      this.buffer.varint(count)
    }
  }

  boolean(id: number, value: boolean): void {
    this.#field(id, value ? thrift.true : thrift.false)
  }

  i8(id: number, value: number): void {
    this.#field(id, thrift.i8)
    this.buffer.byte(value & 0xff)
  }

  i16(id: number, value: number): void {
    this.#field(id, thrift.i16)
    this.integer(value)
  }

  i32(id: number, value: number): void {
    this.#field(id, thrift.i32)
    this.integer(value)
  }

  /** A safe integer. */
  i64(id: number, value: number): void {
    this.#field(id, thrift.i64)
    this.integer(value)
  }

  binary(id: number, value: Uint8Array): void {
    this.#field(id, thrift.binary)
    this.bytes(value)
  }

  text(id: number, value: string): void {
    this.binary(id, utf8.encode(value))
  }

  i64List(id: number, values: readonly number[]): void {
    this.list(id, thrift.i64, values.length)
    for (const value of values) this.integer(value)
  }

  i32List(id: number, values: readonly number[]): void {
    this.list(id, thrift.i32, values.length)
    for (const value of values) this.integer(value)
  }

  binaryList(id: number, values: readonly Uint8Array[]): void {
    this.list(id, thrift.binary, values.length)
    for (const value of values) this.bytes(value)
  }

  booleanList(id: number, values: readonly boolean[]): void {
    this.list(id, thrift.true, values.length)
    for (const value of values) this.buffer.byte(value ? thrift.true : thrift.false)
  }

  textList(id: number, values: readonly string[]): void {
    this.binaryList(
      id,
      values.map((value) => utf8.encode(value)),
    )
  }

  /** An integer as an element of a list. */
  integer(value: number): void {
    this.buffer.varint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  bytes(value: Uint8Array): void {
    this.buffer.varint(value.length)
    this.buffer.append(value)
  }

  #field(id: number, type: number): void {
    const delta = id - this.#lastId
    if (delta > 0 && delta < 16) this.buffer.byte((delta << 4) | type)
    else {
      this.buffer.byte(type)
      this.integer(id)
    }
    this.#lastId = id
  }
}

const utf8 = new TextEncoder()
