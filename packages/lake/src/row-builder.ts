import { Arena, BytesBuilder, Int32Builder, Int64Builder, ListBuilder, StructBuilder, unsupported } from '@moulin/core'
import type { BatchRun, Column, ColumnarCodec, ColumnBatch, ColumnBuilder } from '@moulin/core'
import { appendRecordsSection, batchesIn, RecordCursor, recordCrc } from '@moulin/format'
import type { BatchHeader, BatchLimits } from '@moulin/format'
import { timestampTypes } from './system-columns.ts'

export interface RowBuilderOptions {
  readonly incarnation: number
  /** Keep a checksum of each record. */
  readonly rowCrc: boolean
  /** Keep the bytes beside the columns even where the columns give them back. */
  readonly keepRaw: boolean
  /** Undefined: values are kept as bytes. */
  readonly values: ValueColumns | undefined
  readonly limits?: BatchLimits
}

/** How values become columns. */
export interface ValueColumns {
  readonly columnar: ColumnarCodec
  /** Ids in the ledger of the schema that the columns are of; values of another one are kept as bytes. */
  readonly schemaId: number
  /** In the schema's field order. */
  readonly names: readonly string[]
}

/** What some rows add up to. */
export interface RowTally {
  rows: number
  lastRow: bigint | null
  control: number
  checksum: bigint
}

/** Half-open. */
export interface OffsetRange {
  readonly from: bigint
  readonly to: bigint
}

export interface Drain {
  /** Uncompressed bytes of records. */
  readonly maxBytes: number
  readonly maxRows: number
  readonly rows: (batch: ColumnBatch) => void
}

interface Walk {
  readonly bytes: Uint8Array
  readonly range: OffsetRange
  readonly tally: RowTally
  readonly valueIds: Ids
  readonly keyIds: Ids
  /** Records of the run before the present batch. */
  index: number
}

export const emptyTally = (): RowTally => ({ rows: 0, lastRow: null, control: 0, checksum: 0n })

