import { brotliDecompressSync } from 'node:zlib'
import {
  type Column,
  type ColumnBatch,
  corrupt,
  type IcebergType,
  isMoulinError,
  MoulinError,
  unsupported,
} from '@moulin/core'
import type { AsyncBuffer, Compressors, FileMetaData, SchemaElement } from 'hyparquet'
import { parquetRead } from 'hyparquet'
import { type Compression, decompress, inflated } from '../../compression.ts'
import { bytesIn, type ByteSpan, type LoadedRange } from '../byte-ranges.ts'
import { type CheckedPage, checkPages } from './check-pages.ts'
import type { FooterColumn } from '../footer.ts'
import type { FieldConversion } from './read-field.ts'
import { uniformLevel } from './uniform-levels.ts'
import { columnOf, emptyLists, nullColumn, type ValueChunk } from './value-columns.ts'

/** All that decoding some rows of one row group takes: plain data with the bytes in it, so any thread can do it. */
export interface DecodeTask {
  readonly file: string
  readonly fileSize: number
  readonly rowGroup: number
  readonly rowCount: number
  /** Half-open, within the row group, not empty. */
  readonly rows: { readonly start: number; readonly end: number }
  readonly maxPageBytes: number
  readonly columns: readonly DecodeColumn[]
  readonly ranges: readonly LoadedRange[]
}

export interface DecodeColumn {
  readonly name: string
  readonly type: IcebergType
  readonly conversion: FieldConversion
  /** The field's elements for hyparquet: neutral names, no annotations but LIST, so that it converts nothing. */
  readonly schema: readonly SchemaElement[]
  readonly chunks: readonly DecodeChunk[]
}

export interface DecodeChunk {
  readonly column: FooterColumn
  /** In neutral names. */
  readonly path: readonly string[]
  /** The loaded pages. */
  readonly spans: readonly ByteSpan[]
  readonly isWhole: boolean
}

/**
 * Decodes the columns one after the other, in this thread. Damaged bytes may keep it busy for ever or fill the memory:
 * a caller who does not trust them runs it in a worker with a deadline.
 * @throws `corrupt`, `unsupported` or `exhausted`, naming file and row group.
 */
export async function decodeRowGroup(task: DecodeTask): Promise<ColumnBatch> {
  const { rows } = task
  const columns: { name: string; column: Column }[] = []
  for (const column of task.columns) {
    try {
      columns.push({ name: column.name, column: await decodeColumn(task, column) })
    } catch (cause) {
      throw located(task, column, cause)
    }
  }
  return { length: rows.end - rows.start, columns }
}

async function decodeColumn(task: DecodeTask, column: DecodeColumn): Promise<Column> {
  const { start, end } = task.rows
  const levels = column.chunks.map((chunk) => uniformLevel(checkChunk(task, chunk)))
  if (typeof column.type === 'object' && column.type.type === 'list') {
    // Level 0 is a null list unless the list is required; the next one an empty list.
    const isOptional = column.schema[0]!.repetition_type === 'OPTIONAL'
    const emptyLevel = isOptional ? 1 : 0
    if (levels.every((level) => level === emptyLevel)) return emptyLists(column.type, end - start)
    if (levels.every((level) => level === 0)) return nullColumn(column.type, end - start)
  }
  return columnOf(column.conversion, await readValues(task, column), start, end)
}

async function readValues(task: DecodeTask, { schema, chunks }: DecodeColumn): Promise<ValueChunk[]> {
  const values: ValueChunk[] = []
  const metadata: FileMetaData = {
    version: 2,
    schema: [{ name: 'root', num_children: 1 }, ...schema],
    num_rows: BigInt(task.rowCount),
    row_groups: [{ columns: chunks.map(hyparquetChunk), total_byte_size: 0n, num_rows: BigInt(task.rowCount) }],
    metadata_length: 0,
  }
  await parquetRead({
    file: loadedFile(task),
    metadata,
    columns: [schema[0]!.name],
    rowStart: task.rows.start,
    rowEnd: task.rows.end,
    useOffsetIndex: true,
    utf8: false,
    geoparquet: false,
    compressors,
    // Only noted here: what is thrown in this callback would be swallowed.
    onChunk: ({ rowStart, columnData }) => void values.push({ rowStart, values: columnData }),
  })
  return values
}

