import { thrift as types } from '../thrift-reader.ts'
import type { BoundaryOrder, WrittenChunk } from './column-chunk.ts'
import { isFraction } from './footer-writer.ts'
import type { ThriftWriter } from './thrift-writer.ts'

const boundaryOrders: Readonly<Record<BoundaryOrder, number>> = { unordered: 0, ascending: 1, descending: 2 }

/** Where each data page lies. Spec: parquet-format, "Page Index", OffsetIndex. */
export function writeOffsetIndex(thrift: ThriftWriter, chunk: WrittenChunk): void {
  const { pages, leaf } = chunk
  const first = chunk.offset + chunk.dictionaryBytes
  thrift.element(() => {
    thrift.list(1, types.struct, pages.length)
    for (const page of pages) {
      thrift.element(() => {
        thrift.i64(1, first + page.offset)
        thrift.i32(2, page.sizeBytes)
        thrift.i64(3, page.firstRow)
      })
    }
    if (leaf.element.type === 'BYTE_ARRAY')
      thrift.i64List(
        2,
        pages.map(({ stringBytes }) => stringBytes),
      )
  })
}

/** Whether every page that has a value has bounds: a page of NaNs, or of long ones, has none, and then there can be no column index. */
export function hasColumnIndex(chunk: WrittenChunk): boolean {
  return (
    chunk.hasColumnIndex &&
    chunk.pages.every(({ isNull, lower, upper }) => isNull || (lower !== undefined && upper !== undefined))
  )
}

/** Bounds of every page. Spec: parquet-format, "Page Index", ColumnIndex. */
export function writeColumnIndex(thrift: ThriftWriter, chunk: WrittenChunk): void {
  const { pages, levels } = chunk
  thrift.element(() => {
    thrift.booleanList(
      1,
      pages.map(({ isNull }) => isNull),
    )
    thrift.binaryList(
      2,
      pages.map(({ lower }) => lower ?? noBytes),
    )
    thrift.binaryList(
      3,
      pages.map(({ upper }) => upper ?? noBytes),
    )
    thrift.i32(4, boundaryOrders[chunk.boundaryOrder])
    thrift.i64List(
      5,
      pages.map(({ nullCount }) => nullCount),
    )
    if (levels.repetition.length > 0)
      thrift.i64List(
        6,
        pages.flatMap((page) => page.levels.repetition),
      )
    if (levels.definition.length > 0)
      thrift.i64List(
        7,
        pages.flatMap((page) => page.levels.definition),
      )
    if (isFraction(chunk))
      thrift.i64List(
        8,
        pages.map(({ nanCount }) => nanCount),
      )
  })
}

const noBytes = new Uint8Array(0)
