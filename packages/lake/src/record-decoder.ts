import { corrupt, isKind, isValid } from '@moulin/core'
import type { Codec, Column, ColumnBatch, Fidelity, Header, SchemaLedger } from '@moulin/core'
import { recordCrcOf } from '@moulin/format'
import type { ParquetFile } from '@moulin/format'
import { Arena } from '@moulin/core'
import { isOwnFile } from './data-files.ts'
import { columnOf } from './identity-rows.ts'
import type { TableColumns } from './table-layout.ts'

/** A row on its way back into a record batch. */
export interface ColdRecord {
  readonly offset: bigint
  readonly timestamp: bigint
  readonly timestampType: 'create' | 'append'
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
  readonly fidelity: Fidelity
  readonly valueSchemaId: number
  readonly keySchemaId: number
}

/**
 * Gives rows their bytes back. Columns win over raw: bytes that are kept beside the columns count only while the columns
 * say the same, so after an UPDATE in SQL nobody gets the old value. What comes out is held against the row's checksum.
 */
export class RecordDecoder {
  readonly #batch: ColumnBatch
  readonly #columns: TableColumns
  readonly #file: ParquetFile
  readonly #isOwn: boolean
  readonly #rowCrc: boolean
  readonly #codecs: ReadonlyMap<number, Codec>
  readonly #valueColumns = new Map<number, ValueSource | undefined>()
  readonly #system: SystemSources

  private constructor(parts: DecoderParts, codecs: ReadonlyMap<number, Codec>) {
    this.#batch = parts.batch
    this.#columns = parts.columns
    this.#file = parts.file
    this.#isOwn = isOwnFile(parts.file, parts.logId)
    this.#rowCrc = parts.rowCrc
    this.#codecs = codecs
    this.#system = systemSources(parts.batch, parts.columns)
  }

  /** Fetches the codecs that the rows need from the schema ledger. */
  static async over(parts: DecoderParts): Promise<RecordDecoder> {
    const { batch, columns, schemas } = parts
    const ids = columnOf(batch, columns, '_kafka_schema_id')
    const codecs = new Map<number, Codec>()
    for (const id of new Set(ids?.storage === 'int32' ? ids.values : [])) {
      // A null's slot holds anything, and rows of a topic without columns need no codec.
      if (id === 0 || columns.valueNames.length === 0) continue
      try {
        codecs.set(id, await schemas.codec(id))
      } catch (error) {
        if (!isKind(error, 'not-found')) throw error
      }
    }
    return new RecordDecoder(parts, codecs)
  }

  /** @throws `corrupt` naming file and row when a file of our own does not give back what was put there. */
  record(row: number, offset: bigint): ColdRecord {
    const { key, headers, timestamp, timestampType, crc, schemaId, keySchemaId } = this.#system
    const id = intAt(schemaId, row) ?? 0
    const micros = longAt(timestamp, row)
    const value = this.#value(row, id)
    const body = { key: bytesAt(key, row), value: value.bytes, headers: headersAt(headers, row) }
    return {
      offset,
      timestamp: micros === undefined ? -1n : floorMillis(micros),
      timestampType: intAt(timestampType, row) === 1 ? 'append' : 'create',
      ...body,
      fidelity: this.#judge(row, offset, body, value.isDegraded, intAt(crc, row)),
      valueSchemaId: id,
      keySchemaId: intAt(keySchemaId, row) ?? 0,
    }
  }

