import type { ObjectStore } from '@moulin/core'

/** A store that is wrong in one way, made from a right one, and the check that must reject it. */
export interface WrongStore {
  readonly name: string
  /** Name of the check in `objectStoreChecks`. */
  readonly breaks: string
  /** No other check rejects it. Without: others may hear of what it does, too. */
  readonly alone?: true
  wrap(store: ObjectStore): ObjectStore
  /** What the next process finds otherwise, done to the store that was wrapped. */
  lose?(store: ObjectStore): Promise<void>
  /** As a layer over a store of the check's. Default: one that passes all calls. */
  over?(below: ObjectStore): ObjectStore
}

/** The store with some calls done otherwise; the others, also those over several ranges or keys, are its own. */
export function derive(store: ObjectStore, changes: Partial<ObjectStore>): ObjectStore {
  return {
    name: store.name,
    root: store.root,
    aliases: store.aliases ?? [],
    capabilities: store.capabilities,
    durability: store.durability,
    listOrder: store.listOrder,
    get: (key, options) => store.get(key, options),
    getRanges: (key, ranges, options) => store.getRanges(key, ranges, options),
    head: (key, options) => store.head(key, options),
    put: (key, bytes, options) => store.put(key, bytes, options),
    putStream: (key, chunks, options) => store.putStream(key, chunks, options),
    delete: (key, options) => store.delete(key, options),
    deleteMany: (keys, options) => store.deleteMany(keys, options),
    list: (options) => store.list(options),
    ...changes,
  }
}
