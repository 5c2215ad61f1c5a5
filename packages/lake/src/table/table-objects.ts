import { keyOf, throwIfAborted, withOutcome } from '@moulin/core'
import type { CallOptions, ObjectStore } from '@moulin/core'

/**
 * Stores an object that no committed table names yet, under a key that only this commit uses. Whatever goes wrong, the
 * table is as it was: so an error here always has outcome `rejected`, also when the object itself may be there.
 */
export async function putUnnamed(
  store: ObjectStore,
  key: string,
  bytes: Uint8Array,
  options: CallOptions,
): Promise<void> {
  try {
    await store.put(key, bytes, { ...options, mode: 'create' })
  } catch (error) {
    throw beforeCommit(error)
  }
}

/** The same error with outcome `rejected`: it happened before the commit was sent. */
export function beforeCommit(error: unknown): unknown {
  return withOutcome(error, 'rejected')
}

/** Removes what a commit wrote that is known never to have happened: all objects below the prefixes with its id in their names. */
export async function discardObjects(store: ObjectStore, prefixes: readonly string[], commit: string): Promise<number> {
  let count = 0
  for (const prefix of prefixes) {
    for await (const { key } of store.list({ prefix })) {
      if (!key.includes(commit)) continue
      await store.delete(key)
      count++
    }
  }
  return count
}

/** The key of a place inside a table's location. */
export function keyUnder(store: ObjectStore, location: string, path: string): string {
  return keyOf(store, `${location.replace(/\/+$/, '')}/${path}`)
}

/** What the keys of all places inside a table's location begin with. */
export function keyPrefixOf(store: ObjectStore, location: string): string {
  // The location may be the store's root, which is no key.
  return keyUnder(store, location, 'x').slice(0, -1)
}

/** Fails with the first error, but not before all have ended: what is still under way could not be removed. */
export async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(work)
  await Promise.all(work)
}

/** Requests of one piece of housekeeping that are under way at once. */
const AT_ONCE = 16

/** Runs the work for each item, some at a time. After an error it begins nothing more, and throws when what runs has ended. */
export async function inTurn<T>(
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
  { signal }: CallOptions,
): Promise<void> {
  let next = 0
  let hasFailed = false
  const worker = async (): Promise<void> => {
    while (next < items.length && !hasFailed) {
      throwIfAborted(signal)
      try {
        await work(items[next++]!)
      } catch (error) {
        hasFailed = true
        throw error
      }
    }
  }
  const workers = Array.from({ length: Math.min(AT_ONCE, items.length) }, worker)
  await Promise.allSettled(workers)
  await Promise.all(workers)
}