  #judge(
    row: number,
    offset: bigint,
    body: Pick<ColdRecord, 'key' | 'value' | 'headers'>,
    isDegraded: boolean,
    crc: number | undefined,
  ): Fidelity {
    if (crc === undefined) {
      // Without a checksum only the file vouches for the row.
      if (this.#isOwn) return isDegraded ? 'degraded' : 'exact'
      return isDegraded ? 'degraded' : this.#rowCrc ? 'rewritten' : 'exact'
    }
    if (recordCrcOf(body) === crc) return 'exact'
    // In a file of ours only a column that the table has lost excuses it.
    if (this.#isOwn && !(isDegraded && this.#columns.lacksValues)) throw this.#damaged(row, offset)
    return isDegraded ? 'degraded' : 'rewritten'
  }

  #damaged(row: number, offset: bigint): Error {
    const { name } = this.#file
    const message =
      `Row ${row} of the rows read from ${name} (offset ${offset}) does not match its checksum: ` +
      'the file was written by this log and never changes, so it is damaged.'
    return corrupt('ROW_CHECKSUM', message, { context: { file: name, offset, row } })
  }

  #value(row: number, id: number): { readonly bytes: Uint8Array | null; readonly isDegraded: boolean } {
    const raw = bytesAt(this.#system.raw, row)
    const state = textAt(this.#system.state, row)
    const source = this.#source(id)
    const hasColumns =
      source !== undefined && source.columns.some((column) => column !== undefined && isValid(column, row))
    if (source === undefined || (!hasColumns && state !== 'typed' && state !== 'typed+raw')) {
      const needsColumns = state === 'typed' && raw === null
      return { bytes: raw, isDegraded: needsColumns }
    }
    if (source.lacks.length > 0) return this.#withoutColumn(source, row, raw)
    const encoded = source.encode(row)
    if (encoded === undefined) return { bytes: raw, isDegraded: true }
    if (raw === null || state !== 'typed+raw') return { bytes: encoded, isDegraded: false }
    const fromRaw = source.canonical(raw)
    const isUntouched = fromRaw !== undefined && Buffer.compare(fromRaw, encoded) === 0
    return { bytes: isUntouched ? raw : encoded, isDegraded: false }
  }

  // The kept bytes are all that is left of a column that was dropped.
  #withoutColumn(
    source: ValueSource,
    row: number,
    raw: Uint8Array | null,
  ): { bytes: Uint8Array | null; isDegraded: boolean } {
    if (raw !== null) return { bytes: raw, isDegraded: false }
    return { bytes: source.encode(row) ?? null, isDegraded: true }
  }

  #source(id: number): ValueSource | undefined {
    if (this.#valueColumns.has(id)) return this.#valueColumns.get(id)
    const codec = this.#codecs.get(id)
    const source = codec?.columnar === undefined ? undefined : new ValueSource(codec, this.#batch, this.#columns)
    this.#valueColumns.set(id, source)
    return source
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

/** The value columns of one schema, and back to bytes. */
class ValueSource {
  readonly columns: readonly (Column | undefined)[]
  /** Names of columns that the table has no more. */
  readonly lacks: readonly string[]
  readonly #codec: Codec
  readonly #filled: readonly Column[]
  #target = new Uint8Array(4096)

  constructor(codec: Codec, batch: ColumnBatch, columns: TableColumns) {
    this.#codec = codec
    const names = codec.schema.fields.map(({ name }) => name)
    this.columns = names.map((name) => columnOf(batch, columns, name))
    this.lacks = names.filter((name) => columns.byName.get(name) === undefined)
    const arena = new Arena()
    // A column that the file lacks is all null.
    this.#filled = codec.columnar!.builders(arena).map((builder, at) => {
      const column = this.columns[at]
      if (column !== undefined) return column
      for (let row = 0; row < batch.length; row++) builder.appendNull()
      return builder.finish()
    })
  }

  /** Canonical bytes of the row; undefined when a required column is null. */
  encode(row: number): Uint8Array | undefined {
    return this.#encode(this.#filled, row)
  }

  /** Canonical bytes of the value that these bytes encode; undefined when they do not decode. */
  canonical(bytes: Uint8Array): Uint8Array | undefined {
    const arena = new Arena(bytes.length + 64)
    const builders = this.#codec.columnar!.builders(arena)
    const start = arena.append(bytes)
    const fidelity = this.#codec.columnar!.decodeRow(arena, start, start + bytes.length, builders)
    if (fidelity === 'unreadable') return undefined
    return this.#encode(
      builders.map((builder) => builder.finish()),
      0,
    )
  }

  #encode(columns: readonly Column[], row: number): Uint8Array | undefined {
    try {
      for (;;) {
        const end = this.#codec.columnar!.encodeRow(columns, row, this.#target, 0)
        if (end >= 0) return this.#target.slice(0, end)
        this.#target = new Uint8Array(this.#target.length * 2)
      }
    } catch (error) {
      if (isKind(error, 'invalid')) return undefined
      throw error
    }
  }
}

type SystemSources = ReturnType<typeof systemSources>

function systemSources(
  batch: ColumnBatch,
  columns: TableColumns,
): {
  readonly key: Column | undefined
  readonly headers: Column | undefined
  readonly timestamp: Column | undefined
  readonly timestampType: Column | undefined
  readonly crc: Column | undefined
  readonly state: Column | undefined
  readonly raw: Column | undefined
  readonly schemaId: Column | undefined
  readonly keySchemaId: Column | undefined
} {
  return {
    key: columnOf(batch, columns, '_kafka_key'),
    headers: columnOf(batch, columns, '_kafka_headers'),
    timestamp: columnOf(batch, columns, '_kafka_timestamp'),
    timestampType: columnOf(batch, columns, '_kafka_timestamp_type'),
    crc: columnOf(batch, columns, '_kafka_crc'),
    state: columnOf(batch, columns, '_kafka_value_state'),
    raw: columnOf(batch, columns, '_kafka_value'),
    schemaId: columnOf(batch, columns, '_kafka_schema_id'),
    keySchemaId: columnOf(batch, columns, '_kafka_key_schema_id'),
  }
}

function intAt(column: Column | undefined, row: number): number | undefined {
  return column?.storage === 'int32' && isValid(column, row) ? column.values[row]! : undefined
}

function longAt(column: Column | undefined, row: number): bigint | undefined {
  return column?.storage === 'int64' && isValid(column, row) ? column.values[row]! : undefined
}

function bytesAt(column: Column | undefined, row: number): Uint8Array | null {
  if (column?.storage !== 'bytes' || !isValid(column, row)) return null
  return column.data.subarray(column.starts[row], column.ends[row])
}

function textAt(column: Column | undefined, row: number): string | undefined {
  const bytes = bytesAt(column, row)
  return bytes === null ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

function headersAt(column: Column | undefined, row: number): Header[] {
  if (column?.storage !== 'list' || !isValid(column, row) || column.element.storage !== 'struct') return []
  const [key, value] = column.element.fields
  const headers: Header[] = []
  for (let at = column.offsets[row]!; at < column.offsets[row + 1]!; at++) {
    const name = bytesAt(key!.column, at) ?? new Uint8Array(0)
    headers.push([Buffer.from(name.buffer, name.byteOffset, name.length).toString('utf8'), bytesAt(value!.column, at)])
  }
  return headers
}

function floorMillis(micros: bigint): bigint {
  const millis = micros / 1000n
  return micros % 1000n < 0n ? millis - 1n : millis
}
