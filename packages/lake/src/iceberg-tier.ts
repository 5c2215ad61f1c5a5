import {
  allowedPlaces,
  checkOptions,
  checkRoot,
  closed,
  option,
  tableFiles as filesOf,
  tableGuard,
  tableIdentifier,
  tableText,
} from '@moulin/core'
import type {
  Catalog,
  CodecFormat,
  ColdContext,
  ColdTier,
  ColdTopic,
  ColdTopicInfo,
  Limits,
  LoadedTable,
  ObjectStore,
  OptionTable,
  RenewableFiles,
  TableGuard,
  TableStores,
} from '@moulin/core'
import { codecFormats, parquetWorkers, pooledDecodes } from '@moulin/format'
import type { Compression, FileWriterFactory, ParquetWorkers } from '@moulin/format'
import type { DeletesOf, ManifestRoom } from '@moulin/iceberg'
import { adoptTable } from './adopt/adopt-table.ts'
import { judgeTable } from './adopt/table-verdict.ts'
import { fileLists } from './replay/cold-plan.ts'
import type { ColdReadParts } from './replay/cold-read.ts'
import { coldTopic } from './cold-topic.ts'
import { checkColumnNames } from './table/column-names.ts'
import { Committer } from './commit/committer.ts'
import { dataFiles, FileRoom } from './live/data-files.ts'
import type { DataFiles } from './live/data-files.ts'
import { deleteRooms, fileDeletes } from './live/file-deletes.ts'
import type { DeleteRooms } from './live/file-deletes.ts'
import { keptManifests, manifestRoom } from './live/manifest-room.ts'
import type { KeptManifests } from './live/manifest-room.ts'
import { liveFiles } from './live/live-files.ts'
import { FileLook } from './look/file-look.ts'
import { ColdReadMeter } from './replay/read-tally.ts'
import { rowIndexes } from './replay/row-index.ts'
import { RowPlaces } from './places/row-places.ts'
import { LONGEST_NAME } from './table/longest-name.ts'
import { hasValueColumns } from './table/system-columns.ts'
import { tableLayout, valueFieldIds } from './table/table-layout.ts'
import { builtInParts } from './encode/tier-task.ts'
import { tierPool, tierWorkers } from './encode/tier-workers.ts'
import type { TierPool, TierPoolOptions, TierWorkers } from './encode/tier-workers.ts'
import { OwnCommits } from './table/own-commits.ts'
import { checkTableSize } from './commit/table-size.ts'
import { TopicTable } from './table/topic-table.ts'
import { unionScan } from './scan/union-scan.ts'

const MiB = 1024 * 1024

export interface IcebergTierOptions {
  readonly catalog: Catalog
  /**
   * Where the tables' files are, if not in the log's own store: the store that the catalog's locations name, or a function that finds
   * the store of a location, with what the catalog says of the table's credentials ({@link TableStores}).
   */
  readonly stores?: ObjectStore | TableStores
  /**
   * Folders, by URI, that the tables' files must lie in: `s3://bucket/warehouse/`. What metadata names elsewhere is `OUTSIDE_STORE`, before
   * any request. Default: wherever `stores` has a store for.
   */
  readonly allow?: readonly string[]
  /**
   * Threads that encode data files and decode rows; while all of them encode, one more decodes. 0 does all in the calling
   * thread. Default: the cores of the first log that attaches, less one, but at least 1.
   */
  readonly threads?: number
  /** Bytes handed to the threads and not yet taken back; beyond it, reads and tiering wait. Default {@link Limits.maxWorkerBytes}. */
  readonly memoryBytes?: number
  /** Default: that of the worker threads. Another one runs in the calling thread. */
  readonly fileWriter?: FileWriterFactory
  /** Of data files; default `zstd`. */
  readonly compression?: Compression
  /**
   * True: delta encodings in data files, which are smaller, and which some engines do not read (docs/formats/table.md).
   * Default false.
   */
  readonly deltas?: boolean
  /**
   * The module that worker threads run: a bundle's own copy of `@moulin/lake/worker`. Default: that entry, as installed. Threads that
   * do not start are a failure in `stats()` (`WORKER_START`), and the calling thread does their work meanwhile. See docs/bundlers.md.
   */
  readonly worker?: URL
  /** Codecs beyond the built-in ones; their topics are encoded in the calling thread. */
  readonly codecs?: readonly CodecFormat[]
  /** Compressed bytes at which a data file is full; default 128 MiB. */
  readonly targetFileBytes?: number
  /** How long one call goes on after lost commit races; default 10 minutes. */
  readonly retryMs?: number
  /** Data file bytes that one call encodes before it gives up on lost races; default 4 GiB. */
  readonly retryBytes?: number
  /** Bytes of data files, about, that one cold read holds decoded; default 32 MiB. */
  readonly coldReadBytes?: number
  /** Shared with other maintenance of the same tables in this process. */
  readonly guard?: TableGuard
}

