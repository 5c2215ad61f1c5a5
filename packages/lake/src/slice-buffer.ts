import { Arena, BytesBuilder, FixedBuilder, isValid, ListBuilder, StructBuilder } from '@moulin/core'
import { BooleanBuilder, Float32Builder, Float64Builder, Int32Builder, Int64Builder } from '@moulin/core'
import type { Column, ColumnBatch, ColumnBuilder } from '@moulin/core'

/** Rows copied together from batches whose memory goes back to its owner: small slices that will share a row group. */
export class SliceBuffer {
  readonly #arena = new Arena()
  readonly #builders = new Map<string, ColumnBuilder>()
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Copies all rows. The columns must be those of the first batch. */
  append(batch: ColumnBatch): void {
    for (const { name, column } of batch.columns) {
      let builder = this.#builders.get(name)
      if (builder === undefined) {
        builder = builderLike(column, this.#arena)
        this.#builders.set(name, builder)
      }
      appendColumn(builder, column, 0, column.length)
    }
    this.#length += batch.length
  }

  /** All rows so far; the buffer is of no use afterwards. */
  finish(): ColumnBatch {
    const columns = [...this.#builders].map(([name, builder]) => ({ name, column: builder.finish() }))
    return { length: this.#length, columns }
  }
}

function builderLike(column: Column, arena: Arena): ColumnBuilder {
  switch (column.storage) {
    case 'bool':
      return new BooleanBuilder()
    case 'int32':
      return new Int32Builder()
    case 'int64':
      return new Int64Builder()
    case 'float32':
      return new Float32Builder()
    case 'float64':
      return new Float64Builder()
    case 'bytes':
      return new BytesBuilder(arena)
    case 'fixed':
      return new FixedBuilder(column.width)
    case 'list':
      return new ListBuilder(builderLike(column.element, arena))
    case 'struct':
      return new StructBuilder(column.fields.map(({ name, column: c }) => ({ name, builder: builderLike(c, arena) })))
  }
}

function appendColumn(builder: ColumnBuilder, column: Column, from: number, to: number): void {
  for (let row = from; row < to; row++) {
    if (isValid(column, row)) appendRow(builder, column, row)
    else builder.appendNull()
  }
}

function appendRow(builder: ColumnBuilder, column: Column, row: number): void {
  switch (builder.storage) {
    case 'bool':
      return builder.append((column as Of<'bool'>).values[row] === 1)
    case 'int32':
      return builder.append((column as Of<'int32'>).values[row]!)
    case 'int64':
      return builder.append((column as Of<'int64'>).values[row]!)
    case 'float32':
      return builder.append((column as Of<'float32'>).values[row]!)
    case 'float64':
      return builder.append((column as Of<'float64'>).values[row]!)
    case 'bytes': {
      const { data, starts, ends } = column as Of<'bytes'>
      return builder.append(data.subarray(starts[row], ends[row]))
    }
    case 'fixed': {
      const { values, width } = column as Of<'fixed'>
      return builder.append(values, row * width)
    }
    case 'list': {
      const { element, offsets } = column as Of<'list'>
      appendColumn(builder.element, element, offsets[row]!, offsets[row + 1]!)
      return builder.append()
    }
    case 'struct': {
      const { fields } = column as Of<'struct'>
      builder.fields.forEach((field, index) => appendColumn(field.builder, fields[index]!.column, row, row + 1))
      return builder.append()
    }
  }
}

type Of<S extends Column['storage']> = Extract<Column, { storage: S }>

/** Uncompressed bytes of a column's values: what the limits on slices and row groups count. */
export function columnBytes(column: Column): number {
  switch (column.storage) {
    case 'bool':
      return column.length / 8
    case 'int32':
    case 'float32':
      return column.length * 4
    case 'int64':
    case 'float64':
      return column.length * 8
    case 'fixed':
      return column.length * column.width
    case 'bytes': {
      const { starts, ends, validity, length } = column
      let bytes = length * 4
      for (let row = 0; row < length; row++) {
        if (validity === undefined || isValid(column, row)) bytes += ends[row]! - starts[row]!
      }
      return bytes
    }
    case 'list':
      return column.length * 4 + columnBytes(column.element)
    case 'struct':
      return column.fields.reduce((sum, field) => sum + columnBytes(field.column), 0)
  }
}

/** {@link columnBytes} of all columns. */
export function batchBytes(batch: ColumnBatch): number {
  return batch.columns.reduce((sum, { column }) => sum + columnBytes(column), 0)
}