function checkChunk({ ranges, maxPageBytes }: DecodeTask, { column, spans, isWhole }: DecodeChunk): CheckedPage[] {
  if (column.codec !== 'UNCOMPRESSED' && !Object.hasOwn(compressors, column.codec))
    throw unsupported('PARQUET_CODEC', `Its codec is ${column.codec}, which this version does not read.`)
  const bytes = spans.map((span) => bytesIn(ranges, span))
  if (bytes.includes(undefined)) throw corrupt('PARQUET_PAGE', 'Its pages were not all loaded.')
  const what = `column ${column.path.join('.')}`
  const { type, valueCount } = column
  return checkPages(bytes as Uint8Array[], { what, type, valueCount, maxPageBytes, isWhole })
}

type HyparquetChunk = FileMetaData['row_groups'][number]['columns'][number]

function hyparquetChunk({ column, path }: DecodeChunk): HyparquetChunk {
  const { offsetIndex, dictionaryPageOffset } = column
  return {
    file_offset: 0n,
    meta_data: {
      type: column.type as NonNullable<SchemaElement['type']>,
      encodings: [],
      path_in_schema: [...path],
      codec: column.codec as keyof Compressors,
      num_values: BigInt(column.valueCount),
      total_uncompressed_size: BigInt(column.uncompressedBytes),
      total_compressed_size: BigInt(column.compressedBytes),
      data_page_offset: BigInt(column.dataPageOffset),
      ...(dictionaryPageOffset === undefined ? {} : { dictionary_page_offset: BigInt(dictionaryPageOffset) }),
    },
    ...(offsetIndex === undefined
      ? {}
      : {
          offset_index_offset: BigInt(offsetIndex.start),
          offset_index_length: offsetIndex.end - offsetIndex.start,
        }),
  }
}

/** The file as far as it was loaded. Bytes between loaded ranges, which are no part of any page asked for, are zero. */
function loadedFile({ fileSize, ranges }: DecodeTask): AsyncBuffer {
  return {
    byteLength: fileSize,
    slice(start, end = fileSize) {
      const copy = new Uint8Array(end - start)
      for (const range of ranges) {
        const from = Math.max(start, range.start)
        const to = Math.min(end, range.start + range.bytes.length)
        if (from < to) copy.set(range.bytes.subarray(from - range.start, to - range.start), from - start)
      }
      return copy.buffer
    },
  }
}

const codec =
  (name: Compression) =>
  (bytes: Uint8Array, size: number): Uint8Array =>
    size === 0 && bytes.length === 0 ? bytes : decompress(name, bytes, size)

const compressors: Compressors = {
  GZIP: codec('gzip'),
  SNAPPY: codec('snappy'),
  ZSTD: codec('zstd'),
  BROTLI: (bytes, size) => inflated('brotli', bytes, size, brotliDecompressSync),
}

/** Whatever hyparquet throws on damaged bytes is `corrupt`; an error of ours keeps its kind and learns where it was. */
function located(task: DecodeTask, column: DecodeColumn, cause: unknown): MoulinError {
  const { file, rowGroup } = task
  const context = { file, rowGroup, column: column.name }
  const where = `Column ${column.name} in row group ${rowGroup} of ${file}`
  const message = cause instanceof Error ? cause.message : String(cause)
  if (!isMoulinError(cause))
    return corrupt('PARQUET_DECODE', `${where} does not decode: ${message}`, { context, cause })
  return new MoulinError(cause.kind, cause.code, `${where}: ${message}`, {
    context: { ...cause.context, ...context },
    cause,
  })
}
