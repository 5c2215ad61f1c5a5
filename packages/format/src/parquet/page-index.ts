import { corrupt } from '@moulin/core'
import type { ByteSpan } from './byte-ranges.ts'
import type { RowRange } from './decode/leaf-decoder.ts'
import type { FooterColumn } from './footer.ts'
import { thrift, ThriftReader } from './thrift-reader.ts'

/** Where one data page lies. */
export interface PageLocation extends ByteSpan {
  /** Of the row group. */
  readonly firstRow: number
}

/** All bytes of a column chunk. */
export function chunkSpan(column: FooterColumn): ByteSpan {
  const start = column.dictionaryPageOffset ?? column.dataPageOffset
  return { start, end: start + column.compressedBytes }
}

/**
 * Reads an offset index and holds it against its column chunk. Spec: parquet-format, "Page Index", OffsetIndex.
 * @throws `corrupt` unless the pages lie in the chunk, in order, and begin with row 0.
 */
export function readOffsetIndex(
  bytes: Uint8Array,
  column: FooterColumn,
  rowCount: number,
  what: string,
): PageLocation[] {
  const reader = new ThriftReader(bytes, 0, bytes.length, what)
  const pages: PageLocation[] = []
  const chunk = chunkSpan(column)
  reader.struct((id, type) => {
    if (id !== 1 || type !== thrift.list) return false
    reader.list(thrift.struct, bytes.length, 'bytes', () => {
      let [start, size, firstRow] = [-1, -1, -1]
      reader.struct((field, fieldType) => {
        if (field === 1 && fieldType === thrift.i64) start = reader.size()
        else if (field === 2 && fieldType === thrift.i32) size = reader.i32()
        else if (field === 3 && fieldType === thrift.i64) firstRow = reader.size()
        else return false
        return true
      })
      const last = pages.at(-1)
      const inOrder =
        last === undefined ? firstRow === 0 && start >= chunk.start : firstRow > last.firstRow && start >= last.end
      if (!inOrder || size <= 0 || start + size > chunk.end || firstRow >= rowCount)
        throw corrupt('PARQUET_OFFSET_INDEX', `${what} does not fit its column chunk.`, { context: { what } })
      pages.push({ start, end: start + size, firstRow })
    })
    return true
  })
  if (pages.length === 0) throw corrupt('PARQUET_OFFSET_INDEX', `${what} has no pages.`, { context: { what } })
  return pages
}

/** The dictionary page, if there is one, and the data pages that hold the wanted rows, with all rows that are in them. */
export function pageSpans(
  pages: readonly PageLocation[],
  column: FooterColumn,
  wanted: RowRange,
  rowCount: number,
): { readonly dictionary: ByteSpan | undefined; readonly data: ByteSpan; readonly rows: RowRange } {
  const from = pages.findLastIndex(({ firstRow }) => firstRow <= wanted.start)
  const next = pages.findIndex(({ firstRow }) => firstRow >= wanted.end)
  const to = next < 0 ? pages.length : next
  const data = { start: pages[from]!.start, end: pages[to - 1]!.end }
  const rows = { start: pages[from]!.firstRow, end: pages[to]?.firstRow ?? rowCount }
  const first = pages[0]!.start
  const { start } = chunkSpan(column)
  return { dictionary: start < first ? { start, end: first } : undefined, data, rows }
}
