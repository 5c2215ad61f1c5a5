import { corrupt, isKind, isValid } from '@moulin/core'
import type { Codec, Column, ColumnBatch, Fidelity, SchemaLedger } from '@moulin/core'
import { floorMillis } from '@moulin/format'
import type { BatchFramer, ParquetFile } from '@moulin/format'
import { isOwnFile } from '../table/data-files.ts'
import { columnOf } from '../places/identity-rows.ts'
import type { SystemColumn } from '../table/system-columns.ts'
import type { TableColumns } from '../table/table-layout.ts'
import { ValueSource } from './value-source.ts'

const NOTHING = new Uint8Array(0)
const MICROS_PER_MS = 1000
const HALF = 4294967296

/**
 * Gives rows their bytes back. Columns win over raw: bytes that are kept beside the columns count only while the columns
 * say the same, so after an UPDATE in SQL nobody gets the old value. What comes out is held against the row's checksum. Rows
 * are framed from where the columns lie: none becomes an object.
 */
export class RecordDecoder {
  readonly #batch: ColumnBatch
  readonly #columns: TableColumns
  readonly #file: ParquetFile
  readonly #isOwn: boolean
  readonly #rowCrc: boolean
  readonly #codecs: ReadonlyMap<number, Codec>
  /** Ids of schemas that the ledger does not give: nothing of the file is damaged, and nobody knows what their values are. */
  readonly #unknown: ReadonlySet<number>
  readonly #system: SystemSources
  /** Halves of the timestamps, low first. */
  readonly #times: Int32Array
  readonly #sources = new Map<number, ValueSource | undefined>()
  /** The value columns that the table still has. */
  #values: readonly Column[] | undefined
  #lastId = -1
  #lastSource: ValueSource | undefined
  #stateStart = -1
  #stateEnd = -1
  #state = ''
  timestampHigh = 0
  timestampLow = 0
  /** Why the row framed last does not say what its record was, undefined where it does. */
  fault: string | undefined
  /** Whether a record may have the time and type that the row says: what a log writes is read back as it is. */
  isTimeOfRecord = true

  private constructor(parts: DecoderParts, codecs: ReadonlyMap<number, Codec>, unknown: ReadonlySet<number>) {
    this.#batch = parts.batch
    this.#columns = parts.columns
    this.#file = parts.file
    this.#isOwn = isOwnFile(parts.file, parts.logId)
    this.#rowCrc = parts.rowCrc
    this.#codecs = codecs
    this.#unknown = unknown
    this.#system = systemSources(parts.batch, parts.columns)
    const times = this.#system.timestamp?.values ?? new BigInt64Array(0)
    this.#times = new Int32Array(times.buffer, times.byteOffset, times.length * 2)
  }

