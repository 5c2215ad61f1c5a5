import type { ObjectInfo, ObjectStore } from '@moulin/core'
import { checkKey, checkOptions, invalid, option, uriOf } from '@moulin/core'

/**
 * The objects below `path` of another store, as a store of their own: keys, lists and the root's URI are relative to it.
 * No key reaches out of it. @throws `invalid` code `PREFIX` unless `path` is a key and a slash.
 */
export function prefix(store: ObjectStore, path: string): ObjectStore {
  checkOptions(
    'prefix',
    { store, path },
    { store: option.required(option.storeCheck), path: option.required(option.text) },
  )
  if (!path.endsWith('/')) throw badPrefix(path)
  try {
    checkKey(path.slice(0, -1))
  } catch (cause) {
    throw badPrefix(path, cause)
  }
  const inner = (key: string): string => {
    // Checked here: an inner store would resolve nothing, but name the wrong key.
    checkKey(key)
    return path + key
  }
  const outer = <T extends ObjectInfo>(info: T): T => ({ ...info, key: info.key.slice(path.length) })

  return {
    name: `prefix(${store.name}, ${path})`,
    root: uriOf(store, path),
    aliases: (store.aliases ?? []).map((root) => uriOf({ root }, path)),
    capabilities: store.capabilities,
    durability: store.durability,
    listOrder: store.listOrder,
    get: async (key, options) => outer(await store.get(inner(key), options)),
    getRanges: async (key, ranges, options) => outer(await store.getRanges(inner(key), ranges, options)),
    async head(key, options) {
      const info = await store.head(inner(key), options)
      return info === undefined ? undefined : outer(info)
    },
    put: async (key, bytes, options) => store.put(inner(key), bytes, options),
    putStream: async (key, chunks, options) => store.putStream(inner(key), chunks, options),
    delete: async (key, options) => store.delete(inner(key), options),
    async deleteMany(keys, options) {
      const { failed } = await store.deleteMany(keys.map(inner), options)
      return { failed: failed.map(({ key, error }) => ({ key: key.slice(path.length), error })) }
    },
    async *list({ prefix: below = '', after, ...options } = {}) {
      const from = after === undefined ? {} : { after: path + after }
      for await (const info of store.list({ ...options, ...from, prefix: path + below })) yield outer(info)
    },
  }
}

function badPrefix(path: string, cause?: unknown): Error {
  return invalid('PREFIX', `${JSON.stringify(path)} is no prefix: give a key and a slash, such as "lake/".`, { cause })
}
