import { corrupt, isKind, isValid } from '@moulin/core'
import type { Codec, Column, ColumnBatch, Fidelity, SchemaLedger } from '@moulin/core'
import { floorMillis, nullableSize } from '@moulin/format'
import type { BatchFramer } from '@moulin/format'
import type { LiveFile } from '@moulin/iceberg'
import { isOwnFile } from '../live/data-files.ts'
import type { TopicIds } from '../live/data-files.ts'
import { columnOf } from '../places/identity-rows.ts'
import type { TableColumns } from '../table/table-layout.ts'
import { RowBlock } from './row-block.ts'
import { intAt, systemSources } from './system-sources.ts'
import type { Of, SystemSources } from './system-sources.ts'
import { hasValueAt, ValueSource } from './value-source.ts'

const MICROS_PER_MS = 1000
const HALF = 4294967296

/** For a row that is framed alone. */
const lone = new RowBlock(1)

/**
 * Gives rows their bytes back. Columns win over raw: bytes that are kept beside the columns count only while the columns
 * say the same, so after an UPDATE in SQL nobody gets the old value. What comes out is held against the row's checksum. Rows
 * are framed from where the columns lie, a block at a time, and the values of a block a column at a time: none becomes an
 * object.
 */
export class RecordDecoder {
  readonly #batch: ColumnBatch
  readonly #columns: TableColumns
  readonly #file: Pick<LiveFile, 'keyValue' | 'name'>
  readonly #isOwn: boolean
  readonly #rowCrc: boolean
  readonly #codecs: ReadonlyMap<number, Codec>
  /** Ids of schemas that the ledger does not give: nothing of the file is damaged, and nobody knows what their values are. */
  readonly #unknown: ReadonlySet<number>
  /** The table has a part of all records no more; what it had in some of them, their checksums may still tell. */
  readonly #lacksParts: boolean
  /** The same of what no checksum tells. */
  readonly #lacksIds: boolean
  /** Schema of all values, where their rows do not say it any more. */
  readonly #onlySchemaId: number | undefined
  readonly #system: SystemSources
  /** Halves of the timestamps, low first. */
  readonly #times: Int32Array
  readonly #sources = new Map<number, ValueSource | undefined>()
  /** What stands in for the type of a timestamp; -1 is none that a record has. */
  readonly #noType: number
  /** The value columns that the table still has. */
  #values: readonly Column[] | undefined
  #lastId = -1
  #lastSource: ValueSource | undefined
  #stateStart = -1
  #stateEnd = -1
  #state = ''
  /** What every row's value is in and nowhere else; undefined where rows differ. */
  readonly #all: ValueSource | undefined
  timestampHigh = 0
  timestampLow = 0
  /** Whether a record may have the time and type that the row says: what a log writes is read back as it is. */
  isTimeOfRecord = true

  private constructor(parts: DecoderParts, codecs: ReadonlyMap<number, Codec>, unknown: ReadonlySet<number>) {
    this.#batch = parts.batch
    this.#columns = parts.columns
    this.#file = parts.file
    this.#isOwn = isOwnFile(parts.file, parts.topic)
    this.#rowCrc = parts.rowCrc
    this.#codecs = codecs
    this.#unknown = unknown
    const isGone = (path: string): boolean => parts.columns.gone.includes(path)
    this.#lacksParts = parts.rowCrc ? parts.columns.lacksSystem : parts.columns.gone.some(isPartOfRecord)
    this.#lacksIds = isGone('_kafka_schema_id') || isGone('_kafka_key_schema_id')
    this.#onlySchemaId = onlySchemaId(parts)
    this.#noType = isGone('_kafka_timestamp_type') ? 0 : -1
    this.#system = systemSources(parts.batch, parts.columns)
    const times = this.#system.timestamp?.values ?? new BigInt64Array(0)
    this.#times = new Int32Array(times.buffer, times.byteOffset, times.length * 2)
    const { state, schemaId } = this.#system
    const source = isConstant(state) && isConstant(schemaId) ? this.#source(this.valueSchemaId(0)) : undefined
    this.#all = source?.lacksColumns === false && this.#stateAt(0) === 'typed' ? source : undefined
  }

