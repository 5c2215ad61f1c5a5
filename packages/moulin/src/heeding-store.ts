import type { ObjectStore } from '@moulin/core'

/** The same store, of which every call ends with the signal. */
export function heedingStore(store: ObjectStore, signal: AbortSignal): ObjectStore {
  return {
    ...store,
    get: (key, given) => store.get(key, { ...given, signal }),
    getRanges: (key, ranges, given) => store.getRanges(key, ranges, { ...given, signal }),
    head: (key, given) => store.head(key, { ...given, signal }),
    put: (key, bytes, given) => store.put(key, bytes, { ...given, signal }),
    putStream: (key, chunks, given) => store.putStream(key, chunks, { ...given, signal }),
    delete: (key, given) => store.delete(key, { ...given, signal }),
    deleteMany: (keys, given) => store.deleteMany(keys, { ...given, signal }),
    list: (given) => store.list({ ...given, signal }),
  }
}
