import { parquetRead } from 'hyparquet'
import type { Compressors } from 'hyparquet'
import { decompress } from '@moulin/format'

const compressors: Compressors = {
  SNAPPY: (bytes, length) => decompress('snappy', bytes, length),
  ZSTD: (bytes, length) => decompress('zstd', bytes, length),
}

/** All columns, as hyparquet has them: numbers, bigints, Dates and strings. */
export async function hyparquetColumnsOf(bytes: Uint8Array): Promise<number> {
  const file = asyncBuffer(bytes)
  let rows = 0
  await parquetRead({
    file,
    compressors,
    onChunk: ({ columnData }) => {
      rows += columnData.length
    },
  })
  return rows
}

/** Some rows as objects, and the bytes that were fetched for them. */
export async function hyparquetRowsOf(
  bytes: Uint8Array,
  rows: { readonly start: number; readonly end: number },
): Promise<{ readonly rows: number; readonly fetched: number }> {
  let fetched = 0
  let found = 0
  const file = asyncBuffer(bytes, (count) => (fetched += count))
  await parquetRead({
    file,
    compressors,
    rowStart: rows.start,
    rowEnd: rows.end,
    useOffsetIndex: true,
    rowFormat: 'object',
    onComplete: ({ length }) => (found = length),
  })
  return { rows: found, fetched }
}

function asyncBuffer(bytes: Uint8Array, onFetch: (bytes: number) => void = () => {}) {
  return {
    byteLength: bytes.length,
    slice(start: number, end = bytes.length) {
      onFetch(end - start)
      return new Uint8Array(bytes.subarray(start, end)).buffer
    },
  }
}