const optionTable: OptionTable<IcebergTierOptions> = {
  catalog: option.required(option.catalogCheck),
  stores: option.anyOf(option.storeCheck, option.callback),
  allow: option.listOf(option.text),
  threads: option.integer('threads', 0, 1024),
  worker: option.moduleUrl,
  memoryBytes: option.positiveBytes,
  fileWriter: option.door('a FileWriterFactory', ['create']),
  compression: option.oneOf('none', 'gzip', 'snappy', 'lz4', 'zstd'),
  deltas: option.flag,
  codecs: option.listOf(option.door('a CodecFormat', ['restore'], ['format'])),
  targetFileBytes: option.positiveBytes,
  retryMs: option.milliseconds(),
  retryBytes: option.integer('bytes', 0),
  coldReadBytes: option.positiveBytes,
  guard: option.door('a TableGuard', ['run']),
}

/**
 * The cold tier whose history is an Apache Iceberg table: one table a topic, format version 2 or 3, append-only, with system
 * columns beside the value's own, and a marker that commits with the data (docs/formats/table.md).
 *
 * `tier` resolves when its commit has been read back. Records are in the table exactly once, whatever crashes, answers
 * that get lost and other writers come between; a table whose history was changed under the log is refused with
 * `conflict` code `LINEAGE_BROKEN` and the offsets in doubt, never read on silently.
 *
 * @throws `invalid` for options out of range, code `ROOT` for a store that engines cannot open by path, `ALLOW` for what is no folder.
 */
export function icebergTier(options: IcebergTierOptions): ColdTier {
  return tierWith(options)
}

/** What a tier is made of that nobody gives as an option. */
export interface TierDoors {
  /** Default: what the tables' delete files say. */
  readonly deletesOf?: DeletesOf | undefined
}

