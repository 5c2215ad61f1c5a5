import type { ObjectStore } from '@moulin/core'

/** A store that is wrong in one way, made from a right one, and the check that must reject it. */
export interface WrongStore {
  readonly name: string
  /** Name of the check in `objectStoreChecks`. */
  readonly breaks: string
  wrap(store: ObjectStore): ObjectStore
}

/** The store with some calls done otherwise. */
export function derive(store: ObjectStore, changes: Partial<ObjectStore>): ObjectStore {
  return {
    name: store.name,
    root: store.root,
    capabilities: store.capabilities,
    get: (key, options) => store.get(key, options),
    head: (key, options) => store.head(key, options),
    put: (key, bytes, options) => store.put(key, bytes, options),
    delete: (key, options) => store.delete(key, options),
    list: (options) => store.list(options),
    ...changes,
  }
}
