import type { ParquetElement, ParquetLogicalType } from '../parquet-schema.ts'
import { thrift as types } from '../thrift-reader.ts'
import type { WrittenChunk } from './column-chunk.ts'
import { encodedLower, encodedUpper } from './encoded-bound.ts'
import {
  codecCodes,
  convertedCodes,
  encodingCodes,
  pageTypes,
  physicalCodes,
  repetitionCodes,
} from './parquet-codes.ts'
import type { ThriftWriter } from './thrift-writer.ts'

/** Where an index or filter lies. */
export interface Placed {
  readonly offset: number
  readonly length: number
}

export interface FooterChunk {
  readonly chunk: WrittenChunk
  readonly bloomFilter: Placed | undefined
  readonly columnIndex: Placed | undefined
  readonly offsetIndex: Placed
}

export interface FooterRowGroup {
  readonly rowCount: number
  readonly offset: number
  readonly chunks: readonly FooterChunk[]
}

export interface FooterContent {
  readonly elements: readonly ParquetElement[]
  readonly rowGroups: readonly FooterRowGroup[]
  readonly keyValue: Readonly<Record<string, string>>
  readonly createdBy: string
  readonly pageVersion: 1 | 2
  readonly boundBytes: number
  readonly sorting: readonly { readonly column: number; readonly descending: boolean; readonly nullsFirst: boolean }[]
}

/** FileMetaData of parquet-format's `parquet.thrift`. */
export function writeFooter(thrift: ThriftWriter, content: FooterContent): void {
  const { elements, rowGroups, keyValue, createdBy } = content
  const entries = Object.entries(keyValue)
  thrift.element(() => {
    thrift.i32(1, 2)
    thrift.list(2, types.struct, elements.length)
    for (const element of elements) thrift.element(() => writeElement(thrift, element))
    thrift.i64(
      3,
      rowGroups.reduce((sum, { rowCount }) => sum + rowCount, 0),
    )
    thrift.list(4, types.struct, rowGroups.length)
    for (const [index, rowGroup] of rowGroups.entries())
      thrift.element(() => writeRowGroup(thrift, rowGroup, index, content))
    if (entries.length > 0) {
      thrift.list(5, types.struct, entries.length)
      for (const [key, value] of entries) {
        thrift.element(() => {
          thrift.text(1, key)
          thrift.text(2, value)
        })
      }
    }
    thrift.text(6, createdBy)
    // Every leaf has the order that its type defines.
    const leaves = elements.filter(({ type }) => type !== undefined)
    thrift.list(7, types.struct, leaves.length)
    for (const _ of leaves) thrift.element(() => thrift.struct(1, () => {}))
  })
}

function writeElement(thrift: ThriftWriter, element: ParquetElement): void {
  const { type, type_length, repetition_type, name, num_children, converted_type, scale, precision } = element
  if (type !== undefined) thrift.i32(1, physicalCodes[type])
  if (type_length !== undefined) thrift.i32(2, type_length)
  if (repetition_type !== undefined) thrift.i32(3, repetitionCodes[repetition_type])
  thrift.text(4, name)
  if (num_children !== undefined) thrift.i32(5, num_children)
  if (converted_type !== undefined) thrift.i32(6, convertedCodes[converted_type])
  if (scale !== undefined) thrift.i32(7, scale)
  if (precision !== undefined) thrift.i32(8, precision)
  if (element.field_id !== undefined) thrift.i32(9, element.field_id)
  if (element.logical_type !== undefined) thrift.struct(10, () => writeLogicalType(thrift, element.logical_type!))
}

function writeLogicalType(thrift: ThriftWriter, logical: ParquetLogicalType): void {
  const empty = (): void => {}
  switch (logical.type) {
    case 'STRING':
      return thrift.struct(1, empty)
    case 'MAP':
      return thrift.struct(2, empty)
    case 'LIST':
      return thrift.struct(3, empty)
    case 'DECIMAL':
      return thrift.struct(5, () => {
        thrift.i32(1, logical.scale)
        thrift.i32(2, logical.precision)
      })
    case 'DATE':
      return thrift.struct(6, empty)
    case 'TIME':
    case 'TIMESTAMP':
      return thrift.struct(logical.type === 'TIME' ? 7 : 8, () => {
        thrift.boolean(1, logical.isAdjustedToUTC)
        thrift.struct(2, () => thrift.struct(logical.unit === 'MICROS' ? 2 : 3, empty))
      })
    case 'UUID':
      return thrift.struct(14, empty)
  }
}

