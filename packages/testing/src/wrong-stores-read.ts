import type { ObjectInfo, ObjectStore } from '@moulin/core'
import { isKind } from '@moulin/core'
import { turn } from './object-store-checks.ts'
import { derive } from './wrong-store.ts'
import type { WrongStore } from './wrong-store.ts'

/** Stores whose reads lie. */
export const wrongReaders: readonly WrongStore[] = [
  {
    name: 'get of a missing object that is empty',
    breaks: 'answers for a missing key: not-found by get, undefined by head, nothing by list',
    wrap: (store) =>
      derive(store, {
        async get(key, options) {
          if ((await store.head(key)) !== undefined) return store.get(key, options)
          return { key, size: 0, etag: '""', modifiedMs: 0, bytes: new Uint8Array(0) }
        },
      }),
  },
  {
    name: 'get that hands out its own buffer',
    breaks: 'gives every reader a copy',
    wrap(store) {
      const own = new Map<string, Awaited<ReturnType<ObjectStore['get']>>>()
      return derive(store, {
        async get(key, options) {
          const object = own.get(key) ?? (await store.get(key))
          own.set(key, object)
          const { start, end } = { start: 0, end: object.size, ...options?.range }
          return { ...object, bytes: object.bytes.subarray(start, end) }
        },
      })
    },
  },
  {
    name: 'get that shows the version before',
    breaks: 'shows a put at once to get, head and list',
    wrap(store) {
      const before = new Map<string, Uint8Array>()
      return derive(store, {
        async put(key, bytes, options) {
          const present = await store.get(key).catch(() => undefined)
          if (present !== undefined) before.set(key, present.bytes)
          return store.put(key, bytes, options)
        },
        async get(key, options) {
          const object = await store.get(key, options)
          const stale = before.get(key)
          before.delete(key)
          return stale === undefined ? object : { ...object, bytes: stale }
        },
      })
    },
  },
  {
    name: 'get that reads two halves of two versions',
    breaks: 'shows readers whole versions while it is overwritten',
    wrap: (store) =>
      derive(store, {
        async get(key, options) {
          const first = await store.get(key, options)
          if (options?.range !== undefined || first.bytes.length < 1000) return first
          await turn()
          const { bytes } = await store.get(key, options)
          return { ...first, bytes: Buffer.concat([first.bytes.subarray(0, 500), bytes.subarray(500)]) }
        },
      }),
  },
  {
    name: 'head that is cached',
    breaks: 'shows a put at once to get, head and list',
    wrap(store) {
      const cache = new Map<string, ObjectInfo>()
      return derive(store, {
        async head(key, options) {
          const info = cache.get(key) ?? (await store.head(key, options))
          if (info !== undefined) cache.set(key, info)
          return info
        },
      })
    },
  },
  {
    name: 'range that is one byte short',
    breaks: 'reads ranges: start inclusive, end exclusive, an end past the object cut, no end to the end',
    wrap: (store) =>
      derive(store, {
        async get(key, options) {
          const object = await store.get(key, options)
          const range = options?.range
          if (range === undefined || !('end' in range) || object.bytes.length < 2) return object
          return { ...object, bytes: object.bytes.slice(0, -1) }
        },
      }),
  },
  {
    name: 'range that counts the end in',
    breaks: 'reads ranges: start inclusive, end exclusive, an end past the object cut, no end to the end',
    wrap: (store) =>
      derive(store, {
        get(key, options) {
          const range = options?.range
          if (range === undefined || 'suffix' in range || range.end === undefined) return store.get(key, options)
          return store.get(key, { ...options, range: { start: range.start, end: range.end + 1 } })
        },
      }),
  },
  {
    name: 'range past the end that is empty',
    breaks: 'refuses a range that starts at or past the end, and one that is none',
    wrap: (store) =>
      derive(store, {
        async get(key, options) {
          try {
            return await store.get(key, options)
          } catch (error) {
            const info = isKind(error, 'invalid', 'RANGE') ? await store.head(key) : undefined
            if (info === undefined) throw error
            return { ...info, bytes: new Uint8Array(0) }
          }
        },
      }),
  },
  {
    name: 'suffix that is taken for a start',
    breaks: 'reads suffixes: the last bytes, all where there are fewer',
    wrap: (store) =>
      derive(store, {
        get(key, options) {
          const range = options?.range
          if (range === undefined || !('suffix' in range)) return store.get(key, options)
          return store.get(key, { ...options, range: { start: range.suffix } })
        },
      }),
  },
  {
    name: 'suffix that is lost',
    breaks: 'reads suffixes: the last bytes, all where there are fewer',
    wrap: (store) =>
      derive(store, {
        get: (key, options) => store.get(key, options?.range !== undefined && 'suffix' in options.range ? {} : options),
      }),
  },
  {
    name: 'tag that never changes',
    breaks: 'gives every version another tag, also at the same size and at once',
    wrap: (store) => retagged(store, () => '"constant"'),
  },
  {
    name: 'tag of the size alone',
    breaks: 'gives every version another tag, also at the same size and at once',
    wrap: (store) => retagged(store, (size) => `"${size}"`),
  },
]

function retagged(store: ObjectStore, tag: (size: number) => string): ObjectStore {
  const tagged = <T extends ObjectInfo>(info: T): T => ({ ...info, etag: tag(info.size) })
  return derive(store, {
    capabilities: { ...store.capabilities, compareAndSwap: false },
    get: async (key, options) => tagged(await store.get(key, options)),
    async head(key, options) {
      const info = await store.head(key, options)
      return info === undefined ? undefined : tagged(info)
    },
    async put(key, bytes, options) {
      await store.put(key, bytes, options)
      return { etag: tag(bytes.length) }
    },
    async *list(options) {
      for await (const info of store.list(options)) yield tagged(info)
    },
  })
}
