import type {
  ByteRange,
  CallOptions,
  Clock,
  Files,
  FileStat,
  GetOptions,
  ObjectInfo,
  ObjectStore,
  OptionTable,
  Random,
  Runtime,
  Timers,
} from '@moulin/core'
import {
  atMost,
  checkBody,
  checkKey,
  checkOptions,
  corrupt,
  folderOf,
  invalid,
  isKind,
  objectStoreOptions,
  option,
  resolveRange,
  systemRuntime,
  throwIfAborted,
  withDefaults,
  withOutcome,
} from '@moulin/core'
import { deleteFiles } from './delete-files.ts'
import { DurableFolders } from './durable-folders.ts'
import { infoOf } from './file-info.ts'
import { FilePuts } from './file-puts.ts'
import { walkFiles } from './file-walk.ts'
import type { Place } from './folder-place.ts'
import { placeOf } from './folder-place.ts'
import type { HeldFile } from './held-files.ts'
import { HeldFiles } from './held-files.ts'
import { missingKey, notModified } from './object-errors.ts'
import { TemporaryFiles } from './temporary-files.ts'

export interface FileSystemOptions {
  /** The folder, by path or `file:` URL; made by the first `put`. */
  readonly root: string | URL
  /** Where the doors below come from when they are not given. Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'files' | 'clock' | 'random' | 'timers'>
  readonly files?: Files
  readonly clock?: Pick<Clock, 'now'>
  readonly random?: Pick<Random, 'uuid' | 'bytes'>
  readonly timers?: Pick<Timers, 'after'>
}

const optionTable: OptionTable<FileSystemOptions> = {
  root: option.required(option.place),
  runtime: option.runtimeOf('files', 'clock', 'random', 'timers'),
  files: option.filesCheck,
  clock: option.clockCheck,
  random: option.randomCheck,
  timers: option.timersCheck,
}

/** Reads of one file at a time. */
const PARALLEL = 8

/**
 * Objects as plain files of a folder, which any engine reads by path. Keys are relative paths.
 *
 * Durability: when `put` resolves, the bytes and every name on the way from the root have been synced; what `get`, `head`
 * and `list` show survives a power loss. A stream goes to the disk as it comes and needs memory for about 1 MiB of it.
 *
 * Creates are atomic among all processes: a synced temporary file gets its name by `link`; an overwrite by `rename`, so
 * that readers keep the version they opened. Temporary files lie in `.moulin-tmp` below the root, which no key reaches;
 * those older than an hour are removed by the first `put` of a later store. No swaps: capability `compareAndSwap` is false.
 *
 * A file of which a range is read stays open for the next one, 64 files at most and for 5 to 10 s of quiet: a range is then two calls of the
 * disk, one that looks whether it is still that file, and one that reads. Files of network mounts are opened for each call.
 *
 * Refused by name: symbolic links below the root (`invalid`, `NOT_A_PLAIN_PATH`; the check is no guard against somebody
 * who changes the folder meanwhile, and what is open is read on by whatever way its path leads to it now), a key and another below it (`unsupported`, `KEY_IS_FOLDER`, `KEY_UNDER_OBJECT`),
 * segments above 255 bytes (`KEY_SEGMENT_TOO_LONG`), disks without hard links (`NO_HARD_LINKS`). Folders stay when their
 * last object goes. A full disk is `exhausted`, a read-only one `unavailable`, both with outcome `rejected`.
 *
 * @throws `invalid` for a bad option; `unsupported` code `STORE_SCHEME` for a `root` that is a URL of something else.
 */
export function fileSystem(options: FileSystemOptions): ObjectStore {
  checkOptions('fileSystem', options, optionTable)
  const root = folderOf('fileSystem', options.root)
  if (root === '/') throw invalid('ROOT', 'The root of a store is a folder of its own, not the whole disk.')
  const {
    files: disk,
    clock,
    random,
    timers,
  } = withDefaults<Required<Omit<FileSystemOptions, 'root' | 'runtime'>>>(options.runtime ?? systemRuntime(), options)
  const name = `fileSystem(${root})`
  const held = new HeldFiles(disk, timers)
  const { files } = held
  const folders = new DurableFolders(files, root)
  const temporary = new TemporaryFiles({ root, files, folders, clock, random })

  /** False when the folder has gone meanwhile. */
  const isDurable = async (folder: string): Promise<boolean> => {
    try {
      await folders.look(folder)
      return true
    } catch (error) {
      if (isKind(error, 'not-found')) return false
      throw error
    }
  }

  /** Whether what `stat` tells of is a regular file in its place; its name is durable then. */
  const isPlain = async ({ path, folder }: Place, stat: FileStat): Promise<boolean> =>
    (await folders.confine(path)) && stat.kind === 'file' && (await isDurable(folder))

  const find = async (place: Place): Promise<FileStat | undefined> => {
    const stat = await files.stat(place.path)
    return stat !== undefined && (await isPlain(place, stat)) ? stat : undefined
  }

  /** The file that is there now, open. What is open already was in its place when it was opened, and is that file still. */
  const openAt = async (place: Place, { signal, range }: GetOptions): Promise<HeldFile | undefined> => {
    const { path, folder } = place
    const stat = await files.stat(path)
    if (stat === undefined) return undefined
    const known = held.isAt(path, stat) && (await isDurable(folder)) ? held.take(path, stat) : undefined
    if (known !== undefined) return known
    if (!(await isPlain(place, stat))) return undefined
    throwIfAborted(signal)
    return held.open(place, range !== undefined)
  }

  const puts = new FilePuts({ name, files, folders, temporary, held })

  /** Runs `read` on the object's file as it is now: an overwrite meanwhile shows neither in the bytes nor in the tag. */
  const opened = async <T>(key: string, call: GetOptions, read: (file: OpenObject) => Promise<T>): Promise<T> => {
    const place = placeOf(root, key)
    throwIfAborted(call.signal)
    const file = await openAt(place, call).catch((error: unknown) => {
      throw isKind(error, 'not-found') ? missingKey(name, key, error) : error
    })
    if (file === undefined) throw missingKey(name, key)
    try {
      const { handle, stat } = file
      const info = infoOf(key, stat)
      if (info.etag === call.ifNoneMatch) throw notModified(name, key, info.etag)
      const readRange = async (range: ByteRange | undefined): Promise<Uint8Array> => {
        const { start, end } = resolveRange(range, stat.size, key)
        const bytes = await handle.read(start, end - start, withSignal(call.signal))
        throwIfAborted(call.signal)
        if (bytes.length === end - start) return bytes
        throw corrupt('SHORT_READ', `${place.path} was cut while it was read: something else writes into it.`, {
          context: { key, expected: end - start, actual: bytes.length },
        })
      }
      return await read({ info, readRange })
    } finally {
      await held.release(file)
    }
  }

  /** Removes the name. False when it was not there: nothing is left to be made durable. */
  const unlink = async (place: Place, signal: AbortSignal | undefined): Promise<boolean> => {
    throwIfAborted(signal)
    if ((await find(place)) === undefined) return false
    throwIfAborted(signal)
    await held.forget(place.path)
    try {
      await files.unlink(place.path)
      return true
    } catch (error) {
      if (isKind(error, 'not-found')) return false
      throw error
    }
  }

  const removed = (folder: string): Promise<void> =>
    folders.changed(folder).catch((error: unknown) => {
      throw withOutcome(error, 'unknown')
    })

  return {
    name,
    root: `file://${root}/`,
    capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: true },
    durability: 'disk',
    listOrder: 'bytes',

    async get(key, options = {}) {
      checkOptions(`${name}.get`, options, objectStoreOptions.get)
      return opened(key, options, async ({ info, readRange }) => ({ ...info, bytes: await readRange(options.range) }))
    },

    async getRanges(key, ranges, options = {}) {
      checkOptions(`${name}.getRanges`, options, objectStoreOptions.getRanges)
      const call: GetOptions = { range: { start: 0 }, ...withSignal(options.signal) }
      return opened(key, call, async ({ info, readRange }) => {
        for (const range of ranges) resolveRange(range, info.size, key)
        const parts: Uint8Array[] = new Array<Uint8Array>(ranges.length)
        await atMost(PARALLEL, ranges, async (range, at) => {
          parts[at] = await readRange(range)
        })
        return { ...info, parts }
      })
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
      checkBody(key, bytes)
      return puts.put(placeOf(root, key), bytes, options)
    },

    async putStream(key, chunks, options = {}) {
      checkOptions(`${name}.putStream`, options, objectStoreOptions.putStream)
      return puts.putStream(placeOf(root, key), chunks, options)
    },

    async delete(key, options) {
      checkOptions(`${name}.delete`, options, objectStoreOptions.call)
      const place = placeOf(root, key)
      if (await unlink(place, options?.signal)) await removed(place.folder)
    },

    async deleteMany(keys, options) {
      checkOptions(`${name}.deleteMany`, options, objectStoreOptions.call)
      for (const key of keys) checkKey(key)
      return deleteFiles([...new Set(keys)], {
        placeOf: (key) => placeOf(root, key),
        unlink: (place) => unlink(place, options?.signal),
        removed,
      })
    },

    async *list(options = {}) {
      checkOptions(`${name}.list`, options, objectStoreOptions.list)
      yield* walkFiles(files, folders, root, options)
    },
  }
}

interface OpenObject {
  readonly info: ObjectInfo
  readRange(range: ByteRange | undefined): Promise<Uint8Array>
}

const withSignal = (signal: AbortSignal | undefined): CallOptions => (signal === undefined ? {} : { signal })