function writeRowGroup(thrift: ThriftWriter, rowGroup: FooterRowGroup, ordinal: number, content: FooterContent): void {
  const { chunks, rowCount, offset } = rowGroup
  const sum = (of: (chunk: WrittenChunk) => number): number => chunks.reduce((total, { chunk }) => total + of(chunk), 0)
  thrift.list(1, types.struct, chunks.length)
  for (const chunk of chunks) thrift.element(() => writeChunk(thrift, chunk, content))
  thrift.i64(
    2,
    sum(({ uncompressedBytes }) => uncompressedBytes),
  )
  thrift.i64(3, rowCount)
  if (content.sorting.length > 0) {
    thrift.list(4, types.struct, content.sorting.length)
    for (const { column, descending, nullsFirst } of content.sorting) {
      thrift.element(() => {
        thrift.i32(1, column)
        thrift.boolean(2, descending)
        thrift.boolean(3, nullsFirst)
      })
    }
  }
  thrift.i64(5, offset)
  thrift.i64(
    6,
    sum(({ compressedBytes }) => compressedBytes),
  )
  // 16 bits; the field is optional.
  if (ordinal < 0x8000) thrift.i16(7, ordinal)
}

function writeChunk(thrift: ThriftWriter, column: FooterChunk, content: FooterContent): void {
  const { columnIndex, offsetIndex } = column
  // Deprecated: the metadata stands here and nowhere else.
  thrift.i64(2, 0)
  thrift.struct(3, () => writeChunkMetadata(thrift, column, content))
  thrift.i64(4, offsetIndex.offset)
  thrift.i32(5, offsetIndex.length)
  if (columnIndex === undefined) return
  thrift.i64(6, columnIndex.offset)
  thrift.i32(7, columnIndex.length)
}

function writeChunkMetadata(thrift: ThriftWriter, column: FooterChunk, content: FooterContent): void {
  const { chunk, bloomFilter } = column
  const { leaf, dictionaryBytes, offset, levels } = chunk
  const encodings = new Set<number>([...chunk.encodings.keys()].map((encoding) => encodingCodes[encoding]))
  if (dictionaryBytes > 0) encodings.add(encodingCodes.plain)
  if (leaf.maxDefinition > 0 || leaf.maxRepetition > 0) encodings.add(encodingCodes.rle)
  thrift.i32(1, physicalCodes[leaf.element.type])
  thrift.i32List(2, [...encodings])
  thrift.textList(3, leaf.path)
  thrift.i32(4, codecCodes[chunk.codec])
  thrift.i64(5, chunk.slotCount)
  thrift.i64(6, chunk.uncompressedBytes)
  thrift.i64(7, chunk.compressedBytes)
  thrift.i64(9, offset + dictionaryBytes)
  if (dictionaryBytes > 0) thrift.i64(11, offset)
  thrift.struct(12, () => writeStatistics(thrift, chunk, content.boundBytes))
  writeEncodingStats(thrift, chunk, content)
  if (bloomFilter !== undefined) {
    thrift.i64(14, bloomFilter.offset)
    thrift.i32(15, bloomFilter.length)
  }
  thrift.struct(16, () => {
    if (leaf.element.type === 'BYTE_ARRAY') thrift.i64(1, chunk.stringBytes)
    if (levels.repetition.length > 0) thrift.i64List(2, levels.repetition)
    if (levels.definition.length > 0) thrift.i64List(3, levels.definition)
  })
}

function writeStatistics(thrift: ThriftWriter, chunk: WrittenChunk, boundBytes: number): void {
  const { bounds, leaf, slotCount, valueCount } = chunk
  thrift.i64(3, slotCount - valueCount)
  const upper = bounds.upper === undefined ? undefined : encodedUpper(bounds.upper, leaf, boundBytes)
  const lower = bounds.lower === undefined ? undefined : encodedLower(bounds.lower, leaf, boundBytes)
  // Each by itself: one that is too long and cannot be cut is left out.
  if (upper !== undefined) thrift.binary(5, upper.bytes)
  if (lower !== undefined) thrift.binary(6, lower.bytes)
  if (upper !== undefined) thrift.boolean(7, upper.isExact)
  if (lower !== undefined) thrift.boolean(8, lower.isExact)
  if (isFraction(chunk)) thrift.i64(9, bounds.nanCount)
}

/** Only these have NaNs to count. */
export function isFraction({ leaf }: WrittenChunk): boolean {
  return leaf.element.type === 'FLOAT' || leaf.element.type === 'DOUBLE'
}

function writeEncodingStats(thrift: ThriftWriter, chunk: WrittenChunk, content: FooterContent): void {
  const pageType = content.pageVersion === 1 ? pageTypes.data : pageTypes.dataV2
  const counts: [number, number, number][] = [...chunk.encodings].map(([encoding, count]) => [
    pageType,
    encodingCodes[encoding],
    count,
  ])
  if (chunk.dictionaryBytes > 0) counts.unshift([pageTypes.dictionary, encodingCodes.plain, 1])
  thrift.list(13, types.struct, counts.length)
  for (const [type, encoding, count] of counts) {
    thrift.element(() => {
      thrift.i32(1, type)
      thrift.i32(2, encoding)
      thrift.i32(3, count)
    })
  }
}
