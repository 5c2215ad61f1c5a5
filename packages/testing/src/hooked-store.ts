import {
  checkKey,
  checkOptions,
  compareKeys,
  conflict,
  defineObjectStore,
  exists,
  notFound,
  objectStoreOptions,
  option,
  resolveRange,
  throwIfAborted,
  unsupported,
} from '@moulin/core'
import type {
  CallOptions,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  StoredObject,
} from '@moulin/core'

/** A call that a store is about to take, or has taken. */
export interface StoreCall {
  readonly op: 'get' | 'head' | 'put' | 'delete' | 'list'
  /** The prefix, for `list`. */
  readonly key: string
  readonly mode?: PutOptions['mode']
  readonly bytes?: Uint8Array
}

/** Run around each call. What one throws, the caller gets: before the effect, or, from `after`, with the answer lost. */
export interface StoreHooks {
  before?: (call: StoreCall) => void | Promise<void>
  after?: (call: StoreCall) => void | Promise<void>
}

export interface HookedStore extends ObjectStore {
  /** To be set, changed and cleared by a test at any time. */
  readonly hooks: StoreHooks
  /** Every call taken so far, oldest first. */
  readonly calls: readonly StoreCall[]
}

/**
 * An object store in memory into which a test can reach: it scripts races, lost answers and late effects. Calls over several ranges or
 * keys, and streams, are made of single calls, and hooked as such.
 */
export function hookedStore(options: { readonly compareAndSwap?: boolean } = {}): HookedStore {
  checkOptions('hookedStore', options, { compareAndSwap: option.flag })
  const compareAndSwap = options.compareAndSwap ?? true
  const objects = new Map<string, StoredObject>()
  const hooks: StoreHooks = {}
  const calls: StoreCall[] = []
  let stored = 0

  const run = async <T>(call: StoreCall, effect: () => T): Promise<T> => {
    await hooks.before?.(call)
    calls.push(call)
    const result = effect()
    await hooks.after?.(call)
    return result
  }

  return defineObjectStore({
    name: 'hookedStore',
    root: 'memory://hooked/',
    capabilities: { createIfAbsent: true, compareAndSwap, multipart: false },
    durability: 'memory' as const,
    listOrder: 'bytes' as const,
    hooks,
    calls,

    async get(key: string, options: GetOptions = {}) {
      checkOptions('hookedStore.get', options, objectStoreOptions.get)
      const { range, ifNoneMatch, signal } = options
      throwIfAborted(signal)
      checkKey(key)
      return run({ op: 'get', key }, () => {
        const object = objects.get(key)
        if (object === undefined) throw notFound('KEY_MISSING', `There is no object ${key}.`)
        if (object.etag === ifNoneMatch) throw exists('NOT_MODIFIED', `${key} still has the tag ${ifNoneMatch}.`)
        const { start, end } = resolveRange(range, object.size, key)
        return { ...object, bytes: object.bytes.slice(start, end) }
      })
    },

    async head(key: string, { signal }: CallOptions = {}) {
      throwIfAborted(signal)
      checkKey(key)
      return run({ op: 'head', key }, () => infoOf(objects.get(key)))
    },

    async put(key: string, bytes: Uint8Array, { mode = 'overwrite', signal }: PutOptions = {}) {
      throwIfAborted(signal)
      checkKey(key)
      return run({ op: 'put', key, mode, bytes }, () => {
        const present = objects.get(key)
        if (mode === 'create' && present !== undefined) throw exists('KEY_EXISTS', `${key} is there already.`)
        if (typeof mode === 'object') {
          if (!compareAndSwap) throw unsupported('COMPARE_AND_SWAP', 'This store cannot swap.')
          if (present?.etag !== mode.ifMatch) throw conflict('TAG_MISMATCH', `${key} has another tag by now.`)
        }
        const etag = `"${++stored}"`
        objects.set(key, { key, size: bytes.length, etag, modifiedMs: stored, bytes: new Uint8Array(bytes) })
        return { etag }
      })
    },

    async delete(key: string, { signal }: CallOptions = {}) {
      throwIfAborted(signal)
      checkKey(key)
      return run({ op: 'delete', key }, () => void objects.delete(key))
    },

    async *list({ prefix = '', after, signal }: ListOptions = {}) {
      throwIfAborted(signal)
      const found = await run({ op: 'list', key: prefix }, () =>
        [...objects.values()]
          .filter(({ key }) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0))
          .sort((a, b) => compareKeys(a.key, b.key)),
      )
      for (const object of found) {
        throwIfAborted(signal)
        yield infoOf(object)!
      }
    },
  })
}

function infoOf(object: StoredObject | undefined): ObjectInfo | undefined {
  if (object === undefined) return undefined
  const { key, size, etag, modifiedMs } = object
  return { key, size, etag, modifiedMs }
}
