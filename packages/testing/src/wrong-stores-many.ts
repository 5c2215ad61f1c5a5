import type { GetRangesOptions, ObjectStore } from '@moulin/core'
import { checkKey, exists, isKind, notFound } from '@moulin/core'
import { turn } from './object-store-checks.ts'
import { derive } from './wrong-store.ts'
import type { WrongStore } from './wrong-store.ts'

/** Stores whose calls over several ranges or keys lie, or their reads of what is newer. */
export const wrongMany: readonly WrongStore[] = [
  {
    name: 'getRanges that answers in the order of the object',
    breaks: 'reads several ranges in the order asked, each as get would',
    wrap: (store) =>
      derive(store, {
        getRanges(key, ranges, options) {
          const from = (range: (typeof ranges)[number]): number => ('start' in range ? range.start : Infinity)
          return store.getRanges(
            key,
            [...ranges].sort((a, b) => from(a) - from(b)),
            options,
          )
        },
      }),
  },
  {
    name: 'getRanges that reads each of equal ranges once',
    breaks: 'reads several ranges in the order asked, each as get would',
    wrap: (store) =>
      derive(store, {
        async getRanges(key, ranges, options) {
          const distinct = [...new Map(ranges.map((range) => [JSON.stringify(range), range])).values()]
          return store.getRanges(key, distinct, options)
        },
      }),
  },
  {
    name: 'getRanges that is empty past the end',
    breaks: 'refuses ranges one of which starts at or past the end, or is none',
    wrap: (store) =>
      derive(store, {
        async getRanges(key, ranges, options) {
          const { size } = await store.getRanges(key, [], options)
          const isInside = ranges.map((range) => !('start' in range) || range.start < size)
          const found = await store.getRanges(
            key,
            ranges.filter((_, i) => isInside[i]),
            options,
          )
          const parts = [...found.parts]
          return { ...found, parts: isInside.map((inside) => (inside ? parts.shift()! : new Uint8Array(0))) }
        },
      }),
  },
  {
    name: 'getRanges of a missing key that is empty',
    breaks: 'answers for the ranges of a missing key, and for none of a key, as head does',
    wrap: (store) =>
      derive(store, {
        getRanges: (key, ranges, options) =>
          store.getRanges(key, ranges, options).catch((error: unknown) => {
            if (!isKind(error, 'not-found')) throw error
            return { key, size: 0, etag: '""', modifiedMs: 0, parts: ranges.map(() => new Uint8Array(0)) }
          }),
      }),
  },
  {
    name: 'getRanges that cuts its parts out of one buffer',
    breaks: 'gives each range in memory of its own',
    wrap: (store) =>
      derive(store, {
        async getRanges(key, ranges, options) {
          const { size, parts } = await store.getRanges(key, ranges, options)
          const { bytes, ...info } = await store.get(key, callOf(options))
          if (bytes.length !== size) return { ...info, parts }
          const cut = ranges.map((range) =>
            'suffix' in range
              ? bytes.subarray(Math.max(0, size - range.suffix))
              : bytes.subarray(range.start, range.end ?? size),
          )
          return { ...info, parts: cut }
        },
      }),
  },
  {
    name: 'getRanges that mixes two versions',
    breaks: 'reads all ranges from one version, or says that it was overwritten',
    wrap: (store) =>
      derive(store, {
        async getRanges(key, ranges, options) {
          const found = await store.getRanges(key, ranges, options)
          if (ranges.length < 2) return found
          await turn()
          const last = await store.getRanges(key, ranges.slice(-1), options)
          return { ...found, parts: [...found.parts.slice(0, -1), ...last.parts] }
        },
      }),
  },
  {
    name: 'get that shows again what the reader has',
    breaks: 'reads only what is newer than the tag it is told',
    wrap: (store) => derive(store, { get: (key, { ifNoneMatch: _, ...options } = {}) => store.get(key, options) }),
  },
  {
    name: 'get that takes a missing object for one that has not changed',
    breaks: 'reads only what is newer than the tag it is told',
    wrap: (store) =>
      derive(store, {
        async get(key, options) {
          try {
            return await store.get(key, options)
          } catch (error) {
            if (options?.ifNoneMatch === undefined || !isKind(error, 'not-found')) throw error
            throw exists('NOT_MODIFIED', `${key} has not changed.`)
          }
        },
      }),
  },
  {
    name: 'deleteMany that sends its first batch only',
    breaks: 'deletes many keys, missing and repeated ones too, and no others',
    wrap: (store) => derive(store, { deleteMany: (keys, options) => store.deleteMany(keys.slice(0, 1000), options) }),
  },
  {
    name: 'deleteMany that fails for a missing key',
    breaks: 'deletes many keys, missing and repeated ones too, and no others',
    wrap: (store) =>
      derive(store, {
        async deleteMany(keys, options) {
          const infos = await Promise.all(keys.map((key) => store.head(key)))
          const missing = keys.filter((_, i) => infos[i] === undefined)
          const { failed } = await store.deleteMany(keys, options)
          return { failed: [...failed, ...missing.map((key) => ({ key, error: notFound('KEY_MISSING', key) }))] }
        },
      }),
  },
  {
    name: 'deleteMany that takes keys for prefixes',
    breaks: 'deletes many keys, missing and repeated ones too, and no others',
    wrap: (store) =>
      derive(store, {
        async deleteMany(keys, options) {
          const result = await store.deleteMany(keys, options)
          for (const prefix of keys.slice(0, 10))
            for await (const { key } of store.list({ prefix })) await store.delete(key)
          return result
        },
      }),
  },
  {
    name: 'deleteMany that finds a bad key halfway',
    breaks: 'deletes nothing when one of many keys is none',
    wrap: (store) =>
      derive(store, {
        async deleteMany(keys, options) {
          for (const key of keys) {
            checkKey(key)
            await store.deleteMany([key], options)
          }
          return store.deleteMany([], options)
        },
      }),
  },
  {
    name: 'deleteMany that goes on after its abort',
    breaks: 'neither reads ranges, deletes many nor takes a stream when the signal has fired already',
    wrap: (store) => derive(store, { deleteMany: (keys) => store.deleteMany(keys) }),
  },
  {
    name: 'deleteMany that fails key by key for keys that are none',
    breaks: 'refuses odd keys, and several of them, as put does',
    wrap: (store) =>
      derive(store, {
        async deleteMany(keys, options) {
          if (keys.length !== 1) return store.deleteMany(keys, options)
          const error: unknown = await store.delete(keys[0]!, options).catch((reason: unknown) => reason)
          if (isKind(error, 'aborted')) throw error
          return { failed: error === undefined ? [] : [{ key: keys[0]!, error }] }
        },
      }),
  },
]

function callOf({ signal }: GetRangesOptions = {}): Parameters<ObjectStore['get']>[1] {
  return signal === undefined ? {} : { signal }
}
