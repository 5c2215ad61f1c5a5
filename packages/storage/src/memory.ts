import type { Clock, ObjectInfo, ObjectStore, OptionTable, PutOptions, Runtime } from '@moulin/core'
import {
  checkBody,
  checkKey,
  checkOptions,
  compareKeys,
  defineObjectStore,
  joinBytes,
  objectStoreOptions,
  option,
  readChunks,
  resolveRange,
  systemRuntime,
  throwIfAborted,
} from '@moulin/core'
import { keyExists, missingKey, notModified, tagMismatch } from './object-errors.ts'

export interface MemoryOptions {
  /** Tells two stores apart in messages and URIs. Default `main`. */
  readonly name?: string
  /** Where the clock comes from when it is not given. Default: the machine's own. */
  readonly runtime?: Pick<Runtime, 'clock'>
  /** Dates the objects. */
  readonly clock?: Pick<Clock, 'now'>
}

const optionTable: OptionTable<MemoryOptions> = {
  name: option.text,
  runtime: option.runtimeOf('clock'),
  clock: option.clockCheck,
}

/**
 * A store that lives as long as the process: every promise of {@link ObjectStore}, all capabilities.
 * Bytes are copied on their way in and out. `list` shows the keys of its first step; those removed since are left out.
 */
export function memory(options: MemoryOptions = {}): ObjectStore {
  checkOptions('memory', options, optionTable)
  const label = options.name ?? 'main'
  const name = `memory(${label})`
  const clock = options.clock ?? (options.runtime ?? systemRuntime()).clock
  const objects = new Map<string, MemoryObject>()
  // Kept in byte order, so that a list is a walk.
  const keys: string[] = []
  let version = 0

  const requireObject = (key: string): MemoryObject => {
    const object = objects.get(key)
    if (object === undefined) throw missingKey(name, key)
    return object
  }

  /** Stores bytes that nobody else holds. */
  const store = (key: string, bytes: Uint8Array, { mode = 'overwrite', attemptId }: PutOptions): { etag: string } => {
    const present = objects.get(key)
    const isRepeated = attemptId !== undefined && present?.attemptId === attemptId && mode !== 'overwrite'
    if (isRepeated) return { etag: present.info.etag }
    if (mode === 'create' && present !== undefined) throw keyExists(name, key)
    if (typeof mode === 'object' && present?.info.etag !== mode.ifMatch)
      throw tagMismatch(name, key, mode.ifMatch, present?.info.etag)
    const etag = `"${++version}"`
    if (present === undefined) keys.splice(firstNotBelow(keys, key), 0, key)
    objects.set(key, { info: { key, size: bytes.length, etag, modifiedMs: clock.now() }, bytes, attemptId })
    return { etag }
  }

  return defineObjectStore({
    name,
    root: `memory://${label}/`,
    capabilities: { createIfAbsent: true, compareAndSwap: true, multipart: true, attemptIds: true },
    durability: 'memory',
    listOrder: 'bytes',

    async get(key, options) {
      checkOptions(`${name}.get`, options, objectStoreOptions.get)
      const { range, ifNoneMatch, signal } = options ?? {}
      checkKey(key)
      throwIfAborted(signal)
      const { info, bytes } = requireObject(key)
      if (info.etag === ifNoneMatch) throw notModified(name, key, ifNoneMatch)
      const { start, end } = resolveRange(range, bytes.length, key)
      return { ...info, bytes: bytes.slice(start, end) }
    },

    async getRanges(key, ranges, options) {
      checkOptions(`${name}.getRanges`, options, objectStoreOptions.getRanges)
      checkKey(key)
      throwIfAborted(options?.signal)
      const { info, bytes } = requireObject(key)
      const places = ranges.map((range) => resolveRange(range, bytes.length, key))
      return { ...info, parts: places.map(({ start, end }) => bytes.slice(start, end)) }
    },

    async head(key, options) {
      checkOptions(`${name}.head`, options, objectStoreOptions.call)
      checkKey(key)
      throwIfAborted(options?.signal)
      return objects.get(key)?.info
    },

    async put(key, bytes, options) {
      checkOptions(`${name}.put`, options, objectStoreOptions.put)
      checkKey(key)
      checkBody(key, bytes)
      throwIfAborted(options?.signal)
      // A constructor copies; slice() of a Buffer would not.
      return store(key, new Uint8Array(bytes), options ?? {})
    },

    async putStream(key, chunks, options = {}) {
      checkOptions(`${name}.putStream`, options, objectStoreOptions.putStream)
      checkKey(key)
      throwIfAborted(options.signal)
      const parts: Uint8Array[] = []
      for await (const chunk of readChunks(chunks, options.signal)) parts.push(chunk)
      return store(key, joinBytes(parts), options)
    },

    async delete(key, options) {
      checkOptions(`${name}.delete`, options, objectStoreOptions.call)
      checkKey(key)
      throwIfAborted(options?.signal)
      if (objects.delete(key)) keys.splice(firstNotBelow(keys, key), 1)
    },

    async *list(options) {
      checkOptions(`${name}.list`, options, objectStoreOptions.list)
      const { prefix = '', after = '', signal } = options ?? {}
      throwIfAborted(signal)
      const from = compareKeys(after, prefix) < 0 ? prefix : after
      for (const key of keys.slice(firstNotBelow(keys, from))) {
        throwIfAborted(signal)
        if (key === after) continue
        if (!key.startsWith(prefix)) return
        const object = objects.get(key)
        if (object !== undefined) yield object.info
      }
    },
  })
}

interface MemoryObject {
  readonly info: ObjectInfo
  readonly bytes: Uint8Array
  readonly attemptId: string | undefined
}

/** Index of the first key at or after `key`. */
function firstNotBelow(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareKeys(keys[middle]!, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
