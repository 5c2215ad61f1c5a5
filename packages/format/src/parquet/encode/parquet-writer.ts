import { checkOptions, type Column, type ColumnBatch, formatCaps, type IcebergField, internal } from '@moulin/core'
import { batchColumns } from '../batch-columns.ts'
import { addMetrics, leafMetrics } from '../file-metrics.ts'
import type {
  FieldMetrics,
  FileWriter,
  FileWriterFactory,
  FileWriterOptions,
  WrittenFile,
  WrittenRowGroup,
} from '../file-writer.ts'
import { fileWriterTable } from '../file-writer-options.ts'
import { type ParquetSchema, parquetSchema } from '../parquet-schema.ts'
import { ColumnChunk, type WrittenChunk } from './column-chunk.ts'
import { storedValues } from './decimal-values.ts'
import { FileOutput } from './file-output.ts'
import { isFooterFull, rowGroupFooterBytes } from './footer-size.ts'
import { type FooterRowGroup, isFraction, type Placed, writeFooter } from './footer-writer.ts'
import { hasColumnIndex, writeColumnIndex, writeOffsetIndex } from './index-writer.ts'
import { PageWriter } from './page-writer.ts'
import { type EncodeScratch, withScratch } from './scratch.ts'
import { type LeafRows, shredField } from './shred.ts'
import { ThriftWriter } from './thrift-writer.ts'
import { type WriterOptions, writerOptions } from './writer-options.ts'

/**
 * Our own encoder: typed arrays to pages, with no object and no BigInt a value (js-measured §6, §7).
 * Spec: parquet-format.
 */
export const parquetWriter: FileWriterFactory = {
  name: 'moulin',
  create: (options) => new ParquetFileWriter(options),
}

const createdBy = 'moulin version 0.1.0'
const magic = Uint8Array.of(0x50, 0x41, 0x52, 0x31)

interface ClosedRowGroup {
  readonly rowCount: number
  readonly offset: number
  readonly chunks: readonly { readonly chunk: WrittenChunk; readonly bloomFilter: Placed | undefined }[]
}

class ParquetFileWriter implements FileWriter {
  readonly #fields: readonly IcebergField[]
  readonly #schema: ParquetSchema
  readonly #options: WriterOptions
  readonly #keyValue: Readonly<Record<string, string>>
  readonly #output: FileOutput
  readonly #chunks: readonly ColumnChunk[]
  readonly #rowGroupFooterBytes: number
  readonly #rowGroups: ClosedRowGroup[] = []
  readonly #metrics = new Map<number, FieldMetrics>()
  #openRows = 0
  #isFinished = false

