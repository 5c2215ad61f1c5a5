import type { ListOrder, ObjectStore, StoreCapabilities } from '@moulin/core'
import { compareKeys, isKind, systemRuntime } from '@moulin/core'
import { expectEqual, failure } from './assertions.ts'

/** One promise of {@link ObjectStore}. Each run gets a store that is empty. */
export interface ObjectStoreCheck {
  /** The promise in words: what tests are called, and what a wrong store names. */
  readonly name: string
  /** Runs only where the store claims this. */
  readonly needs?: keyof StoreCapabilities
  /** Runs only where it does not. */
  readonly without?: keyof StoreCapabilities
  /** Runs only where the store declares this order of its lists. */
  readonly order?: ListOrder
  /** Runs only where the suite was told how others read a location. */
  readonly byLocation?: true
  /** Runs only where the store outlives its process and the suite was told how to open it anew. */
  readonly lasting?: true
  /** Runs only where the suite was told how the store, a layer, is made over another one. */
  readonly layered?: true
  run(store: ObjectStore, sizes: CheckSizes, ways: CheckWays): Promise<void>
}

/** What lies at a location for somebody who takes it as it stands; undefined where nothing does. */
export type ReadLocation = (location: string) => Promise<Uint8Array | undefined>

/** What a check can do beside calling the store. */
export interface CheckWays {
  readonly at?: ReadLocation | undefined
  /** The same objects, as the next process finds them: after the end of this one, or the loss of what the store says that it survives. */
  readonly reopen?: ((store: ObjectStore) => ObjectStore | Promise<ObjectStore>) | undefined
  /** The layer that is judged, over a store of the check's. */
  readonly over?: ((below: ObjectStore) => ObjectStore) | undefined
}

export interface CheckSizes {
  readonly largeBytes: number
  readonly manyKeys: number
  readonly maxKeyBytes: number
}

export const racers = 20

/** Bytes that differ by seed and by place. */
export function pattern(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4))
  let word = seed | 1
  for (let i = 0; i < words.length; i++) words[i] = word = (Math.imul(word, 1664525) + 1013904223) | 0
  return new Uint8Array(words.buffer, 0, length)
}

export function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export async function readText(store: ObjectStore, key: string): Promise<string> {
  return new TextDecoder().decode((await store.get(key)).bytes)
}

/** As they come, or, where a store lists in no order, sorted, so that its lists can be compared. */
export async function listKeys(store: ObjectStore, options?: Parameters<ObjectStore['list']>[0]): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(options)) keys.push(key)
  return store.listOrder === 'none' ? keys.sort(compareKeys) : keys
}

/** The one that won of racing writers; all others must have failed with `lost`. */
export async function expectOneWinner(
  run: (racer: number) => Promise<unknown>,
  lost: 'exists' | 'conflict',
): Promise<number> {
  const results = await Promise.allSettled(Array.from({ length: racers }, (_, racer) => run(racer)))
  const winners = results.flatMap(({ status }, racer) => (status === 'fulfilled' ? [racer] : []))
  expectEqual(winners.length, 1, `winners of ${racers} racing writers`)
  for (const result of results) {
    if (result.status === 'rejected' && !isKind(result.reason, lost))
      throw failure(`a loser should hear ${lost}, but heard ${String(result.reason)}`, result.reason)
  }
  return winners[0]!
}

/** Three readers that read again and again while the object goes from `version(0)` to `version(25)`. */
export async function whileOverwritten(
  store: ObjectStore,
  key: string,
  version: (value: number) => Uint8Array,
  read: () => Promise<void>,
): Promise<void> {
  await store.put(key, version(0))
  let done = false
  const reader = async (): Promise<void> => {
    while (!done) {
      await read()
      await turn()
    }
  }
  const writer = async (): Promise<void> => {
    for (let value = 1; value <= 25; value++) {
      await store.put(key, version(value))
      await turn()
    }
  }
  const writing = writer().finally(() => (done = true))
  await Promise.all([writing, reader(), reader(), reader()])
}

/** Puts small objects, some at a time. */
export async function putAll(store: ObjectStore, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += 16)
    await Promise.all(keys.slice(at, at + 16).map((key) => store.put(key, encode(key))))
}

/** One turn of the event loop, for loops that wait for others. */
export function turn(): Promise<void> {
  return (real ??= systemRuntime()).timers.turn()
}

let real: ReturnType<typeof systemRuntime> | undefined
