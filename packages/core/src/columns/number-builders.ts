import { Builder, grown, type Numbers } from './builder.ts'
import type { PrimitiveColumn } from './columns.ts'

// Each has its own `append`: one that all share would see arrays of many kinds, and be slow for every one of them.
abstract class NumberBuilder<A extends Numbers> extends Builder {
  abstract readonly storage: PrimitiveColumn['storage']
  protected values: A
  constructor(values: A) {
    super()
    this.values = values
  }
  view(): PrimitiveColumn {
    const { storage, length } = this
    const values = this.values.subarray(0, length)
    return { storage, length, validity: this.validity(), values } as PrimitiveColumn
  }
  finish(): PrimitiveColumn {
    const column = this.view()
    return { ...column, validity: column.validity?.slice(), values: column.values.slice() } as PrimitiveColumn
  }
  protected override grow(rows: number): void {
    this.values = grown(this.values, rows)
  }
}

export class BooleanBuilder extends NumberBuilder<Uint8Array> {
  readonly storage = 'bool'
  constructor() {
    super(new Uint8Array(0))
  }
  append(value: boolean): void {
    const at = this.length
    if (at === this.capacity) this.reserve(at + 1)
    this.values[at] = value ? 1 : 0
    if (this.hasNulls) this.markValid(at)
    this.length = at + 1
  }
}

export class Int32Builder extends NumberBuilder<Int32Array> {
  readonly storage = 'int32'
  constructor() {
    super(new Int32Array(0))
  }
  append(value: number): void {
    const at = this.length
    if (at === this.capacity) this.reserve(at + 1)
    this.values[at] = value
    if (this.hasNulls) this.markValid(at)
    this.length = at + 1
  }
  /** `rows` times the same value. */
  appendFill(value: number, rows: number): void {
    const at = this.length
    this.reserve(at + rows)
    this.values.fill(value, at, at + rows)
    this.length = at + rows
    if (this.hasNulls) for (let row = at; row < at + rows; row++) this.markValid(row)
  }
}

export class Int64Builder extends NumberBuilder<BigInt64Array> {
  readonly storage = 'int64'
  // The same memory as 32-bit halves, so that hot loops make no BigInt (js-measured §6). Little-endian hosts only.
  private halves: Int32Array = new Int32Array(0)
  constructor() {
    super(new BigInt64Array(0))
  }
  append(value: bigint): void {
    const at = this.length
    if (at === this.capacity) this.reserve(at + 1)
    this.values[at] = value
    if (this.hasNulls) this.markValid(at)
    this.length = at + 1
  }
  /** A safe integer, without a BigInt. */
  appendNumber(value: number): void {
    this.appendHalves(Math.floor(value / 4294967296) | 0, value | 0)
  }
  /** `high × 2^32 + (low as unsigned)`. */
  appendHalves(high: number, low: number): void {
    const at = this.length
    if (at === this.capacity) this.reserve(at + 1)
    this.halves[at * 2] = low
    this.halves[at * 2 + 1] = high
    if (this.hasNulls) this.markValid(at)
    this.length = at + 1
  }
  protected override grow(rows: number): void {
    super.grow(rows)
    this.halves = new Int32Array(this.values.buffer)
  }
}

export class Float32Builder extends NumberBuilder<Float32Array> {
  readonly storage = 'float32'
  constructor() {
    super(new Float32Array(0))
  }
  append(value: number): void {
    const at = this.length
    if (at === this.capacity) this.reserve(at + 1)
    this.values[at] = value
    if (this.hasNulls) this.markValid(at)
    this.length = at + 1
  }
}

export class Float64Builder extends NumberBuilder<Float64Array> {
  readonly storage = 'float64'
  constructor() {
    super(new Float64Array(0))
  }
  append(value: number): void {
    const at = this.length
    if (at === this.capacity) this.reserve(at + 1)
    this.values[at] = value
    if (this.hasNulls) this.markValid(at)
    this.length = at + 1
  }
}