  constructor(options: FileWriterOptions) {
    checkOptions('parquetWriter', options, fileWriterTable)
    this.#fields = options.schema.fields
    this.#schema = parquetSchema(options.schema)
    this.#options = writerOptions(options, this.#schema.leaves)
    this.#keyValue = options.keyValue ?? {}
    this.#output = new FileOutput(options.sink)
    const pages = new PageWriter(this.#options)
    this.#chunks = this.#schema.leaves.map(
      (leaf, index) => new ColumnChunk(leaf, { ...this.#options, pages }, this.#options.leaves[index]!),
    )
    this.#rowGroupFooterBytes = rowGroupFooterBytes(this.#schema.leaves, this.#options.boundBytes)
    this.#output.append(magic)
  }

  get sizeBytes(): number {
    return this.#output.length + this.#openBytes()
  }

  get isFull(): boolean {
    return isFooterFull(this.#rowGroups.length, this.#rowGroupFooterBytes)
  }

  write(batch: ColumnBatch): void {
    if (batch.length === 0) return
    if (this.#openRows + batch.length > formatCaps.maxParquetRowGroupRows) this.endRowGroup()
    this.#encode(batch, (chunk, rows, scratch) => chunk.append(rows, scratch))
    this.#openRows += batch.length
    if (this.#openBytes() >= this.#options.rowGroupBytes) this.endRowGroup()
  }

  endRowGroup(): void {
    const rowCount = this.#openRows
    if (rowCount === 0) return
    this.#openRows = 0
    const offset = this.#output.length
    const closed = this.#chunks.map((chunk) => chunk.close(this.#output))
    this.#addRowGroup(rowCount, offset, closed)
  }

  writeRowGroup(batch: ColumnBatch): void {
    if (batch.length === 0) return
    this.endRowGroup()
    const offset = this.#output.length
    const closed: WrittenChunk[] = []
    this.#encode(batch, (chunk, rows, scratch) => {
      chunk.appendWhole(rows, this.#output, scratch)
      closed.push(chunk.close(this.#output))
    })
    this.#addRowGroup(batch.length, offset, closed)
  }

  #encode(batch: ColumnBatch, take: (chunk: ColumnChunk, rows: LeafRows, scratch: EncodeScratch) => void): void {
    if (this.#isFinished) throw internal('PARQUET_WRITE', 'A file was written to after it was finished.')
    const columns = batchColumns(this.#fields, batch)
    withScratch((scratch) => {
      let leaf = 0
      for (const [index, field] of this.#fields.entries()) {
        for (const rows of this.#shred(field, columns[index], batch.length, leaf, scratch))
          take(this.#chunks[leaf++]!, rows, scratch)
        scratch.memory.clear()
      }
    })
  }

  #shred(
    field: IcebergField,
    column: Column | undefined,
    rowCount: number,
    firstLeaf: number,
    scratch: EncodeScratch,
  ): LeafRows[] {
    return shredField(field, column, rowCount, scratch.memory).map((rows, index) => ({
      ...rows,
      values: storedValues(this.#schema.leaves[firstLeaf + index]!, rows.values, scratch.memory),
    }))
  }

  #addRowGroup(rowCount: number, offset: number, closed: readonly WrittenChunk[]): void {
    const chunks = closed.map((chunk) => {
      addMetrics(this.#metrics, chunk.leaf, metricsOf(chunk))
      const { bloomFilter } = chunk
      return { chunk, bloomFilter: bloomFilter === undefined ? undefined : this.#place(bloomFilter) }
    })
    this.#rowGroups.push({ rowCount, offset, chunks })
    this.#output.flush()
  }

  #place(bytes: Uint8Array): Placed {
    const placed = { offset: this.#output.length, length: bytes.length }
    this.#output.append(bytes)
    return placed
  }

  #openBytes(): number {
    if (this.#openRows === 0) return 0
    let size = 0
    for (const chunk of this.#chunks) size += chunk.sizeBytes
    return size
  }

  finish(): WrittenFile {
    this.endRowGroup()
    this.#isFinished = true
    this.#writeFooter(this.#writeIndexes())
    const sizeBytes = this.#output.length
    const rowGroups = this.#rowGroups.map((rowGroup): WrittenRowGroup => {
      const sizeBytes = rowGroup.chunks.reduce((sum, { chunk }) => sum + chunk.compressedBytes, 0)
      return { rowCount: rowGroup.rowCount, offset: rowGroup.offset, sizeBytes }
    })
    const rowCount = rowGroups.reduce((sum, group) => sum + group.rowCount, 0)
    return { bytes: this.#output.finish(), sizeBytes, rowCount, rowGroups, metrics: this.#metrics }
  }

  /** All column indexes, then all offset indexes: so a reader gets those that it wants at once. */
  #writeIndexes(): FooterRowGroup[] {
    const thrift = new ThriftWriter()
    const place = (write: (thrift: ThriftWriter, chunk: WrittenChunk) => void, chunk: WrittenChunk): Placed => {
      thrift.buffer.clear()
      write(thrift, chunk)
      return this.#place(thrift.buffer.written())
    }
    const columnIndexes = this.#rowGroups.map(({ chunks }) =>
      chunks.map(({ chunk }) => (hasColumnIndex(chunk) ? place(writeColumnIndex, chunk) : undefined)),
    )
    return this.#rowGroups.map(({ rowCount, offset, chunks }, group) => ({
      rowCount,
      offset,
      chunks: chunks.map(({ chunk, bloomFilter }, leaf) => ({
        chunk,
        bloomFilter,
        columnIndex: columnIndexes[group]![leaf],
        offsetIndex: place(writeOffsetIndex, chunk),
      })),
    }))
  }

  #writeFooter(rowGroups: readonly FooterRowGroup[]): void {
    const thrift = new ThriftWriter()
    const { pageVersion, boundBytes, sorting } = this.#options
    const { elements } = this.#schema
    const keyValue = this.#keyValue
    writeFooter(thrift, { elements, rowGroups, keyValue, createdBy, pageVersion, boundBytes, sorting })
    const { length } = thrift.buffer
    thrift.buffer.int32(length)
    thrift.buffer.append(magic)
    this.#output.append(thrift.buffer.written())
  }
}

function metricsOf(chunk: WrittenChunk): FieldMetrics {
  const { leaf, compressedBytes: sizeBytes, slotCount, valueCount } = chunk
  const { lower, upper, nanCount, topBits } = chunk.bounds
  const nans = isFraction(chunk) ? nanCount : undefined
  const halves = leaf.type.kind === 'uuid' && topBits > 0 ? topBits : undefined
  return leafMetrics(leaf, { sizeBytes, slotCount, valueCount, lower, upper, nanCount: nans, topBits: halves })
}