/** {@link icebergTier} with its own answer to what is deleted in the tables' files. */
export function tierWith(options: IcebergTierOptions, { deletesOf }: TierDoors = {}): ColdTier {
  checkOptions('icebergTier', options, optionTable)
  const { catalog, threads, memoryBytes, fileWriter = builtInParts.factory, compression = 'zstd' } = options
  const { deltas = false } = options
  const { stores, allow } = options
  if (typeof stores === 'object') checkRoot(stores)
  if (allow !== undefined) allowedPlaces(allow)
  const guard = options.guard ?? tableGuard()
  const topics = new Set<ColdTopic>()
  // Beyond one attach: a topic that is attached anew still knows what this process has committed.
  const ownCommits = new Map<string, OwnCommits>()
  let workers: Workers | undefined
  let isClosed = false
  /** By store; where stores are found by location, by table, for each has credentials of its own. */
  const opened = new Map<ObjectStore | string, Opened>()
  const rooms = new Map<ObjectStore | TableStores, TierRooms>()

  const workersFor = ({ runtime, limits }: ColdContext): Workers => {
    const count = threads ?? Math.max(1, runtime.process.cores - 1)
    return (workers ??= makeWorkers(
      { threads: count, memoryBytes: memoryBytes ?? limits.maxWorkerBytes, runtime, source: options.worker },
      limits.decodeDeadlineMs,
    ))
  }

  const openedFor = (info: ColdTopicInfo, { store, limits, runtime }: ColdContext, workers: ParquetWorkers): Opened => {
    const table = tableIdentifier(info.table)
    const place = typeof stores === 'function' ? tableText(table) : (stores ?? store)
    let found = opened.get(place)
    if (found === undefined) {
      const reload = (): Promise<LoadedTable> => catalog.loadTable(table, { fresh: true })
      const tableFiles = filesOf(stores ?? store, { reload, allow })
      const shared = rooms.get(stores ?? store) ?? roomsOf(limits)
      rooms.set(stores ?? store, shared)
      const { open, deletes } = shared
      const files = dataFiles({ tableFiles, workers, room: open, runtime })
      found = {
        tableFiles,
        files,
        deletesOf: deletesOf ?? fileDeletes({ tableFiles, files, rooms: deletes, limits }),
        manifests: manifestRoom(shared.manifests),
      }
      opened.set(place, found)
    }
    return found
  }

  const opening = (info: ColdTopicInfo, context: ColdContext): OpeningTopic => {
    if (isClosed) throw closed('CLOSED', 'The cold tier is closed.')
    const { encoders, decoders } = workersFor(context)
    const { tableFiles, manifests, ...opened } = openedFor(info, context, decoders)
    const files = liveFiles(opened)
    const own = ownCommits.get(info.id) ?? new OwnCommits()
    ownCommits.set(info.id, own)
    const table = new TopicTable({ catalog, tableFiles, files, manifests, info, context, ownCommits: own })
    const indexes = rowIndexes({ topic: info, maxBytes: 64 * MiB })
    const windowBytes = options.coldReadBytes ?? 32 * MiB
    const lists = fileLists(tableFiles, manifests)
    const places = new RowPlaces({ info, context, tableFiles, files, fileLists: lists, indexes, windowBytes })
    const look = new FileLook({ tableFiles, files, manifests, fileLists: lists, info, context, table })
    const reads = new ColdReadMeter(context.runtime.meter, info.name)
    const readers = { indexes, places, table, look, windowBytes, reads }
    const parts = { info, context, tableFiles, files, manifests, fileLists: lists, ...readers }
    const committer = (): Committer =>
      new Committer({
        ...parts,
        catalog,
        guard,
        ownCommits: own,
        workers: encoders,
        tierParts: { factory: fileWriter, formats: [...codecFormats, ...(options.codecs ?? [])] },
        compression,
        deltas,
        fileBytes: options.targetFileBytes ?? 128 * MiB,
        retry: {
          retryMs: options.retryMs ?? 600_000,
          retryBytes: options.retryBytes ?? 4096 * MiB,
          reuseMs: 3_600_000,
        },
      })
    return { parts, committer }
  }

  return {
    name: `icebergTier(${catalog.name})`,
    async plan(topic, limits) {
      await catalog.checkRoom?.(tableIdentifier(topic.table), LONGEST_NAME)
      const layout = tableLayout(topic)
      checkColumnNames(layout, topic.name)
      checkTableSize(layout, topic.name, limits)
    },
    async attach(info, context) {
      const { parts, committer: newCommitter } = opening(info, context)
      const { runtime } = context
      const state = await parts.table.attach()
      const { valueCodec, valueMode } = info
      if (valueMode !== 'raw' && valueCodec !== undefined && !hasValueColumns(valueMode, valueCodec)) {
        const { reason } = valueCodec
        runtime.logger.warn({ topic: info.name, reason }, 'values of this schema are kept as bytes, not as columns')
      }
      const committer = context.access === 'read-only' ? undefined : newCommitter()
      await committer?.attach(state)
      const topic = coldTopic({ ...parts, committer })
      // Of a topic that is attached again and again, only the last stays.
      const close = (): Promise<void> => topic.close().finally(() => topics.delete(attached))
      const attached = { ...topic, close }
      topics.add(attached)
      return attached
    },
    adopt: (info, context, { how, expectedSnapshotId, ...call }) =>
      adoptTable(
        {
          catalog,
          opening: (life) => opening(life.info, life.context),
          life: { info, context },
          how,
          expectedSnapshotId,
        },
        call,
      ),
    judge: (info, context, options = {}) =>
      judgeTable({ catalog, opening: (life) => opening(life.info, life.context), life: { info, context } }, options),
    scanHot: (info, context, options) => unionScan({ ...opening(info, context).parts, isHotOnly: true }, options),
    fieldIds: valueFieldIds,
    failing: () => workers?.pool?.startFailure,
    async close() {
      isClosed = true
      await Promise.all([...topics].map((topic) => topic.close()))
      await workers?.pool?.close()
    },
  }
}

/** The files of a table, or of all tables in one store, and those of them that are open. */
interface Opened {
  readonly tableFiles: RenewableFiles
  readonly files: DataFiles
  readonly deletesOf: DeletesOf
  readonly manifests: ManifestRoom
}

/** Room for what was read, for all tables in one store. */
interface TierRooms {
  readonly open: FileRoom
  readonly deletes: DeleteRooms
  readonly manifests: KeptManifests
}

function roomsOf(limits: Limits): TierRooms {
  const { openFileBytes, manifestBytes } = limits
  return { open: new FileRoom(openFileBytes), deletes: deleteRooms(limits), manifests: keptManifests(manifestBytes) }
}

/** One life of a topic, on its way to a cold topic. */
interface OpeningTopic {
  readonly parts: ColdReadParts
  readonly committer: () => Committer
}

/** All threads of a cold tier, and what they are used for. */
interface Workers {
  readonly pool: TierPool | undefined
  readonly encoders: TierWorkers
  readonly decoders: ParquetWorkers
}

function makeWorkers(options: TierPoolOptions, deadlineMs: number): Workers {
  const { threads, runtime } = options
  if (threads === 0)
    return { pool: undefined, encoders: tierWorkers(undefined), decoders: parquetWorkers({ threads: 0, runtime }) }
  const pool = tierPool(options)
  return { pool, encoders: tierWorkers(pool), decoders: pooledDecodes(pool, { deadlineMs }) }
}
