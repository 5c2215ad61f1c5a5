import { columnsOf, invalid, shown, throwIfAborted, unsupported } from '@moulin/core'
import type { BatchRun, ColdContext, ColdTopicInfo, Scan, ScanOptions, StoredRecord } from '@moulin/core'
import { ownRecords } from './cut-run.ts'
import { rowMatches } from './row-matches.ts'

type Row = Record<string, unknown>

/** Records of one incarnation, on their way to a scan. */
export interface ScannedRun {
  readonly incarnation: number
  readonly run: BatchRun
}

export interface MemoryScanParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  /** Every run of one cut, which is fixed when the first is asked for. */
  readonly runs: () => AsyncIterable<ScannedRun>
}

/** Makes the cell of a row. */
type Cell = (record: StoredRecord, of: { readonly incarnation: number; readonly schemaId: number }) => unknown

const system: Readonly<Record<string, Cell>> = {
  _kafka_partition: ({ partition }) => partition,
  _kafka_offset: ({ offset }) => offset,
  _kafka_incarnation: (_, { incarnation }) => incarnation,
  _kafka_timestamp: ({ timestamp }) => (timestamp === -1n ? null : new Date(Number(timestamp))),
  _kafka_timestamp_type: ({ timestampType }) => (timestampType === 'append' ? 1 : 0),
  _kafka_key: ({ key }) => key,
  _kafka_headers: ({ headers }) => headers.map(([key, value]) => ({ key, value })),
  _kafka_crc: () => null,
  _kafka_value_state: ({ bytes }) => (bytes === null ? 'null' : 'raw'),
  _kafka_value: ({ bytes }) => bytes,
  _kafka_schema_id: (_, { schemaId }) => schemaId,
  _kafka_key_schema_id: () => 0,
}

/** Of cells that a predicate asks for: times as microseconds, since there are some that no Date has. */
const compared: Readonly<Record<string, Cell>> = {
  ...system,
  _kafka_timestamp: ({ timestamp }) => (timestamp === -1n ? null : timestamp * 1000n),
}

/** A scan whose rows are made of the records' bytes. It knows no Arrow, and says so. */
export function memoryScan(parts: MemoryScanParts, options: ScanOptions): Scan<Row> {
  const { info, context } = parts
  const values = info.valueCodec?.schema.fields.map(({ name }) => name) ?? []
  const columns = options.columns ?? (values.length > 0 ? values : ['_kafka_value'])
  const { where } = options
  const asked = where === undefined ? [] : [...columnsOf(where)]
  for (const name of [...columns, ...asked]) {
    if (name in system || values.includes(name)) continue
    throw invalid('UNKNOWN_COLUMN', `Topic ${info.name} has no column ${shown(name)}.`, { context: { column: name } })
  }

  async function* batches(): AsyncGenerator<Row[]> {
    for await (const { run, incarnation } of parts.runs()) {
      throwIfAborted(options.signal)
      const rows: Row[] = []
      const ids = run.valueSchemaIds
      const all = context.recordsOf(run)
      for (const record of ownRecords(run, () => all)) {
        const schemaId = typeof ids === 'number' ? ids : ids[all.indexOf(record)]!
        const codec = schemaId === 0 ? info.valueCodec : await context.schemas.codec(schemaId)
        const value = (record.bytes === null ? {} : (codec?.decode(record.bytes) ?? {})) as Row
        const cells = (names: readonly string[], by = system): Row => {
          const row = Object.create(null) as Row
          for (const name of names) {
            row[name] = name in by ? by[name]!(record, { incarnation, schemaId }) : (value[name] ?? null)
          }
          return row
        }
        if (where === undefined || rowMatches(where, cells(asked, compared)) === true) rows.push(cells(columns))
      }
      if (rows.length > 0) yield rows
    }
  }
  async function* each(): AsyncGenerator<Row> {
    for await (const rows of batches()) {
      for (const row of rows) {
        throwIfAborted(options.signal)
        yield row
      }
    }
  }
  async function toArray(): Promise<Row[]> {
    const all: Row[] = []
    for await (const rows of batches()) all.push(...rows)
    return all
  }
  const noArrow = (): Error => unsupported('ARROW', 'memoryTier has no Arrow output: take the rows.')
  return {
    [Symbol.asyncIterator]: each,
    batches,
    toArray,
    async count() {
      let count = 0
      for await (const rows of batches()) count += rows.length
      return count
    },
    toArrow: () => Promise.reject(noArrow()),
    arrowBatches: () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(noArrow()) }) }),
    toIpc: () => Promise.reject(noArrow()),
  }
}
