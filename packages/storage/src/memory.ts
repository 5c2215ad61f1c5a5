import type { Clock, ObjectInfo, ObjectStore, OptionTable } from '@moulin/core'
import {
  checkKey,
  checkOptions,
  compareKeys,
  objectStoreOptions,
  option,
  systemRuntime,
  throwIfAborted,
} from '@moulin/core'
import { resolveRange } from './byte-range.ts'
import { keyExists, missingKey, tagMismatch } from './object-errors.ts'

export interface MemoryOptions {
  /** Tells two stores apart in messages and URIs. Default `main`. */
  readonly name?: string
  /** Dates the objects. Default: the machine's clock. */
  readonly clock?: Pick<Clock, 'now'>
}

const optionTable: OptionTable<MemoryOptions> = { name: option.text, clock: option.clockCheck }

/**
 * A store that lives as long as the process: every promise of {@link ObjectStore}, all capabilities but multipart.
 * Bytes are copied on their way in and out. `list` shows the keys of its first step; those removed since are left out.
 */
export function memory(options: MemoryOptions = {}): ObjectStore {
  checkOptions('memory', options, optionTable)
  const label = options.name ?? 'main'
  const name = `memory(${label})`
  const clock = options.clock ?? systemRuntime().clock
  const objects = new Map<string, { readonly info: ObjectInfo; readonly bytes: Uint8Array }>()
  // Kept in byte order, so that a list is a walk.
  const keys: string[] = []
  let version = 0

  const requireObject = (key: string): { readonly info: ObjectInfo; readonly bytes: Uint8Array } => {
    const object = objects.get(key)
    if (object === undefined) throw missingKey(name, key)
    return object
  }

  return {
    name,
    root: `memory://${label}/`,
    capabilities: { createIfAbsent: true, compareAndSwap: true, multipart: false },

    async get(key, options) {
      checkOptions(`${name}.get`, options, objectStoreOptions.get)
      const { range, signal } = options ?? {}
      checkKey(key)
      throwIfAborted(signal)
      const { info, bytes } = requireObject(key)
      const { start, end } = resolveRange(range, bytes.length, key)
      return { ...info, bytes: bytes.slice(start, end) }
    },

    async head(key, options) {
      checkOptions(`${name}.head`, options, objectStoreOptions.call)
      checkKey(key)
      throwIfAborted(options?.signal)
      return objects.get(key)?.info
    },

    async put(key, bytes, options) {
      checkOptions(`${name}.put`, options, objectStoreOptions.put)
      const { mode = 'overwrite', signal } = options ?? {}
      checkKey(key)
      throwIfAborted(signal)
      const present = objects.get(key)?.info
      if (mode === 'create' && present !== undefined) throw keyExists(name, key)
      if (typeof mode === 'object' && present?.etag !== mode.ifMatch)
        throw tagMismatch(name, key, mode.ifMatch, present?.etag)
      const etag = `"${++version}"`
      if (present === undefined) keys.splice(firstNotBelow(keys, key), 0, key)
      // A constructor copies; slice() of a Buffer would not.
      objects.set(key, {
        info: { key, size: bytes.length, etag, modifiedMs: clock.now() },
        bytes: new Uint8Array(bytes),
      })
      return { etag }
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
  }
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
