import type { CallOptions, ColdContext, ColdTopicInfo, Column, ColumnBatch, IcebergField } from '@moulin/core'
import type { ParquetRowGroup } from '@moulin/format'
import type { LiveFile } from '@moulin/iceberg'
import { isOwnFile } from '../live/data-files.ts'
import { positionsOf } from '../live/live-files.ts'
import { fieldsOf } from '../places/identity-rows.ts'
import { columnsIn } from './file-columns.ts'
import { RecordDecoder } from './record-decoder.ts'
import { mapAhead } from '../scan/map-ahead.ts'
import type { ReadTally } from './read-tally.ts'
import { contentNames } from '../table/system-columns.ts'
import type { ValueState } from '../table/system-columns.ts'
import type { TableColumns } from '../table/table-layout.ts'

export interface ColdRowsParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  /** Of the cold read that the rows are for, if they are for one. */
  readonly tally?: ReadTally | undefined
}

/** Rows that can be framed, as many as were asked for: row `rows[i]` of `decoders[i]`. */
export interface FoundRows {
  readonly decoders: readonly RecordDecoder[]
  readonly rows: Int32Array
}

/** Rows that lie closer than this are read as one range: about a page of small columns. */
const NEAR_ROWS = 2_048
/** Reads of other ranges that run beside one. */
const CLUSTERS_AHEAD = 3

/**
 * Reads rows of one row group, none of them deleted, numbered within it, in the order given. Only the pages that hold them are fetched; where
 * rows lie near each other, as one range.
 */
export async function readRows(
  parts: ColdRowsParts,
  file: LiveFile,
  rowGroup: number,
  wanted: Int32Array,
  columns: TableColumns,
  call: CallOptions,
): Promise<FoundRows> {
  const types = fieldsOf(columns, [...contentNames, ...columns.valueNames])
  const constants = constantColumns(file.rowGroups[rowGroup]!, types)
  const read = types.filter(({ id }) => !constants.has(id))
  const order = isRising(wanted) ? wanted : wanted.slice().sort()
  const { tally } = parts
  if (tally !== undefined) tally.wantedBytes += wanted.length * bytesOfRow(file.rowGroups[rowGroup]!)
  const reads = mapAhead(clusters(order), CLUSTERS_AHEAD, async ({ start, end }): Promise<Cluster> => {
    const rows = { start, end }
    const some = await file.read({ rowGroup, types: read, rows, fetched: tally?.fetched, ...call })
    const { length } = some.batch
    const rest = types.flatMap(({ id, name }) => {
      const column = constants.get(id)?.(length)
      return column === undefined ? [] : [{ name, column }]
    })
    const batch = { length, columns: [...some.batch.columns, ...rest] }
    return { start, end, positionOf: positionsOf(some), decoder: await decoderOver(parts, file, batch, columns) }
  })
  const found: Cluster[] = []
  for await (const cluster of reads) found.push(cluster)
  return inOrder(wanted, found)
}

/** Compressed, on average. */
const bytesOfRow = ({ rowCount, sizeBytes }: ParquetRowGroup): number => sizeBytes / Math.max(1, rowCount)

interface Cluster {
  readonly start: number
  readonly end: number
  /** Of a row that is not deleted, in the decoder's batch. */
  readonly positionOf: (row: number) => number
  readonly decoder: RecordDecoder
}

function inOrder(wanted: Int32Array, found: readonly Cluster[]): FoundRows {
  const [only] = found
  if (found.length === 1) {
    const rows = new Int32Array(wanted.length)
    for (let at = 0; at < rows.length; at++) rows[at] = only!.positionOf(wanted[at]!)
    return { decoders: new Array<RecordDecoder>(wanted.length).fill(only!.decoder), rows }
  }
  const decoders = new Array<RecordDecoder>(wanted.length)
  const rows = new Int32Array(wanted.length)
  let at = 0
  for (let index = 0; index < wanted.length; index++) {
    const row = wanted[index]!
    // The next row is nearly always in the same cluster, or in the one behind it.
    if (row >= found[at]!.end) at++
    if (at === found.length || row < found[at]!.start || row >= found[at]!.end) {
      at = found.findIndex(({ start, end }) => row >= start && row < end)
    }
    decoders[index] = found[at]!.decoder
    rows[index] = found[at]!.positionOf(row)
  }
  return { decoders, rows }
}

function isRising(rows: Int32Array): boolean {
  for (let at = 1; at < rows.length; at++) if (rows[at]! < rows[at - 1]!) return false
  return true
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
  file: LiveFile,
  batch: ColumnBatch,
  columns: TableColumns,
): Promise<RecordDecoder> {
  const { rowCrc, valueSchemaId } = info
  const inFile = isOwnFile(file, info) ? columnsIn(columns, file) : columns
  const { schemas } = context
  return RecordDecoder.over({ batch, columns: inFile, file, topic: info, rowCrc, valueSchemaId, schemas })
}

/** Ranges of rows that hold all of the rising rows. */
function clusters(rows: Int32Array): { readonly start: number; readonly end: number }[] {
  const found: { readonly start: number; end: number }[] = []
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at]!
    const last = found.at(-1)
    if (last !== undefined && row - last.end < NEAR_ROWS) last.end = Math.max(last.end, row + 1)
    else found.push({ start: row, end: row + 1 })
  }
  return found
}
