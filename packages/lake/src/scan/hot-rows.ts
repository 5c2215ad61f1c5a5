import { and, eq, gte, hasOffset, isKind, lt, rangesWithin, throwIfAborted } from '@moulin/core'
import type { BatchRun, CallOptions, ColdContext, ColdTopicInfo, Column, Expression } from '@moulin/core'
import { appendRecordsSection, batchesIn, RecordCursor } from '@moulin/format'
import type { BatchHeader } from '@moulin/format'
import { Arena } from '@moulin/core'
import { bindExpression, rowGroupMightMatch } from '@moulin/iceberg'
import type { BoundColumn, Predicate, RowGroupBounds } from '@moulin/iceberg'
import { identityNames } from '../places/identity-rows.ts'
import { noneMissing } from '../look/missing-files.ts'
import { countOf, passingRows } from './passing-rows.ts'
import type { PassingRows } from './passing-rows.ts'
import { emptyTally, RowBuilder } from '../encode/row-builder.ts'
import type { OffsetRange } from '../encode/row-builder.ts'
import { hasValueColumns } from '../table/system-columns.ts'
import { tableBatches } from './table-rows.ts'
import type { TableRowsParts } from './table-rows.ts'
import type { TopicTable } from '../table/topic-table.ts'
import type { ScanQuery } from './scan-query.ts'

export interface HotRowsParts extends TableRowsParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly table: TopicTable
}

export interface HotRange extends OffsetRange {
  readonly partition: number
}

/** Uncompressed bytes of records that become columns at once. */
const BYTES_AT_ONCE = 4 * 1024 * 1024

/**
 * The log's part of a scan. Where another process has released what this one had not read yet, the rows are in the table
 * by then, and come from there.
 */
export async function* hotBatches(
  parts: HotRowsParts,
  range: HotRange,
  query: ScanQuery,
  call: CallOptions,
): AsyncGenerator<PassingRows> {
  const rows = new HotRows(parts, query)
  let from = range.from
  for await (const part of hotRuns(parts, range, call)) {
    if (part.kind === 'run') {
      yield* rows.add(part.run, { from, to: range.to })
    } else {
      yield* rows.take()
      const rest = within(query, { ...range, from, to: part.nextOffset })
      yield* tableBatches(parts, { ...parts.table.state, missing: noneMissing }, rest, call)
    }
    from = part.nextOffset
  }
  yield* rows.take()
}

/** Records in the range: from the headers alone, except of batches with gaps that reach over an end, and of those with aborted records. */
export async function hotCount(parts: HotRowsParts, range: HotRange, call: CallOptions): Promise<number> {
  let count = 0
  let from = range.from
  for await (const part of hotRuns(parts, range, call)) {
    if (part.kind === 'run') {
      count += countIn(part.run, { from, to: range.to })
    } else {
      const query = within({ columns: [], where: undefined, needed: [] }, { ...range, from, to: part.nextOffset })
      const state = { ...parts.table.state, missing: noneMissing }
      for await (const rows of tableBatches(parts, state, query, call)) count += countOf(rows)
    }
    from = part.nextOffset
  }
  return count
}

type HotPart =
  | { readonly kind: 'run'; readonly run: BatchRun; readonly nextOffset: bigint }
  /** Up to here the table has it. */
  | { readonly kind: 'moved'; readonly nextOffset: bigint }

async function* hotRuns({ context, table }: HotRowsParts, range: HotRange, call: CallOptions): AsyncGenerator<HotPart> {
  const { partition, to } = range
  let next = range.from
  while (next < to) {
    const startedAt = next
    try {
      for await (const run of context.hot.read({ partition, from: next, to, ...call })) {
        throwIfAborted(call.signal)
        yield { kind: 'run', run, nextOffset: run.nextOffset }
        next = run.nextOffset
      }
      return
    } catch (error) {
      if (!isKind(error, 'not-found')) throw error
      const { entries } = await table.load(call)
      const frontier = entries[partition]!.frontier
      if (frontier <= next && next === startedAt) throw error
      if (frontier > next) {
        next = frontier < to ? frontier : to
        yield { kind: 'moved', nextOffset: next }
      }
    }
  }
}

/** Runs of one partition, as rows that pass; small runs are put together, large ones cut. */
class HotRows {
  readonly #parts: HotRowsParts
  readonly #predicate: Predicate
  readonly #builder: RowBuilder
  /** Ids of the columns that a batch header tells of. */
  readonly #ids: ReadonlyMap<number, string>

  constructor(parts: HotRowsParts, query: ScanQuery) {
    const { fields } = parts.table.layout.schema
    this.#parts = parts
    this.#predicate = bindExpression(query.where, fields)
    this.#builder = rowBuilder(parts, query)
    this.#ids = new Map(fields.flatMap(({ id, name }) => (isIdentity(name) ? [[id, name] as const] : [])))
  }

