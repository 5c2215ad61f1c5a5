import type { CallOptions, ColdContext, ColdTopicInfo, Column, ColumnBatch, IcebergField } from '@moulin/core'
import type { ParquetFile, ParquetRowGroup } from '@moulin/format'
import { fieldsOf } from './identity-rows.ts'
import { RecordDecoder } from './record-decoder.ts'
import type { ColdRecord } from './record-decoder.ts'
import type { SystemColumn, ValueState } from './system-columns.ts'
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
  const constants = constantColumns(file.rowGroups[rowGroup]!, types)
  const read = types.filter(({ id }) => !constants.has(id))
  const records = new Array<ColdRecord>(places.length)
  const order = places.map((_, at) => at).sort((a, b) => places[a]!.row - places[b]!.row)
  for (const { start, end, members } of clusters(places, order)) {
    const found = await file.read({ rowGroup, types: read, rows: { start, end }, ...call })
    const rest = types.flatMap(({ id, name }) => {
      const column = constants.get(id)?.(end - start)
      return column === undefined ? [] : [{ name, column }]
    })
    const batch = { length: end - start, columns: [...found.columns, ...rest] }
    const decoder = await decoderOver(parts, file, batch, columns)
    for (const at of members) {
      const { offset, row } = places[at]!
      records[at] = decoder.record(row - start, offset)
    }
  }
  return records
}

type ConstantColumn = (length: number) => Column

const states = new Set<string>(['typed', 'typed+raw', 'raw', 'null'] satisfies ValueState[])

/** Columns that say the same in every row are known from the footer: most system columns need no page. By field id. */
function constantColumns(group: ParquetRowGroup, fields: readonly IcebergField[]): Map<number, ConstantColumn> {
  const constants = new Map<number, ConstantColumn>()
  for (const { id, type } of fields) {
    const { min, max, nullCount } = group.bounds(id, type)
    if (nullCount !== 0 || min === undefined || max === undefined) continue
    if (type === 'int' && typeof min === 'number' && min === max) constants.set(id, constantInt(min))
    // A bound of a text may be cut, so only words that we know are believed.
    if (type === 'string' && min instanceof Uint8Array && max instanceof Uint8Array) {
      if (Buffer.compare(min, max) === 0 && states.has(Buffer.from(min).toString('latin1')))
        constants.set(id, constantBytes(min))
    }
  }
  return constants
}

function constantInt(value: number): ConstantColumn {
  return (length) => ({ storage: 'int32', length, validity: undefined, values: new Int32Array(length).fill(value) })
}

function constantBytes(data: Uint8Array): ConstantColumn {
  return (length) => {
    const ends = new Int32Array(length).fill(data.length)
    return { storage: 'bytes', length, validity: undefined, data, starts: new Int32Array(length), ends }
  }
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
