import { closed, invalid, tableGuard } from '@moulin/core'
import type { Catalog, CodecFormat, ColdTier, ColdTopic, ObjectStore, Runtime, TableGuard } from '@moulin/core'
import { codecFormats, hyparquetWriter, parquetWorkers } from '@moulin/format'
import type { Compression, FileWriterFactory, ParquetWorkers } from '@moulin/format'
import { fileLists } from './cold-plan.ts'
import { coldTopic } from './cold-topic.ts'
import { Committer } from './committer.ts'
import { dataFiles } from './data-files.ts'
import type { DataFiles } from './data-files.ts'
import { rowIndexes } from './row-index.ts'
import { hasValueColumns } from './system-columns.ts'
import { tierWorkers } from './tier-workers.ts'
import { TopicTable } from './topic-table.ts'

const MiB = 1024 * 1024

export interface IcebergTierOptions {
  readonly catalog: Catalog
  /** Where the tables' files are, if not in the log's own store. Must be the store that the catalog's locations name. */
  readonly store?: ObjectStore
  /** Threads that encode data files, and as many that decode them; 0 does both in the calling thread. Default 1. */
  readonly threads?: number
  /** Default: hyparquet-writer. Another one runs in the calling thread. */
  readonly fileWriter?: FileWriterFactory
  /** Of data files; default `zstd`. */
  readonly compression?: Compression
  /** Codecs beyond the built-in ones; their topics are encoded in the calling thread. */
  readonly codecs?: readonly CodecFormat[]
  /** Compressed bytes at which a data file is full; default 128 MiB. */
  readonly targetFileBytes?: number
  /** How long one call goes on after lost commit races; default 10 minutes. */
  readonly retryMs?: number
  /** Data file bytes that one call encodes before it gives up on lost races; default 4 GiB. */
  readonly retryBytes?: number
  /** Bytes of data files, about, that one cold read holds decoded; default 8 MiB. */
  readonly coldReadBytes?: number
  /** Shared with other maintenance of the same tables in this process. */
  readonly guard?: TableGuard
}

/**
 * The cold tier whose history is an Apache Iceberg table: one table a topic, format version 2, append-only, with system
 * columns beside the value's own, and a marker that commits with the data (docs/formats/table.md).
 *
 * `tier` resolves when its commit has been read back. Records are in the table exactly once, whatever crashes, answers
 * that get lost and other writers come between; a table whose history was changed under the log is refused with
 * `conflict` code `LINEAGE_BROKEN` and the offsets in doubt, never read on silently.
 *
 * @throws `invalid` for options out of range.
 */
export function icebergTier(options: IcebergTierOptions): ColdTier {
  const { catalog, threads = 1, fileWriter = hyparquetWriter, compression = 'zstd' } = options
  if (!Number.isInteger(threads) || threads < 0)
    throw invalid('THREADS', `threads is ${threads}; it must be a whole number from 0.`)
  const encoders = tierWorkers(threads)
  const guard = options.guard ?? tableGuard()
  const topics = new Set<ColdTopic>()
  let decoders: ParquetWorkers | undefined
  let isClosed = false
  const opened = new Map<ObjectStore, DataFiles>()

  const decodersFor = (runtime: Runtime, deadlineMs: number): ParquetWorkers =>
    (decoders ??= parquetWorkers({ threads, deadlineMs, runtime }))

  return {
    name: `icebergTier(${catalog.name})`,
    async attach(info, context) {
      if (isClosed) throw closed('CLOSED', 'The cold tier is closed.')
      const { limits, runtime } = context
      const store = options.store ?? context.store
      let files = opened.get(store)
      if (files === undefined) {
        files = dataFiles({ store, limits, workers: decodersFor(runtime, limits.decodeDeadlineMs) })
        opened.set(store, files)
      }
      const table = new TopicTable({ catalog, store, files, info, context })
      const state = await table.attach()
      if (info.valueMode !== 'raw' && !hasValueColumns(info.valueMode, info.valueCodec)) {
        const { reason } = info.valueCodec!
        runtime.logger.warn({ topic: info.name, reason }, 'values of this schema are kept as bytes, not as columns')
      }
      const committer =
        context.access === 'read-only'
          ? undefined
          : new Committer({
              catalog,
              store,
              info,
              context,
              table,
              guard,
              workers: encoders,
              tierParts: { factory: fileWriter, formats: [...codecFormats, ...(options.codecs ?? [])] },
              compression,
              fileBytes: options.targetFileBytes ?? 128 * MiB,
              retry: {
                retryMs: options.retryMs ?? 600_000,
                retryBytes: options.retryBytes ?? 4096 * MiB,
                reuseMs: 3_600_000,
              },
            })
      await committer?.attach(state)
      const indexes = rowIndexes({ logId: info.logId, maxBytes: 64 * MiB })
      const windowBytes = options.coldReadBytes ?? 8 * MiB
      const topic = coldTopic({
        info,
        context,
        store,
        files,
        fileLists: fileLists(store),
        indexes,
        table,
        windowBytes,
        committer,
      })
      topics.add(topic)
      return topic
    },
    async close() {
      isClosed = true
      await Promise.all([...topics].map((topic) => topic.close()))
      await Promise.all([encoders.close(), decoders?.close()])
    },
  }
}
