import type { BytesColumn, FixedColumn, ListColumn, PrimitiveColumn, StructColumn } from './columns.ts'
import { decimalWidth } from './columns.ts'
import type { Arena } from './arena.ts'
import type { Type } from './schema.ts'

/** Appends rows to one column. Each builder has its own `append`; all take nulls, and can take back the last rows. */
export type ColumnBuilder =
  | BooleanBuilder
  | Int32Builder
  | Int64Builder
  | Float32Builder
  | Float64Builder
  | BytesBuilder
  | FixedBuilder
  | ListBuilder
  | StructBuilder

abstract class Builder {
  length = 0
  #validity = new Uint8Array(128)
  #hasNulls = false

  appendNull(): void {
    this.ensure(this.length + 1)
    this.#hasNulls = true
    this.length++
  }

  /** Forgets all rows from `length` on: undoes a half-decoded row. */
  truncate(length: number): void {
    for (let row = length; row < this.length; row++) this.#validity[row >> 3]! &= ~(1 << (row & 7))
    this.length = length
  }

  protected markValid(): void {
    this.#validity[this.length >> 3]! |= 1 << (this.length & 7)
    this.length++
  }

  protected ensure(rows: number): void {
    if (rows > this.#validity.length * 8) this.#validity = grow(this.#validity, rows >> 2)
  }

  protected validity(): Uint8Array | undefined {
    return this.#hasNulls ? this.#validity.slice(0, (this.length + 7) >> 3) : undefined
  }
}

type Numbers = Uint8Array | Int32Array | BigInt64Array | Float32Array | Float64Array

function grow<A extends Numbers>(array: A, length: number): A {
  const grown = new (array.constructor as new (length: number) => A)(Math.max(length, array.length * 2))
  grown.set(array as never)
  return grown
}

abstract class NumberBuilder<A extends Numbers> extends Builder {
  protected values: A
  constructor(values: A) {
    super()
    this.values = values
  }
  protected override ensure(rows: number): void {
    super.ensure(rows)
    if (rows > this.values.length) this.values = grow(this.values, rows)
  }
  protected taken(): A {
    return this.values.slice(0, this.length) as A
  }
}

export class BooleanBuilder extends NumberBuilder<Uint8Array> {
  readonly storage = 'bool'
  constructor() {
    super(new Uint8Array(1024))
  }
  append(value: boolean): void {
    this.ensure(this.length + 1)
    this.values[this.length] = value ? 1 : 0
    this.markValid()
  }
  finish(): PrimitiveColumn {
    return { storage: 'bool', length: this.length, validity: this.validity(), values: this.taken() }
  }
}

export class Int32Builder extends NumberBuilder<Int32Array> {
  readonly storage = 'int32'
  constructor() {
    super(new Int32Array(1024))
  }
  append(value: number): void {
    this.ensure(this.length + 1)
    this.values[this.length] = value
    this.markValid()
  }
  finish(): PrimitiveColumn {
    return { storage: 'int32', length: this.length, validity: this.validity(), values: this.taken() }
  }
}

export class Int64Builder extends NumberBuilder<BigInt64Array> {
  readonly storage = 'int64'
  // The same memory as 32-bit halves, so that hot loops make no BigInt (js-measured §6). Little-endian hosts only.
  #halves: Int32Array
  constructor() {
    super(new BigInt64Array(1024))
    this.#halves = new Int32Array(this.values.buffer)
  }
  append(value: bigint): void {
    this.ensure(this.length + 1)
    this.values[this.length] = value
    this.markValid()
  }
  /** A safe integer, without a BigInt. */
  appendNumber(value: number): void {
    this.appendHalves(Math.floor(value / 4294967296) | 0, value | 0)
  }
  /** `high × 2^32 + (low as unsigned)`. */
  appendHalves(high: number, low: number): void {
    this.ensure(this.length + 1)
    this.#halves[this.length * 2] = low
    this.#halves[this.length * 2 + 1] = high
    this.markValid()
  }
  protected override ensure(rows: number): void {
    // Compared as arrays: their `buffer` is a slow getter, and this runs for every row.
    const { values } = this
    super.ensure(rows)
    if (this.values !== values) this.#halves = new Int32Array(this.values.buffer)
  }
  finish(): PrimitiveColumn {
    return { storage: 'int64', length: this.length, validity: this.validity(), values: this.taken() }
  }
}

export class Float32Builder extends NumberBuilder<Float32Array> {
  readonly storage = 'float32'
  constructor() {
    super(new Float32Array(1024))
  }
  append(value: number): void {
    this.ensure(this.length + 1)
    this.values[this.length] = value
    this.markValid()
  }
  finish(): PrimitiveColumn {
    return { storage: 'float32', length: this.length, validity: this.validity(), values: this.taken() }
  }
}

export class Float64Builder extends NumberBuilder<Float64Array> {
  readonly storage = 'float64'
  constructor() {
    super(new Float64Array(1024))
  }
  append(value: number): void {
    this.ensure(this.length + 1)
    this.values[this.length] = value
    this.markValid()
  }
  finish(): PrimitiveColumn {
    return { storage: 'float64', length: this.length, validity: this.validity(), values: this.taken() }
  }
}

/** Strings and binaries as positions in the arena that the builder was made with. */
export class BytesBuilder extends Builder {
  readonly storage = 'bytes'
  readonly arena: Arena
  #starts = new Int32Array(1024)
  #ends = new Int32Array(1024)
  constructor(arena: Arena) {
    super()
    this.arena = arena
  }
  /** The bytes lie in the arena already. */
  appendPosition(start: number, end: number): void {
    this.ensure(this.length + 1)
    this.#starts[this.length] = start
    this.#ends[this.length] = end
    this.markValid()
  }
  /** Copies the bytes into the arena. */
  append(bytes: Uint8Array): void {
    const start = this.arena.append(bytes)
    this.appendPosition(start, start + bytes.length)
  }
  protected override ensure(rows: number): void {
    super.ensure(rows)
    if (rows <= this.#starts.length) return
    this.#starts = grow(this.#starts, rows)
    this.#ends = grow(this.#ends, rows)
  }
  finish(): BytesColumn {
    const starts = this.#starts.slice(0, this.length)
    const ends = this.#ends.slice(0, this.length)
    return { storage: 'bytes', length: this.length, validity: this.validity(), data: this.arena.bytes, starts, ends }
  }
}

export class FixedBuilder extends Builder {
  readonly storage = 'fixed'
  readonly width: number
  #values: Uint8Array
  constructor(width: number) {
    super()
    this.width = width
    this.#values = new Uint8Array(256 * width)
  }
  /** The `width` bytes of `source` from `start`. */
  append(source: Uint8Array, start = 0): void {
    this.ensure(this.length + 1)
    const values = this.#values
    // Few bytes: a loop costs less than a view.
    for (let at = this.length * this.width, end = at + this.width, from = start; at < end;)
      values[at++] = source[from++]!
    this.markValid()
  }
  protected override ensure(rows: number): void {
    super.ensure(rows)
    if (rows * this.width > this.#values.length) this.#values = grow(this.#values, rows * this.width)
  }
  finish(): FixedColumn {
    const values = this.#values.slice(0, this.length * this.width)
    return { storage: 'fixed', length: this.length, validity: this.validity(), width: this.width, values }
  }
}

/** Append the elements to `element`, then close the row. */
export class ListBuilder<E extends ColumnBuilder = ColumnBuilder> extends Builder {
  readonly storage = 'list'
  readonly element: E
  #offsets = new Int32Array(1024)
  constructor(element: E) {
    super()
    this.element = element
  }
  /** Ends a row that holds all elements appended since the last one. */
  append(): void {
    this.ensure(this.length + 1)
    this.#offsets[this.length + 1] = this.element.length
    this.markValid()
  }
  override appendNull(): void {
    this.ensure(this.length + 1)
    this.#offsets[this.length + 1] = this.element.length
    super.appendNull()
  }
  override truncate(length: number): void {
    super.truncate(length)
    this.element.truncate(this.#offsets[length]!)
  }
  protected override ensure(rows: number): void {
    super.ensure(rows)
    if (rows + 1 > this.#offsets.length) this.#offsets = grow(this.#offsets, rows + 1)
  }
  finish(): ListColumn {
    const offsets = this.#offsets.slice(0, this.length + 1)
    return { storage: 'list', length: this.length, validity: this.validity(), offsets, element: this.element.finish() }
  }
}

/** Append one value to each field, then close the row. */
export class StructBuilder extends Builder {
  readonly storage = 'struct'
  readonly fields: readonly { readonly name: string; readonly builder: ColumnBuilder }[]
  constructor(fields: readonly { readonly name: string; readonly builder: ColumnBuilder }[]) {
    super()
    this.fields = fields
  }
  append(): void {
    this.ensure(this.length + 1)
    this.markValid()
  }
  override appendNull(): void {
    for (const { builder } of this.fields) builder.appendNull()
    super.appendNull()
  }
  override truncate(length: number): void {
    super.truncate(length)
    for (const { builder } of this.fields) builder.truncate(length)
  }
  finish(): StructColumn {
    const fields = this.fields.map(({ name, builder }) => ({ name, column: builder.finish() }))
    return { storage: 'struct', length: this.length, validity: this.validity(), fields }
  }
}

/** An empty builder for a type; strings go to `arena`. */
export function builderFor(type: Type, arena: Arena): ColumnBuilder {
  const { spec } = type
  switch (spec.kind) {
    case 'boolean':
      return new BooleanBuilder()
    case 'int':
    case 'date':
      return new Int32Builder()
    case 'int53':
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return new Int64Builder()
    case 'float':
      return new Float32Builder()
    case 'double':
      return new Float64Builder()
    case 'string':
    case 'binary':
      return new BytesBuilder(arena)
    case 'uuid':
      return new FixedBuilder(16)
    case 'fixed':
      return new FixedBuilder(spec.length)
    case 'decimal':
      return spec.precision <= 18 ? new Int64Builder() : new FixedBuilder(decimalWidth(spec.precision))
    case 'list':
      return new ListBuilder(builderFor(spec.element, arena))
    case 'map': {
      const key = { name: 'key', builder: builderFor(spec.key, arena) }
      const value = { name: 'value', builder: builderFor(spec.value, arena) }
      return new ListBuilder(new StructBuilder([key, value]))
    }
    case 'struct':
      return new StructBuilder(
        spec.fields.map(({ name, type: field }) => ({ name, builder: builderFor(field, arena) })),
      )
  }
}
