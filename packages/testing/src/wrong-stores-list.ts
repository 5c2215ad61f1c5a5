import type { ListOptions, ObjectInfo, ObjectStore } from '@moulin/core'
import { uriOf } from '@moulin/core'
import { derive } from './wrong-store.ts'
import type { WrongStore } from './wrong-store.ts'

/** Stores whose lists or keys lie. */
export const wrongListers: readonly WrongStore[] = [
  {
    name: 'list that skips a key where a page ends',
    breaks: 'lists each of many keys once, in order',
    wrap: (store) => relisted(store, (infos) => infos.filter((_, i) => i !== 1000)),
  },
  {
    name: 'list that repeats a key where a page ends',
    breaks: 'lists each of many keys once, in order',
    wrap: (store) => relisted(store, (infos) => infos.flatMap((info, i) => (i === 999 ? [info, info] : [info]))),
  },
  {
    name: 'list that ends with its first page',
    breaks: 'lists each of many keys once, in order',
    wrap: (store) => relisted(store, (infos) => infos.slice(0, 1000)),
  },
  {
    name: 'list in the order of UTF-16',
    breaks: 'lists in byte order of UTF-8, not of UTF-16',
    wrap: (store) => relisted(store, (infos) => infos.sort((a, b) => (a.key < b.key ? -1 : 1))),
  },
  {
    name: 'list in the order of a tree',
    breaks: 'lists in byte order of whole keys, not folder by folder',
    wrap: (store) =>
      relisted(store, (infos) => {
        const asTree = (key: string): string => key.replaceAll('/', '\0')
        return infos.sort((a, b) => (asTree(a.key) < asTree(b.key) ? -1 : 1))
      }),
  },
  {
    name: 'list that counts the key after which it begins in',
    breaks: 'begins a list strictly after the given key, present or not',
    wrap: (store) =>
      derive(store, {
        async *list({ after, ...options } = {}) {
          for await (const info of store.list(options)) if (after === undefined || info.key >= after) yield info
        },
      }),
  },
  {
    name: 'list that takes its prefix for a folder',
    breaks: 'takes a prefix as a string, not as a folder',
    wrap: (store) =>
      derive(store, {
        list(options = {}) {
          const prefix = options.prefix ?? ''
          return store.list(prefix === '' || prefix.endsWith('/') ? options : { ...options, prefix: `${prefix}/` })
        },
      }),
  },
  {
    name: 'list that is a put behind',
    breaks: 'shows a put at once to get, head and list',
    wrap(store) {
      let newest: string | undefined
      return derive(store, {
        put(key, bytes, options) {
          newest = key
          return store.put(key, bytes, options)
        },
        async *list(options) {
          const hidden = newest
          newest = undefined
          for await (const info of store.list(options)) if (info.key !== hidden) yield info
        },
      })
    },
  },
  {
    name: 'list that spells tags otherwise',
    breaks: 'tells the same key, size, tag and time by put, get, head and list',
    wrap: (store) =>
      relisted(store, (infos) => infos.map((info) => ({ ...info, etag: info.etag.replaceAll('"', '') }))),
  },
  {
    name: 'list that goes on after its abort',
    breaks: 'stops a list when the signal fires between two of its keys',
    wrap: (store) =>
      derive(store, { list: ({ signal, ...options } = {}) => store.list(signal?.aborted ? { signal } : options) }),
  },
  {
    name: 'keys without case',
    breaks: 'keeps keys apart that differ only in case',
    wrap: (store) => rekeyed(store, (key) => key.toLowerCase()),
  },
  {
    name: 'keys that are decoded once too often',
    breaks: 'keeps odd keys as they are',
    wrap: (store) => rekeyed(store, (key) => key.replaceAll('%2F', '/')),
  },
  {
    name: 'keys that are resolved like paths',
    breaks: 'refuses keys that are none or that lead elsewhere',
    wrap: (store) => rekeyed(store, (key) => new URL(key, 'file:///').pathname.replace(/^\/+/, '') || 'index'),
  },
  {
    name: 'root without a slash',
    breaks: 'names its objects by absolute URIs below its root',
    wrap: (store) => derive(store, { root: uriOf(store, 'x').slice(0, -2) }),
  },
  {
    name: 'root that is percent-encoded',
    breaks: 'has each object at root and key, as they stand',
    wrap: (store) => derive(store, { root: encodeURI(store.root) }),
  },
  {
    name: 'root that is percent-decoded',
    breaks: 'has each object at root and key, as they stand',
    wrap: (store) => derive(store, { root: decodeURI(store.root) }),
  },
  {
    name: 'keys that are percent-encoded, and decoded again by its lists',
    breaks: 'has each object at root and key, as they stand',
    wrap: (store) => respelled(store, (key) => key.split('/').map(encodeURIComponent).join('/'), decodeURIComponent),
  },
  {
    name: 'keys of which only spaces are percent-encoded',
    breaks: 'has each object at root and key, as they stand',
    wrap: (store) =>
      respelled(
        store,
        (key) => key.replaceAll(' ', '%20'),
        (key) => key.replaceAll('%20', ' '),
      ),
  },
  {
    name: 'keys that are percent-decoded where they can be',
    breaks: 'has each object at root and key, as they stand',
    wrap: (store) => rekeyed(store, (key) => key.replaceAll(/(%[0-9A-F]{2})+/g, decodeURIComponent)),
  },
]

function relisted(store: ObjectStore, change: (infos: ObjectInfo[]) => ObjectInfo[]): ObjectStore {
  return derive(store, {
    async *list(options?: ListOptions) {
      const infos: ObjectInfo[] = []
      for await (const info of store.list(options)) infos.push(info)
      yield* change(infos)
    },
  })
}

/** Keeps objects under other keys than it is asked for, and lets nobody see it who asks the store. */
function respelled(store: ObjectStore, to: (key: string) => string, from: (key: string) => string): ObjectStore {
  const told = <T extends ObjectInfo>(info: T): T => ({ ...info, key: from(info.key) })
  return derive(rekeyed(store, to), {
    get: async (key, options) => told(await store.get(to(key), options)),
    async head(key, options) {
      const info = await store.head(to(key), options)
      return info === undefined ? undefined : told(info)
    },
    async *list({ prefix, after, ...options } = {}) {
      const spelled = {
        ...(prefix === undefined ? {} : { prefix: to(prefix) }),
        ...(after === undefined ? {} : { after: to(after) }),
      }
      for await (const info of store.list({ ...options, ...spelled })) yield told(info)
    },
  })
}

function rekeyed(store: ObjectStore, change: (key: string) => string): ObjectStore {
  return derive(store, {
    get: async (key, options) => store.get(change(key), options),
    head: async (key, options) => store.head(change(key), options),
    put: async (key, bytes, options) => store.put(change(key), bytes, options),
    delete: async (key, options) => store.delete(change(key), options),
  })
}
