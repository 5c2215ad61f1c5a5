/**
 * 2 000 record batches of 500 events to Parquet on one core: CRC, records, Avro, columns, pages, as tiering does it,
 * with the system columns of the table. pyarrow writes the same columns, system columns included, from Arrow buffers.
 * `values` leaves the system columns out on both sides, and tells both the encodings; the table's writer finds its own.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Arena } from '@moulin/core'
import type { BatchRun, Codec, ColumnBatch, IcebergSchema } from '@moulin/core'
import { appendRecordsSection, batchesIn, checkCrc, codecFormats, parquetWriter, RecordCursor } from '@moulin/format'
import { emptyTally, RowBuilder } from '../../packages/lake/src/encode/row-builder.ts'
import { FIRST_VALUE_ID, systemFields, tableSchema } from '../../packages/lake/src/table/system-columns.ts'
import { TierTask } from '../../packages/lake/src/encode/tier-task.ts'
import { alone, beside, rounds, timed } from '../bench.ts'
import type { Bench, Reach } from '../bench.ts'
import { pyarrow, pyarrowTuned } from '../peers/pyarrow.ts'
import type { Pyarrow } from '../peers/pyarrow.ts'
import { recycledSink, tunedEncodings } from '../recycled-sink.ts'
import { arrowIpc } from '../shapes/arrow.ts'
import { eventRuns, eventsCodec } from '../shapes/event-batches.ts'
import { events } from '../shapes/events.ts'
import { rowGroupRows } from '../shapes/shape.ts'
import type { Shape, TunedColumns } from '../shapes/shape.ts'
import { encodeSetup } from '../shapes/tier-setup.ts'
import { inFolder } from '../temporary.ts'

type Codecs = 'snappy' | 'zstd'

const reaches: Readonly<Record<string, Reach>> = {
  'events/snappy': { ratio: 1.6 },
  'events/zstd': { ratio: 1.35 },
  'events/snappy/values': { ratio: 1.45 },
  'events/zstd/values': { ratio: 1.25 },
}

export const bench: Bench = async (print, options) => {
  const shape = events(options.rows)
  const codec = eventsCodec()
  const runs = eventRuns(shape, codec)
  const fields = shape.schema.fields.map((field, at) => ({ ...field, id: FIRST_VALUE_ID + at }))
  const schema = tableSchema(fields)
  const python = await pyarrow(options)
  await hand(python, 'values', shape.schema, shape.batches)
  await hand(python, 'table', schema, columnsOf(runs, codec))
  for (const [name, reach] of Object.entries(reaches)) {
    if (!name.includes(options.only)) continue
    const compression = name.includes('snappy') ? 'snappy' : 'zstd'
    const isWhole = !name.endsWith('values')
    const ours = isWhole
      ? () => toTable(runs, schema, codec, compression)
      : () => toValues(runs, shape, codec, compression)
    await measure(name, reach, { rows: shape.rows, ours, table: isWhole ? 'table' : 'values', compression, shape })
  }
  python.close()

  async function measure(name: string, reach: Reach, request: Measured): Promise<void> {
    const { rows, ours, table, compression, shape } = request
    const tuned = table === 'values' ? shape.tuned : withSystem(shape.tuned)
    const how = { ...pyarrowTuned(compression, tuned), row_group_size: rowGroupRows }
    const bytes = { moulin: 0, pyarrow: 0 }
    const ms = await rounds(options.rounds, {
      moulin: () => timed(options, () => (bytes.moulin = ours())),
      pyarrow: async () => {
        const written = await python.write(table, how)
        bytes.pyarrow = written.bytes
        return written.ms
      },
    })
    const own = ms['moulin']!
    const peer = 'pyarrow'
    print({ bench: 'path', case: name, unit: 'ms', peer, ...beside(own, ms[peer]!), reach })
    const speeds = own.map((each) => (rows / each) * 1000)
    print({ bench: 'path', case: `${name}/rows`, unit: 'records/s', ...alone(speeds) })
    const size = { value: bytes.moulin / 1e6, unit: 'MB', peer, ratio: bytes.moulin / bytes.pyarrow, spread: null }
    print({ bench: 'path', case: `${name}/size`, ...size })
  }
}

interface Measured {
  readonly rows: number
  /** Bytes of Parquet. */
  readonly ours: () => number
  readonly table: string
  readonly compression: Codecs
  readonly shape: Shape
}

