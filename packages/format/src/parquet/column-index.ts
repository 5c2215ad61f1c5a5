import { corrupt, type IcebergType } from '@moulin/core'
import { statedBounds } from './file-bounds.ts'
import type { FileNode } from './file-node.ts'
import type { PageLocation } from './page-index.ts'
import type { ParquetPageBounds } from './parquet-file.ts'
import { thrift, ThriftReader } from './thrift-reader.ts'

/**
 * What a column index says of the pages that the offset index locates. Spec: parquet-format, "Page Index", ColumnIndex.
 * @throws `corrupt` when it is not about as many pages, or says of one what cannot be; `nullCount` is the column chunk's.
 */
export function readColumnIndex(
  bytes: Uint8Array,
  pages: readonly PageLocation[],
  { rowCount, nullCount }: { readonly rowCount: number; readonly nullCount: number | undefined },
  leaf: FileNode,
  type: IcebergType | undefined,
  what: string,
): ParquetPageBounds[] {
  const reader = new ThriftReader(bytes, 0, bytes.length, what)
  const mins: Uint8Array[] = []
  const maxes: Uint8Array[] = []
  const nulls: number[] = []
  let isNullPage: boolean[] = []
  reader.struct((id, fieldType) => {
    if (fieldType !== thrift.list) return false
    if (id === 1) isNullPage = reader.bools(bytes.length)
    else if (id === 2) reader.list(thrift.binary, bytes.length, 'bytes', () => mins.push(reader.binary()))
    else if (id === 3) reader.list(thrift.binary, bytes.length, 'bytes', () => maxes.push(reader.binary()))
    else if (id === 5) reader.list(thrift.i64, bytes.length, 'bytes', () => nulls.push(reader.size()))
    else return false
    return true
  })
  const lists = [isNullPage, mins, maxes, ...(nulls.length === 0 ? [] : [nulls])]
  if (lists.some(({ length }) => length !== pages.length))
    throw corrupt('PARQUET_COLUMN_INDEX', `${what} is not about its ${pages.length} pages.`, { context: { what } })
  const impossible = (how: string): Error => corrupt('PARQUET_COLUMN_INDEX', `${what} ${how}.`, { context: { what } })
  const contradicts = (reason: string): void => {
    throw impossible(`says of a page what cannot be: ${reason}`)
  }
  const isFlat = leaf.repetition === 0
  const counted = nulls.reduce((sum, count) => sum + count, 0)
  if (isFlat && nulls.length > 0 && nullCount !== undefined && counted !== nullCount)
    throw impossible(`counts ${counted} nulls where the footer counts ${nullCount}`)
  return pages.map(({ firstRow: start }, index) => {
    const end = pages[index + 1]?.firstRow ?? rowCount
    const isNull = isNullPage[index] === true
    // Below a list a page of nulls may have any number of them.
    const ofNulls = isNull && isFlat ? end - start : undefined
    const count = nulls[index] ?? ofNulls
    if (isFlat && count !== undefined && (isNull ? count !== end - start : count > end - start))
      throw impossible(`counts ${count} nulls in the ${end - start} rows of a page`)
    const stored = {
      minValue: isNull ? undefined : copied(mins[index]!),
      maxValue: isNull ? undefined : copied(maxes[index]!),
      nullCount: count,
    }
    return { start, end, ...statedBounds(stored, leaf, type, contradicts) }
  })
}

// The index lives in a fetched range that nothing else should keep alive.
const copied = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)
