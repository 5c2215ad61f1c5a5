import { defineObjectStore } from '@moulin/core'
import type { ObjectInfo, ObjectStore } from '@moulin/core'

/** A store as one process reaches it, through a network that it may lose. */
export interface LateStore extends ObjectStore {
  /** How many calls have been made, those that nothing came of too. */
  readonly callCount: () => number
  /** Writes that are still on their way: their names, in the order in which they were sent. */
  readonly onTheWay: () => readonly string[]
  /** Lets them arrive, one after the other. What the store says to them, nobody hears. */
  deliver(order?: 'as sent' | 'reversed'): Promise<void>
}

export interface LateStoreOptions {
  /** From this call on, counted from 1, nothing is answered: writes are on their way, reads are lost. */
  readonly deafFrom?: number
  /** Awaited before each call. */
  readonly onCall?: (number: number) => Promise<void>
}

const never = new Promise<never>(() => {})

/** Calls over several ranges or keys, and streams, are made of single calls. */
export function lateStore(inner: ObjectStore, { deafFrom = Infinity, onCall }: LateStoreOptions = {}): LateStore {
  let count = 0
  let late: { readonly name: string; readonly effect: () => Promise<unknown> }[] = []
  const run = async <T>(effect: () => Promise<T>, write?: string): Promise<T> => {
    const number = ++count
    await onCall?.(number)
    if (number < deafFrom) return effect()
    if (write !== undefined) late.push({ name: write, effect })
    return never
  }
  const { name, root, capabilities, durability, listOrder } = inner
  return defineObjectStore({
    name: `late(${name})`,
    root,
    capabilities: { ...capabilities, multipart: false },
    durability,
    listOrder,
    get: (key, options) => run(() => inner.get(key, options)),
    head: (key, options) => run(() => inner.head(key, options)),
    put(key, bytes, options) {
      const kept = new Uint8Array(bytes)
      return run(() => inner.put(key, kept, options), `put ${key}`)
    },
    delete: (key, options) => run(() => inner.delete(key, options), `delete ${key}`),
    async *list(options) {
      yield* await run(async () => {
        const found: ObjectInfo[] = []
        for await (const info of inner.list(options)) found.push(info)
        return found
      })
    },
    callCount: () => count,
    onTheWay: () => late.map((write) => write.name),
    async deliver(order: 'as sent' | 'reversed' = 'as sent') {
      const arriving = order === 'as sent' ? late : late.toReversed()
      late = []
      for (const { effect } of arriving) await effect().catch(() => {})
    },
  })
}
