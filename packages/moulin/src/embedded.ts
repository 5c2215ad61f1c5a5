import { basename, dirname, join, resolve } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import type { Files, Limits, Log, Logger, OnBroken, Runtime } from '@moulin/core'
import { checkOptionNames, checkRoot, invalid, isKind, notFound, systemRuntime } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog as openComposedLog, planRepair, repairLog } from '@moulin/log'
import type { OpenLogOptions, RepairLogOptions, RepairPlan } from '@moulin/log'
import { fileSystem, probeStore } from '@moulin/storage'

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
  /** What happens to a topic whose table's history is broken; default `error`. See `OpenLogOptions`. */
  readonly onBroken?: OnBroken
  readonly limits?: Partial<Limits>
  /** Default `refuse`: see {@link fileWal}. */
  readonly networkMount?: 'refuse' | 'allow'
  readonly logger?: Logger
  readonly runtime?: Runtime
  readonly signal?: AbortSignal
}

const optionNames: Readonly<Record<keyof EmbeddedOptions, true>> = {
  access: true,
  takeover: true,
  threads: true,
  deltas: true,
  graceMs: true,
  catalogWaitMs: true,
  onBroken: true,
  limits: true,
  networkMount: true,
  logger: true,
  runtime: true,
  signal: true,
}

/**
 * Opens a log in a folder, everything in it: write-ahead segments, topics, and the Iceberg tables below `tables/`.
 * Creates the folder when it is missing or empty. An ack survives the process and a power loss, not the disk.
 *
 * @throws `invalid` for a folder that holds something else, was moved, or has a path that engines cannot open; `conflict` code `WRITER_ALIVE`; `unsupported`
 * for a store that lies or a format from the future; `not-found` for a missing folder opened read-only.
 *
 * @example
 * const log = await openLog('./lake')
 */
export async function openFolder(dir: string, options: EmbeddedOptions = {}): Promise<Log> {
  checkOptionNames('openLog', options, optionNames)
  if (dir === '') throw invalid('PLACE', 'openLog needs a folder: its path is empty.')
  const access = options.access ?? 'read-write'
  const base = options.runtime ?? systemRuntime()
  const runtime = options.logger === undefined ? base : { ...base, logger: options.logger }
  const given = resolve(dir)
  // Before the folder is made, and before the system reads half a surrogate pair as another name.
  checkRoot(fileSystem({ root: given, files: runtime.files }))
  const root = await realPlace(given, runtime.files)
  const store = fileSystem({ root, files: runtime.files })
  checkRoot(store)
  await requireFolder(root, access, runtime.files)
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime, access })
  const { takeover, graceMs, catalogWaitMs, onBroken, limits, signal } = options
  return openComposedLog({
    store,
    wal: fileWal({ dir: walDirOf(root), networkMount: options.networkMount ?? 'refuse' }),
    tier: icebergTier({
      catalog,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      ...(options.deltas === undefined ? {} : { deltas: options.deltas }),
    }),
    probe: (probed) => probeStore(probed, { runtime, prefix: 'log/probe/' }),
    runtime,
    access,
    ...(takeover === undefined ? {} : { takeover }),
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(catalogWaitMs === undefined ? {} : { catalogWaitMs }),
    ...(onBroken === undefined ? {} : { onBroken }),
    ...(limits === undefined ? {} : { limits }),
    ...(signal === undefined ? {} : { signal }),
  })
}

/**
 * What is damaged in the log of a folder, and what {@link repairFolder} would give up. Changes nothing.
 * @throws what `planRepair` of `@moulin/log` throws; `not-found` for a missing folder.
 */
export async function planFolderRepair(dir: string): Promise<RepairPlan> {
  return withRepairParts(dir, planRepair)
}

/** Does exactly what the plan says; nothing that was damaged is deleted. @throws what `repairLog` of `@moulin/log` throws. */
export async function repairFolder(dir: string, plan: RepairPlan): Promise<void> {
  await withRepairParts(dir, (parts) => repairLog(parts, plan))
}

async function withRepairParts<T>(dir: string, use: (parts: RepairLogOptions) => Promise<T>): Promise<T> {
  const runtime = systemRuntime()
  const { files } = runtime
  const root = await realPlace(resolve(dir), files)
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
export function openLog(dir: string, options?: EmbeddedOptions): Promise<Log>
export function openLog(options: OpenLogOptions): Promise<Log>
export function openLog(where: string | OpenLogOptions, options?: EmbeddedOptions): Promise<Log> {
  if (typeof where === 'string') return openFolder(where, options)
  if (typeof where === 'object' && where !== null && 'store' in where && 'wal' in where) return openComposedLog(where)
  const message = 'openLog takes the path of a folder, or the parts of a log: an object with store and wal.'
  return Promise.reject(invalid('PLACE', message))
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
