import { takeRows } from '@moulin/core'
import type { ColumnBatch, IcebergSchema } from '@moulin/core'
import type { Compression, FieldMetrics, FileWriter, FileWriterFactory } from '@moulin/format'
import type { BoundPartitionSpec, PartitionValue } from '@moulin/iceberg'
import { batchBytes, SliceBuffer } from './slice-buffer.ts'
import { TupleRuns } from './tuple-runs.ts'

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
  /** As {@link FileWriterOptions.deltas}. */
  readonly deltas?: boolean | undefined
  readonly keyValue: Readonly<Record<string, string>>
  readonly limits: WriterLimits
}

/** Bytes are uncompressed column bytes, except those of files and row groups, which are as in the file. */
export interface WriterLimits {
  readonly fileBytes: number
  readonly rowGroupBytes: number
  readonly sharedRowGroupBytes: number
  readonly pageBytes: number
  readonly openWriters: number
  /** Written bytes of open files and column bytes that wait. */
  readonly openBytes: number
}

/** Pages do not reach over the batches that a file is given, so fewer rows wait for others, if they are small too. */
const MIN_BATCH_ROWS = 8_192
const MIN_BATCH_BYTES = 1024 * 1024

/**
 * Sorts rows into files by the table's partition tuple. A row group holds the rows of one log partition, except that
 * slices below `sharedRowGroupBytes` share one; so footers give exact offset ranges (DESIGN §4).
 */
export class PartitionWriters {
  readonly #options: PartitionWritersOptions
  readonly #open = new Map<string, OpenFile>()
  readonly #finished: EncodedFile[] = []
  readonly #tuples: TupleRuns
  readonly #buffers: SliceBuffer[] = []

  constructor(options: PartitionWritersOptions) {
    this.#options = options
    this.#tuples = new TupleRuns(options.spec, options.schema)
  }

