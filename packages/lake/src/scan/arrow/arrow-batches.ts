import { Arena, builderFor, takeRows } from '@moulin/core'
import type { Column, ColumnBatch, Field, Type } from '@moulin/core'
import type { RecordBatch, Schema, Table } from 'apache-arrow'
import type { PassingRows } from '../passing-rows.ts'
import { arrowData } from './arrow-data.ts'
import type { Arrow } from './arrow-package.ts'
import { arrowSchema } from './arrow-schema.ts'
import { gatheredSize } from './gather-bytes.ts'

/** Bytes of one column in a record batch: its offsets are of 32 bits, and a dictionary can hold far more than that. */
const MAX_COLUMN_BYTES = 256 * 1024 * 1024

/** Rows as Arrow: one schema, and a record batch for each batch of rows. What it gives is the caller's for good. */
export interface ArrowOutput {
  readonly schema: Schema
  batches(passing: AsyncIterable<PassingRows>): AsyncGenerator<RecordBatch>
  table(passing: AsyncIterable<PassingRows>): Promise<Table>
  /** Spec: Arrow columnar format, "IPC Streaming Format". */
  ipc(passing: AsyncIterable<PassingRows>): Promise<Uint8Array>
}

/** @param columns Names and types of what is shown, in order. A batch that lacks one has null in it. */
export function arrowOutput(arrow: Arrow, columns: readonly Field[], maxBytes: number = MAX_COLUMN_BYTES): ArrowOutput {
  const schema = arrowSchema(arrow, columns)

  async function* batches(passing: AsyncIterable<PassingRows>): AsyncGenerator<RecordBatch> {
    for await (const { batch, rows, isOwned } of passing) {
      const shown = shownColumns(batch, columns)
      const kept = rows ?? (isOwned ? undefined : everyRow(batch.length))
      const owned = kept === undefined ? shown : taken(shown, kept)
      const length = kept?.length ?? batch.length
      for (const part of parts(owned, length, maxBytes)) yield recordBatch(arrow, schema, part.columns, part.length)
    }
  }
  return {
    schema,
    batches,
    async table(passing) {
      const all: RecordBatch[] = []
      for await (const batch of batches(passing)) all.push(batch)
      return new arrow.Table(schema, all)
    },
    async ipc(passing) {
      const writer = new arrow.RecordBatchStreamWriter()
      writer.reset(undefined, schema)
      for await (const batch of batches(passing)) writer.write(batch)
      writer.finish()
      return await writer.toUint8Array()
    },
  }
}

function recordBatch(arrow: Arrow, schema: Schema, columns: readonly Column[], length: number): RecordBatch {
  const children = columns.map((column, at) => arrowData(arrow, schema.fields[at]!.type, column))
  const type = new arrow.Struct(schema.fields)
  return new arrow.RecordBatch(schema, arrow.makeData({ type, length, nullCount: 0, children }))
}

function shownColumns(batch: ColumnBatch, columns: readonly Field[]): Column[] {
  return columns.map(
    ({ name, type }) => batch.columns.find((entry) => entry.name === name)?.column ?? allNull(type, batch.length),
  )
}

function allNull(type: Type, length: number): Column {
  const builder = builderFor(type, new Arena())
  for (let row = 0; row < length; row++) builder.appendNull()
  return builder.finish()
}

const everyRow = (length: number): Int32Array => Int32Array.from({ length }, (_, row) => row)

const taken = (columns: readonly Column[], rows: Int32Array): Column[] =>
  columns.map((column) => takeRows(column, rows))

/** The rows in as many parts as it takes for no column to have too many bytes. */
function* parts(
  columns: readonly Column[],
  length: number,
  maxBytes: number,
): Generator<{ readonly columns: readonly Column[]; readonly length: number }> {
  if (length < 2 || columns.every((column) => largestBytes(column) <= maxBytes)) {
    yield { columns, length }
    return
  }
  const middle = length >> 1
  const all = everyRow(length)
  for (const rows of [all.subarray(0, middle), all.subarray(middle)]) {
    yield* parts(taken(columns, rows), rows.length, maxBytes)
  }
}

function largestBytes(column: Column): number {
  switch (column.storage) {
    case 'bytes':
      return gatheredSize(column)
    case 'list':
      return largestBytes(column.element)
    case 'struct':
      return Math.max(0, ...column.fields.map((field) => largestBytes(field.column)))
    default:
      return 0
  }
}
