import { defineObjectStore, type ObjectStore } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bytesIn, joinSpans, loadSpans } from './byte-ranges.ts'
import { bytesRangeReader, storeRangeReader } from './range-reader.ts'

const content = Uint8Array.from({ length: 100 }, (_, i) => i)

/** A store with one object; `cut` shortens every answer. */
function store(cut = 0): ObjectStore {
  const missing = (): never => {
    throw new TypeError('not part of this test')
  }
  return defineObjectStore({
    name: 'shelf',
    root: 'memory://shelf/',
    capabilities: { createIfAbsent: true, compareAndSwap: false, multipart: false },
    durability: 'memory',
    listOrder: 'bytes',
    get(key, options) {
      const range = options?.range as { start: number; end: number }
      const bytes = content.slice(range.start, range.end - cut)
      return Promise.resolve({ key, size: content.length, etag: '1', modifiedMs: 0, bytes })
    },
    head: missing,
    put: missing,
    delete: missing,
    list: missing,
  })
}

describe('storeRangeReader', () => {
  it('reads exactly the range, and asks nothing of the store for an empty one', async () => {
    const reader = storeRangeReader(store(), 'data/a.parquet', 100)
    expect(reader.name).toBe('shelf/data/a.parquet')
    expect(await reader.read(10, 13)).toEqual(Uint8Array.of(10, 11, 12))
    expect(await reader.read(100, 100)).toEqual(new Uint8Array(0))
  })

  it('takes an object of another size, or a short answer, for damage', async () => {
    const corrupt = { kind: 'corrupt', code: 'FILE_SIZE' }
    await expect(storeRangeReader(store(), 'a', 99).read(0, 5)).rejects.toMatchObject(corrupt)
    await expect(storeRangeReader(store(1), 'a', 100).read(0, 5)).rejects.toMatchObject(corrupt)
  })
})

describe('joinSpans', () => {
  it('joins what touches, overlaps or lies within 64 KiB, and leaves the rest', () => {
    const KiB = 1024
    const spans = [
      { start: 500 * KiB, end: 501 * KiB },
      { start: 0, end: 10 },
      { start: 5, end: 20 },
      { start: 20 + 64 * KiB, end: 21 + 64 * KiB },
      { start: 300 * KiB, end: 300 * KiB },
    ]
    expect(joinSpans(spans)).toEqual([
      { start: 0, end: 21 + 64 * KiB },
      { start: 500 * KiB, end: 501 * KiB },
    ])
  })

  it('does not join into a fetch above 16 MiB', () => {
    const MiB = 1024 * 1024
    const spans = [
      { start: 0, end: 16 * MiB },
      { start: 16 * MiB, end: 17 * MiB },
    ]
    expect(joinSpans(spans)).toEqual(spans)
  })
})

describe('loadSpans', () => {
  it('gives the bytes of every span that was asked for, and of no other', async () => {
    const loaded = await loadSpans(
      bytesRangeReader(content, 'content'),
      [
        { start: 50, end: 60 },
        { start: 4, end: 9 },
      ],
      undefined,
    )
    expect(bytesIn(loaded, { start: 51, end: 53 })).toEqual(Uint8Array.of(51, 52))
    expect(bytesIn(loaded, { start: 59, end: 61 })).toBeUndefined()
    expect(bytesIn(loaded, { start: 0, end: 5 })).toBeUndefined()
  })
})
