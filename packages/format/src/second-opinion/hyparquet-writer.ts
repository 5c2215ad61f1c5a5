import {
  checkOptions,
  type Column,
  type ColumnBatch,
  defaultLimits,
  type IcebergField,
  type IcebergType,
  internal,
  invalid,
  nestedFields,
  nullCount,
  unsupported,
} from '@moulin/core'
import type { CompressionCodec } from 'hyparquet'
import type * as hyparquetPackage from 'hyparquet-writer'
import type { ColumnSource } from 'hyparquet-writer'
import { compress, type Compression } from '../bytes/compression.ts'
import type {
  FieldMetrics,
  MetricValue,
  FileWriter,
  FileWriterFactory,
  FileWriterOptions,
  WrittenFile,
  WrittenRowGroup,
} from '../parquet/file-writer.ts'
import { batchColumns } from '../parquet/batch-columns.ts'
import { WHOLE_BYTES } from '../parquet/encode/encoded-bound.ts'
import { isFooterFull, rowGroupFooterBytes } from '../parquet/encode/footer-size.ts'
import { BOUND_BYTES } from '../parquet/encode/writer-options.ts'
import { addMetrics, leafMetrics } from '../parquet/file-metrics.ts'
import { boundsOf, type LeafBounds } from '../parquet/leaf-bounds.ts'
import { fileWriterTable } from '../parquet/file-writer-options.ts'
import { leafColumns } from '../parquet/leaf-columns.ts'
import { neutralName, type Leaf, type ParquetSchema, parquetSchema } from '../parquet/parquet-schema.ts'
import { primitiveType } from '../parquet/primitive-type.ts'
import { loadPackage } from './load-package.ts'
import { flatValues, nestedValues, nullValues, type WriterValues } from './writer-values.ts'

type Package = typeof hyparquetPackage

/**
 * A writer of Parquet through hyparquet-writer: the second opinion on our own encoder. It closes a row group with every
 * batch. Its values are physical ones: see {@link ParquetSchema.physical}.
 * @throws `unsupported` code `PACKAGE_MISSING` where hyparquet-writer is not installed.
 */
export async function hyparquetWriter(): Promise<FileWriterFactory> {
  return writerOf(() => import('hyparquet-writer'))
}

export async function writerOf(load: () => Promise<Package>): Promise<FileWriterFactory> {
  const library = await loadPackage('hyparquet-writer', load)
  return { name: 'hyparquet-writer', create: (options) => new HyparquetWriter(library, options) }
}

const codecs: Readonly<Record<Compression, CompressionCodec>> = {
  none: 'UNCOMPRESSED',
  gzip: 'GZIP',
  snappy: 'SNAPPY',
  zstd: 'ZSTD',
}

interface LeafSummary {
  readonly values: number
  readonly bounds: LeafBounds
}

class HyparquetWriter implements FileWriter {
  readonly #fields: readonly IcebergField[]
  readonly #schema: ParquetSchema
  readonly #columnIndexes: ReadonlySet<string>
  readonly #pageBytes: number
  readonly #sink: FileWriterOptions['sink']
  readonly #bytes: hyparquetPackage.ByteWriter
  readonly #writer: hyparquetPackage.ParquetWriter
  readonly #rowGroups: WrittenRowGroup[] = []
  readonly #metrics = new Map<number, FieldMetrics>()
  #rowCount = 0

  constructor({ ByteWriter, ParquetWriter }: Package, options: FileWriterOptions) {
    checkOptions('hyparquetWriter', options, fileWriterTable)
    const { compression = 'zstd', keyValue = {}, pageBytes = defaultLimits.pageBytes } = options
    if (!Object.hasOwn(codecs, compression))
      throw unsupported('PARQUET_CODEC', `The codec ${String(compression)} is not one that this writer has.`)
    this.#fields = options.schema.fields
    for (const { name, type } of this.#fields) refuseMaps(name, type)
    this.#schema = parquetSchema(options.schema)
    const { columnIndexes = ['_kafka_offset'] } = options
    this.#columnIndexes = new Set(columnIndexes === 'all' ? this.#fields.map(({ name }) => name) : columnIndexes)
    this.#pageBytes = pageBytes
    this.#sink = options.sink
    refuseOwnOptions(options)
    const codec = codecs[compression]
    this.#bytes = new ByteWriter(1 << 20)
    this.#writer = new ParquetWriter({
      writer: this.#bytes,
      schema: [...this.#schema.physical],
      codec,
      compressors: { [codec]: (bytes: Uint8Array) => compress(compression, bytes) },
      // Bounds come from the columns, once, for footer and manifest alike.
      statistics: false,
      kvMetadata: Object.entries(keyValue).map(([key, value]) => ({ key, value })),
      createdBy: 'moulin (hyparquet-writer)',
    })
  }

  get sizeBytes(): number {
    return this.#bytes.offset
  }