  /**
   * Rows of log partition `partition` in offset order, on top of those that came before. Nothing of the batch is kept.
   * Partitions must come one after the other.
   */
  add(partition: number, slice: ColumnBatch): void {
    if (slice.length === 0) return
    for (const { key, tuple, rows } of this.#tuples.groups(slice)) {
      const batch = rows === undefined ? slice : take(slice, rows)
      const file = this.#file(key, tuple)
      file.add(partition, batch)
      if (file.isFull || file.writtenBytes >= this.#options.limits.fileBytes) this.#close(file)
    }
    this.#shrink()
  }

  /** Files finished since the last call. */
  take(): EncodedFile[] {
    return this.#finished.splice(0)
  }

  /** Finishes all files. */
  finish(): EncodedFile[] {
    for (const file of [...this.#open.values()]) this.#close(file)
    return this.take()
  }

  #file(key: string, tuple: readonly PartitionValue[]): OpenFile {
    let file = this.#open.get(key)
    if (file === undefined) {
      const { factory, schema, compression, deltas, keyValue, limits } = this.#options
      if (this.#open.size >= limits.openWriters) this.#close(this.#largest())
      const { pageBytes, rowGroupBytes, sharedRowGroupBytes } = limits
      const columnIndexes = 'all'
      const writer = factory.create({
        schema,
        compression,
        keyValue,
        pageBytes,
        rowGroupBytes,
        columnIndexes,
        ...(deltas === undefined ? {} : { deltas }),
      })
      file = new OpenFile({ key, tuple, writer, sharedRowGroupBytes, buffers: this.#buffers })
      this.#open.set(key, file)
    }
    return file
  }

  #close(file: OpenFile): void {
    this.#open.delete(file.key)
    this.#finished.push(file.finish())
  }

  // Overflow goes out as a small file, never a stall.
  #shrink(): void {
    while (this.#openBytes() > this.#options.limits.openBytes) this.#close(this.#largest())
  }

  #openBytes(): number {
    let bytes = 0
    for (const file of this.#open.values()) bytes += file.sizeBytes
    return bytes
  }

  #largest(): OpenFile {
    let largest: OpenFile | undefined
    for (const file of this.#open.values()) {
      if (largest === undefined || file.sizeBytes > largest.sizeBytes) largest = file
    }
    return largest!
  }
}

interface OpenFileParts {
  readonly key: string
  readonly tuple: readonly PartitionValue[]
  readonly writer: FileWriter
  readonly sharedRowGroupBytes: number
  /** Buffers that nobody uses at present. */
  readonly buffers: SliceBuffer[]
}

/**
 * One file on its way. The slice of a log partition waits until it is large enough for row groups of its own, and is
 * then streamed into them; when another partition comes first, it goes to the small ones that share a row group.
 */
class OpenFile {
  readonly key: string
  readonly #parts: OpenFileParts
  /** Rows of the present partition that are not written yet. */
  #waiting: SliceBuffer
  #waitingBytes = 0
  /** Small slices of the partitions before it. */
  #shared: SliceBuffer
  #sharedBytes = 0
  #partition: number | undefined
  /** The present partition's rows go into row groups of its own. */
  #isStreaming = false
  #rowCount = 0

  constructor(parts: OpenFileParts) {
    this.#parts = parts
    this.key = parts.key
    this.#waiting = parts.buffers.pop() ?? new SliceBuffer()
    this.#shared = parts.buffers.pop() ?? new SliceBuffer()
  }

  get writtenBytes(): number {
    return this.#parts.writer.sizeBytes
  }

  get isFull(): boolean {
    return this.#parts.writer.isFull
  }

  get sizeBytes(): number {
    return this.writtenBytes + this.#waitingBytes + this.#sharedBytes
  }

  add(partition: number, batch: ColumnBatch): void {
    if (partition !== this.#partition) this.#endSlice()
    this.#partition = partition
    this.#rowCount += batch.length
    const bytes = batchBytes(batch)
    if (this.#isStreaming) return this.#stream(batch, bytes)
    if (this.#waitingBytes + bytes < this.#parts.sharedRowGroupBytes) return this.#wait(batch, bytes)
    this.#writeShared()
    this.#isStreaming = true
    this.#stream(batch, bytes)
  }

  finish(): EncodedFile {
    this.#endSlice()
    this.#writeShared()
    const { writer, tuple, buffers } = this.#parts
    const { bytes, rowGroups, metrics } = writer.finish()
    buffers.push(this.#waiting, this.#shared)
    return { bytes, rowCount: this.#rowCount, tuple, metrics, splitOffsets: rowGroups.map(({ offset }) => offset) }
  }

  #stream(batch: ColumnBatch, bytes: number): void {
    const isSmall = batch.length < MIN_BATCH_ROWS && bytes < MIN_BATCH_BYTES
    if (isSmall || this.#waiting.length > 0) {
      this.#wait(batch, bytes)
      if (this.#waiting.length >= MIN_BATCH_ROWS || this.#waitingBytes >= MIN_BATCH_BYTES) this.#writeWaiting()
    } else {
      this.#parts.writer.write(batch)
    }
  }

  #wait(batch: ColumnBatch, bytes: number): void {
    this.#waiting.append(batch)
    this.#waitingBytes += bytes
  }

  #writeWaiting(): void {
    if (this.#waiting.length > 0) this.#parts.writer.write(this.#waiting.view())
    this.#waiting.clear()
    this.#waitingBytes = 0
  }

  /** The present partition has no more rows. */
  #endSlice(): void {
    if (this.#isStreaming) {
      this.#writeWaiting()
      this.#parts.writer.endRowGroup()
      this.#isStreaming = false
      return
    }
    if (this.#shared.length === 0) {
      const empty = this.#shared
      this.#shared = this.#waiting
      this.#waiting = empty
    } else if (this.#waiting.length > 0) {
      this.#shared.append(this.#waiting.view())
      this.#waiting.clear()
    }
    this.#sharedBytes += this.#waitingBytes
    this.#waitingBytes = 0
    if (this.#sharedBytes >= this.#parts.sharedRowGroupBytes) this.#writeShared()
  }

  #writeShared(): void {
    if (this.#shared.length > 0) this.#parts.writer.writeRowGroup(this.#shared.view())
    this.#shared.clear()
    this.#sharedBytes = 0
  }
}

function take(batch: ColumnBatch, rows: Int32Array): ColumnBatch {
  const columns = batch.columns.map(({ name, column }) => ({ name, column: takeRows(column, rows) }))
  return { length: rows.length, columns }
}