  /** Fetches the codecs that the rows need from the schema ledger. */
  static async over(parts: DecoderParts): Promise<RecordDecoder> {
    const { batch, columns, schemas } = parts
    const ids = columnOf(batch, columns, '_kafka_schema_id')
    const codecs = new Map<number, Codec>()
    const unknown = new Set<number>()
    for (const id of ids?.storage === 'int32' ? distinct(ids.values) : []) {
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
    return intAt(this.#system.schemaId, row, 0)
  }

  keySchemaId(row: number): number {
    return intAt(this.#system.keySchemaId, row, 0)
  }

  /** Milliseconds, downwards, into {@link timestampHigh} and {@link timestampLow}; −1 for none. */
  readTimestamp(row: number): void {
    const column = this.#system.timestamp
    const type = intAt(this.#system.timestampType, row, -1)
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
   * Adds key, value and headers of the row to the record that the framer is at. Returns whether the value is not known to
   * be the one that was sent, unless the checksum says so. Where SQL left the row without what a record needs, {@link fault}
   * says what, and a null value or an empty header key stands in.
   */
  frame(row: number, framer: BatchFramer): boolean {
    this.fault = undefined
    const { key } = this.#system
    if (key === undefined || !isValid(key, row)) framer.nullable(NOTHING, -1, -1)
    else framer.nullable(key.data, key.starts[row]!, key.ends[row]!)
    const isDegraded = this.#frameValue(row, framer)
    this.#frameHeaders(row, framer)
    return isDegraded || this.fault !== undefined
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
    if (column.values[row] === crc) return 'exact'
    // In a file of ours only a column that the table has lost, or a schema that the ledger does not give, excuses it.
    const isExcused = isDegraded && (this.#columns.lacksValues || this.#unknown.has(this.valueSchemaId(row)))
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

  #frameValue(row: number, framer: BatchFramer): boolean {
    const state = this.#stateAt(row)
    const id = this.valueSchemaId(row)
    const source = this.#source(id)
    const isTyped = state === 'typed' || state === 'typed+raw'
    const isInColumns = isTyped || (source === undefined ? this.#hasValue(row) : source.hasValue(row))
    if (!isInColumns) {
      // Only where the row says that there is no value is it a tombstone: SQL may have nulled the state of any other.
      if (this.#frameRaw(row, framer) || state === 'null' || state === 'raw') return false
      this.fault = `it has no value, and _kafka_value_state is ${state ?? 'null'}, which does not say that it had none.`
      return true
    }
    if (source === undefined) {
      // Nobody can tell whether kept bytes still are what the columns say, but in a file that never changes.
      if (this.#isOwn && this.#hasRaw(row)) return !this.#frameRaw(row, framer)
      this.fault = `its value is in columns, and _kafka_schema_id is ${id}, which is no schema of theirs.`
      framer.nullable(NOTHING, -1, -1)
      return true
    }
    const { raw } = this.#system
    const hasRaw = this.#hasRaw(row)
    if (source.lacksColumns) {
      // The kept bytes are all that is left of a column that was dropped.
      if (hasRaw) return !this.#frameRaw(row, framer)
      if (!source.frame(row, framer)) this.#frameNothing(source, framer)
      return true
    }
    const mayKeep = state === 'typed+raw' || state === undefined
    if (hasRaw && mayKeep) return this.#frameEither(row, raw!, source, framer)
    if (source.frame(row, framer)) return false
    this.#frameNothing(source, framer)
    return true
  }

  #hasValue(row: number): boolean {
    const columns = (this.#values ??= this.#columns.valueNames.flatMap(
      (name) => columnOf(this.#batch, this.#columns, name) ?? [],
    ))
    return columns.some((column) => isValid(column, row))
  }

  // Not the kept bytes: they are of the value before SQL changed it, and their checksum would be right.
  #frameNothing({ fault }: ValueSource, framer: BatchFramer): void {
    this.fault = fault
    framer.nullable(NOTHING, -1, -1)
  }

  // Columns win over raw: the kept bytes count only while they say the same.
  #frameEither(row: number, raw: Of<'bytes'>, source: ValueSource, framer: BatchFramer): boolean {
    const kept = raw.data.subarray(raw.starts[row], raw.ends[row])
    const encoded = source.encode(row)
    if (encoded === undefined) {
      this.#frameNothing(source, framer)
      return true
    }
    const bytes = source.isSame(kept, encoded) ? kept : encoded
    framer.nullable(bytes, 0, bytes.length)
    return false
  }

  #hasRaw(row: number): boolean {
    const { raw } = this.#system
    return raw !== undefined && isValid(raw, row)
  }

  #frameRaw(row: number, framer: BatchFramer): boolean {
    const { raw } = this.#system
    const isThere = this.#hasRaw(row)
    if (isThere) framer.nullable(raw!.data, raw!.starts[row]!, raw!.ends[row]!)
    else framer.nullable(NOTHING, -1, -1)
    return isThere
  }

  #frameHeaders(row: number, framer: BatchFramer): void {
    const { headers } = this.#system
    const isThere = headers !== undefined && isValid(headers.list, row)
    const start = isThere ? headers.list.offsets[row]! : 0
    const end = isThere ? headers.list.offsets[row + 1]! : 0
    framer.headerCount(end - start)
    for (let at = start; at < end; at++) {
      const { key, value } = headers!
      if (isValid(key, at)) framer.headerKey(key.data, key.starts[at]!, key.ends[at]!)
      else {
        this.fault = `header ${at - start} is null or has no key.`
        framer.headerKey(NOTHING, 0, 0)
      }
      if (isValid(value, at)) framer.nullable(value.data, value.starts[at]!, value.ends[at]!)
      else framer.nullable(NOTHING, -1, -1)
    }
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
  readonly file: ParquetFile
  readonly logId: string
  readonly rowCrc: boolean
  readonly schemas: SchemaLedger
}

type Of<S extends Column['storage']> = Extract<Column, { storage: S }>

interface SystemSources {
  readonly key: Of<'bytes'> | undefined
  readonly headers: HeaderSource | undefined
  readonly timestamp: Of<'int64'> | undefined
  readonly timestampType: Of<'int32'> | undefined
  readonly crc: Of<'int32'> | undefined
  readonly state: Of<'bytes'> | undefined
  readonly raw: Of<'bytes'> | undefined
  readonly schemaId: Of<'int32'> | undefined
  readonly keySchemaId: Of<'int32'> | undefined
}

interface HeaderSource {
  readonly list: Of<'list'>
  readonly key: Of<'bytes'>
  readonly value: Of<'bytes'>
}

function systemSources(batch: ColumnBatch, columns: TableColumns): SystemSources {
  const of = <S extends Column['storage']>(name: SystemColumn, storage: S): Of<S> | undefined => {
    const column = columnOf(batch, columns, name)
    return column?.storage === storage ? (column as Of<S>) : undefined
  }
  return {
    key: of('_kafka_key', 'bytes'),
    headers: headerSource(of('_kafka_headers', 'list')),
    timestamp: of('_kafka_timestamp', 'int64'),
    timestampType: of('_kafka_timestamp_type', 'int32'),
    crc: of('_kafka_crc', 'int32'),
    state: of('_kafka_value_state', 'bytes'),
    raw: of('_kafka_value', 'bytes'),
    schemaId: of('_kafka_schema_id', 'int32'),
    keySchemaId: of('_kafka_key_schema_id', 'int32'),
  }
}

function headerSource(list: Of<'list'> | undefined): HeaderSource | undefined {
  if (list?.element.storage !== 'struct') return undefined
  const [key, value] = list.element.fields.map(({ column }) => column)
  return key?.storage === 'bytes' && value?.storage === 'bytes' ? { list, key, value } : undefined
}

function intAt(column: Of<'int32'> | undefined, row: number, none: number): number {
  return column !== undefined && isValid(column, row) ? column.values[row]! : none
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