  /** Fetches the codecs that the rows need from the schema ledger. */
  static async over(parts: DecoderParts): Promise<RecordDecoder> {
    const { batch, columns, schemas } = parts
    const ids = columnOf(batch, columns, '_kafka_schema_id')
    const codecs = new Map<number, Codec>()
    const unknown = new Set<number>()
    const only = onlySchemaId(parts)
    for (const id of only === undefined && ids?.storage === 'int32' ? distinct(ids.values) : [only ?? 0]) {
      // A null's slot holds anything.
      if (id === 0) continue
      try {
        codecs.set(id, await schemas.codec(id))
      } catch (error) {
        if (!isKind(error, 'not-found') && !isKind(error, 'unsupported')) throw error
        unknown.add(id)
      }
    }
    return new RecordDecoder(parts, codecs, unknown)
  }

  isAppendTime(row: number): boolean {
    return intAt(this.#system.timestampType, row, 0) === 1
  }

  valueSchemaId(row: number): number {
    return this.#onlySchemaId ?? intAt(this.#system.schemaId, row, 0)
  }

  keySchemaId(row: number): number {
    return intAt(this.#system.keySchemaId, row, 0)
  }

  /** Milliseconds, downwards, into {@link timestampHigh} and {@link timestampLow}; −1 for none. */
  readTimestamp(row: number): void {
    const column = this.#system.timestamp
    const type = intAt(this.#system.timestampType, row, this.#noType)
    this.isTimeOfRecord = type === 0 || type === 1
    if (column === undefined || !isValid(column, row)) {
      this.timestampHigh = this.timestampLow = -1
      return
    }
    const micros = this.#times[row * 2 + 1]! * HALF + (this.#times[row * 2]! >>> 0)
    if (Number.isSafeInteger(micros)) {
      let ms = Math.floor(micros / MICROS_PER_MS)
      // The quotient may have been rounded up to an integer.
      if (ms * MICROS_PER_MS > micros) ms--
      this.timestampHigh = Math.floor(ms / HALF) | 0
      this.timestampLow = ms | 0
      this.isTimeOfRecord &&= ms !== -1 && ms * MICROS_PER_MS === micros
    } else {
      const exact = (column as Of<'int64'>).values[row]!
      const ms = floorMillis(exact)
      this.isTimeOfRecord &&= ms * 1000n === exact
      this.timestampHigh = Number(BigInt.asIntN(32, ms >> 32n))
      this.timestampLow = Number(BigInt.asIntN(32, ms))
    }
  }

  /**
   * Looks where the value of a row of the block lies, and how large it is where it is not in columns: those are asked by
   * `block.measureColumns`, all at once. Where SQL left the row without what a record needs, the block's faults say what,
   * and a null value or an empty header key stands in.
   */
  look(block: RowBlock, at: number): void {
    block.isDegraded[at] = this.#lacksParts ? 1 : 0
    block.sources[at] = this.#all
    if (this.#all === undefined) this.#look(block, at)
  }

  /**
   * Adds a row that was measured as the framer's next record. A value in columns is left out: `block.writeColumns`, before
   * the batch ends, puts it where there is room for it.
   */
  frame(block: RowBlock, at: number, framer: BatchFramer, delta: number, high: number, low: number): void {
    const row = block.rows[at]!
    const size = block.sizes[at]!
    const source = block.sources[at]
    const { key, raw, headers } = this.#system
    const hasKey = key !== undefined && isValid(key, row)
    const keyBytes = hasKey ? key.ends[row]! - key.starts[row]! : -1
    const headerBytes = headers === undefined ? 1 : headers.sizeOf(row)
    framer.beginRecord(nullableSize(keyBytes) + nullableSize(size) + headerBytes, delta, high, low)
    if (hasKey) framer.bytes(key.data, key.starts[row]!, key.ends[row]!)
    else framer.null()
    if (source !== undefined) block.places[at] = framer.reserve(size)
    else if (size >= 0) framer.bytes(raw!.data, raw!.starts[row]!, raw!.ends[row]!)
    else framer.null()
    if (headers === undefined || headerBytes === 1) return framer.headerCount(0)
    const fault = headers.frame(row, framer)
    if (fault !== undefined) block.fail(at, fault)
  }

  /** Adds the row as a record whose place in the batch says nothing. Returns whether it is degraded. */
  frameAlone(row: number, framer: BatchFramer): boolean {
    lone.rows[0] = row
    lone.length = 1
    lone.faults.clear()
    this.look(lone, 0)
    lone.measureColumns()
    this.frame(lone, 0, framer, 0, 0, 0)
    lone.writeColumns(0, 1, framer.target)
    lone.sources[0] = undefined
    return lone.isDegraded[0] === 1
  }

  /** Whether the row has this checksum. */
  matches(row: number, crc: number): boolean {
    const column = this.#system.crc
    return column !== undefined && column.values[row] === crc && isValid(column, row)
  }

  /** Undefined where the row has none. */
  crc(row: number): number | undefined {
    const column = this.#system.crc
    return column !== undefined && isValid(column, row) ? column.values[row] : undefined
  }

  /**
   * What the checksum of the framed row says.
   * @throws `corrupt` naming file and row when a file of our own does not give back what was put there.
   */
  judge(row: number, offset: bigint, crc: number, isDegraded: boolean): Fidelity {
    const column = this.#system.crc
    if (column === undefined || !isValid(column, row)) {
      // Without a checksum only the file vouches for the row.
      if (this.#isOwn) return isDegraded ? 'degraded' : 'exact'
      return isDegraded ? 'degraded' : this.#rowCrc ? 'rewritten' : 'exact'
    }
    if (column.values[row] === crc) return this.#lacksIds ? 'degraded' : 'exact'
    // In a file of ours only a column that the table has lost, or a schema that the ledger does not give, excuses it.
    const lacksColumns = this.#columns.lacksValues || this.#lacksParts
    const isExcused = isDegraded && (lacksColumns || this.#unknown.has(this.valueSchemaId(row)))
    if (this.#isOwn && !isExcused) throw this.#damaged(row, offset)
    return isDegraded ? 'degraded' : 'rewritten'
  }

  #damaged(row: number, offset: bigint): Error {
    const { name } = this.#file
    const message =
      `Row ${row} of the rows read from ${name} (offset ${offset}) does not match its checksum: ` +
      'the file was written by this log and never changes, so it is damaged.'
    return corrupt('ROW_CHECKSUM', message, { context: { file: name, offset, row } })
  }

  #look(block: RowBlock, at: number): void {
    const row = block.rows[at]!
    const state = this.#stateAt(row)
    const id = this.valueSchemaId(row)
    const source = this.#source(id)
    const isTyped = state === 'typed' || state === 'typed+raw'
    const isInColumns = isTyped || (source === undefined ? this.#hasValue(row) : source.hasValue(row))
    if (!isInColumns) {
      // Only where the row says that there is no value is it a tombstone: SQL may have nulled the state of any other.
      if (this.#takeRaw(block, at) || state === 'null') return
      const isRawGone = this.#columns.gone.includes('_kafka_value')
      if (state === 'raw' && !isRawGone) return
      const why = isRawGone
        ? 'its value was in _kafka_value, which the table has no more.'
        : `it has no value, and _kafka_value_state is ${state ?? 'null'}, which does not say that it had none.`
      return block.fail(at, why)
    }
    const hasRaw = this.#hasRaw(row)
    if (source === undefined) {
      // Nobody can tell whether kept bytes still are what the columns say, but in a file that never changes.
      if (this.#isOwn && hasRaw) return void this.#takeRaw(block, at)
      block.sizes[at] = -1
      return block.fail(at, `its value is in columns, and _kafka_schema_id is ${id}, which is no schema of theirs.`)
    }
    if (source.lacksColumns && hasRaw) {
      // The kept bytes are all that is left of a column that was dropped, while they say what the others do.
      if (this.#isOwn || source.agrees(row, this.#rawOf(row))) return void this.#takeRaw(block, at)
    }
    if (source.lacksColumns) block.isDegraded[at] = 1
    const mayKeep = (state === 'typed+raw' || state === undefined) && !source.lacksColumns
    if (hasRaw && mayKeep && this.#isKept(row, source)) this.#takeRaw(block, at)
    else block.sources[at] = source
  }

  #hasValue(row: number): boolean {
    const columns = (this.#values ??= this.#columns.valueNames.flatMap(
      (name) => columnOf(this.#batch, this.#columns, name) ?? [],
    ))
    return columns.some((column) => hasValueAt(column, row))
  }

  // Columns win over raw: the kept bytes count only while they say the same. Where the columns have no encoding they are of
  // the value before SQL changed it, and their checksum would be right.
  #isKept(row: number, source: ValueSource): boolean {
    const encoded = source.encode(row)
    return encoded !== undefined && source.isSame(this.#rawOf(row), encoded)
  }

  #rawOf(row: number): Uint8Array {
    const { data, starts, ends } = this.#system.raw!
    return data.subarray(starts[row], ends[row])
  }

  #hasRaw(row: number): boolean {
    const { raw } = this.#system
    return raw !== undefined && isValid(raw, row)
  }

  // Whether there is any; null stands in.
  #takeRaw(block: RowBlock, at: number): boolean {
    const row = block.rows[at]!
    const isThere = this.#hasRaw(row)
    block.sizes[at] = isThere ? this.#system.raw!.ends[row]! - this.#system.raw!.starts[row]! : -1
    return isThere
  }

  // Most rows share their state, and the bytes of it.
  #stateAt(row: number): string | undefined {
    const { state } = this.#system
    if (state === undefined || !isValid(state, row)) return undefined
    const start = state.starts[row]!
    const end = state.ends[row]!
    if (start !== this.#stateStart || end !== this.#stateEnd) {
      this.#stateStart = start
      this.#stateEnd = end
      this.#state = Buffer.from(state.data.subarray(start, end)).toString('latin1')
    }
    return this.#state
  }

  #source(id: number): ValueSource | undefined {
    if (id === this.#lastId) return this.#lastSource
    if (!this.#sources.has(id)) {
      // Rows of a topic without columns need no codec.
      const codec = this.#columns.valueNames.length > 0 ? this.#codecs.get(id) : undefined
      const source = codec?.columnar === undefined ? undefined : new ValueSource(codec, this.#batch, this.#columns)
      this.#sources.set(id, source)
    }
    this.#lastId = id
    return (this.#lastSource = this.#sources.get(id))
  }
}

export interface DecoderParts {
  readonly batch: ColumnBatch
  readonly columns: TableColumns
  readonly file: Pick<LiveFile, 'keyValue' | 'name'>
  readonly topic: TopicIds
  readonly rowCrc: boolean
  /** Of the topic. */
  readonly valueSchemaId: number
  readonly schemas: SchemaLedger
}

/** Without checksums nobody misses them. */
const isPartOfRecord = (path: string): boolean => path.startsWith('_kafka_') && path !== '_kafka_crc'

/** All values of a topic that are in columns are of one schema. */
function onlySchemaId({ columns, valueSchemaId }: DecoderParts): number | undefined {
  return columns.gone.includes('_kafka_schema_id') ? valueSchemaId : undefined
}

/** Whether all rows are seen at a glance to have the same value, which is not null. */
function isConstant(column: Of<'bytes'> | Of<'int32'> | undefined): boolean {
  if (column === undefined || column.length === 0 || column.validity !== undefined) return false
  return column.storage === 'int32' ? isSame(column.values) : isSame(column.starts) && isSame(column.ends)
}

function isSame(values: Int32Array): boolean {
  for (let at = 1; at < values.length; at++) if (values[at] !== values[0]) return false
  return true
}

function distinct(values: Int32Array): Set<number> {
  const found = new Set<number>()
  let last: number | undefined
  for (let at = 0; at < values.length; at++) {
    if (values[at] === last) continue
    last = values[at]!
    found.add(last)
  }
  return found
}
