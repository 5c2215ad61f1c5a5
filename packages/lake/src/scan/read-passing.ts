import { takeRows } from '@moulin/core'
import type { CallOptions, ColumnBatch, IcebergField } from '@moulin/core'
import type { ParquetReadRequest, ParquetRowGroup } from '@moulin/format'
import type { LiveRows } from '@moulin/iceberg'
import { rowOf } from '../live/live-files.ts'
import type { RowRange } from './row-ranges.ts'

/** At most so many rows of a row group are read at once, and about so many compressed bytes of all columns. */
const ROWS_AT_ONCE = 65_536
const BYTES_AT_ONCE = 32 * 1024 * 1024

/** The ranges in parts that may be read at once. */
export function* inSteps(ranges: readonly RowRange[], { rowCount, sizeBytes }: ParquetRowGroup): Generator<RowRange> {
  const step = Math.max(1, Math.min(ROWS_AT_ONCE, Math.floor((BYTES_AT_ONCE / sizeBytes) * rowCount)))
  for (const range of ranges) {
    for (let start = range.start; start < range.end; start += step) {
      yield { start, end: Math.min(range.end, start + step) }
    }
  }
}

/** Some rows of a row group, of which those that pass are wanted. */
export interface PassingRead {
  readonly file: { read(request: ParquetReadRequest): Promise<LiveRows> }
  readonly rowGroup: number
  readonly rows: RowRange
  /** What rows are judged by, and given with. */
  readonly judged: readonly IcebergField[]
  /** What else they are given with. */
  readonly rest: readonly IcebergField[]
  /** Of a batch of what they are judged by: the rows that pass, rising; undefined: all of them. */
  readonly passing: (batch: ColumnBatch) => Int32Array | undefined
}

/** Rows that were read, each with its number within the row group, and which of them pass. */
export interface ReadRows extends LiveRows {
  /** By position in the batch, rising; undefined: all of them. */
  readonly kept: Int32Array | undefined
}

/** Reads first what rows are judged by, and the rest where some are left: of that no more than reaches from the first to the last of them. */
export async function readPassing(
  { file, rowGroup, rows, judged, rest, passing }: PassingRead,
  call: CallOptions,
): Promise<ReadRows> {
  const read = (types: readonly IcebergField[], range: RowRange): Promise<LiveRows> =>
    file.read({ rowGroup, types, rows: range, ...call })
  const found = await read(judged, rows)
  const { batch: first } = found
  if (first.length === 0) return { ...found, kept: undefined }
  const kept = passing(first)
  const isFew = kept !== undefined && (kept.length === 0 || spanOf(kept) <= first.length / 2)
  if (!isFew) {
    const { batch } = await read(rest, rows)
    return { ...found, batch: { length: first.length, columns: [...first.columns, ...batch.columns] }, kept }
  }
  const from = kept[0] ?? 0
  const others =
    kept.length === 0
      ? { columns: [] }
      : (await read(rest, { start: rowOf(found, from), end: rowOf(found, kept.at(-1)!) + 1 })).batch
  const columns = [
    ...takenFrom(first.columns, kept),
    ...takenFrom(
      others.columns,
      kept.map((row) => row - from),
    ),
  ]
  return {
    batch: { length: kept.length, columns },
    start: found.start,
    rows: kept.map((row) => rowOf(found, row)),
    kept: undefined,
  }
}

const spanOf = (rows: Int32Array): number => (rows.length === 0 ? 0 : rows.at(-1)! + 1 - rows[0]!)

function takenFrom(columns: ColumnBatch['columns'], rows: Int32Array): ColumnBatch['columns'] {
  return columns.map(({ name, column }) => ({ name, column: takeRows(column, rows) }))
}
