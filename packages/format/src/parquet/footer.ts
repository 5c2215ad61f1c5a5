import type { FileCaps } from '@moulin/core'
import { corrupt, exhausted } from '@moulin/core'
import type { ByteSpan } from './byte-ranges.ts'
import { encodingName } from './decode/page-header.ts'
import { type FooterElement, maxPathParts, physicalTypes, readElement } from './footer-element.ts'
import { thrift, ThriftReader } from './thrift-reader.ts'

/** What we use of a Parquet footer. Spec: parquet-format, `parquet.thrift`, FileMetaData. */
export interface Footer {
  /** Depth first; the first is the root. */
  readonly schema: readonly FooterElement[]
  readonly rowCount: number
  readonly rowGroups: readonly FooterRowGroup[]
  readonly keyValue: ReadonlyMap<string, string>
}

export interface FooterRowGroup {
  readonly rowCount: number
  readonly sizeBytes: number
  /** One for each leaf of the schema, in its order. */
  readonly columns: readonly FooterColumn[]
}

export interface FooterColumn {
  readonly type: string
  readonly codec: string
  readonly path: readonly string[]
  readonly valueCount: number
  readonly compressedBytes: number
  readonly uncompressedBytes: number
  readonly dataPageOffset: number
  /** Undefined when there is none, or the writer does not say. */
  readonly dictionaryPageOffset: number | undefined
  /** As stated; −1 for what is no count. */
  readonly nullCount: number | undefined
  /** As stored: plain-encoded. */
  readonly minValue: Uint8Array | undefined
  readonly maxValue: Uint8Array | undefined
  readonly offsetIndex: ByteSpan | undefined
  readonly columnIndex: ByteSpan | undefined
  /** With its header; empty where the writer does not state how long it is. */
  readonly bloomFilter: ByteSpan | undefined
  /** Whether every data page is known to hold indexes of its dictionary. */
  readonly isDictionaryOnly: boolean
  /** In another file, or encrypted: what we do not read. */
  readonly isElsewhere: boolean
}

const codecs = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'LZO', 'BROTLI', 'LZ4', 'ZSTD', 'LZ4_RAW'] as const

/**
 * Parses the bytes between the last page and the footer's length.
 * @throws `corrupt`; `exhausted` above `maxParquetColumns` or `maxParquetRowGroups`.
 */
export function parseFooter(bytes: Uint8Array, caps: FileCaps, name: string): Footer {
  const reader = new ThriftReader(bytes, 0, bytes.length, `The footer of ${name}`)
  const schema: FooterElement[] = []
  const rowGroups: FooterRowGroup[] = []
  const keyValue = new Map<string, string>()
  let rowCount: number | undefined
  const { maxParquetColumns, maxParquetRowGroups } = caps
  let leaves = 0
  const maxElements = maxParquetColumns * 4 + 1
  reader.struct((id, type) => {
    if (id === 2 && type === thrift.list) {
      reader.list(thrift.struct, maxElements, 'maxParquetColumns', () => {
        const element = readElement(reader)
        schema.push(element)
        if (element.type === undefined || ++leaves <= maxParquetColumns) return
        const message = `${name} has more than ${maxParquetColumns} columns; the limit is maxParquetColumns.`
        throw exhausted('PARQUET_LIMIT', message, { context: { file: name, maxParquetColumns } })
      })
    } else if (id === 3 && type === thrift.i64) {
      rowCount = reader.size()
    } else if (id === 4 && type === thrift.list) {
      reader.list(thrift.struct, maxParquetRowGroups, 'maxParquetRowGroups', () => {
        rowGroups.push(readRowGroup(reader, maxParquetColumns, name))
      })
    } else if (id === 5 && type === thrift.list) {
      reader.list(thrift.struct, bytes.length, 'maxParquetFooterBytes', () => readKeyValue(reader, keyValue))
    } else return false
    return true
  })
  if (rowCount === undefined || schema.length === 0)
    throw corrupt('PARQUET_FOOTER', `The footer of ${name} has no schema or no row count.`, { context: { file: name } })
  return { schema, rowCount, rowGroups, keyValue }
}

function readKeyValue(reader: ThriftReader, keyValue: Map<string, string>): void {
  let key: string | undefined
  let value = ''
  reader.struct((id, type) => {
    if (type !== thrift.binary) return false
    if (id === 1) key = reader.text()
    else if (id === 2) value = reader.text()
    else return false
    return true
  })
  if (key !== undefined) keyValue.set(key, value)
}

function readRowGroup(reader: ThriftReader, maxColumns: number, name: string): FooterRowGroup {
  const columns: FooterColumn[] = []
  let rowCount: number | undefined
  reader.struct((id, type) => {
    if (id === 1 && type === thrift.list)
      reader.list(thrift.struct, maxColumns, 'maxParquetColumns', () => columns.push(readColumn(reader, name)))
    else if (id === 3 && type === thrift.i64) rowCount = reader.size()
    else return false
    return true
  })
  if (rowCount === undefined)
    throw corrupt('PARQUET_FOOTER', `A row group of ${name} has no row count.`, { context: { file: name } })
  const sizeBytes = columns.reduce((sum, { compressedBytes }) => sum + compressedBytes, 0)
  return { rowCount, sizeBytes, columns }
}

