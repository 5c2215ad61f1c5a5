import type { ByteRange, ObjectStore } from '@moulin/core'
import { memory } from '../memory.ts'
import type { CachedStore, CacheOptions } from './cache.ts'
import { cache } from './cache.ts'

/** A cache over a store in memory that tells what it is asked. */
export interface CacheScene {
  readonly whole: ObjectStore
  readonly store: CachedStore
  /** What reached the store below: `get k`, `getRanges k 0-10`, `head k`, … */
  readonly asked: string[]
}

export function watched(whole: ObjectStore, asked: string[]): ObjectStore {
  const text = (range: ByteRange): string =>
    'suffix' in range ? `-${range.suffix}` : `${range.start}-${range.end ?? ''}`
  return {
    ...whole,
    get(key, options) {
      asked.push(`get ${key}`)
      return whole.get(key, options)
    },
    getRanges(key, ranges, options) {
      asked.push(`getRanges ${key} ${ranges.map(text).join(',')}`)
      return whole.getRanges(key, ranges, options)
    },
    head(key, options) {
      asked.push(`head ${key}`)
      return whole.head(key, options)
    },
  }
}

export function cacheScene(options: Partial<CacheOptions> = {}, whole: ObjectStore = memory()): CacheScene {
  const asked: string[] = []
  return { whole, asked, store: cache(watched(whole, asked), { maxBytes: 1000, blockBytes: 10, ...options }) }
}
export const always = { isImmutable: () => true }
export const sized = (length: number, seed = 1): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + seed) % 251)
