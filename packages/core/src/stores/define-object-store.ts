import type {
  Chunks,
  DeleteFailure,
  DeleteManyResult,
  ObjectStore,
  PutStreamOptions,
  SmallObjectStore,
} from '../doors/object-store.ts'
import { exhausted, isKind, throwIfAborted, withOutcome } from '../model/errors.ts'
import { checkKey } from '../model/object-key.ts'
import { objectStoreOptions } from '../options/object-store-options.ts'
import { positiveBytes } from '../options/option-checks.ts'
import { checkOptions, type OptionTable } from '../options/options.ts'
import { joinBytes } from '../model/join-bytes.ts'
import { atMost } from './at-most.ts'
import { readChunks } from './chunks.ts'
import { rangesByGet } from './ranges-by-get.ts'

export interface DefineObjectStoreOptions {
  /** The longest stream that the `putStream` filled in here gathers in memory. Default 64 MiB. */
  readonly maxStreamBytes?: number
}

const optionTable: OptionTable<DefineObjectStoreOptions> = { maxStreamBytes: positiveBytes }
const DEFAULT_STREAM_BYTES = 64 * 1024 * 1024
const PARALLEL_DELETES = 8

/**
 * Makes an adapter's definition a whole {@link ObjectStore}: adds to it those of `getRanges`, `deleteMany` and `putStream` that it does
 * not have (or has as `undefined`), made of its other methods:
 *
 * - `getRanges` joins neighbours and reads some at a time; it compares the tags of its reads, so that all are of one version.
 * - `deleteMany` deletes 8 at a time.
 * - `putStream` gathers the stream and puts it: above `maxStreamBytes` it is `exhausted`, code `STREAM_TOO_LONG`, and nothing is stored.
 *
 * A wrapper that spreads another store has that one's methods already, which know nothing of what the wrapper does otherwise.
 *
 * @example
 * export const mine = (): ObjectStore => defineObjectStore({ name, root, capabilities, durability, listOrder, get, head, put, delete, list })
 */
export function defineObjectStore<S extends SmallObjectStore>(
  store: S,
  options: DefineObjectStoreOptions = {},
): Omit<S, keyof ObjectStore> & ObjectStore {
  checkOptions('defineObjectStore', options, optionTable)
  const { maxStreamBytes = DEFAULT_STREAM_BYTES } = options
  const filled: Pick<ObjectStore, 'getRanges' | 'deleteMany' | 'putStream'> = {
    async getRanges(key, ranges, options = {}) {
      checkOptions(`${store.name}.getRanges`, options, objectStoreOptions.getRanges)
      checkKey(key)
      throwIfAborted(options.signal)
      return await rangesByGet(store, key, ranges, options)
    },
    async deleteMany(keys, options = {}) {
      checkOptions(`${store.name}.deleteMany`, options, objectStoreOptions.call)
      return await deleteOneByOne(store, keys, options.signal)
    },
    async putStream(key, chunks, options = {}) {
      checkOptions(`${store.name}.putStream`, options, objectStoreOptions.putStream)
      checkKey(key)
      const { partBytes: _, ...put } = options
      return await store.put(key, await gathered(store, key, chunks, maxStreamBytes, options), put)
    },
  }
  const missing = Object.entries(filled).filter(([name]) => store[name as keyof typeof filled] === undefined)
  return Object.assign(store, Object.fromEntries(missing)) as unknown as Omit<S, keyof ObjectStore> & ObjectStore
}

async function deleteOneByOne(
  store: SmallObjectStore,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<DeleteManyResult> {
  for (const key of keys) checkKey(key)
  const distinct = [...new Set(keys)]
  const failures = new Map<number, DeleteFailure>()
  let begun = false
  await atMost(PARALLEL_DELETES, distinct, async (key, index) => {
    try {
      throwIfAborted(signal)
      begun = true
      await store.delete(key, signal === undefined ? {} : { signal })
    } catch (error) {
      if (isKind(error, 'aborted')) throw begun ? withOutcome(error, 'unknown') : error
      failures.set(index, { key, error })
    }
  })
  return { failed: [...failures].sort(([a], [b]) => a - b).map(([, failure]) => failure) }
}

async function gathered(
  store: SmallObjectStore,
  key: string,
  chunks: Chunks,
  maxBytes: number,
  { signal }: PutStreamOptions,
): Promise<Uint8Array> {
  throwIfAborted(signal)
  const parts: Uint8Array[] = []
  let size = 0
  for await (const chunk of readChunks(chunks, signal)) {
    size += chunk.length
    if (size > maxBytes) {
      const message = `A stream to ${JSON.stringify(key)} is longer than the ${maxBytes} bytes that ${store.name} gathers in memory: put it in several objects, or use a store that takes parts.`
      throw exhausted('STREAM_TOO_LONG', message, { context: { key, maxStreamBytes: maxBytes } })
    }
    parts.push(chunk)
  }
  return parts.length === 1 ? parts[0]! : joinBytes(parts)
}
