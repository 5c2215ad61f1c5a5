import { and, eq, gte, INT64_MAX, INT64_MIN, isNull, isValid, lt, or, throwIfAborted } from '@moulin/core'
import type { CallOptions, Column, ColumnBatch, Expression, IcebergField } from '@moulin/core'
import { offsetSince } from '@moulin/format'
import { bindExpression, currentSchema } from '@moulin/iceberg'
import type { Predicate } from '@moulin/iceberg'
import { placeBounds } from './cold-plan.ts'
import { replanning } from './cold-read.ts'
import type { ColdReadParts } from './cold-read.ts'
import { CountingFile } from '../live/counting-files.ts'
import type { CountingRows, PlaceRule } from '../live/counting-files.ts'
import { isOwnFile } from '../live/data-files.ts'
import { eachOnce } from '../live/listed-once.ts'
import { rowOf } from '../live/live-files.ts'
import { absentRanges, heldRuns } from '../look/held-records.ts'
import { placesIn } from '../look/missing-files.ts'
import { columnOf, fieldsOf, identitiesIn, identityNames } from '../places/identity-rows.ts'
import { rowsToRead } from '../scan/prune-row-group.ts'
import type { RowRange } from '../scan/row-ranges.ts'
import type { TableState } from '../table/table-state.ts'

export interface TimestampSeek {
  readonly partition: number
  /** Milliseconds since the epoch. */
  readonly timestamp: bigint
  /** Exclusive. */
  readonly to: bigint
}

/** What a record without a timestamp has; its row has null. */
const NO_TIMESTAMP = -1n
const MICROS_PER_MS = 1000n
/** Rows whose times are in memory together. */
const ROWS_AT_ONCE = 65_536
const LOWEST = -(2n ** 63n)

/**
 * The first offset below `to` and the frontier whose record is not older than the timestamp; undefined: none. Files and row groups are
 * looked at by rising offset until none that is left begins low enough, and of those whose bounds leave it open only the column of times,
 * and where some are late enough who these rows are.
 */
export async function coldOffsetSince(
  parts: ColdReadParts,
  seek: TimestampSeek,
  call: CallOptions,
): Promise<bigint | undefined> {
  if (seek.timestamp * MICROS_PER_MS > INT64_MAX) return undefined
  const found = replanning(parts, call, async function* (state) {
    yield await firstIn(parts, state, seek, call)
  })
  for await (const offset of found) return offset
  return undefined
}

async function firstIn(
  parts: ColdReadParts,
  state: TableState,
  seek: TimestampSeek,
  call: CallOptions,
): Promise<bigint | undefined> {
  const { partition, timestamp } = seek
  const frontier = state.entries[partition]?.frontier ?? 0n
  const to = seek.to < frontier ? seek.to : frontier
  const inTable = await new TableSeek(parts, state, { ...seek, to }, call).first()
  // What a file has that is missing, the write-ahead tier still holds.
  const before = { partition, from: 0n, to: inTable ?? to }
  for await (const range of absentRanges(parts, state, before, call)) {
    for await (const run of heldRuns(parts, state, range, call)) {
      const held = offsetSince(run.batches, timestamp, range, run.aborted)
      if (held !== undefined) return held
    }
  }
  return inTable
}

interface SeekFile {
  readonly file: CountingFile
  /** No row of the file has a lower offset. */
  readonly min: bigint
}

/** One search through the rows of a snapshot. */
class TableSeek {
  readonly #parts: ColdReadParts
  readonly #state: TableState
  readonly #seek: TimestampSeek
  readonly #call: CallOptions
  readonly #fields: readonly IcebergField[]
  readonly #isLateEnough: Predicate
  readonly #rule: PlaceRule
  /** Undefined where the column is gone: to all rows it is as if they had no time. */
  readonly #times: IcebergField | undefined
  #found: bigint | undefined

  constructor(parts: ColdReadParts, state: TableState, seek: TimestampSeek, call: CallOptions) {
    this.#parts = parts
    this.#state = state
    this.#seek = seek
    this.#call = call
    this.#fields = currentSchema(state.loaded.metadata).fields
    this.#times = state.columns.byName.get('_kafka_timestamp')
    this.#rule = parts.places.losersOf(state)
    this.#isLateEnough = bindExpression(this.#lateEnough(), this.#fields)
  }

