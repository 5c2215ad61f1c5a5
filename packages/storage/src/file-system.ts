import type {
  Clock,
  Files,
  FileStat,
  ObjectStore,
  OptionTable,
  Outcome,
  PutOptions,
  Random,
  Runtime,
} from '@moulin/core'
import {
  checkOptions,
  corrupt,
  folderOf,
  invalid,
  isKind,
  isMoulinError,
  objectStoreOptions,
  option,
  systemRuntime,
  throwIfAborted,
  unsupported,
  withDefaults,
  withOutcome,
} from '@moulin/core'
import { resolveRange } from './byte-range.ts'
import { DurableFolders } from './durable-folders.ts'
import { etagOf, infoOf } from './file-info.ts'
import { walkFiles } from './file-walk.ts'
import type { Place } from './folder-place.ts'
import { placeOf } from './folder-place.ts'
import { keyExists, missingKey } from './object-errors.ts'
import { TemporaryFiles } from './temporary-files.ts'

export interface FileSystemOptions {
  /** The folder, by path or `file:` URL; made by the first `put`. */
  readonly root: string | URL
  /** Where the doors below come from when they are not given. Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'files' | 'clock' | 'random'>
  readonly files?: Files
  readonly clock?: Pick<Clock, 'now'>
  readonly random?: Pick<Random, 'uuid' | 'bytes'>
}

const optionTable: OptionTable<FileSystemOptions> = {
  root: option.required(option.place),
  runtime: option.runtimeOf('files', 'clock', 'random'),
  files: option.filesCheck,
  clock: option.clockCheck,
  random: option.randomCheck,
}

/**
 * Objects as plain files of a folder, which any engine reads by path. Keys are relative paths.
 *
 * Durability: when `put` resolves, the bytes and every name on the way from the root have been synced; what `get`, `head`
 * and `list` show survives a power loss. The bytes given to `put` are left alone by the caller until it settles.
 *
 * Creates are atomic among all processes: a synced temporary file gets its name by `link`; an overwrite by `rename`, so
 * that readers keep the version they opened. Temporary files lie in `.moulin-tmp` below the root, which no key reaches;
 * those older than an hour are removed by the first `put` of a later store. No swaps: capability `compareAndSwap` is false.
 *
 * Refused by name: symbolic links below the root (`invalid`, `NOT_A_PLAIN_PATH`; the check is no guard against somebody
 * who changes the folder meanwhile), a key and another below it (`unsupported`, `KEY_IS_FOLDER`, `KEY_UNDER_OBJECT`),
 * segments above 255 bytes (`KEY_SEGMENT_TOO_LONG`), disks without hard links (`NO_HARD_LINKS`). Folders stay when their
 * last object goes. A full disk is `exhausted`, a read-only one `unavailable`, both with outcome `rejected`.
 *
 * @throws `invalid` for a bad option; `unsupported` code `STORE_SCHEME` for a `root` that is a URL of something else.
 */
export function fileSystem(options: FileSystemOptions): ObjectStore {
  checkOptions('fileSystem', options, optionTable)
  const root = folderOf('fileSystem', options.root)
  if (root === '/') throw invalid('ROOT', 'The root of a store is a folder of its own, not the whole disk.')
  const { files, clock, random } = withDefaults<Required<Omit<FileSystemOptions, 'root' | 'runtime'>>>(
    options.runtime ?? systemRuntime(),
    options,
  )
  const name = `fileSystem(${root})`
  const folders = new DurableFolders(files, root)
  const temporary = new TemporaryFiles({ root, files, folders, clock, random })

  /** The regular file that is there, with its name made durable. */
  const find = async ({ path, folder }: Place): Promise<FileStat | undefined> => {
    if (!(await folders.confine(path))) return undefined
    const stat = await files.stat(path)
    if (stat?.kind !== 'file') return undefined
    try {
      await folders.look(folder)
    } catch (error) {
      if (isKind(error, 'not-found')) return undefined
      throw error
    }
    return stat
  }

  /** Throws when the key cannot be put: it is a folder or a link, or is there although it must not be. */
  const admit = async (place: Place, mode: PutOptions['mode']): Promise<void> => {
    if (!(await folders.confine(place.path))) return
    const present = await files.stat(place.path)
    if (present?.kind === 'directory') {
      const message = `${place.path} is a folder: a folder on disk cannot hold an object and others below its key.`
      throw unsupported('KEY_IS_FOLDER', message, { context: { key: place.key } })
    }
    if (present === undefined || mode !== 'create') return
    // Who hears that it exists may build on it.
    await folders.look(place.folder)
    throw keyExists(name, place.key)
  }

  const publish = async (temp: string, place: Place, mode: PutOptions['mode']): Promise<void> => {
    let outcome: Outcome = 'rejected'
    try {
      await (mode === 'create' ? files.link(temp, place.path) : files.rename(temp, place.path))
      outcome = 'unknown'
      await folders.changed(place.folder)
    } catch (error) {
      if (outcome === 'unknown') throw withOutcome(error, 'unknown')
      if (isKind(error, 'exists') || isKind(error, 'unavailable', 'EISDIR')) {
        await admit(place, mode)
        throw keyExists(name, place.key, error)
      }
      throw linkError(error, place)
    }
  }

  const attempt = async (place: Place, bytes: Uint8Array, options: PutOptions): Promise<{ readonly etag: string }> => {
    await admit(place, options.mode)
    throwIfAborted(options.signal)
    const temp = await temporary.write(bytes).catch((error: unknown) => {
      throw withOutcome(error, 'rejected')
    })
    let leftOver = true
    try {
      await folders.make(place.folder).catch((error: unknown) => {
        throw withOutcome(error, 'rejected')
      })
      throwIfAborted(options.signal)
      await publish(temp.path, place, options.mode)
      leftOver = options.mode === 'create'
      return { etag: etagOf(temp.stat) }
    } finally {
      if (leftOver) await temporary.remove(temp.path)
    }
  }

  return {
    name,
    root: `file://${root}/`,
    capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: false },

    async get(key, options) {
      checkOptions(`${name}.get`, options, objectStoreOptions.get)
      const { range, signal } = options ?? {}
      const place = placeOf(root, key)
      throwIfAborted(signal)
      if ((await find(place)) === undefined) throw missingKey(name, key)
      throwIfAborted(signal)
      const handle = await files.open(place.path, 'read').catch((error: unknown) => {
        throw isKind(error, 'not-found') ? missingKey(name, key, error) : error
      })
      try {
        // Of the open file, not of its name: an overwrite meanwhile shows neither in the bytes nor in the tag.
        const stat = await handle.stat()
        const { start, end } = resolveRange(range, stat.size, key)
        const bytes = await handle.read(start, end - start)
        throwIfAborted(signal)
        if (bytes.length === end - start) return { ...infoOf(key, stat), bytes }
        throw corrupt('SHORT_READ', `${place.path} was cut while it was read: something else writes into it.`, {
          context: { key, expected: end - start, actual: bytes.length },
        })
      } finally {
        await handle.close()
      }
    },

    async head(key, options) {
      checkOptions(`${name}.head`, options, objectStoreOptions.call)
      const signal = options?.signal
      const place = placeOf(root, key)
      throwIfAborted(signal)
      const stat = await find(place)
      throwIfAborted(signal)
      return stat === undefined ? undefined : infoOf(key, stat)
    },

    async put(key, bytes, options = {}) {
      checkOptions(`${name}.put`, options, objectStoreOptions.put)
      const place = placeOf(root, key)
      throwIfAborted(options.signal)
      if (typeof options.mode === 'object')
        throw unsupported('SWAP', `${name} has no compare-and-swap: put ${JSON.stringify(key)} in another mode.`)
      try {
        return await attempt(place, bytes, options)
      } catch (error) {
        // Somebody removed a folder, or the temporary file as left over: once more, from the start.
        if (!isKind(error, 'not-found')) throw error
        folders.forget()
        temporary.forget()
        return attempt(place, bytes, options)
      }
    },

    async delete(key, options) {
      checkOptions(`${name}.delete`, options, objectStoreOptions.call)
      const signal = options?.signal
      const place = placeOf(root, key)
      throwIfAborted(signal)
      if ((await find(place)) === undefined) return
      throwIfAborted(signal)
      try {
        await files.unlink(place.path)
      } catch (error) {
        if (isKind(error, 'not-found')) return
        throw error
      }
      await folders.changed(place.folder).catch((error: unknown) => {
        throw withOutcome(error, 'unknown')
      })
    },

    async *list(options = {}) {
      checkOptions(`${name}.list`, options, objectStoreOptions.list)
      yield* walkFiles(files, folders, root, options)
    },
  }
}

const noLinks: ReadonlySet<unknown> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV'])

// The temporary file could be written, so the folder is writable: what is missing is the call.
function linkError(error: unknown, place: Place): unknown {
  if (!isMoulinError(error)) return error
  if (noLinks.has(error.context['errno'])) {
    const message = `The disk of ${place.path} cannot link files, so it has no atomic create: use another one.`
    return unsupported('NO_HARD_LINKS', message, { context: error.context, cause: error })
  }
  // After an I/O error the name may be there or not.
  return error.kind === 'unavailable' && error.code !== 'READ_ONLY' ? withOutcome(error, 'unknown') : error
}