const STATES = 'typed+rawnull'
const stateRanges = { typed: [0, 5], 'typed+raw': [0, 9], raw: [6, 9], null: [9, 13] } as const
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
  #columns: SystemBuilders
  #values: ColumnBuilder[]
  #partition = 0
  #rows = 0

  constructor(options: RowBuilderOptions) {
    this.#options = options
    this.#columns = this.#begin()
    this.#values = options.values?.columnar.builders(this.#arena) ?? []
  }

  get rows(): number {
    return this.#rows
  }

  /** Bytes of records held, uncompressed. */
  get sizeBytes(): number {
    return this.#arena.length
  }

  /**
   * The records of the run with offsets in `[from, to)`. Adds what they are to `tally`. With `drain`, rows are handed over
   * as soon as they have `maxBytes` or `maxRows`, so that a run of any length takes bounded memory.
   * @throws `corrupt`; `unsupported` for a transactional batch.
   */
  add(run: BatchRun, range: OffsetRange, tally: RowTally, drain?: Drain): void {
    this.#partition = run.partition
    const walk = {
      bytes: run.batches,
      range,
      tally,
      valueIds: idsOf(run.valueSchemaIds),
      keyIds: idsOf(run.keySchemaIds ?? 0),
      index: 0,
    }
    for (const { header, position } of batchesIn(run.batches)) {
      const isInside = header.baseOffset < range.to && header.baseOffset + BigInt(header.lastOffsetDelta) >= range.from
      if (isInside) this.#addBatch(walk, position, header)
      walk.index += header.recordCount
      if (drain === undefined || this.#rows === 0) continue
      if (this.#arena.length >= drain.maxBytes || this.#rows >= drain.maxRows) drain.rows(this.take())
    }
  }

  /** All rows since the last call, as columns in the order of the table. */
  take(): ColumnBatch {
    const rows = this.#rows
    const system = this.#columns
    const constant = (value: number): Column => ({
      storage: 'int32',
      length: rows,
      validity: undefined,
      values: new Int32Array(rows).fill(value),
    })
    const columns = [
      { name: '_kafka_partition', column: constant(this.#partition) },
      { name: '_kafka_offset', column: system.offset.finish() },
      { name: '_kafka_incarnation', column: constant(this.#options.incarnation) },
      { name: '_kafka_timestamp', column: system.timestamp.finish() },
      { name: '_kafka_timestamp_type', column: system.timestampType.finish() },
      { name: '_kafka_key', column: system.key.finish() },
      { name: '_kafka_headers', column: system.headers.finish() },
      { name: '_kafka_crc', column: system.crc.finish() },
      { name: '_kafka_value_state', column: system.state.finish() },
      { name: '_kafka_value', column: system.raw.finish() },
      { name: '_kafka_schema_id', column: system.schemaId.finish() },
      { name: '_kafka_key_schema_id', column: system.keySchemaId.finish() },
      ...this.#values.map((builder, at) => ({ name: this.#options.values!.names[at]!, column: builder.finish() })),
    ]
    this.#columns = this.#begin()
    this.#values = this.#options.values?.columnar.builders(this.#arena) ?? []
    this.#rows = 0
    return { length: rows, columns }
  }

  #begin(): SystemBuilders {
    this.#arena.clear()
    this.#arena.append(Buffer.from(STATES, 'latin1'))
    return systemBuilders(this.#arena)
  }

  #addBatch(walk: Walk, position: number, header: BatchHeader): void {
    const { range, tally } = walk
    const first = deltaIn(header, range.from)
    const end = deltaIn(header, range.to)
    if (header.isControl) {
      tally.control += Math.min(end, header.recordCount) - Math.min(first, header.recordCount)
      return
    }
    if (header.isTransactional) {
      const message = `The batch at offset ${header.baseOffset} is transactional; transactions come later.`
      throw unsupported('BATCH_TRANSACTIONAL', message)
    }
    const arena = this.#arena
    const cursor = this.#cursor
    const { limits } = this.#options
    const start = appendRecordsSection(arena, walk.bytes, position, header, limits)
    cursor.open(arena.bytes, start, arena.length, header, limits)
    const timestampType = timestampTypes[header.timestampType]
    let checksum = 0
    let rows = 0
    let lastDelta = -1
    for (let at = walk.index; cursor.next(); at++) {
      if (cursor.offsetDelta < first || cursor.offsetDelta >= end) continue
      checksum += this.#addRecord(timestampType, idAt(walk.valueIds, at), idAt(walk.keyIds, at))
      rows++
      lastDelta = cursor.offsetDelta
    }
    if (rows === 0) return
    this.#rows += rows
    tally.rows += rows
    tally.lastRow = header.baseOffset + BigInt(lastDelta)
    tally.checksum += BigInt(checksum)
  }

  /** Returns the record's checksum, 0 where none is kept. */
  #addRecord(timestampType: number, valueId: number, keyId: number): number {
    const cursor = this.#cursor
    const columns = this.#columns
    columns.offset.appendHalves(cursor.offsetHigh, cursor.offsetLow)
    appendTimestamp(columns.timestamp, cursor)
    columns.timestampType.append(timestampType)
    appendRange(columns.key, cursor.keyStart, cursor.keyEnd)
    this.#addHeaders()
    columns.schemaId.append(valueId)
    columns.keySchemaId.append(keyId)
    this.#addValue(valueId)
    if (!this.#options.rowCrc) {
      columns.crc.appendNull()
      return 0
    }
    const crc = recordCrc(cursor)
    columns.crc.append(crc)
    return crc
  }

  #addValue(schemaId: number): void {
    const { valueStart: start, valueEnd: end } = this.#cursor
    const { values, keepRaw } = this.#options
    if (start < 0) return this.#addState('null', -1, -1)
    if (values === undefined || schemaId !== values.schemaId) return this.#addState('raw', start, end)
    const fidelity = values.columnar.decodeRow(this.#arena, start, end, this.#values)
    const { state, raw } = this.#columns
    if (fidelity === 'unreadable') {
      state.appendPosition(...stateRanges.raw)
      raw.appendPosition(start, end)
    } else if (fidelity === 'canonical' && !keepRaw) {
      state.appendPosition(...stateRanges.typed)
      raw.appendNull()
    } else {
      state.appendPosition(...stateRanges['typed+raw'])
      raw.appendPosition(start, end)
    }
  }

  // A row without value columns.
  #addState(name: 'raw' | 'null', start: number, end: number): void {
    for (const builder of this.#values) builder.appendNull()
    const [stateStart, stateEnd] = stateRanges[name]
    this.#columns.state.appendPosition(stateStart, stateEnd)
    appendRange(this.#columns.raw, start, end)
  }

  #addHeaders(): void {
    const cursor = this.#cursor
    const { headers, header, headerKey, headerValue } = this.#columns
    if (cursor.headerCount > 0) {
      cursor.rewindHeaders()
      while (cursor.nextHeader()) {
        headerKey.appendPosition(cursor.headerKeyStart, cursor.headerKeyEnd)
        appendRange(headerValue, cursor.headerValueStart, cursor.headerValueEnd)
        header.append()
      }
    }
    headers.append()
  }
}

type SystemBuilders = ReturnType<typeof systemBuilders>

function systemBuilders(arena: Arena): {
  offset: Int64Builder
  timestamp: Int64Builder
  timestampType: Int32Builder
  key: BytesBuilder
  headerKey: BytesBuilder
  headerValue: BytesBuilder
  header: StructBuilder
  headers: ListBuilder
  crc: Int32Builder
  state: BytesBuilder
  raw: BytesBuilder
  schemaId: Int32Builder
  keySchemaId: Int32Builder
} {
  const headerKey = new BytesBuilder(arena)
  const headerValue = new BytesBuilder(arena)
  const header = new StructBuilder([
    { name: 'key', builder: headerKey },
    { name: 'value', builder: headerValue },
  ])
  return {
    offset: new Int64Builder(),
    timestamp: new Int64Builder(),
    timestampType: new Int32Builder(),
    key: new BytesBuilder(arena),
    headerKey,
    headerValue,
    header,
    headers: new ListBuilder(header),
    crc: new Int32Builder(),
    state: new BytesBuilder(arena),
    raw: new BytesBuilder(arena),
    schemaId: new Int32Builder(),
    keySchemaId: new Int32Builder(),
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

function idAt(ids: Ids, index: number): number {
  return typeof ids === 'number' ? ids : ids[index]!
}

/** How far into the batch an offset lies, at least 0 and at most just past its end. */
function deltaIn(header: BatchHeader, offset: bigint): number {
  const delta = offset - header.baseOffset
  if (delta <= 0n) return 0
  return delta > BigInt(header.lastOffsetDelta) ? header.lastOffsetDelta + 1 : Number(delta)
}