  get isFull(): boolean {
    return isFooterFull(this.#rowGroups.length, rowGroupFooterBytes(this.#schema.leaves, BOUND_BYTES))
  }

  write(batch: ColumnBatch): void {
    this.writeRowGroup(batch)
  }

  endRowGroup(): void {}

  writeRowGroup(batch: ColumnBatch): void {
    if (batch.length === 0) return
    const columns = batchColumns(this.#fields, batch)
    const sources: ColumnSource[] = []
    const summaries: LeafSummary[] = []
    for (const [index, field] of this.#fields.entries()) {
      const column = columns[index]
      const leaves = leafColumns(field, column).map((leaf, i) => this.#summary(leaf, summaries.length + i))
      summaries.push(...leaves)
      sources.push({
        name: neutralName(index),
        ...valuesOf(field, column, batch.length, leaves[0]!),
        columnIndex: this.#columnIndexes.has(field.name),
      })
    }
    this.#write(sources, batch.length, summaries)
  }

  #summary(column: Column | undefined, leafIndex: number): LeafSummary {
    const { type } = this.#schema.leaves[leafIndex]!
    if (column === undefined) return { values: 0, bounds: noBounds(type.kind) }
    const bounds = boundsOf(column, type)
    if (type.kind === 'decimal') checkPrecision(this.#schema.leaves[leafIndex]!, type.precision, bounds)
    return { values: column.length - nullCount(column), bounds }
  }

  #write(columnData: ColumnSource[], rows: number, summaries: readonly LeafSummary[]): void {
    const offset = this.#bytes.offset
    try {
      void this.#writer.write({ columnData, rowGroupSize: rows, pageSize: this.#pageBytes })
    } catch (cause) {
      throw internal('PARQUET_WRITE', `The Parquet encoder failed: ${(cause as Error).message}`, { cause })
    }
    const rowGroup = this.#writer.row_groups.at(-1)!
    for (const [index, leaf] of this.#schema.leaves.entries()) {
      const meta = rowGroup.columns[index]!.meta_data!
      const summary = summaries[index]!
      const { lower, upper, nanCount, topBits } = summary.bounds
      const metrics = leafMetrics(leaf, {
        sizeBytes: Number(meta.total_compressed_size),
        slotCount: Number(meta.num_values),
        valueCount: summary.values,
        lower,
        upper,
        nanCount,
        topBits,
      })
      meta.path_in_schema = [...leaf.path]
      meta.statistics = footerStatistics(metrics)
      addMetrics(this.#metrics, leaf, metrics)
    }
    this.#rowCount += rows
    this.#rowGroups.push({ rowCount: rows, offset, sizeBytes: this.#bytes.offset - offset })
  }

  finish(): WrittenFile {
    // From here on the real names and the logical types: the footer is written from this property.
    this.#writer.schema = [...this.#schema.elements]
    void this.#writer.finish()
    const bytes = this.#bytes.getBytes()
    const sizeBytes = bytes.length
    if (this.#sink !== undefined) {
      this.#sink(bytes)
      return {
        bytes: new Uint8Array(0),
        sizeBytes,
        rowCount: this.#rowCount,
        rowGroups: this.#rowGroups,
        metrics: this.#metrics,
      }
    }
    return { bytes, sizeBytes, rowCount: this.#rowCount, rowGroups: this.#rowGroups, metrics: this.#metrics }
  }
}

const ownOptions = [
  'encodings',
  'deltas',
  'pageVersion',
  'pageChecksums',
  'boundBytes',
  'bloomFilters',
  'sortingColumns',
] as const

function refuseOwnOptions(options: FileWriterOptions): void {
  // It writes no deltas, so who wants none may say so.
  const name = ownOptions.find((option) => options[option] !== undefined && !(option === 'deltas' && !options.deltas))
  if (name !== undefined)
    throw unsupported('PARQUET_OPTION', `hyparquetWriter has no option ${name}: use parquetWriter.`)
}

function refuseMaps(path: string, type: IcebergType): void {
  if (typeof type === 'string') return
  if (type.type === 'map')
    throw unsupported('PARQUET_MAP', `Field ${path} is a map, which hyparquetWriter does not write: use parquetWriter.`)
  for (const member of nestedFields(type)) refuseMaps(`${path}.${member.name}`, member.type)
}

function valuesOf(field: IcebergField, column: Column | undefined, length: number, leaf: LeafSummary): WriterValues {
  if (typeof field.type !== 'string') return { data: nestedValues(field.type, column, length), encoding: 'PLAIN' }
  return column === undefined || leaf.values === 0
    ? nullValues(length)
    : flatValues(primitiveType(field.type), column, leaf.bounds)
}

function noBounds(kind: string): LeafBounds {
  return kind === 'float' || kind === 'double' ? { nanCount: 0 } : {}
}

/** As the library wants them, none that is long; a bound of zero stands for both zeros (parquet-format, `ColumnOrder`). */
function footerStatistics(metrics: FieldMetrics): { null_count: bigint } {
  const null_count = BigInt(metrics.nullCount)
  const { lower, upper } = metrics
  const isShort = (bound: MetricValue | undefined): boolean =>
    bound !== undefined && (typeof bound !== 'object' || bound.length <= WHOLE_BYTES)
  return {
    null_count,
    ...(isShort(lower) && { min_value: lower === 0 ? -0 : lower }),
    ...(isShort(upper) && { max_value: upper === 0 ? 0 : upper }),
  } as { null_count: bigint }
}

function checkPrecision(leaf: Leaf, precision: number, { lower, upper }: LeafBounds): void {
  const limit = 10n ** BigInt(precision)
  for (const bound of [lower, upper]) {
    if (typeof bound === 'bigint' && (bound >= limit || bound <= -limit)) {
      const message = `Column ${leaf.path.join('.')} holds ${bound}, which has more than ${precision} digits.`
      throw invalid('DECIMAL_PRECISION', message)
    }
  }
}
