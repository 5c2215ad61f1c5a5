import { Arena, hasOffset, unsupported } from '@moulin/core'
import type {
  BatchRun,
  BytesBuilder,
  Column,
  ColumnarCodec,
  ColumnBatch,
  ColumnBuilder,
  Int64Builder,
  OffsetRange,
} from '@moulin/core'
import { appendRecordsSection, batchesIn, checkCrc, RecordCursor, RecordPlace } from '@moulin/format'
import type { BatchHeader } from '@moulin/format'
import { RecordCrcs } from '../audit/record-crcs.ts'
import { abortedIn, deltaIn } from './aborted-deltas.ts'
import { rawColumnGone } from './raw-column-gone.ts'
import { systemBuilders, systemOrder } from './system-builders.ts'
import type { SystemBuilders } from './system-builders.ts'
import { timestampTypes } from '../table/system-columns.ts'

export interface RowBuilderOptions {
  readonly incarnation: number
  /** Keep a checksum of each record. */
  readonly rowCrc: boolean
  /** Keep the bytes beside the columns even where the columns give them back. */
  readonly keepRaw: boolean
  /** The table has no column for bytes any more: a value that needs it gives no row. */
  readonly lacksRaw?: boolean
  /** Undefined: values are kept as bytes. */
  readonly values: ValueColumns | undefined
}

/** How values become columns. */
export interface ValueColumns {
  /** By id in the schema ledger, all of one schema; values of another id are kept as bytes. */
  readonly codecs: ReadonlyMap<number, ColumnarCodec>
  /** In the schema's field order. */
  readonly names: readonly string[]
}

/** What some rows add up to. */
export interface RowTally {
  rows: number
  lastRow: bigint | null
  control: number
  /** Records of aborted transactions, which give no rows. */
  aborted: number
  checksum: bigint
}

export type { OffsetRange }

export interface Drain {
  /** Uncompressed bytes of records. */
  readonly maxBytes: number
  readonly maxRows: number
  readonly rows: (batch: ColumnBatch) => void
}

interface Walk {
  readonly bytes: Uint8Array
  readonly partition: number
  readonly place: RecordPlace
  readonly range: OffsetRange
  readonly tally: RowTally
  readonly valueIds: Ids
  readonly keyIds: Ids
  readonly aborted: readonly OffsetRange[]
  /** Records of the run before the present batch. */
  index: number
}

export const emptyTally = (): RowTally => ({ rows: 0, lastRow: null, control: 0, aborted: 0, checksum: 0n })

const STATES = 'typed+rawnull'
const stateRanges = { typed: [0, 5], 'typed+raw': [0, 9], raw: [6, 9], null: [9, 13] } as const
const [TYPED_START, TYPED_END] = stateRanges.typed
const MICROS_PER_MS = 1000
const HALF = 4294967296
// Up to here milliseconds are exact as microseconds in a double.
const MAX_EXACT_MS = Number.MAX_SAFE_INTEGER / MICROS_PER_MS

/**
 * Record batches to columns in one pass, with no object per record: strings and bytes are positions in one arena. Rows
 * are of one log partition. {@link take} gives columns that are valid until the next {@link add}.
 */
export class RowBuilder {
  readonly #options: RowBuilderOptions
  readonly #arena = new Arena()
  readonly #cursor = new RecordCursor()
  readonly #columns: SystemBuilders
  readonly #values: readonly ColumnBuilder[]
  /** All builders, in the order of the table. */
  readonly #all: readonly (readonly [name: string, builder: ColumnBuilder])[]
  readonly #bodies = new RecordCrcs()
  /** Of the last value: the next one nearly always has it, too. */
  #schemaId = -1
  #codec: ColumnarCodec | undefined
  #rows = 0
  /** The record at hand has a value that needs the column for bytes, and there is none. */
  #hasNoPlace = false
  /** Of the present memory: is what `take` gave out still in it? */
  #isTaken = false

  constructor(options: RowBuilderOptions) {
    this.#options = options
    this.#columns = systemBuilders(this.#arena)
    const [first] = options.values?.codecs.values() ?? []
    this.#values = first?.builders(this.#arena) ?? []
    const values = this.#values.map((builder, at) => [options.values!.names[at]!, builder] as const)
    this.#all = [...systemOrder(this.#columns), ...values]
    this.#begin()
  }

  get rows(): number {
    return this.#isTaken ? 0 : this.#rows
  }

  /** Bytes of records held, uncompressed. */
  get sizeBytes(): number {
    return this.#isTaken ? 0 : this.#arena.length
  }