  *add(run: BatchRun, range: OffsetRange): Generator<PassingRows> {
    // Batch by batch, so that one large run is not one large batch of rows.
    for (const { header, position } of batchesIn(run.batches)) {
      if (!this.#mightMatch(header, run.partition)) continue
      const batches = run.batches.subarray(position, position + header.sizeBytes)
      this.#builder.add({ ...run, ...idsFrom(run, position), batches }, range, emptyTally())
      if (this.#builder.sizeBytes >= BYTES_AT_ONCE) yield* this.take()
    }
  }

  /** What is left. */
  *take(): Generator<PassingRows> {
    if (this.#builder.rows === 0) return
    const batch = this.#builder.take()
    const columnOf = ({ name }: BoundColumn): Column | undefined =>
      batch.columns.find((entry) => entry.name === name)?.column
    const passing = { batch, rows: passingRows(this.#predicate, batch.length, columnOf), isOwned: false }
    if (countOf(passing) > 0) yield passing
  }

  #mightMatch({ baseOffset, lastOffsetDelta, recordCount }: BatchHeader, partition: number): boolean {
    const offsets = { min: baseOffset, max: baseOffset + BigInt(lastOffsetDelta), nullCount: 0 }
    const one = (value: number): object => ({ min: value, max: value, nullCount: 0 })
    const bounds = (id: number): ReturnType<RowGroupBounds['bounds']> => {
      switch (this.#ids.get(id)) {
        case '_kafka_offset':
          return offsets
        case '_kafka_partition':
          return one(partition)
        case '_kafka_incarnation':
          return one(this.#parts.info.incarnation)
        default:
          return {}
      }
    }
    return rowGroupMightMatch(this.#predicate, { rowCount: recordCount, bounds })
  }
}

const isIdentity = (name: string): boolean => (identityNames as readonly string[]).includes(name)

// A batch by itself begins at its own place in lists of ids.
function idsFrom(run: BatchRun, position: number): Pick<BatchRun, 'valueSchemaIds' | 'keySchemaIds'> {
  const { valueSchemaIds, keySchemaIds = 0 } = run
  if (typeof valueSchemaIds === 'number' && typeof keySchemaIds === 'number') return { valueSchemaIds, keySchemaIds }
  let before = 0
  for (const batch of batchesIn(run.batches)) {
    if (batch.position >= position) break
    before += batch.header.recordCount
  }
  const rest = (ids: number | readonly number[]): number | readonly number[] =>
    typeof ids === 'number' ? ids : ids.slice(before)
  return { valueSchemaIds: rest(valueSchemaIds), keySchemaIds: rest(keySchemaIds) }
}

function rowBuilder({ info }: HotRowsParts, query: ScanQuery): RowBuilder {
  const { valueCodec, valueSchemaId } = info
  const hasColumns = hasValueColumns(info.valueMode, valueCodec)
  return new RowBuilder({
    incarnation: info.incarnation,
    rowCrc: info.rowCrc && query.needed.includes('_kafka_crc'),
    keepRaw: info.valueMode === 'columns+raw',
    values: hasColumns
      ? {
          codecs: new Map([[valueSchemaId, valueCodec!.columnar!]]),
          names: valueCodec!.schema.fields.map(({ name }) => name),
        }
      : undefined,
  })
}

function countIn(run: BatchRun, range: OffsetRange): number {
  let count = 0
  for (const { header, position } of batchesIn(run.batches)) {
    const { baseOffset, lastOffsetDelta, recordCount, isControl } = header
    const end = baseOffset + BigInt(lastOffsetDelta) + 1n
    if (isControl || end <= range.from || baseOffset >= range.to) continue
    const aborted = rangesWithin(run.aborted ?? [], { from: baseOffset, to: end })
    if (aborted.length > 0) {
      count += countRecords(run.batches, position, header, range, aborted)
    } else if (baseOffset >= range.from && end <= range.to) {
      count += recordCount
    } else if (recordCount === lastOffsetDelta + 1) {
      count += Number((end < range.to ? end : range.to) - (baseOffset > range.from ? baseOffset : range.from))
    } else {
      count += countRecords(run.batches, position, header, range, aborted)
    }
  }
  return count
}

function countRecords(
  bytes: Uint8Array,
  position: number,
  header: BatchHeader,
  { from, to }: OffsetRange,
  aborted: readonly OffsetRange[],
): number {
  const arena = new Arena()
  const cursor = new RecordCursor()
  const start = appendRecordsSection(arena, bytes, position, header)
  cursor.open(arena.bytes, start, arena.length, header)
  let count = 0
  while (cursor.next()) {
    if (cursor.offset >= from && cursor.offset < to && !hasOffset(aborted, cursor.offset)) count++
  }
  return count
}

/** The same query over some offsets of one partition. */
function within(query: ScanQuery, { partition, from, to }: HotRange): ScanQuery {
  const range: Expression = and(eq('_kafka_partition', partition), gte('_kafka_offset', from), lt('_kafka_offset', to))
  return { ...query, where: query.where === undefined ? range : { op: 'and', args: [query.where, range] } }
}
