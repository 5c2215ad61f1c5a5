import type {
  Catalog,
  ColdTier,
  Limits,
  Logger,
  Meter,
  ObjectStore,
  OnBroken,
  OptionTable,
  Runtime,
  TableStores,
} from '@moulin/core'
import { option, systemRuntime } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import type { OpenLogOptions } from '@moulin/log'

/** Options of the embedded default. All have defaults. */
export interface EmbeddedOptions {
  /** Default `read-write`. Read-only writes nothing and never fences a writer. */
  readonly access?: 'read-write' | 'read-only'
  /** Default `refuse`: not while the last writer's process still runs. `newest` fences it. */
  readonly takeover?: 'refuse' | 'newest'
  /** Where the topics' tables have their names, `restCatalog` for instance: as long as the log lives, the same. Default: a catalog in the log's own place. */
  readonly catalog?: Catalog
  /** Where the tables' files are, if not in the log's own place: see `IcebergTierOptions`. */
  readonly stores?: ObjectStore | TableStores
  /** Folders, by URI, that the tables' files must lie in: see `IcebergTierOptions`. */
  readonly allow?: readonly string[]
  /** Worker threads that encode and decode Parquet; default: the cores less one, at least 1. 0: in the calling thread. */
  readonly threads?: number
  /**
   * True: delta encodings in the tables' data files. They are smaller, and Spark with an Iceberg before 1.10 does not read
   * them (docs/formats/table.md). Default false.
   */
  readonly deltas?: boolean
  /** How long write-ahead data is kept after its commit was read back; default 3 600 000. */
  readonly graceMs?: number
  /** How long the first send to a topic waits for its table; default 10 000. See `OpenLogOptions`. */
  readonly catalogWaitMs?: number
  /** How long a send waits for room in a write-ahead tier that is full; default 60 000. See `OpenLogOptions`. */
  readonly maxBlockMs?: number
  /** The module that worker threads run, for bundles: see `IcebergTierOptions` and docs/bundlers.md. */
  readonly worker?: URL
  /** The module that the threads of `sendFeed` run, for bundles: see `OpenLogOptions` and docs/bundlers.md. */
  readonly feedWorker?: URL
  /** What happens to a topic whose table's history is broken; default `error`. See `OpenLogOptions`. */
  readonly onBroken?: OnBroken
  readonly limits?: Partial<Limits>
  /** Default `refuse`: see {@link fileWal}. */
  readonly networkMount?: 'refuse' | 'allow'
  readonly logger?: Logger
  /** Is told what the log measures (docs/metrics.md), by `openTelemetryMeter` of `moulin/opentelemetry` for instance. Default: none. */
  readonly meter?: Meter
  readonly runtime?: Runtime
  readonly signal?: AbortSignal
}

export const embeddedOptions: OptionTable<EmbeddedOptions> = {
  access: option.oneOf('read-write', 'read-only'),
  takeover: option.oneOf('refuse', 'newest'),
  catalog: option.catalogCheck,
  stores: option.anyOf(option.storeCheck, option.callback),
  allow: option.listOf(option.text),
  threads: option.integer('threads', 0, 1024),
  deltas: option.flag,
  graceMs: option.milliseconds(),
  catalogWaitMs: option.milliseconds(),
  maxBlockMs: option.milliseconds(),
  worker: option.moduleUrl,
  feedWorker: option.moduleUrl,
  onBroken: option.oneOf('error', 'restore', 'gap'),
  limits: option.someLimits,
  networkMount: option.oneOf('refuse', 'allow'),
  logger: option.loggerCheck,
  meter: option.meterCheck,
  runtime: option.runtimeCheck,
  signal: option.abortSignal,
}

/** The runtime, with the logger and the meter that are given beside it. */
export function runtimeOf({ runtime = systemRuntime(), logger, meter }: EmbeddedOptions): Runtime {
  if (logger === undefined && meter === undefined) return runtime
  return { ...runtime, ...(logger === undefined ? {} : { logger }), ...(meter === undefined ? {} : { meter }) }
}

/** @param own The catalog of the log's own place, where no other is given. */
export function tierOf(own: () => Catalog, options: EmbeddedOptions): ColdTier {
  const { catalog = own(), stores, allow, threads, deltas, worker } = options
  return icebergTier({
    catalog,
    ...(stores === undefined ? {} : { stores }),
    ...(allow === undefined ? {} : { allow }),
    ...(threads === undefined ? {} : { threads }),
    ...(deltas === undefined ? {} : { deltas }),
    ...(worker === undefined ? {} : { worker }),
  })
}

/** What a log composed from parts is told as it stands. */
export function logOptionsOf(options: EmbeddedOptions): Partial<OpenLogOptions> {
  const { access, takeover, graceMs, catalogWaitMs, maxBlockMs, feedWorker, onBroken, limits, signal } = options
  return {
    ...(access === undefined ? {} : { access }),
    ...(takeover === undefined ? {} : { takeover }),
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(catalogWaitMs === undefined ? {} : { catalogWaitMs }),
    ...(maxBlockMs === undefined ? {} : { maxBlockMs }),
    ...(feedWorker === undefined ? {} : { feedWorker }),
    ...(onBroken === undefined ? {} : { onBroken }),
    ...(limits === undefined ? {} : { limits }),
    ...(signal === undefined ? {} : { signal }),
  }
}