  async first(): Promise<bigint | undefined> {
    if (this.#times === undefined && this.#seek.timestamp > NO_TIMESTAMP) return undefined
    for (const { file, min } of await this.#files()) {
      if (min >= this.#end) break
      await this.#lookIn(file)
    }
    return this.#found
  }

  /** Exclusive: only a lower offset is news. */
  get #end(): bigint {
    return this.#found ?? this.#seek.to
  }

  /** Of rows that have no time, too, where that is late enough; undefined: of all. */
  #lateEnough(): Expression | undefined {
    const least = this.#seek.timestamp * MICROS_PER_MS
    if (least < INT64_MIN || this.#times === undefined) return undefined
    const isLater = gte(this.#times.name, least)
    return this.#seek.timestamp > NO_TIMESTAMP ? isLater : or(isLater, isNull(this.#times.name))
  }

  /** Those that may have such rows, by rising offset. */
  async #files(): Promise<SeekFile[]> {
    const { columns } = this.#state
    const { partition, to } = this.#seek
    const late = this.#lateEnough()
    const name = (ours: string): string => columns.byName.get(ours)!.name
    const place = and(eq(name('_kafka_partition'), partition), lt(name('_kafka_offset'), to))
    const where: Expression = late === undefined ? place : { op: 'and', args: [place, late] }
    const files: SeekFile[] = []
    const matching = this.#parts.fileLists.matching(this.#state, where, () => undefined, this.#call)
    const parts = { files: this.#parts.files, rule: this.#rule, state: this.#state }
    for (const listed of await eachOnce(this.#parts, matching)) {
      const places = placesIn(listed.file, columns)
      const file = new CountingFile(listed, false, parts)
      if (places !== undefined) files.push({ file, min: places.offset.min ?? LOWEST })
    }
    return files.sort((a, b) => (a.min < b.min ? -1 : a.min > b.min ? 1 : 0))
  }

  async #lookIn(counting: CountingFile): Promise<void> {
    const { columns } = this.#state
    const file = await counting.open(this.#call)
    const fieldOf = ({ id }: { readonly id: number }): IcebergField | undefined =>
      this.#fields.find((field) => field.id === id)
    for (const [rowGroup, group] of file.rowGroups.entries()) {
      const bounds = placeBounds(group, columns, this.#seek.partition)
      if (bounds === undefined || bounds.min >= this.#end) continue
      const request = { file, rowGroup, predicate: this.#isLateEnough, fieldOf, ...this.#call }
      // The rows of one partition in a row group of our own are in the order of their offsets.
      const isInOrder = isOwnFile(file, this.#parts.info)
      for (const rows of inSteps(await rowsToRead(request))) {
        throwIfAborted(this.#call.signal)
        const hasFound = await this.#lookAt(await counting.rows(this.#call), rowGroup, rows)
        if (hasFound && isInOrder) break
      }
    }
  }

  /** Whether one of the rows is the first so far. */
  async #lookAt(file: CountingRows, rowGroup: number, rows: RowRange): Promise<boolean> {
    const { columns } = this.#state
    const found = await file.read({ rowGroup, types: fieldsOf(columns, ['_kafka_timestamp']), rows, ...this.#call })
    const late = this.#lateIn(found.batch)
    if (late.length === 0) return false
    const first = late[0]!
    const span = { start: rowOf(found, first), end: rowOf(found, late.at(-1)!) + 1 }
    const { batch } = await file.read({ rowGroup, types: fieldsOf(columns, identityNames), rows: span, ...this.#call })
    const places = identitiesIn(batch, columns)
    const before = this.#found
    for (const at of late) {
      const row = at - first
      if (!places.isKnown(row) || places.partition(row) !== this.#seek.partition) continue
      const offset = places.offset(row)
      if (offset < this.#end && this.#isLive(places.incarnation(row), offset)) this.#found = offset
    }
    return this.#found !== before
  }

  #lateIn(batch: ColumnBatch): number[] {
    const { timestamp } = this.#seek
    const isNullLate = timestamp <= NO_TIMESTAMP
    const times = columnOf(batch, this.#state.columns, '_kafka_timestamp')
    const values = valuesOf(times)
    const least = timestamp * MICROS_PER_MS
    return Array.from({ length: batch.length }, (_, row) => row).filter((row) =>
      times !== undefined && isValid(times, row) ? values[row]! >= least : isNullLate,
    )
  }

  #isLive(incarnation: number, offset: bigint): boolean {
    return this.#state.marker.ledger.some(
      (entry) =>
        entry.partition === this.#seek.partition &&
        entry.incarnation === incarnation &&
        offset >= entry.start &&
        offset < entry.frontier,
    )
  }
}

function* inSteps(ranges: readonly RowRange[]): Generator<RowRange> {
  for (const { start, end } of ranges) {
    for (let at = start; at < end; at += ROWS_AT_ONCE) yield { start: at, end: Math.min(end, at + ROWS_AT_ONCE) }
  }
}

function valuesOf(column: Column | undefined): BigInt64Array {
  return column?.storage === 'int64' ? column.values : new BigInt64Array(0)
}
