import type { ObjectInfo, ObjectStore } from '@moulin/core'
import { isKind, notFound } from '@moulin/core'
import { turn } from './object-store-checks.ts'
import { derive } from './wrong-store.ts'
import type { WrongStore } from './wrong-store.ts'

const swapTag = (mode: unknown): string | undefined =>
  typeof mode === 'object' ? (mode as { readonly ifMatch: string }).ifMatch : undefined

/** What is there between the halves is seen, and stays where the second one never comes. */
const inHalves = (store: ObjectStore): ObjectStore =>
  derive(store, {
    async put(key, bytes, options = {}) {
      await store.put(key, bytes.subarray(0, bytes.length >> 1), options)
      await turn()
      return store.put(key, bytes, { ...options, mode: 'overwrite' })
    },
  })

/** Stores whose writes lie. */
export const wrongWriters: readonly WrongStore[] = [
  {
    name: 'create by the last writer',
    breaks: 'creates only where nothing is, and leaves what is there alone',
    wrap: (store) =>
      derive(store, {
        put: (key, bytes, options = {}) =>
          store.put(key, bytes, options.mode === 'create' ? { ...options, mode: 'overwrite' } : options),
      }),
  },
  {
    name: 'create that says yes and keeps what is there',
    breaks: 'creates only where nothing is, and leaves what is there alone',
    wrap: (store) =>
      derive(store, {
        async put(key, bytes, options) {
          try {
            return await store.put(key, bytes, options)
          } catch (error) {
            const present = isKind(error, 'exists') ? await store.head(key) : undefined
            if (present === undefined) throw error
            return { etag: present.etag }
          }
        },
      }),
  },
  {
    name: 'create that refuses and overwrites all the same',
    breaks: 'creates only where nothing is, and leaves what is there alone',
    wrap: (store) =>
      derive(store, {
        async put(key, bytes, options) {
          try {
            return await store.put(key, bytes, options)
          } catch (error) {
            if (isKind(error, 'exists')) await store.put(key, bytes)
            throw error
          }
        },
      }),
  },
  {
    name: 'create that looks first and writes later',
    breaks: 'lets exactly one of 20 racing creates win',
    wrap: (store) =>
      derive(store, {
        async put(key, bytes, options = {}) {
          if (options.mode !== 'create' || (await store.head(key)) !== undefined) return store.put(key, bytes, options)
          await turn()
          return store.put(key, bytes, { ...options, mode: 'overwrite' })
        },
      }),
  },
  {
    name: 'swap that ignores the tag',
    breaks: 'swaps only for who holds the present tag',
    wrap: (store) =>
      derive(store, {
        async put(key, bytes, options = {}) {
          const present = swapTag(options.mode) === undefined ? undefined : await store.head(key)
          return store.put(key, bytes, present === undefined ? options : { ...options, mode: 'overwrite' })
        },
      }),
  },
  {
    name: 'swap that looks first and writes later',
    breaks: 'lets exactly one of 20 racing swaps win, and loses no increment',
    wrap: (store) =>
      derive(store, {
        async put(key, bytes, options = {}) {
          const tag = swapTag(options.mode)
          if (tag === undefined || (await store.head(key))?.etag !== tag) return store.put(key, bytes, options)
          await turn()
          return store.put(key, bytes, { ...options, mode: 'overwrite' })
        },
      }),
  },
  {
    name: 'swap that creates a missing object',
    breaks: 'refuses the swap of a missing key',
    wrap: (store) =>
      derive(store, {
        async put(key, bytes, options = {}) {
          const creates = swapTag(options.mode) !== undefined && (await store.head(key)) === undefined
          return store.put(key, bytes, creates ? { ...options, mode: 'create' } : options)
        },
      }),
  },
  {
    name: 'swap that overwrites where swaps are not claimed',
    breaks: 'refuses a swap that it does not claim to have',
    wrap: (store) =>
      derive(store, {
        capabilities: { ...store.capabilities, compareAndSwap: false },
        put: (key, bytes, options = {}) =>
          store.put(key, bytes, swapTag(options.mode) === undefined ? options : { ...options, mode: 'overwrite' }),
      }),
  },
  {
    name: 'put that stores the whole buffer behind a view',
    breaks: 'gives back the bytes that were put',
    wrap: (store) =>
      derive(store, { put: (key, bytes, options) => store.put(key, new Uint8Array(bytes.buffer), options) }),
  },
  {
    name: 'put that takes no bytes for no object',
    breaks: 'keeps an empty object',
    wrap: (store) =>
      derive(store, {
        put: async (key, bytes, options) => (bytes.length === 0 ? { etag: '"0"' } : store.put(key, bytes, options)),
      }),
  },
  {
    name: 'put that leaves its first half when it is aborted',
    breaks: 'ends whole or absent when the signal fires meanwhile',
    wrap: inHalves,
  },
  {
    name: 'put that shows its first half',
    breaks: 'shows a new object only when it is whole',
    wrap: inHalves,
  },
  {
    name: 'put that keeps the buffer of its caller',
    breaks: 'keeps a copy of what it was given',
    wrap(store) {
      const given = new Map<string, Uint8Array>()
      return derive(store, {
        async put(key, bytes, options) {
          const result = await store.put(key, bytes, options)
          given.set(key, bytes)
          return result
        },
        async get(key, options) {
          const object = await store.get(key, options)
          return options?.range === undefined ? { ...object, bytes: given.get(key) ?? object.bytes } : object
        },
      })
    },
  },
  {
    name: 'put that loses the end of a large object',
    breaks: 'keeps a large object whole, and ranges deep inside it',
    wrap: (store) =>
      derive(store, { put: (key, bytes, options) => store.put(key, bytes.subarray(0, 2_000_000), options) }),
  },
  {
    name: 'put that swallows its abort',
    breaks: 'does nothing when the signal has fired already',
    wrap: (store) =>
      derive(store, {
        async put(key, bytes, options) {
          return options?.signal?.aborted === true ? { etag: '"none"' } : store.put(key, bytes, options)
        },
      }),
  },
  {
    name: 'put that goes on after its abort',
    breaks: 'does nothing when the signal has fired already',
    wrap: (store) =>
      derive(store, { put: (key, bytes, { mode } = {}) => store.put(key, bytes, mode === undefined ? {} : { mode }) }),
  },
  {
    name: 'delete that errs on a missing object',
    breaks: 'deletes for every reader at once, and takes a second delete',
    wrap: (store) =>
      derive(store, {
        async delete(key, options) {
          if ((await store.head(key, options)) === undefined) throw notFound('KEY_MISSING', `${key} is not there.`)
          await store.delete(key, options)
        },
      }),
  },
  {
    name: 'delete that takes all below the key along',
    breaks: 'keeps an object and others below its key',
    wrap: (store) =>
      derive(store, {
        async delete(key, options) {
          await store.delete(key, options)
          for await (const info of store.list({ prefix: `${key}/` })) await store.delete(info.key)
        },
      }),
  },
  {
    name: 'delete that lists still show',
    breaks: 'deletes for every reader at once, and takes a second delete',
    wrap(store) {
      const gone = new Map<string, ObjectInfo>()
      return derive(store, {
        async delete(key, options) {
          const info = await store.head(key)
          if (info !== undefined) gone.set(key, info)
          await store.delete(key, options)
        },
        async *list(options) {
          for await (const info of store.list(options)) yield info
          yield* [...gone.values()].filter(({ key }) => key.startsWith(options?.prefix ?? ''))
        },
      })
    },
  },
]