async function hand(
  python: Pyarrow,
  name: string,
  schema: IcebergSchema,
  batches: readonly ColumnBatch[],
): Promise<void> {
  await inFolder(async (dir) => {
    const path = join(dir, `${name}.arrow`)
    await writeFile(path, arrowIpc(schema, batches))
    await python.loadTable(name, path)
  })
}

/** The real code: what a tiering worker runs. */
function toTable(runs: readonly BatchRun[], schema: IcebergSchema, codec: Codec, compression: Codecs): number {
  const task = new TierTask(encodeSetup(schema, codec, compression), { factory: parquetWriter, formats: codecFormats })
  let bytes = 0
  for (const run of runs) for (const file of task.add(run, rangeOf(run))) bytes += file.bytes.length
  for (const file of task.finish().files) bytes += file.bytes.length
  return bytes
}

/** As many rows become columns at once as tiering takes. */
const rowsAtOnce = 16_384
const valuesFile = recycledSink()

/** The same batches, without what the table keeps about a record. */
function toValues(runs: readonly BatchRun[], { schema, tuned }: Shape, codec: Codec, compression: Codecs): number {
  const columnar = codec.columnar!
  const arena = new Arena()
  const builders = columnar.builders(arena)
  const cursor = new RecordCursor()
  valuesFile.clear()
  const { sink } = valuesFile
  const writer = parquetWriter.create({ schema, compression, sink, encodings: tunedEncodings({ schema, tuned }) })
  let rows = 0
  let groupRows = 0
  const write = (): void => {
    const columns = schema.fields.map(({ name }, at) => ({ name, column: builders[at]!.view() }))
    writer.write({ length: rows, columns })
    groupRows += rows
    if (groupRows >= rowGroupRows) {
      writer.endRowGroup()
      groupRows = 0
    }
    for (const builder of builders) builder.clear()
    arena.clear()
    rows = 0
  }
  for (const { batches } of runs) {
    for (const { header, position } of batchesIn(batches)) {
      checkCrc(batches, position, header)
      const start = appendRecordsSection(arena, batches, position, header)
      cursor.open(arena.bytes, start, arena.length, header)
      while (cursor.next()) {
        if (columnar.decodeRow(arena, cursor.valueStart, cursor.valueEnd, builders) !== 'canonical')
          throw new Error('A value of the bench is not canonical.')
        rows++
      }
      if (rows >= rowsAtOnce) write()
    }
  }
  if (rows > 0) write()
  writer.finish()
  return valuesFile.length
}

/** The table's columns, as the row builder makes them; each batch with memory of its own. */
function columnsOf(runs: readonly BatchRun[], codec: Codec): ColumnBatch[] {
  const names = codec.schema.fields.map(({ name }) => name)
  const values = { codecs: new Map([[1, codec.columnar!]]), names }
  const batches: ColumnBatch[] = []
  for (const run of runs) {
    const builder = new RowBuilder({ incarnation: 1, rowCrc: true, keepRaw: false, values })
    builder.add(run, rangeOf(run), emptyTally())
    batches.push(builder.take())
  }
  return batches
}

function rangeOf({ baseOffset, nextOffset }: BatchRun): { readonly from: bigint; readonly to: bigint } {
  return { from: baseOffset, to: nextOffset }
}

/** What a hand that knows them would choose for the system columns: keys and checksums have no order and no repeats. */
function withSystem(tuned: TunedColumns): TunedColumns {
  const plain = new Set(['_kafka_key', '_kafka_crc', '_kafka_value'])
  const delta = ['_kafka_offset', '_kafka_timestamp']
  const dictionary = systemFields
    .map(({ name }) => name)
    .filter((name) => !plain.has(name) && !delta.includes(name) && name !== '_kafka_headers')
  return { delta: [...delta, ...tuned.delta], dictionary: [...dictionary, ...tuned.dictionary] }
}
