import { basename, dirname, join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import type { Files, Limits, Log, Logger, Meter, OnBroken, OptionTable, Runtime } from '@moulin/core'
import { checkOptions, checkRoot, folderOf, invalid, isKind, notFound, option, systemRuntime } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog as openComposedLog, planRepair, repairLog } from '@moulin/log'
import type { OpenLogOptions, RepairLogOptions, RepairPlan } from '@moulin/log'
import { fileSystem, probeStore, removeLeftOverFolder } from '@moulin/storage'

/** Options of the embedded default. All have defaults. */
export interface EmbeddedOptions {
  /** Default `read-write`. Read-only writes nothing and never fences a writer. */
  readonly access?: 'read-write' | 'read-only'
  /** Default `refuse`: not while the last writer's process still runs. `newest` fences it. */
  readonly takeover?: 'refuse' | 'newest'
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

const optionTable: OptionTable<EmbeddedOptions> = {
  access: option.oneOf('read-write', 'read-only'),
  takeover: option.oneOf('refuse', 'newest'),
  threads: option.integer('threads', 0, 1024),
  deltas: option.flag,
  graceMs: option.milliseconds(),
  catalogWaitMs: option.milliseconds(),
  maxBlockMs: option.milliseconds(),
  worker: option.moduleUrl,
  onBroken: option.oneOf('error', 'restore', 'gap'),
  limits: option.someLimits,
  networkMount: option.oneOf('refuse', 'allow'),
  logger: option.loggerCheck,
  meter: option.meterCheck,
  runtime: option.runtimeCheck,
  signal: option.abortSignal,
}

/**
 * Opens a log in a folder, everything in it: write-ahead segments, topics, and the Iceberg tables below `tables/`.
 * Creates the folder when it is missing or empty. An ack survives the process and a power loss, not the disk.
 *
 * @param dir Path of the folder, or its `file:` URL, as text or object.
 * @throws `invalid` for a bad option, or a folder that holds something else, was moved, or has a path that engines cannot open;
 * `conflict` code `WRITER_ALIVE`; `unsupported` for a URL of something else than a folder (code `STORE_SCHEME`), a store that lies or a
 * format from the future; `not-found` for a missing folder opened read-only.
 *
 * @example
 * const log = await openLog('./lake')
 */
export async function openFolder(dir: string | URL, options: EmbeddedOptions = {}): Promise<Log> {
  const given = folderOf('openLog', dir)
  checkOptions('openLog', options, optionTable)
  const access = options.access ?? 'read-write'
  const base = options.runtime ?? systemRuntime()
  const { logger, meter } = options
  const own = { ...(logger === undefined ? {} : { logger }), ...(meter === undefined ? {} : { meter }) }
  const runtime = logger === undefined && meter === undefined ? base : { ...base, ...own }
  // Before the folder is made, and before the system reads half a surrogate pair as another name.
  checkRoot(fileSystem({ root: given, files: runtime.files }))
  const root = await realPlace(given, runtime.files)
  const store = fileSystem({ root, files: runtime.files })
  checkRoot(store)
  await requireFolder(root, access, runtime.files)
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime, access })
  const { takeover, graceMs, catalogWaitMs, maxBlockMs, onBroken, limits, signal } = options
  return openComposedLog({
    store,
    wal: fileWal({ dir: walDirOf(root), networkMount: options.networkMount ?? 'refuse' }),
    tier: icebergTier({
      catalog,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      ...(options.deltas === undefined ? {} : { deltas: options.deltas }),
      ...(options.worker === undefined ? {} : { worker: options.worker }),
    }),
    probe: async (probed) => {
      try {
        await probeStore(probed, { runtime, prefix: 'log/probe/' })
      } finally {
        await removeLeftOverFolder(runtime.files, runtime.clock, `${root}/log/probe`)
      }
    },
    runtime,
    access,
    ...(takeover === undefined ? {} : { takeover }),
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(catalogWaitMs === undefined ? {} : { catalogWaitMs }),
    ...(maxBlockMs === undefined ? {} : { maxBlockMs }),
    ...(onBroken === undefined ? {} : { onBroken }),
    ...(limits === undefined ? {} : { limits }),
    ...(signal === undefined ? {} : { signal }),
  })
}

/**
 * What is damaged in the log of a folder, and what {@link repairFolder} would give up. Changes nothing.
 * @throws what `planRepair` of `@moulin/log` throws; `not-found` for a missing folder.
 */
export async function planFolderRepair(dir: string | URL): Promise<RepairPlan> {
  return withRepairParts(dir, planRepair)
}

/** Does exactly what the plan says; nothing that was damaged is deleted. @throws what `repairLog` of `@moulin/log` throws. */
export async function repairFolder(dir: string | URL, plan: RepairPlan): Promise<void> {
  await withRepairParts(dir, (parts) => repairLog(parts, plan))
}

async function withRepairParts<T>(dir: string | URL, use: (parts: RepairLogOptions) => Promise<T>): Promise<T> {
  const runtime = systemRuntime()
  const { files } = runtime
  const root = await realPlace(folderOf('repair', dir), files)
  await requireFolder(root, 'read-only', files)
  const store = fileSystem({ root, files })
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime, access: 'read-only' })
  const tier = icebergTier({ catalog, threads: 0 })
  try {
    return await use({ store, walDir: walDirOf(root), tier, runtime })
  } finally {
    await tier.close()
  }
}

/** A folder by path, or a log composed from parts: see {@link openFolder} and `@moulin/log`. */
export function openLog(dir: string | URL, options?: EmbeddedOptions): Promise<Log>
export function openLog(options: OpenLogOptions): Promise<Log>
export async function openLog(where: string | URL | OpenLogOptions, options?: EmbeddedOptions): Promise<Log> {
  const isComposed = typeof where === 'object' && where !== null && !(where instanceof URL)
  if (!isComposed) return openFolder(where, options)
  if (options === undefined) return openComposedLog(where)
  throw invalid('OPTION', 'openLog: a log composed from parts takes one object: put the options into it.')
}

const walDirOf = (root: string): string => `${root}/log/wal`

/** The folder without symbolic links, also when it is not there yet. */
async function realPlace(dir: string, files: Files): Promise<string> {
  try {
    return await files.realpath(dir)
  } catch (error) {
    if (!isKind(error, 'not-found') || dirname(dir) === dir) throw error
    return join(await realPlace(dirname(dir), files), basename(dir))
  }
}

async function requireFolder(dir: string, access: 'read-write' | 'read-only', files: Files): Promise<void> {
  if (access === 'read-write') return files.mkdir(dir, { recursive: true })
  if ((await files.stat(dir)) !== undefined) return
  throw notFound('NO_LOG', `There is no log at ${dir}: the folder does not exist.`, { context: { dir } })
}
