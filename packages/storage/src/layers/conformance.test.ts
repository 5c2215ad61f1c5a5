import type { ObjectInfo, ObjectStore } from '@moulin/core'
import { unavailable } from '@moulin/core'
import { objectStoreConformance, partedStore, recordingMeter, simulatedDisk, virtualRuntime } from '@moulin/testing'
import type { ObjectStoreConformanceConfig } from '@moulin/testing'
import { describe, it } from 'vitest'
import { memory } from '../memory.ts'
import { cache } from './cache.ts'
import { hedge } from './hedge.ts'
import { limit } from './limit.ts'
import { meter } from './meter.ts'
import { prefix } from './prefix.ts'
import { readOnly } from './read-only.ts'
import { retry } from './retry.ts'

/**
 * Every fifth answer is lost: of a write after its effect; of a delete of many that of one key; a list breaks off. What nobody may send
 * again is left alone: streams, and conditional writes where the store knows no attempts.
 */
function losing(whole: ObjectStore): ObjectStore {
  let answers = 0
  const isLost = (): boolean => ++answers % 5 === 0
  const lost = (isWrite: boolean): Error =>
    unavailable('LOST', 'The answer is lost.', { outcome: isWrite ? 'unknown' : 'rejected' })
  const read = async <T>(work: Promise<T>): Promise<T> => {
    const answer = await work
    if (isLost()) throw lost(false)
    return answer
  }
  const write = async <T>(work: Promise<T>): Promise<T> => {
    const answer = await work
    if (isLost()) throw lost(true)
    return answer
  }
  return {
    ...whole,
    get: (...given) => read(whole.get(...given)),
    getRanges: (...given) => read(whole.getRanges(...given)),
    head: (...given) => read(whole.head(...given)),
    put(key, bytes, options) {
      const isRepeatable = whole.capabilities.attemptIds === true || (options?.mode ?? 'overwrite') === 'overwrite'
      const putting = whole.put(key, bytes, options)
      return isRepeatable ? write(putting) : putting
    },
    delete: (...given) => write(whole.delete(...given)),
    async deleteMany(keys, options) {
      const { failed } = await whole.deleteMany(keys, options)
      if (!isLost() || keys.length === 0) return { failed }
      return { failed: [...failed, { key: keys.at(-1)!, error: lost(true) }] }
    },
    async *list(options): AsyncIterable<ObjectInfo> {
      // After fifty keys, or at its end.
      let left = isLost() ? 50 : Infinity
      for await (const info of whole.list(options)) {
        if (left-- === 0) throw lost(false)
        yield info
      }
      if (left < Infinity) throw lost(false)
    },
  }
}

const patient = { maxTries: 50, minWaitMs: 0, budget: { tokens: 1e9 } }
const sizes = { largeBytes: 3_000_000, manyKeys: 1_100, durability: 'memory' } as const
const whole = { capabilities: { multipart: true, attemptIds: true }, ...sizes }
const none = { capabilities: { compareAndSwap: false, multipart: true }, listOrder: 'none', ...sizes } as const

/** Reads through the layer, writes to what is below it. */
function readingHalf(below: ObjectStore): ObjectStore {
  const { get, getRanges, head, list, root, name } = readOnly(below)
  return { ...below, name, root, get, getRanges, head, list }
}

/** As docs/stores.md has it. */
function stack(adapter: ObjectStore): ObjectStore {
  const metered = meter(adapter, { meter: recordingMeter() })
  const limited = limit(hedge(metered, { afterMs: 0, maxExtra: 1 }), { concurrency: 16, bytes: 4_000_000 })
  return prefix(cache(retry(limited, patient), { maxBytes: 2_000_000, blockBytes: 50_000 }), 'lake/')
}

function cacheInFolder(below: ObjectStore): ObjectStore {
  const runtime = virtualRuntime({ seed: 1, files: simulatedDisk({ seed: 1 }).files })
  return cache(below, { maxBytes: 4_000_000, blockBytes: 100_000, folder: '/cache', runtime })
}

type Layer = (below: ObjectStore) => ObjectStore

const suite = (
  name: string,
  layer: Layer,
  below: () => ObjectStore = memory,
  claims: Partial<ObjectStoreConformanceConfig> = whole,
): void => objectStoreConformance({ describe, it }, { name, create: () => layer(below()), over: layer, ...claims })

const unsure = {
  'lets exactly one of 20 racing swaps win, and loses no increment':
    'a swap that was overwritten before its lost answer was asked for is a conflict of unknown outcome',
}
const belowPrefix = { maxKeyBytes: 1_000 }

suite('retry', (below) => retry(below, patient))
suite(
  'retry over a store that loses every fifth answer',
  (below) => retry(below, patient),
  () => losing(memory()),
  { ...whole, cannot: unsure },
)
suite(
  'retry over partedStore, whose lists break off',
  (below) => retry(below, patient),
  () => losing(partedStore({ seed: 3 })),
  none,
)
suite('limit', (below) => limit(below, { concurrency: 3, streams: 2, bytes: 1_000_000 }))
suite('cache', (below) => cache(below, { maxBytes: 2_000_000, blockBytes: 10_000 }))
suite('cache of what never changes but through it', (below) =>
  cache(below, { maxBytes: 10_000_000, isImmutable: () => true }),
)
suite('cache in a folder over partedStore', cacheInFolder, () => partedStore({ seed: 5 }), none)
suite('hedge that always asks twice', (below) => hedge(below, { afterMs: 0, maxExtra: 1 }))
suite('meter', (below) => meter(below, { meter: recordingMeter() }))
suite('the reading half of readOnly', readingHalf)
suite('the stack of docs/stores.md', stack, memory, { ...whole, ...belowPrefix })
suite('the stack over partedStore, which loses answers', stack, () => losing(partedStore({ seed: 6 })), {
  ...none,
  ...belowPrefix,
})
