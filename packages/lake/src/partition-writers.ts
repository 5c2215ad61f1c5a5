import { takeRows } from '@moulin/core'
import type { Column, ColumnBatch, IcebergSchema } from '@moulin/core'
import type { Compression, FieldMetrics, FileWriter, FileWriterFactory } from '@moulin/format'
import { columnTransformer, partitionTupleKey } from '@moulin/iceberg'
import type { BoundPartitionSpec, ColumnTransformer, PartitionValue } from '@moulin/iceberg'
import { batchBytes, SliceBuffer } from './slice-buffer.ts'

/** A data file that is ready to be stored. */
export interface EncodedFile {
  readonly bytes: Uint8Array
  readonly rowCount: number
  /** The table's partition tuple that all its rows have, in the order of the spec's fields. */
  readonly tuple: readonly PartitionValue[]
  readonly metrics: ReadonlyMap<number, FieldMetrics>
  readonly splitOffsets: readonly number[]
}

export interface PartitionWritersOptions {
  /** The table's columns, under the names that the file shall have. */
  readonly schema: IcebergSchema
  readonly spec: BoundPartitionSpec
  readonly factory: FileWriterFactory
  readonly compression: Compression
  readonly keyValue: Readonly<Record<string, string>>
  readonly limits: WriterLimits
}

/** Bytes are uncompressed column bytes, except that `fileBytes` and the written part of `openBytes` are as in the file. */
export interface WriterLimits {
  readonly fileBytes: number
  readonly sharedRowGroupBytes: number
  readonly pageBytes: number
  readonly openWriters: number
  readonly openBytes: number
}

interface OpenWriter {
  readonly key: string
  readonly tuple: readonly PartitionValue[]
  readonly file: FileWriter
  /** Small slices that wait for company. */
  pending: SliceBuffer
  pendingBytes: number
  rowCount: number
}

/**
 * Sorts rows into files by the table's partition tuple. A row group holds the rows of one log partition, except that
 * slices below `sharedRowGroupBytes` share one; so footers give exact offset ranges (DESIGN §4).
 */
export class PartitionWriters {
  readonly #options: PartitionWritersOptions
  readonly #open = new Map<string, OpenWriter>()
  readonly #finished: EncodedFile[] = []
  readonly #transformers: readonly { readonly name: string; readonly transform: ColumnTransformer }[]

  constructor(options: PartitionWritersOptions) {
    this.#options = options
    this.#transformers = options.spec.fields.map(({ transform, source }) => ({
      name: source!.name,
      transform: columnTransformer(transform, source!.type),
    }))
  }

  /**
   * Rows of one log partition in offset order, at most a row group's worth. Nothing of the batch is kept.
   * Slices of one partition may follow each other; partitions must come one after the other.
   */
  add(slice: ColumnBatch): void {
    for (const { key, tuple, rows } of this.#groups(slice)) {
      const batch = rows === undefined ? slice : take(slice, rows)
      const bytes = batchBytes(batch)
      const writer = this.#writer(key, tuple)
      if (bytes >= this.#options.limits.sharedRowGroupBytes) {
        this.#flush(writer)
        writer.file.writeRowGroup(batch)
      } else {
        writer.pending.append(batch)
        writer.pendingBytes += bytes
        if (writer.pendingBytes >= this.#options.limits.sharedRowGroupBytes) this.#flush(writer)
      }
      writer.rowCount += batch.length
      if (writer.file.sizeBytes >= this.#options.limits.fileBytes) this.#close(writer)
    }
    this.#shrink()
  }

  /** Files finished since the last call. */
  take(): EncodedFile[] {
    return this.#finished.splice(0)
  }

  /** Finishes all files. */
  finish(): EncodedFile[] {
    for (const writer of [...this.#open.values()]) this.#close(writer)
    return this.take()
  }

  // Rows of a slice by tuple; `rows` undefined: all of them, the usual case.
  #groups(slice: ColumnBatch): { key: string; tuple: readonly PartitionValue[]; rows: Int32Array | undefined }[] {
    if (slice.length === 0) return []
    const fields = this.#transformers.map(({ name, transform }) => ({ transform, column: columnOf(slice, name) }))
    const tupleAt = (row: number): PartitionValue[] =>
      fields.map(({ transform, column }) => (column === undefined ? null : transform(column, row)))
    const groups = new Map<string, { key: string; tuple: readonly PartitionValue[]; rows: number[] }>()
    let last: { key: string; tuple: readonly PartitionValue[]; rows: number[] } | undefined
    for (let row = 0; row < slice.length; row++) {
      const tuple = tupleAt(row)
      if (last === undefined || !sameTuple(tuple, last.tuple)) {
        const key = partitionTupleKey(tuple)
        last = groups.get(key)
        if (last === undefined) groups.set(key, (last = { key, tuple, rows: [] }))
      }
      last.rows.push(row)
    }
    const [only] = groups.values()
    if (groups.size === 1) return [{ ...only!, rows: undefined }]
    return [...groups.values()].map((group) => ({ ...group, rows: Int32Array.from(group.rows) }))
  }

  #writer(key: string, tuple: readonly PartitionValue[]): OpenWriter {
    let writer = this.#open.get(key)
    if (writer === undefined) {
      const { factory, schema, compression, keyValue, limits } = this.#options
      if (this.#open.size >= limits.openWriters) this.#close(this.#largest())
      const file = factory.create({ schema, compression, keyValue, pageBytes: limits.pageBytes })
      writer = { key, tuple, file, pending: new SliceBuffer(), pendingBytes: 0, rowCount: 0 }
      this.#open.set(key, writer)
    }
    return writer
  }

  #flush(writer: OpenWriter): void {
    if (writer.pending.length === 0) return
    writer.file.writeRowGroup(writer.pending.finish())
    writer.pending = new SliceBuffer()
    writer.pendingBytes = 0
  }

  #close(writer: OpenWriter): void {
    this.#open.delete(writer.key)
    this.#flush(writer)
    const { bytes, rowCount, rowGroups, metrics } = writer.file.finish()
    const splitOffsets = rowGroups.map(({ offset }) => offset)
    this.#finished.push({ bytes, rowCount, tuple: writer.tuple, metrics, splitOffsets })
  }

  // Overflow goes out as a small file, never a stall.
  #shrink(): void {
    while (this.#openBytes() > this.#options.limits.openBytes) this.#close(this.#largest())
  }

  #openBytes(): number {
    let bytes = 0
    for (const writer of this.#open.values()) bytes += sizeOf(writer)
    return bytes
  }

  #largest(): OpenWriter {
    let largest: OpenWriter | undefined
    for (const writer of this.#open.values()) {
      if (largest === undefined || sizeOf(writer) > sizeOf(largest)) largest = writer
    }
    return largest!
  }
}

const sizeOf = (writer: OpenWriter): number => writer.file.sizeBytes + writer.pendingBytes

function columnOf(batch: ColumnBatch, name: string): Column | undefined {
  return batch.columns.find((entry) => entry.name === name)?.column
}

function take(batch: ColumnBatch, rows: Int32Array): ColumnBatch {
  const columns = batch.columns.map(({ name, column }) => ({ name, column: takeRows(column, rows) }))
  return { length: rows.length, columns }
}

// Equal references and scalars; bytes that are equal but not the same take the slow way and still land in one group.
function sameTuple(a: readonly PartitionValue[], b: readonly PartitionValue[]): boolean {
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false
  return true
}
