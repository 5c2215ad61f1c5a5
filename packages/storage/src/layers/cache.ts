import type { CallOptions, GetRangesOptions, ObjectStore, OptionTable, Runtime, StoredRanges } from '@moulin/core'
import {
  checkKey,
  checkOptions,
  folderOf,
  guardedLogger,
  invalid,
  objectStoreOptions,
  option,
  systemRuntime,
  throwIfAborted,
  waitFor,
} from '@moulin/core'
import { BlockFolder } from './block-folder.ts'
import { BlockIndex } from './block-index.ts'
import { memoryRoom } from './block-room.ts'
import type { Wanted } from './cached-reads.ts'
import { CachedReads } from './cached-reads.ts'
import { facesOf } from './layer.ts'

export interface CacheOptions {
  /** What is held at most. Reads whose blocks are more than a quarter of it pass by. */
  readonly maxBytes: number
  /** What is read and held at a time. Default 1 MiB, or a sixteenth of `maxBytes` where that is less. */
  readonly blockBytes?: number
  /** Hold it in this folder, by path or `file:` URL, which is this cache's own; made where it is missing. Default: in memory. */
  readonly folder?: string | URL
  /**
   * Keys whose object never changes once it is there: they are read without asking the store what is there now, even when they were
   * deleted or, against the rule, overwritten by others. Default: none.
   */
  readonly isImmutable?: (key: string) => boolean
  /** Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'files' | 'random' | 'logger'>
}

const optionTable: OptionTable<CacheOptions> = {
  maxBytes: option.required(option.positiveBytes),
  blockBytes: option.positiveBytes,
  folder: option.place,
  isImmutable: option.callback,
  runtime: option.runtimeOf('files', 'random', 'logger'),
}

const DEFAULT_BLOCK_BYTES = 1024 * 1024
/** A longer read would push out all others. */
const READ_SHARE = 4

export interface CacheStats {
  /** Calls of `get` and `getRanges` that came to the cache. */
  readonly reads: number
  /** Those of them for which nothing was fetched. */
  readonly hits: number
  /** Bytes of held blocks that were used. */
  readonly hitBytes: number
  /** Bytes that came from the store. */
  readonly fetchedBytes: number
  /** Times that a read waited for what another one had asked for. */
  readonly joined: number
  readonly heldBytes: number
  readonly heldBlocks: number
  /** Blocks that had to make room for others. */
  readonly evicted: number
  /** Blocks that were not what had been kept, and were let go of. */
  readonly damaged: number
}

/** A store with {@link cache}. */
export interface CachedStore extends ObjectStore {
  /** Since it was made. */
  cacheStats(): CacheStats
}

/**
 * The same store, of whose objects the blocks that were read last are held, in memory or in a folder that outlives the process. A read
 * asks for whole blocks; who wants the same one at the same time waits for the same request.
 *
 * Nobody is given another version than is there: what is held is used only when a `head`, or another request of this very read, has told
 * the same tag and size, so a hit costs a small request. Only for keys that `isImmutable` says never change it costs none. For files of
 * Iceberg tables, which have names of their own, that is `(key) => /\.(parquet|avro|puffin)$/.test(key)`; a table's metadata and hints
 * are not among them.
 *
 * A `get` with `ifNoneMatch`, `head` and `list` pass. So do writes and deletes, before and after which what is held of their keys is let go
 * of. Each block in a folder has a checksum; one that is damaged, or cannot be written, is as good as none. A folder is one cache's: what
 * others put there is not counted, and two that share one take each other's blocks away.
 *
 * @throws `invalid` for a bad option.
 * @example
 * const store = cache(s3({ bucket: 'lake' }), { maxBytes: 1024 ** 3, folder: '/var/cache/lake' })
 */
export function cache(store: ObjectStore, options: CacheOptions): CachedStore {
  checkOptions('cache', { store }, { store: option.required(option.storeCheck) })
  checkOptions('cache', options, optionTable)
  const { maxBytes, folder, isImmutable = () => false } = options
  const maxReadBytes = Math.max(1, Math.floor(maxBytes / READ_SHARE))
  const { blockBytes = Math.min(DEFAULT_BLOCK_BYTES, Math.max(1, Math.floor(maxReadBytes / READ_SHARE))) } = options
  if (blockBytes > maxReadBytes) {
    const message = `cache: blockBytes is ${blockBytes}; it must be a quarter of maxBytes (${maxBytes}) at most, or nothing would be held.`
    throw invalid('OPTION', message, { context: { option: 'blockBytes', maxBytes } })
  }
  const runtime = options.runtime ?? systemRuntime()
  const faces = facesOf('cache', store)
  const room =
    folder === undefined
      ? memoryRoom
      : new BlockFolder({ folder: folderOf('cache', folder), root: store.root, blockBytes, runtime })
  const index = new BlockIndex(room, maxBytes)
  const reads = new CachedReads({ store, index, blockBytes, maxReadBytes, isImmutable })

  let loading: Promise<void> | undefined
  /** What an earlier process has left counts from the first call on. */
  const loaded = (): Promise<void> =>
    (loading ??= index.load().catch((error: unknown) => {
      const message = `${faces.name}: the folder cannot be read, so nothing of earlier processes is used`
      guardedLogger(runtime.logger).warn({ err: error }, message)
    }))

  const read = async (key: string, wanted: Wanted, given: GetRangesOptions): Promise<StoredRanges | undefined> => {
    checkKey(key)
    throwIfAborted(given.signal)
    await waitFor(loaded(), given.signal)
    return await reads.read(key, wanted, given)
  }
  const changing = async <T>(
    keys: readonly string[],
    given: CallOptions | undefined,
    work: () => Promise<T>,
  ): Promise<T> => {
    const drop = async (): Promise<void> => {
      for (const key of keys) await index.drop(key)
    }
    await waitFor(loaded(), given?.signal)
    await drop()
    try {
      return await work()
    } finally {
      // What was read meanwhile may be what was there before.
      await drop()
    }
  }

  return {
    ...faces,
    cacheStats: () => ({ ...reads.counts, ...index.counts }),

    async get(key, given = {}) {
      checkOptions(`${faces.name}.get`, given, objectStoreOptions.get)
      const { range, ifNoneMatch, ...call } = given
      if (ifNoneMatch !== undefined) return await store.get(key, given)
      const found = await read(key, range === undefined ? 'whole' : [range], call)
      if (found === undefined) return await store.get(key, given)
      const { parts, ...info } = found
      return { ...info, bytes: parts[0]! }
    },

    async getRanges(key, ranges, given = {}) {
      checkOptions(`${faces.name}.getRanges`, given, objectStoreOptions.getRanges)
      const found = ranges.length === 0 ? undefined : await read(key, ranges, given)
      return found ?? (await store.getRanges(key, ranges, given))
    },

    head: (key, given) => store.head(key, given),
    list: (given) => store.list(given),
    put: (key, bytes, given) => changing([key], given, () => store.put(key, bytes, given)),
    putStream: (key, chunks, given) => changing([key], given, () => store.putStream(key, chunks, given)),
    delete: (key, given) => changing([key], given, () => store.delete(key, given)),
    deleteMany: (keys, given) => changing(keys, given, () => store.deleteMany(keys, given)),
  }
}
