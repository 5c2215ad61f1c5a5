import { Builder, grown } from './builder.ts'
import type { BytesColumn, Column, FixedColumn, ListColumn, StructColumn } from './columns.ts'
import { decimalWidth } from './columns.ts'
import type { Arena } from './arena.ts'
import { BooleanBuilder, Float32Builder, Float64Builder, Int32Builder, Int64Builder } from './number-builders.ts'
import { foldType, type ScalarType } from '../model/fold-type.ts'
import type { Type } from '../model/schema.ts'

export { BooleanBuilder, Float32Builder, Float64Builder, Int32Builder, Int64Builder }

/**
 * Appends rows to one column. Each builder has its own `append`; all take nulls, and can take back the last rows.
 * `finish()` gives a column with memory of its own (bytes stay in the arena). `view()` gives one over the builder's own
 * memory, good until the next append or `clear()`, which forgets all rows and keeps the memory.
 */
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

/** Strings and binaries as positions in the arena that the builder was made with. */
export class BytesBuilder extends Builder {
  readonly storage = 'bytes'
  readonly arena: Arena
  private starts = new Int32Array(0)
  private ends = new Int32Array(0)
  constructor(arena: Arena) {
    super()
    this.arena = arena
  }
  /** The bytes lie in the arena already. */
  appendPosition(start: number, end: number): void {
    const at = this.length
    if (at === this.capacity) this.reserve(at + 1)
    this.starts[at] = start
    this.ends[at] = end
    if (this.hasNulls) this.markValid(at)
    this.length = at + 1
  }
  /** `rows` times the same bytes of the arena. */
  appendFill(start: number, end: number, rows: number): void {
    const at = this.length
    this.reserve(at + rows)
    this.starts.fill(start, at, at + rows)
    this.ends.fill(end, at, at + rows)
    this.length = at + rows
    if (this.hasNulls) for (let row = at; row < at + rows; row++) this.markValid(row)
  }
  /** Copies the bytes into the arena. */
  append(bytes: Uint8Array): void {
    const start = this.arena.append(bytes)
    this.appendPosition(start, start + bytes.length)
  }
  protected override grow(rows: number): void {
    this.starts = grown(this.starts, rows)
    this.ends = grown(this.ends, rows)
  }
  /** Its `data` is the arena's memory as it is now. */
  view(): BytesColumn {
    const { length, starts, ends } = this
    return {
      storage: 'bytes',
      length,
      validity: this.validity(),
      data: this.arena.bytes,
      starts: starts.subarray(0, length),
      ends: ends.subarray(0, length),
    }
  }
  finish(): BytesColumn {
    const { validity, starts, ends, ...rest } = this.view()
    return { ...rest, validity: validity?.slice(), starts: starts.slice(), ends: ends.slice() }
  }
}

export class FixedBuilder extends Builder {
  readonly storage = 'fixed'
  readonly width: number
  private values = new Uint8Array(0)
  constructor(width: number) {
    super()
    this.width = width
  }
  /** The `width` bytes of `source` from `start`. */
  append(source: Uint8Array, start = 0): void {
    const row = this.length
    if (row === this.capacity) this.reserve(row + 1)
    const { values, width } = this
    // Few bytes: a loop costs less than a view.
    for (let at = row * width, end = at + width, from = start; at < end;) values[at++] = source[from++]!
    if (this.hasNulls) this.markValid(row)
    this.length = row + 1
  }
  protected override grow(rows: number): void {
    this.values = grown(this.values, rows * this.width)
  }
  view(): FixedColumn {
    const { length, width } = this
    const values = this.values.subarray(0, length * width)
    return { storage: 'fixed', length, validity: this.validity(), width, values }
  }
  finish(): FixedColumn {
    const { validity, values, ...rest } = this.view()
    return { ...rest, validity: validity?.slice(), values: values.slice() }
  }
}

/** Append the elements to `element`, then close the row. */
export class ListBuilder<E extends ColumnBuilder = ColumnBuilder> extends Builder {
  readonly storage = 'list'
  readonly element: E
  private offsets = new Int32Array(1)
  constructor(element: E) {
    super()
    this.element = element
  }
  /** Ends a row that holds all elements appended since the last one. */
  append(): void {
    const at = this.length
    if (at === this.capacity) this.reserve(at + 1)
    this.offsets[at + 1] = this.element.length
    if (this.hasNulls) this.markValid(at)
    this.length = at + 1
  }
  override appendNull(): void {
    super.appendNull()
    this.offsets[this.length] = this.element.length
  }
  override truncate(length: number): void {
    super.truncate(length)
    this.element.truncate(this.offsets[length]!)
  }
  override clear(): void {
    super.clear()
    this.element.clear()
  }
  protected override grow(rows: number): void {
    this.offsets = grown(this.offsets, rows + 1)
  }
  view(): ListColumn {
    const { length } = this
    const offsets = this.offsets.subarray(0, length + 1)
    return { storage: 'list', length, validity: this.validity(), offsets, element: this.element.view() }
  }
  finish(): ListColumn {
    const offsets = this.offsets.slice(0, this.length + 1)
    const validity = this.validity()?.slice()
    return { storage: 'list', length: this.length, validity, offsets, element: this.element.finish() }
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
    const at = this.length
    if (at === this.capacity) this.reserve(at + 1)
    if (this.hasNulls) this.markValid(at)
    this.length = at + 1
  }
  override appendNull(): void {
    for (const { builder } of this.fields) builder.appendNull()
    super.appendNull()
  }
  override truncate(length: number): void {
    super.truncate(length)
    for (const { builder } of this.fields) builder.truncate(length)
  }
  override clear(): void {
    super.clear()
    for (const { builder } of this.fields) builder.clear()
  }
  protected override grow(): void {}
  view(): StructColumn {
    const fields = this.fields.map(({ name, builder }) => ({ name, column: builder.view() as Column }))
    return { storage: 'struct', length: this.length, validity: this.validity(), fields }
  }
  finish(): StructColumn {
    const fields = this.fields.map(({ name, builder }) => ({ name, column: builder.finish() as Column }))
    return { storage: 'struct', length: this.length, validity: this.validity()?.slice(), fields }
  }
}

/** An empty builder for a type; strings go to `arena`. */
export function builderFor(type: Type, arena: Arena): ColumnBuilder {
  const member = (name: string, of: Type): { name: string; builder: ColumnBuilder } => ({
    name,
    builder: builderFor(of, arena),
  })
  return foldType<ColumnBuilder>(type, {
    scalar: (scalar) => scalarBuilder(scalar, arena),
    list: (element) => new ListBuilder(builderFor(element, arena)),
    map: (key, value) => new ListBuilder(new StructBuilder([member('key', key), member('value', value)])),
    struct: (fields) => new StructBuilder(fields.map((field) => member(field.name, field.type))),
  })
}

function scalarBuilder({ spec }: ScalarType, arena: Arena): ColumnBuilder {
  switch (spec.kind) {
    case 'boolean':
    case 'unknown':
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
  }
}