  /**
   * The records of the run with offsets in `[from, to)`, but for those of aborted transactions. Adds what they are to `tally`. With `drain`, rows are handed over
   * as soon as they have `maxBytes` or `maxRows`, so that a run of any length takes bounded memory; what it is handed is
   * good until it returns.
   * @throws `corrupt`, also for a batch whose CRC is wrong; `unsupported` for a transactional batch, and code `RAW_COLUMN` for a value
   * that would be lost to a table without a column for bytes.
   */
  add(run: BatchRun, range: OffsetRange, tally: RowTally, drain?: Drain): void {
    const walk = {
      bytes: run.batches,
      partition: run.partition,
      place: new RecordPlace(this.#options.incarnation, run.partition),
      range,
      tally,
      valueIds: idsOf(run.valueSchemaIds),
      keyIds: idsOf(run.keySchemaIds ?? 0),
      aborted: run.aborted ?? [],
      index: 0,
    }
    for (const { header, position } of batchesIn(run.batches)) {
      const isInside = header.baseOffset < range.to && header.baseOffset + BigInt(header.lastOffsetDelta) >= range.from
      if (isInside) this.#addBatch(walk, position, header)
      walk.index += header.recordCount
      if (drain === undefined || this.rows === 0) continue
      if (this.#arena.length >= drain.maxBytes || this.#rows >= drain.maxRows) drain.rows(this.take())
    }
  }

  /** All rows since the last call, as columns in the order of the table, over memory that the next {@link add} reuses. */
  take(): ColumnBatch {
    if (this.#isTaken) this.#begin()
    this.#isTaken = true
    const columns = this.#all.map(([name, builder]) => ({ name, column: builder.view() as Column }))
    return { length: this.#rows, columns }
  }

  #begin(): void {
    this.#arena.clear()
    this.#arena.append(Buffer.from(STATES, 'latin1'))
    for (const [, builder] of this.#all) builder.clear()
    this.#rows = 0
    this.#isTaken = false
  }

  #addBatch(walk: Walk, position: number, header: BatchHeader): void {
    const { range, tally } = walk
    const first = deltaIn(header, range.from)
    const end = deltaIn(header, range.to)
    checkCrc(walk.bytes, position, header)
    if (header.isControl) {
      tally.control += Math.min(end, header.recordCount) - Math.min(first, header.recordCount)
      return
    }
    if (header.isTransactional) {
      const message = `The batch at offset ${header.baseOffset} is transactional; transactions come later.`
      throw unsupported('BATCH_TRANSACTIONAL', message)
    }
    if (this.#isTaken) this.#begin()
    const before = this.#rows
    const lastDelta = this.#addRecords(walk, position, header, first, end)
    const rows = this.#rows - before
    if (rows === 0) return
    this.#fill(walk, header, rows)
    tally.rows += rows
    tally.lastRow = header.baseOffset + BigInt(lastDelta)
    tally.checksum += BigInt(this.#addCrcs(rows))
  }

  /** One pass over the batch: what differs from record to record. Returns the delta of the last row. */
  #addRecords(walk: Walk, position: number, header: BatchHeader, first: number, end: number): number {
    const arena = this.#arena
    const cursor = this.#cursor
    const { rowCrc } = this.#options
    const { offset, timestamp, key, headers, schemaId, keySchemaId } = this.#columns
    const { valueIds, keyIds } = walk
    const bodies = this.#bodies
    const aborted = abortedIn(walk.aborted, header)
    const start = appendRecordsSection(arena, walk.bytes, position, header)
    cursor.open(arena.bytes, start, arena.length, header)
    bodies.begin(header, walk.place)
    let rows = 0
    let lastDelta = -1
    for (let at = walk.index; cursor.next(); at++) {
      if (cursor.offsetDelta < first || cursor.offsetDelta >= end) continue
      if (aborted !== undefined && hasOffset(aborted, cursor.offsetDelta)) {
        walk.tally.aborted++
        continue
      }
      offset.appendHalves(cursor.offsetHigh, cursor.offsetLow)
      appendTimestamp(timestamp, cursor)
      if (cursor.keyStart < 0) key.appendNull()
      else key.appendPosition(cursor.keyStart, cursor.keyEnd)
      if (cursor.headerCount > 0) this.#addHeaders()
      headers.append()
      if (typeof valueIds !== 'number') schemaId.append(valueIds[at]!)
      if (typeof keyIds !== 'number') keySchemaId.append(keyIds[at]!)
      this.#addValue(typeof valueIds === 'number' ? valueIds : valueIds[at]!)
      if (this.#hasNoPlace) throw rawColumnGone(walk.partition, header.baseOffset + BigInt(cursor.offsetDelta))
      if (rowCrc) bodies.add(cursor)
      rows++
      lastDelta = cursor.offsetDelta
    }
    this.#rows += rows
    // Nothing holds a place in it: what is aborted must not gather until a row comes.
    if (rows === 0) arena.length = start
    return lastDelta
  }

  /** What all rows of the batch have in common. */
  #fill(walk: Walk, header: BatchHeader, rows: number): void {
    const { partition, incarnation, timestampType, schemaId, keySchemaId } = this.#columns
    partition.appendFill(walk.partition, rows)
    incarnation.appendFill(this.#options.incarnation, rows)
    timestampType.appendFill(timestampTypes[header.timestampType], rows)
    if (typeof walk.valueIds === 'number') schemaId.appendFill(walk.valueIds, rows)
    if (typeof walk.keyIds === 'number') keySchemaId.appendFill(walk.keyIds, rows)
  }

  /** Returns the sum of the rows' checksums, 0 where none are kept. */
  #addCrcs(rows: number): number {
    const { crc } = this.#columns
    if (!this.#options.rowCrc) {
      for (let row = 0; row < rows; row++) crc.appendNull()
      return 0
    }
    const sums = this.#bodies.crcs(this.#arena.bytes)
    let sum = 0
    for (let row = 0; row < rows; row++) {
      const value = sums[row]!
      crc.append(value)
      sum += value
    }
    return sum
  }

  #addValue(schemaId: number): void {
    const { valueStart: start, valueEnd: end } = this.#cursor
    if (start < 0) return this.#addWithoutColumns('null', -1, -1)
    const { values, keepRaw } = this.#options
    if (schemaId !== this.#schemaId) {
      this.#schemaId = schemaId
      this.#codec = values?.codecs.get(schemaId)
    }
    const codec = this.#codec
    if (codec === undefined) return this.#addWithoutColumns('raw', start, end)
    const fidelity = codec.decodeRow(this.#arena, start, end, this.#values)
    const { state, raw } = this.#columns
    if (fidelity === 'canonical' && !keepRaw) {
      state.appendPosition(TYPED_START, TYPED_END)
      raw.appendNull()
    } else {
      const [stateStart, stateEnd] = stateRanges[fidelity === 'unreadable' ? 'raw' : 'typed+raw']
      state.appendPosition(stateStart, stateEnd)
      this.#addRaw(start, end)
    }
  }

  #addRaw(start: number, end: number): void {
    if (this.#options.lacksRaw === true) this.#hasNoPlace = true
    this.#columns.raw.appendPosition(start, end)
  }

  #addWithoutColumns(name: 'raw' | 'null', start: number, end: number): void {
    for (const builder of this.#values) builder.appendNull()
    const [stateStart, stateEnd] = stateRanges[name]
    this.#columns.state.appendPosition(stateStart, stateEnd)
    if (start < 0) this.#columns.raw.appendNull()
    else this.#addRaw(start, end)
  }

  #addHeaders(): void {
    const cursor = this.#cursor
    const { header, headerKey, headerValue } = this.#columns
    cursor.rewindHeaders()
    while (cursor.nextHeader()) {
      headerKey.appendPosition(cursor.headerKeyStart, cursor.headerKeyEnd)
      appendRange(headerValue, cursor.headerValueStart, cursor.headerValueEnd)
      header.append()
    }
  }
}

function appendRange(builder: BytesBuilder, start: number, end: number): void {
  if (start < 0) builder.appendNull()
  else builder.appendPosition(start, end)
}

function appendTimestamp(builder: Int64Builder, { timestampHigh: high, timestampLow: low }: RecordCursor): void {
  // −1: the record has none.
  if (high === -1 && low === -1) return builder.appendNull()
  const ms = high * HALF + (low >>> 0)
  if (ms <= MAX_EXACT_MS && ms >= -MAX_EXACT_MS) builder.appendNumber(ms * MICROS_PER_MS)
  else builder.append(((BigInt(high) << 32n) | BigInt(low >>> 0)) * 1000n)
}

type Ids = number | readonly number[]

// A list that says one thing is one number: the usual case costs no lookup.
function idsOf(ids: Ids): Ids {
  return typeof ids !== 'number' && ids.every((id) => id === ids[0]) ? (ids[0] ?? 0) : ids
}
