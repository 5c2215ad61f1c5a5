import { conflict, defineObjectStore, type ObjectStore } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { bytesIn, loadSpans } from './byte-ranges.ts'
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

describe('storeRangeReader of several ranges', () => {
  const spans = [0, 40, 90].map((start) => ({ start, end: start + 5 }))

  it('reads again what was overwritten meanwhile, and says after some times that it is', async () => {
    for (const times of [2, 3]) {
      const whole = store()
      let asked = 0
      const getRanges: ObjectStore['getRanges'] = async (...call) => {
        if (asked++ < times) throw conflict('OVERWRITTEN', 'The object was overwritten.')
        return whole.getRanges(...call)
      }
      const read = storeRangeReader({ ...whole, getRanges }, 'a', 100).readMany!(spans)
      if (times === 2) expect((await read)[2]).toEqual(content.slice(90, 95))
      else await expect(read).rejects.toMatchObject({ kind: 'unavailable', code: 'FILE_OVERWRITTEN', retryable: true })
    }
  })

  it('asks for nothing but ranges, whatever else a span says', async () => {
    const asked = spans.map((span) => ({ ...span, members: [span] }))
    const [first] = await storeRangeReader(store(), 'a', 100).readMany!(asked)
    expect(first).toEqual(content.slice(0, 5))
  })

  it('takes fewer or more parts than ranges for damage', async () => {
    const whole = store()
    for (const count of [0, 2, 4]) {
      const getRanges: ObjectStore['getRanges'] = async (key, ranges, options) => {
        const { parts, ...info } = await whole.getRanges(key, ranges, options)
        return { ...info, parts: [...parts, ...parts].slice(0, count) }
      }
      const read = storeRangeReader({ ...whole, getRanges }, 'a', 100).readMany!(spans)
      await expect(read, String(count)).rejects.toMatchObject({
        kind: 'corrupt',
        code: 'FILE_PARTS',
        message: `shelf/a: the store gave ${count} parts where 3 ranges were asked for.`,
      })
    }
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

  it('fetches as one what lies within 64 KiB, and nothing for an empty span', async () => {
    const bytes = new Uint8Array(1024 * 1024)
    const spans = [0, 64, 192].map((KiB) => ({ start: KiB * 1024, end: KiB * 1024 + 1 }))
    const empty = { start: 512 * 1024, end: 512 * 1024 }
    const loaded = await loadSpans(bytesRangeReader(bytes, 'content'), [...spans, empty], undefined)
    expect(loaded.map(({ start, bytes }) => [start, bytes.length])).toEqual([
      [0, 64 * 1024 + 1],
      [192 * 1024, 1],
    ])
  })
})
