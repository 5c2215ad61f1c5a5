import type { CallOptions, ColdContext, ColdTopicInfo, ColumnBatch } from '@moulin/core'
import type { ParquetFile } from '@moulin/format'
import { fieldsOf } from './identity-rows.ts'
import { RecordDecoder } from './record-decoder.ts'
import type { ColdRecord } from './record-decoder.ts'
import type { SystemColumn } from './system-columns.ts'
import type { TableColumns } from './table-layout.ts'

export interface ColdRowsParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
}

/** One wanted row. */
export interface RowPlace {
  readonly offset: bigint
  /** Within the row group. */
  readonly row: number
}

const systemNames: readonly SystemColumn[] = [
  '_kafka_timestamp',
  '_kafka_timestamp_type',
  '_kafka_key',
  '_kafka_headers',
  '_kafka_crc',
  '_kafka_value_state',
  '_kafka_value',
  '_kafka_schema_id',
  '_kafka_key_schema_id',
]

/** Rows that lie closer than this are read as one range: about a page of small columns. */
const NEAR_ROWS = 2_048

/**
 * Reads rows of one row group back into records, in the order given. Only the pages that hold them are fetched; where
 * rows lie near each other, as one range.
 */
export async function readPlaces(
  parts: ColdRowsParts,
  file: ParquetFile,
  rowGroup: number,
  places: readonly RowPlace[],
  columns: TableColumns,
  call: CallOptions,
): Promise<ColdRecord[]> {
  const types = fieldsOf(columns, [...systemNames, ...columns.valueNames])
  const records = new Array<ColdRecord>(places.length)
  const order = places.map((_, at) => at).sort((a, b) => places[a]!.row - places[b]!.row)
  for (const { start, end, members } of clusters(places, order)) {
    const batch = await file.read({ rowGroup, types, rows: { start, end }, ...call })
    const decoder = await decoderOver(parts, file, batch, columns)
    for (const at of members) {
      const { offset, row } = places[at]!
      records[at] = decoder.record(row - start, offset)
    }
  }
  return records
}

function decoderOver(
  { info, context }: ColdRowsParts,
  file: ParquetFile,
  batch: ColumnBatch,
  columns: TableColumns,
): Promise<RecordDecoder> {
  const { logId, rowCrc } = info
  return RecordDecoder.over({ batch, columns, file, logId, rowCrc, schemas: context.schemas })
}

interface Cluster {
  readonly start: number
  end: number
  readonly members: number[]
}

function clusters(places: readonly RowPlace[], order: readonly number[]): Cluster[] {
  const found: Cluster[] = []
  for (const at of order) {
    const { row } = places[at]!
    const last = found.at(-1)
    if (last !== undefined && row - last.end < NEAR_ROWS) {
      last.end = Math.max(last.end, row + 1)
      last.members.push(at)
    } else {
      found.push({ start: row, end: row + 1, members: [at] })
    }
  }
  return found
}