function readColumn(reader: ThriftReader, name: string): FooterColumn {
  let meta: ReturnType<typeof readColumnMetadata> | undefined
  // Offset and length of the offset index (4, 5) and of the column index (6, 7).
  const indexes = new Map<number, number>()
  let isElsewhere = false
  reader.struct((id, type) => {
    if (id === 3 && type === thrift.struct) meta = readColumnMetadata(reader)
    else if ((id === 4 || id === 6) && type === thrift.i64) setSize(indexes, id, reader.optionalSize())
    else if ((id === 5 || id === 7) && type === thrift.i32) indexes.set(id, reader.i32())
    else {
      isElsewhere ||= id === 1 || id === 8 || id === 9
      return false
    }
    return true
  })
  if (meta === undefined)
    throw corrupt('PARQUET_FOOTER', `A column chunk of ${name} has no metadata.`, { context: { file: name } })
  const span = (id: number): ByteSpan | undefined => {
    const [start, length] = [indexes.get(id) ?? 0, indexes.get(id + 1) ?? 0]
    return start > 0 && length > 0 ? { start, end: start + length } : undefined
  }
  return { ...meta, offsetIndex: span(4), columnIndex: span(6), isElsewhere }
}

/** Values, bytes and the place of the pages: without them a column is not read. */
const requiredSizes: ReadonlySet<number> = new Set([5, 7, 9])

function setSize(sizes: Map<number, number>, id: number, size: number | undefined): void {
  if (size !== undefined) sizes.set(id, size)
}

type ColumnMetadata = Omit<FooterColumn, 'offsetIndex' | 'columnIndex' | 'isElsewhere'>

function readColumnMetadata(reader: ThriftReader): ColumnMetadata {
  let type = -1
  let codec = -1
  const path: string[] = []
  const sizes = new Map<number, number>()
  const encodings = new Set<string>()
  let pageEncodings: string[] | undefined
  let bloomBytes = 0
  let statistics: Pick<FooterColumn, 'nullCount' | 'minValue' | 'maxValue'> = noStatistics
  reader.struct((id, fieldType) => {
    if (id === 3 && fieldType === thrift.list)
      reader.list(thrift.binary, maxPathParts, 'path', () => path.push(reader.text()))
    else if (id === 2 && fieldType === thrift.list)
      reader.list(thrift.i32, 64, 'encodings', () => encodings.add(encodingName(reader.i32())))
    else if (id === 13 && fieldType === thrift.list) pageEncodings = readPageEncodings(reader)
    else if (id === 15 && fieldType === thrift.i32) bloomBytes = reader.i32()
    else if (id === 12 && fieldType === thrift.struct) statistics = readStatistics(reader)
    else if (fieldType === thrift.i64) setSize(sizes, id, requiredSizes.has(id) ? reader.size() : reader.optionalSize())
    else if (id === 1 && fieldType === thrift.i32) type = reader.i32()
    else if (id === 4 && fieldType === thrift.i32) codec = reader.i32()
    else return false
    return true
  })
  const size = (id: number): number => sizes.get(id) ?? 0
  const bloomStart = size(14)
  return {
    type: physicalTypes[type] ?? `physical type ${type}`,
    codec: codecs[codec] ?? `codec ${codec}`,
    path,
    valueCount: size(5),
    uncompressedBytes: size(6),
    compressedBytes: size(7),
    dataPageOffset: size(9),
    // Some writers state 0 for none.
    dictionaryPageOffset: size(11) || undefined,
    bloomFilter: bloomStart > 0 ? { start: bloomStart, end: bloomStart + Math.max(0, bloomBytes) } : undefined,
    isDictionaryOnly: isDictionaryOnly(encodings, pageEncodings),
    ...statistics,
  }
}

/** The encodings of the data pages, as the statistics of encodings count them; none where they count less than none. */
function readPageEncodings(reader: ThriftReader): string[] {
  const names: string[] = []
  let isSound = true
  reader.list(thrift.struct, 64, 'encodings', () => {
    const fields: number[] = []
    reader.struct((id, type) => {
      if (type !== thrift.i32 || id > 3) return false
      fields[id] = reader.i32()
      return true
    })
    const isData = fields[1] === 0 || fields[1] === 3
    if (isData && fields[3] !== 0) names.push(encodingName(fields[2] ?? -1))
    if ((fields[3] ?? 0) < 0) isSound = false
  })
  return isSound ? names : []
}

function isDictionaryOnly(encodings: ReadonlySet<string>, pageEncodings: readonly string[] | undefined): boolean {
  if (pageEncodings !== undefined)
    return pageEncodings.length > 0 && pageEncodings.every((name) => name.endsWith('_DICTIONARY'))
  // Without them only the older name tells: PLAIN may stand for the dictionary page or for a fall-back.
  return encodings.has('PLAIN_DICTIONARY') && ![...encodings].some((name) => !dictionaryEncodings.has(name))
}

const dictionaryEncodings: ReadonlySet<string> = new Set(['PLAIN_DICTIONARY', 'RLE', 'BIT_PACKED'])

const noStatistics = { nullCount: undefined, minValue: undefined, maxValue: undefined }

// The older `min` and `max` had no defined order and are passed over.
function readStatistics(reader: ThriftReader): Pick<FooterColumn, 'nullCount' | 'minValue' | 'maxValue'> {
  let nullCount: number | undefined
  let minValue: Uint8Array | undefined
  let maxValue: Uint8Array | undefined
  reader.struct((id, type) => {
    if (id === 3 && type === thrift.i64) nullCount = reader.optionalSize() ?? -1
    else if (id === 5 && type === thrift.binary) maxValue = reader.binary().slice()
    else if (id === 6 && type === thrift.binary) minValue = reader.binary().slice()
    else return false
    return true
  })
  return { nullCount, minValue, maxValue }
}
