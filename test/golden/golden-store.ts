import { objectStoreCatalog } from '@moulin/catalog'
import type { Catalog, Log, ObjectStore, Runtime } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog } from '@moulin/log'
import type { OpenLogOptions } from '@moulin/log'
import { fileSystem } from '@moulin/storage'

/** Where every golden folder says that it lies, wherever a checkout puts it. */
const ROOT = 'file:///golden/'

/** So small that 60 partitions are a wide ledger. */
const MARKER_BYTES = 2 * 1024
const SEGMENT_BYTES = 64 * 1024

/** The objects of a folder, under the fixed root. */
function goldenStore(dir: string, runtime: Runtime): ObjectStore {
  return {
    ...fileSystem({ root: dir, files: runtime.files, clock: runtime.clock, random: runtime.random }),
    root: ROOT,
  }
}

/** The tables of a golden folder, for its log and for others. */
export function goldenTables(
  dir: string,
  runtime: Runtime,
  access: 'read-write' | 'read-only' = 'read-write',
): { readonly store: ObjectStore; readonly catalog: Catalog } {
  const store = goldenStore(dir, runtime)
  return { store, catalog: objectStoreCatalog({ store, prefix: 'tables/', runtime, access }) }
}

/** Opens the log in a golden folder. */
export function openGolden(
  dir: string,
  runtime: Runtime,
  options: Pick<OpenLogOptions, 'access' | 'takeover'> = {},
): Promise<Log> {
  const { store, catalog } = goldenTables(dir, runtime, options.access)
  return openLog({
    store,
    wal: fileWal({ dir: `${dir}/log/wal`, segmentBytes: SEGMENT_BYTES, networkMount: 'allow' }),
    tier: icebergTier({ catalog, threads: 0 }),
    runtime,
    limits: { markerBytes: MARKER_BYTES },
    ...options,
  })
}
