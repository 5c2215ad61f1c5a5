import { assert, invalid, schemaToJson, stringifyJson, unsupported } from '@moulin/core'
import type { BatchRun, Codec, CodecFormat, ColumnBatch, IcebergSchema, Limits, PartitionSpec } from '@moulin/core'
import { codecFormats, defaultColumn, parquetWriter } from '@moulin/format'
import type { Compression, DefaultField, FileWriterFactory } from '@moulin/format'
import { bindPartitionSpec } from '@moulin/iceberg'
import { reshaped } from '../table/reshape.ts'
import type { Misfit, Reshape } from '../table/reshape.ts'
import { PartitionWriters } from './partition-writers.ts'
import type { EncodedFile } from './partition-writers.ts'
import { emptyTally, RowBuilder } from './row-builder.ts'
import type { OffsetRange, RowTally, ValueColumns } from './row-builder.ts'

/** All that encoding one commit needs, as plain data: it crosses to a worker thread. */
export interface TierSetup {
  /** The table's present schema, as far as it can be written. */
  readonly schema: IcebergSchema
  readonly spec: PartitionSpec
  /** Our column names with the table's; a column that is not listed is gone from the table. */
  readonly columns: readonly (readonly [ours: string, theirs: string])[]
  /** By our name: how a column becomes the table's, where that has another type or other members by now. */
  readonly shapes?: ReadonlyMap<string, Reshape>
  /** Columns of others that have a value in rows of writers who know nothing of them. */
  readonly defaults?: readonly DefaultField[]
  readonly incarnation: number
  readonly rowCrc: boolean
  readonly keepRaw: boolean
  /** Those whose values become columns, all of one schema; all other values are kept as bytes. */
  readonly codecs: readonly LedgerCodec[]
  readonly compression: Compression
  /** As {@link FileWriterOptions.deltas}. */
  readonly deltas?: boolean | undefined
  readonly fileBytes: number
  readonly keyValue: Readonly<Record<string, string>>
  readonly limits: Limits
}

/** What a thread restores a codec from. */
export type StoredCodec = Pick<Codec, 'format' | 'definition' | 'registry'>

/** A codec, and the id in the schema ledger of what it encodes. */
export interface LedgerCodec extends StoredCodec {
  readonly schemaId: number
}

/** A codec as plain data. */
export function storedCodec({ format, definition, registry }: Codec): StoredCodec {
  return { format, definition, ...(registry && { registry }) }
}

/** Parts that cannot cross to a thread; a task that needs others than these runs in process. */
export interface TierParts {
  readonly factory: FileWriterFactory
  readonly formats: readonly CodecFormat[]
}

export const builtInParts: TierParts = { factory: parquetWriter, formats: codecFormats }

/**
 * Rows and bytes after which rows leave for the encoder: enough for pages of a good size, few enough to stay in the
 * processor's caches on their way.
 */
const BATCH_ROWS = 16_384
const BATCH_BYTES = 4 * 1024 * 1024

/** One commit's worth of records on its way into data files. Synchronous; the same input gives the same bytes. */
export class TierTask {
  readonly #builder: RowBuilder
  readonly #writers: PartitionWriters
  readonly #names: ReadonlyMap<string, string>
  readonly #shapes: ReadonlyMap<string, Reshape> | undefined
  readonly #defaults: readonly DefaultField[]
  readonly #tallies = new Map<number, RowTally>()
  #partition: number | undefined

  constructor(setup: TierSetup, parts: TierParts) {
    const { schema, spec, compression, keyValue, limits } = setup
    this.#names = new Map(setup.columns)
    this.#shapes = setup.shapes
    this.#defaults = setup.defaults ?? []
    this.#builder = new RowBuilder({
      ...setup,
      lacksRaw: !this.#names.has('_kafka_value'),
      values: valueColumns(setup, parts.formats),
    })
    this.#writers = new PartitionWriters({
      schema,
      spec: bindPartitionSpec(spec, [schema]),
      factory: parts.factory,
      compression,
      deltas: setup.deltas,
      keyValue,
      limits: {
        fileBytes: setup.fileBytes,
        rowGroupBytes: limits.rowGroupBytes,
        sharedRowGroupBytes: limits.sharedRowGroupBytes,
        pageBytes: limits.pageBytes,
        openWriters: limits.maxOpenWriters,
        openBytes: limits.maxOpenWriterBytes,
      },
    })
  }

  /** The run's records in the range; runs come by partition, then in offset order. Returns the files that are full. */
  add(run: BatchRun, range: OffsetRange): EncodedFile[] {
    if (run.partition !== this.#partition) this.#drain()
    this.#partition = run.partition
    let tally = this.#tallies.get(run.partition)
    if (tally === undefined) this.#tallies.set(run.partition, (tally = emptyTally()))
    this.#builder.add(run, range, tally, {
      maxBytes: BATCH_BYTES,
      maxRows: BATCH_ROWS,
      rows: (rows) => this.#write(rows),
    })
    return this.#writers.take()
  }

  /** The remaining files, and what each partition added. */
  finish(): { readonly files: EncodedFile[]; readonly tallies: ReadonlyMap<number, RowTally> } {
    this.#drain()
    return { files: this.#writers.finish(), tallies: this.#tallies }
  }

  #drain(): void {
    if (this.#builder.rows > 0) this.#write(this.#builder.take())
  }

  #write(rows: ColumnBatch): void {
    const { length } = rows
    const columns = rows.columns.flatMap(({ name, column }) => {
      const theirs = this.#names.get(name)
      return theirs === undefined
        ? []
        : [{ name: theirs, column: reshaped(column, this.#shapes?.get(name), beyond(name)) }]
    })
    for (const field of this.#defaults) {
      columns.push({ name: field.name, column: defaultColumn(field, length, 'write-default') })
    }
    this.#writers.add(this.#partition!, { length, columns })
  }
}

// Dates as timestamps, some 290 000 years from now, are all that a wider type does not hold.
function beyond(ours: string): Misfit {
  return (_row, path, value) => {
    const message = `A record has ${value} in ${ours}${path}, which the type that the table's column was given does not hold.`
    throw unsupported('COLUMN_VALUE', message, { context: { column: `${ours}${path}` } })
  }
}

function valueColumns({ codecs }: TierSetup, formats: readonly CodecFormat[]): ValueColumns | undefined {
  const restored = codecs.map((stored) => ({ schemaId: stored.schemaId, codec: restoreCodec(stored, formats) }))
  const [first] = restored
  if (first === undefined) return undefined
  const columnar = restored.flatMap(({ schemaId, codec }) => {
    // One set of columns takes the values of all.
    assert(
      schemaText(codec) === schemaText(first.codec),
      `schemas ${first.schemaId} and ${schemaId} have the same columns`,
    )
    return codec.columnar === undefined ? [] : [[schemaId, codec.columnar] as const]
  })
  if (columnar.length === 0) return undefined
  return { codecs: new Map(columnar), names: first.codec.schema.fields.map(({ name }) => name) }
}

const schemaText = ({ schema }: Codec): string => stringifyJson(schemaToJson(schema))

function restoreCodec({ format, definition, registry }: StoredCodec, formats: readonly CodecFormat[]): Codec {
  const found = formats.find((candidate) => candidate.format === format)
  if (found === undefined) throw invalid('CODEC_FORMAT', `No codec format ${format} is given: pass it as \`codecs\`.`)
  return found.restore(definition, registry)
}
