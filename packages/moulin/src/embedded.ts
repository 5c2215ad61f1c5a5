import { resolve } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import type { Limits, Log, Logger, Runtime } from '@moulin/core'
import { isKind, notFound, systemRuntime } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog as openComposedLog } from '@moulin/log'
import type { OpenLogOptions } from '@moulin/log'
import { fileSystem, probeStore } from '@moulin/storage'

/** Options of the embedded default. All have defaults. */
export interface EmbeddedOptions {
  /** Default `read-write`. Read-only writes nothing and never fences a writer. */
  readonly access?: 'read-write' | 'read-only'
  /** Default `refuse`: not while the last writer's process still runs. `newest` fences it. */
  readonly takeover?: 'refuse' | 'newest'
  /** Worker threads that encode and decode Parquet; default: the cores less one, at least 1. 0: in the calling thread. */
  readonly threads?: number
  /** How long write-ahead data is kept after its commit was read back; default 3 600 000. */
  readonly graceMs?: number
  /** How long the first send to a topic waits for its table; default 10 000. See `OpenLogOptions`. */
  readonly catalogWaitMs?: number
  readonly limits?: Partial<Limits>
  /** Default `refuse`: see {@link fileWal}. */
  readonly networkMount?: 'refuse' | 'allow'
  readonly logger?: Logger
  readonly runtime?: Runtime
  readonly signal?: AbortSignal
}

/**
 * Opens a log in a folder, everything in it: write-ahead segments, topics, and the Iceberg tables below `tables/`.
 * Creates the folder when it is missing or empty. An ack survives the process and a power loss, not the disk.
 *
 * @throws `invalid` for a folder that holds something else, or was moved; `conflict` code `WRITER_ALIVE`; `unsupported`
 * for a store that lies or a format from the future; `not-found` for a missing folder opened read-only.
 *
 * @example
 * const log = await openLog('./lake')
 */
export async function openFolder(dir: string, options: EmbeddedOptions = {}): Promise<Log> {
  const access = options.access ?? 'read-write'
  const base = options.runtime ?? systemRuntime()
  const runtime = options.logger === undefined ? base : { ...base, logger: options.logger }
  const root = await rootOf(resolve(dir), access, runtime)
  const store = fileSystem({ root, files: runtime.files })
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime, access })
  const { takeover, graceMs, catalogWaitMs, limits, signal } = options
  return openComposedLog({
    store,
    wal: fileWal({ dir: `${root}/log/wal`, networkMount: options.networkMount ?? 'refuse' }),
    tier: icebergTier({ catalog, ...(options.threads === undefined ? {} : { threads: options.threads }) }),
    probe: (probed) => probeStore(probed, { runtime, prefix: 'log/probe/' }),
    runtime,
    access,
    ...(takeover === undefined ? {} : { takeover }),
    ...(graceMs === undefined ? {} : { graceMs }),
    ...(catalogWaitMs === undefined ? {} : { catalogWaitMs }),
    ...(limits === undefined ? {} : { limits }),
    ...(signal === undefined ? {} : { signal }),
  })
}

/** A folder by path, or a log composed from parts: see {@link openFolder} and `@moulin/log`. */
export function openLog(dir: string, options?: EmbeddedOptions): Promise<Log>
export function openLog(options: OpenLogOptions): Promise<Log>
export function openLog(where: string | OpenLogOptions, options?: EmbeddedOptions): Promise<Log> {
  return typeof where === 'string' ? openFolder(where, options) : openComposedLog(where)
}

async function rootOf(dir: string, access: 'read-write' | 'read-only', runtime: Runtime): Promise<string> {
  if (access === 'read-write') await runtime.files.mkdir(dir, { recursive: true })
  try {
    return await runtime.files.realpath(dir)
  } catch (cause) {
    if (!isKind(cause, 'not-found')) throw cause
    throw notFound('NO_LOG', `There is no log at ${dir}: the folder does not exist.`, { context: { dir }, cause })
  }
}
