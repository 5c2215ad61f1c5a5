import { columnsOf, invalid, isKind, isMoulinError, shown, t, throwIfAborted } from '@moulin/core'
import type { CallOptions, Codec, Field, IcebergField, Scan, ScanOptions, Type } from '@moulin/core'
import { bindExpression } from '@moulin/iceberg'
import { isVanished } from '../live/data-files.ts'
import type { ColdReadParts } from '../replay/cold-read.ts'
import { heldRanges } from '../look/held-records.ts'
import { hotBatches, hotCount } from './hot-rows.ts'
import type { HotRange } from './hot-rows.ts'
import { asksForLook } from '../look/missing-files.ts'
import { expired, vanished } from '../look/vanished.ts'
import { countOf } from './passing-rows.ts'
import type { PassingRows } from './passing-rows.ts'
import { scanOutput } from './scan-output.ts'
import type { Row } from './scan-output.ts'
import type { ScanQuery } from './scan-query.ts'
import { SparedFiles, unlessItFails } from './spared-files.ts'
import { tableBatches, tableCount } from './table-rows.ts'
import type { TableState } from '../table/table-state.ts'

export type UnionScanParts = ColdReadParts & {
  /** The table is not to be looked at. */
  readonly isHotOnly?: boolean
}

/** One cut: a table snapshot, and per partition what the log adds to it. Fixed at the first row. */
export interface Cut {
  /** Undefined: the table cannot be read, and the log still holds everything. */
  readonly state: TableState | undefined
  /** Per partition: what the table answers for ends, and the log begins, here. */
  readonly frontier: readonly bigint[]
  /** Exclusive, per partition. */
  readonly ends: readonly bigint[]
}

const systemTypes = new Map<string, Type>([
  ['_kafka_partition', t.int],
  ['_kafka_offset', t.long],
  ['_kafka_incarnation', t.int],
  ['_kafka_timestamp', t.timestamptz],
  ['_kafka_timestamp_type', t.int],
  ['_kafka_key', t.binary],
  ['_kafka_headers', t.list(t.struct({ key: t.string, value: t.binary.optional() }))],
  ['_kafka_crc', t.int],
  ['_kafka_value_state', t.string],
  ['_kafka_value', t.binary],
  ['_kafka_schema_id', t.int],
  ['_kafka_key_schema_id', t.int],
])

/**
 * Table and hot tier as one: rows below the snapshot's frontier come from the table, at or above it from the log, each
 * record once. See {@link Topic.scan}.
 */
export function unionScan(parts: UnionScanParts, options: ScanOptions): Scan<Row> {
  const types = columnTypes(parts)
  const query = resolve(parts, options, types)
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal }

  return scanOutput({
    columns: query.columns.map((name) => ({ name, type: types.get(name)! })),
    passing: () => passing(parts, query, call),
    count: () => count(parts, query, call),
    call,
  })
}

function passing(parts: UnionScanParts, query: ScanQuery, call: CallOptions): AsyncGenerator<PassingRows> {
  return onCut(parts, call, (cut) => passingOf(parts, cut, query, call))
}

/** What the work gives of one cut. Before it has given anything that may be another one, once: the table moved under it. */
async function* onCut<T>(
  parts: UnionScanParts,
  call: CallOptions,
  work: (cut: Cut) => AsyncIterable<T>,
): AsyncGenerator<T> {
  for (let isAgain = false; ; isAgain = true) {
    const { cut, release } = await fix(parts, call)
    let isBegun = false
    try {
      for await (const part of work(cut)) {
        isBegun = true
        yield part
      }
      return
    } catch (error) {
      if (isBegun || isAgain || !isKind(error, 'conflict', 'SNAPSHOT_EXPIRED')) throw error
    } finally {
      release()
    }
  }
}

async function* passingOf(
  parts: UnionScanParts,
  cut: Cut,
  query: ScanQuery,
  call: CallOptions,
): AsyncGenerator<PassingRows> {
  if (cut.state !== undefined) {
    const files = new SparedFiles(parts, cut.state, call)
    yield* whole(parts, files, tableAndHeld(parts, files, query, call), call)
  }
  for (let partition = 0; partition < cut.ends.length; partition++) {
    throwIfAborted(call.signal)
    const range = { partition, from: cut.frontier[partition]!, to: cut.ends[partition]! }
    if (range.from < range.to) yield* hotBatches(parts, range, query, call)
  }
}

async function* tableAndHeld(
  parts: UnionScanParts,
  files: SparedFiles,
  query: ScanQuery,
  call: CallOptions,
): AsyncGenerator<PassingRows> {
  await files.prepare()
  yield* tableBatches(parts, files.state, query, call, (path, error) => files.spare(path, error))
  yield* heldBatches(parts, files.state, query, call)
}

async function count(parts: UnionScanParts, query: ScanQuery, call: CallOptions): Promise<number> {
  // Nothing is given before all is counted.
  const all = onCut(parts, call, async function* (cut) {
    let total = 0
    for await (const rows of countsOf(parts, cut, query, call)) total += rows
    yield total
  })
  let total = 0
  for await (const rows of all) total += rows
  return total
}

