import { basename, dirname, join } from 'node:path'
import { objectStoreCatalog } from '@moulin/catalog'
import type { Files, Log, ObjectStore, Runtime } from '@moulin/core'
import { checkOptions, checkRoot, folderOf, isKind, notFound, systemRuntime } from '@moulin/core'
import { icebergTier } from '@moulin/lake'
import { fileWal, openLog as openComposedLog } from '@moulin/log'
import type { RepairLogOptions } from '@moulin/log'
import { fileSystem, probeStore, removeLeftOverFolder } from '@moulin/storage'
import type { EmbeddedOptions } from './embedded-options.ts'
import { embeddedOptions, logOptionsOf, runtimeOf, tierOf } from './embedded-options.ts'

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
  checkOptions('openLog', options, embeddedOptions)
  const { access = 'read-write', signal } = options
  const runtime = runtimeOf(options)
  // Before the folder is made, and before the system reads half a surrogate pair as another name.
  checkRoot(fileSystem({ root: given, files: runtime.files }))
  const root = await realPlace(given, runtime.files)
  const store = fileSystem({ root, files: runtime.files, timers: runtime.timers })
  checkRoot(store)
  await requireFolder(root, access, runtime.files)
  return openComposedLog({
    ...logOptionsOf(options),
    store,
    wal: fileWal({ dir: walDirOf(root), networkMount: options.networkMount ?? 'refuse' }),
    tier: tierOf(() => objectStoreCatalog({ store, prefix: 'tables/', runtime, access }), options),
    probe: async (probed) => {
      try {
        await probeStore(probed, { runtime, prefix: 'log/probe/', ...(signal === undefined ? {} : { signal }) })
      } finally {
        await removeLeftOverFolder(runtime.files, runtime.clock, `${root}/log/probe`)
      }
    },
    runtime,
  })
}

/** The store of a folder that is there. @throws `not-found` for one that is not; `invalid` for a path that engines cannot open. */
export async function folderStore(
  dir: string | URL,
  { files, timers }: Pick<Runtime, 'files' | 'timers'>,
): Promise<ObjectStore> {
  const root = await realPlace(folderOf('moulin', dir), files)
  await requireFolder(root, 'read-only', files)
  const store = fileSystem({ root, files, timers })
  checkRoot(store)
  return store
}

/** The parts of a folder's log that may not open, for a repair. @throws `not-found` for a missing folder; what `use` throws. */
export async function withFolderParts<T>(dir: string | URL, use: (parts: RepairLogOptions) => Promise<T>): Promise<T> {
  const runtime = systemRuntime()
  const { files } = runtime
  const root = await realPlace(folderOf('repair', dir), files)
  await requireFolder(root, 'read-only', files)
  const store = fileSystem({ root, files, timers: runtime.timers })
  const catalog = objectStoreCatalog({ store, prefix: 'tables/', runtime, access: 'read-only' })
  const tier = icebergTier({ catalog, threads: 0 })
  try {
    return await use({ store, walDir: walDirOf(root), tier, runtime })
  } finally {
    await tier.close()
  }
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
