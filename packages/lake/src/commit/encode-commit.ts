import { internal, rangesWithin } from '@moulin/core'
import type {
  BatchRun,
  ColdContext,
  ColdTopicInfo,
  OffsetRange,
  IcebergField,
  IcebergSchema,
  TableFiles,
} from '@moulin/core'
import type { Compression } from '@moulin/format'
import { currentSpec, dataFileMetrics } from '@moulin/iceberg'
import type { DataFile } from '@moulin/iceberg'
import { encodeShards } from '../encode/encode-shards.ts'
import type { ShardParts, TierRange } from '../encode/encode-shards.ts'
import { united } from '../look/missing-files.ts'
import type { LedgerGain } from '../table/ledger.ts'
import type { EncodedFile } from '../encode/partition-writers.ts'
import { hasWriteDefault, writableFields } from '../table/followed-field.ts'
import { footerKeys } from '../table/system-columns.ts'
import { putUnnamed } from '../table/table-objects.ts'
import { storedCodec } from '../encode/tier-task.ts'
import type { TierParts, TierSetup } from '../encode/tier-task.ts'
import type { HeldFile, TierWorkers } from '../encode/tier-workers.ts'
import { ofRequired } from '../table/table-layout.ts'
import type { TableColumns } from '../table/table-layout.ts'
import type { TableState } from '../table/table-state.ts'

export interface EncodeParts {
  readonly info: ColdTopicInfo
  readonly context: ColdContext
  readonly tableFiles: TableFiles
  readonly workers: TierWorkers
  readonly tierParts: TierParts
  readonly compression: Compression
  readonly deltas: boolean | undefined
  /** Compressed bytes at which a data file is full. */
  readonly fileBytes: number
}

export interface EncodedCommit {
  readonly files: readonly DataFile[]
  readonly gains: readonly LedgerGain[]
  readonly sizeBytes: number
}

export interface PlannedCommit {
  readonly id: string
  readonly ranges: readonly TierRange[]
  /** Locations of data files begin with it. */
  readonly dataPrefix: string
  /** Resolves when the staged record is stored: no file is, before. */
  readonly staged: Promise<void>
  /** By partition, rising: offsets within the ranges that get no row, for the table has them. */
  readonly without?: ReadonlyMap<number, readonly OffsetRange[]>
  /** Columns of others that the files are not to have, by id. */
  readonly lacks?: ReadonlySet<number>
}

/** Puts under way at once; file bytes wait in memory meanwhile. */
const MAX_PUTS = 2

/**
 * Reads the ranges from the log, encodes them off the thread, in shards, and stores the data files. Nothing names them yet.
 * @throws what log and store throw, always with outcome `rejected`; `internal` code `HOT_GAP` when the log gives less than
 * the range: a hole there would become a gap in the table for good; `unsupported` code `REQUIRED_COLUMN`.
 */
export async function encodeCommit(
  parts: EncodeParts,
  state: TableState,
  commit: PlannedCommit,
  signal: AbortSignal | undefined,
): Promise<EncodedCommit> {
  const puts = new FilePuts(parts, state, commit, signal)
  const { workers, tierParts, context } = parts
  const shardParts: ShardParts = {
    workers,
    tierParts,
    setup: setupOf(parts, state, commit),
    shardBytes: context.limits.shardBytes,
    read: (range, stopped) => readWhole(context, range, commit.without?.get(range.partition) ?? [], stopped),
    put: (held) => puts.add(held),
  }
  try {
    const tallies = await encodeShards(shardParts, commit.ranges, signal)
    const stored = await puts.finish()
    const gains = commit.ranges.map(({ partition, to }): LedgerGain => {
      const tally = tallies.get(partition)
      return {
        partition,
        frontier: to,
        lastRow: tally?.lastRow ?? null,
        rows: BigInt(tally?.rows ?? 0),
        control: BigInt(tally?.control ?? 0),
        aborted: BigInt(tally?.aborted ?? 0),
        checksum: tally?.checksum ?? 0n,
      }
    })
    return { files: stored, gains, sizeBytes: puts.sizeBytes }
  } catch (error) {
    throw ofRequired(error, parts.info.table)
  } finally {
    // After an error no put may go on behind our back: what is stored gets removed.
    await puts.settle()
  }
}