async function* countsOf(parts: UnionScanParts, cut: Cut, query: ScanQuery, call: CallOptions): AsyncGenerator<number> {
  if (query.where !== undefined) {
    const counting = { ...query, columns: [], needed: [...columnsOf(query.where)] }
    for await (const rows of passingOf(parts, cut, counting, call)) yield countOf(rows)
    return
  }
  const { state } = cut
  if (state !== undefined) yield* whole(parts, { state }, counted(parts, state, call), call)
  for (let partition = 0; partition < cut.ends.length; partition++) {
    throwIfAborted(call.signal)
    const range = { partition, from: cut.frontier[partition]!, to: cut.ends[partition]! }
    if (range.from < range.to) yield await hotCount(parts, range, call)
  }
}

async function* counted(parts: UnionScanParts, state: TableState, call: CallOptions): AsyncGenerator<number> {
  yield await tableCount(parts, state, call)
  for await (const range of held(parts, state, call)) yield await hotCount(parts, range, call)
}

/** What files have that are missing, as the write-ahead tier still has it. */
async function* heldBatches(
  parts: UnionScanParts,
  state: TableState,
  query: ScanQuery,
  call: CallOptions,
): AsyncGenerator<PassingRows> {
  for await (const range of held(parts, state, call)) yield* hotBatches(parts, range, query, call)
}

async function* held(parts: UnionScanParts, state: TableState, call: CallOptions): AsyncGenerator<HotRange> {
  if (state.missing.size === 0) return
  for (const { partition } of state.entries) yield* heldRanges(parts, state, partition, call)
}

// A scan shows one snapshot; when its files go, and with them what no other has, no other can take its place half-way.
async function* whole<T>(
  parts: UnionScanParts,
  files: { readonly state: TableState },
  batches: AsyncIterable<T>,
  call: CallOptions,
): AsyncGenerator<T> {
  try {
    yield* batches
  } catch (error) {
    throw await explained(parts, files.state, error, call)
  }
}

// The look makes the next scan another one: what is missing then comes from the write-ahead tier, and what is back from its file.
async function explained(
  parts: UnionScanParts,
  state: TableState,
  error: unknown,
  call: CallOptions,
): Promise<unknown> {
  if (!asksForLook(error)) return error
  const { look, table } = parts
  await unlessItFails(look.again(call))
  const isNews =
    table.missing.size < state.missing.size || [...table.missing.keys()].some((file) => !state.missing.has(file))
  if (isNews) return expired(state, error)
  return isVanished(error) ? await vanished(parts, state, error, call) : error
}

// Pins before it loads: what the table does not hold at the load is held by the log until the scan ends.
async function fix(parts: UnionScanParts, call: CallOptions): Promise<{ cut: Cut; release: () => void }> {
  const { context, table, isHotOnly = false } = parts
  if (isHotOnly) return fixHot(parts)
  const pin = context.hot.pin(table.state.entries.map(({ frontier }) => frontier))
  try {
    const state = await table.load(call)
    const frontier = state.entries.map((entry) => entry.frontier)
    return { cut: { state, frontier, ends: [...context.hot.committedOffsets()] }, release: () => pin.release() }
  } catch (error) {
    pin.release()
    if (!isRefusal(error) || context.hot.releasedOffsets().some((released) => released > 0n)) throw error
    return fixHot(parts)
  }
}

/** All that there is, while nothing has been released. */
function fixHot({ context: { hot } }: UnionScanParts): { cut: Cut; release: () => void } {
  const frontier = [...hot.releasedOffsets()]
  const pin = hot.pin(frontier)
  return { cut: { state: undefined, frontier, ends: [...hot.committedOffsets()] }, release: () => pin.release() }
}

/** The table does not answer, or not with what we can read. */
function isRefusal(error: unknown): boolean {
  const isOurs =
    isKind(error, 'aborted') || isKind(error, 'closed') || isKind(error, 'fenced') || isKind(error, 'internal')
  return isMoulinError(error) && !isOurs
}

function resolve(parts: UnionScanParts, options: ScanOptions, types: ReadonlyMap<string, Type>): ScanQuery {
  const { info } = parts
  const valueNames = [...types.keys()].filter((name) => !systemTypes.has(name))
  const columns = options.columns ?? (valueNames.length > 0 ? valueNames : ['_kafka_value'])
  if (!Array.isArray(columns)) throw invalid('COLUMNS', `columns is ${shown(columns)}; it must be an array of names.`)
  for (const name of columns) {
    if (!types.has(name)) {
      const message = `Topic ${info.name} has no column ${shown(name)}; the columns are ${[...types.keys()].join(', ')}.`
      throw invalid('UNKNOWN_COLUMN', message, { context: { topic: info.name, column: shown(name) } })
    }
  }
  const where = options.where
  // Throws for a wrong name or literal before anything is read.
  bindExpression(where, layoutFields(parts))
  return { columns, where, needed: [...new Set([...columns, ...(where === undefined ? [] : columnsOf(where))])] }
}

export function layoutFields({ table }: Pick<UnionScanParts, 'table'>): readonly IcebergField[] {
  return table.layout.schema.fields
}

/** The JavaScript type of every column, under our names. */
function columnTypes({ info, table }: UnionScanParts): ReadonlyMap<string, Type> {
  const types = new Map(systemTypes)
  const isValue = new Set(table.layout.valueFields.map(({ name }) => name))
  const fields: readonly Field[] = (info.valueCodec as Codec | undefined)?.schema.fields ?? []
  for (const { name, type } of fields) if (isValue.has(name)) types.set(name, type)
  return types
}
