import type { Column } from '@moulin/core'
import { isValid } from '@moulin/core'
import { NO_ENCODING, RowByRow } from '../values/row-by-row.ts'
import { RowWriter } from '../values/row-writer.ts'
import type { AvroNode } from './avro-node.ts'
import { columnEncoder } from './column-encoder.ts'
import { scalarKernel, type ColumnKernel } from './scalar-kernel.ts'

/** `path` names the column in errors. What nests goes row by row: an item takes longer than the call for it. */
export function columnKernel(node: AvroNode, path: string): ColumnKernel {
  const present = scalarKernel(node)
  if (present === undefined) return rowKernel(node, path)
  const { nullIndex } = node
  return nullIndex < 0 ? requiredKernel(present) : new OptionalKernel(present, nullIndex)
}

function rowKernel(node: AvroNode, path: string): ColumnKernel {
  const encode = columnEncoder(node, path)
  const writer = new RowWriter()
  return new RowByRow<Column>((column, row, target, position) => {
    writer.open(target, position)
    encode(column, row, writer)
    return writer.position
  })
}

function requiredKernel(present: ColumnKernel): ColumnKernel {
  return {
    addSizes(column, rows, sizes) {
      present.addSizes(column, rows, sizes)
      if (column.validity === undefined) return
      for (let at = 0; at < rows.length; at++) if (!isValid(column, rows[at]!)) sizes[at] = NO_ENCODING
    },
    write: present.write,
  }
}

/** A union with null: the branch of each row, and those with a value gathered for the kernel of it. */
class OptionalKernel implements ColumnKernel {
  readonly #present: ColumnKernel
  readonly #nullByte: number
  readonly #valueByte: number
  /** Positions of the rows with a value, those rows, and what is gathered of them. */
  #at = new Int32Array(0)
  #rows = new Int32Array(0)
  #numbers = new Int32Array(0)

  constructor(present: ColumnKernel, nullIndex: number) {
    this.#present = present
    this.#nullByte = nullIndex * 2
    this.#valueByte = (1 - nullIndex) * 2
  }

  addSizes(column: Column, rows: Int32Array, sizes: Int32Array): void {
    for (let at = 0; at < rows.length; at++) sizes[at]!++
    if (column.validity === undefined) return this.#present.addSizes(column, rows, sizes)
    const count = this.#gather(column, rows)
    const added = this.#numbers.subarray(0, count).fill(0)
    this.#present.addSizes(column, this.#rows.subarray(0, count), added)
    for (let index = 0; index < count; index++) sizes[this.#at[index]!]! += added[index]!
  }

  write(column: Column, rows: Int32Array, target: Uint8Array, places: Int32Array): void {
    if (column.validity === undefined) {
      for (let at = 0; at < rows.length; at++) target[places[at]!++] = this.#valueByte
      return this.#present.write(column, rows, target, places)
    }
    const count = this.#gather(column, rows)
    const values = this.#numbers.subarray(0, count)
    for (let at = 0, index = 0; at < rows.length; at++) {
      const isThere = index < count && this.#at[index] === at
      target[places[at]!++] = isThere ? this.#valueByte : this.#nullByte
      if (isThere) values[index++] = places[at]!
    }
    this.#present.write(column, this.#rows.subarray(0, count), target, values)
    for (let index = 0; index < count; index++) places[this.#at[index]!] = values[index]!
  }

  #gather(column: Column, rows: Int32Array): number {
    if (this.#at.length < rows.length) {
      this.#at = new Int32Array(rows.length)
      this.#rows = new Int32Array(rows.length)
      this.#numbers = new Int32Array(rows.length)
    }
    let count = 0
    for (let at = 0; at < rows.length; at++) {
      const row = rows[at]!
      if (!isValid(column, row)) continue
      this.#at[count] = at
      this.#rows[count++] = row
    }
    return count
  }
}