async function* readWhole(
  { hot }: ColdContext,
  { partition, from, to }: TierRange,
  without: readonly OffsetRange[],
  signal: AbortSignal,
): AsyncGenerator<BatchRun> {
  let next = from
  for await (const run of hot.read({ partition, from, to, signal })) {
    if (run.baseOffset > next || run.nextOffset <= next) break
    const rowless = rangesWithin(without, { from: run.baseOffset, to: run.nextOffset })
    // What is aborted gives no row either.
    yield rowless.length === 0 ? run : { ...run, aborted: united([...(run.aborted ?? []), ...rowless]) }
    next = run.nextOffset
  }
  if (next < to) {
    const message = `The log gave partition ${partition} only up to offset ${next}, not ${to}: tiering stops, nothing is lost.`
    throw internal('HOT_GAP', message, { context: { partition, from, to, next } })
  }
}

/** Stores data files, a few at a time, in the order in which they were finished. */
class FilePuts {
  readonly #parts: EncodeParts
  readonly #state: TableState
  readonly #commit: PlannedCommit
  readonly #signal: AbortSignal | undefined
  readonly #files: DataFile[] = []
  readonly #running = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined
  sizeBytes = 0

  constructor(parts: EncodeParts, state: TableState, commit: PlannedCommit, signal: AbortSignal | undefined) {
    this.#parts = parts
    this.#state = state
    this.#commit = commit
    this.#signal = signal
  }

  async add({ file, release }: HeldFile): Promise<void> {
    await this.#commit.staged
    if (this.#running.size >= MAX_PUTS) await Promise.race(this.#running)
    this.#check()
    const { tableFiles } = this.#parts
    const location = `${this.#commit.dataPrefix}${this.#files.length}.parquet`
    this.#files.push(dataFileOf(file, location, this.#state))
    this.sizeBytes += file.bytes.length
    const put = putUnnamed(tableFiles, location, file.bytes, this.#signal === undefined ? {} : { signal: this.#signal })
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#running.delete(put)
        release()
      })
    this.#running.add(put)
  }

  async finish(): Promise<readonly DataFile[]> {
    await this.settle()
    this.#check()
    return this.#files
  }

  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}

function dataFileOf(file: EncodedFile, filePath: string, { loaded, columns }: TableState): DataFile {
  const full = ['_kafka_partition', '_kafka_offset'].map((name) => columns.byName.get(name)!.name)
  return {
    content: 0,
    filePath,
    fileFormat: 'PARQUET',
    specId: loaded.metadata['default-spec-id'],
    partition: file.tuple,
    recordCount: BigInt(file.rowCount),
    fileSizeBytes: BigInt(file.bytes.length),
    ...dataFileMetrics(boundedSchema(columns), file.metrics, { full }),
    splitOffsets: file.splitOffsets.map(BigInt),
    sortOrderId: undefined,
  }
}

/** Columns that a manifest may state bounds of: no nanoseconds, which only others write. */
function boundedSchema({ schema }: TableColumns): IcebergSchema {
  const fields = writableFields(schema.fields).filter(({ type }) => typeof type !== 'string' || !type.endsWith('_ns'))
  return { ...schema, fields }
}

/** Columns of others that a row has a value in, by the table's own word. */
function defaultsOfOthers({ schema, followed }: TableColumns): IcebergField[] {
  const ours = new Set([...followed.values()].map(({ theirs }) => theirs.id))
  return writableFields(schema.fields).filter((field) => !ours.has(field.id) && hasWriteDefault(field))
}

function setupOf(
  { info, context, compression, deltas, fileBytes }: EncodeParts,
  state: TableState,
  { id, lacks }: Pick<PlannedCommit, 'id' | 'lacks'>,
): TierSetup {
  const { columns, loaded } = state
  const { valueCodec } = info
  const isThere = (field: IcebergField): boolean => lacks?.has(field.id) !== true
  return {
    schema: { ...columns.schema, fields: writableFields(columns.schema.fields).filter(isThere) },
    spec: currentSpec(loaded.metadata),
    columns: [...columns.followed].map(([ours, { theirs }]) => [ours, theirs.name] as const),
    shapes: new Map(
      [...columns.followed].flatMap(([ours, { toTable }]) => (toTable ? [[ours, toTable] as const] : [])),
    ),
    defaults: defaultsOfOthers(columns).filter(isThere),
    incarnation: info.incarnation,
    rowCrc: info.rowCrc,
    // Where a column was dropped, the rest cannot give the bytes back: keep them.
    keepRaw: info.valueMode === 'columns+raw' || columns.lacksValues,
    codecs:
      columns.valueNames.length === 0 || valueCodec === undefined
        ? []
        : [{ ...storedCodec(valueCodec), schemaId: info.valueSchemaId }],
    compression,
    deltas,
    fileBytes,
    keyValue: { [footerKeys.log]: info.logId, [footerKeys.topic]: info.id, [footerKeys.commit]: id },
    limits: context.limits,
  }
}
