import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ByteRange, GetOptions, ObjectStore, SmallObjectStore, StoredObject } from '../doors/object-store.ts'
import { isKind, unavailable } from '../model/errors.ts'
import { resolveRange } from './byte-range.ts'
import { equalParts, readChunks } from './chunks.ts'
import { defineObjectStore } from './define-object-store.ts'

const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7 + 3) % 251)

/** One object `k`; tells what was asked for. */
function small(bytes: Uint8Array, changes: Partial<SmallObjectStore> = {}): SmallObjectStore & { asked: ByteRange[] } {
  const info = { key: 'k', size: bytes.length, etag: '1', modifiedMs: 0 }
  const asked: ByteRange[] = []
  return {
    name: 'small',
    root: 'small:///',
    capabilities: { createIfAbsent: false, compareAndSwap: false, multipart: false },
    durability: 'memory',
    listOrder: 'bytes',
    asked,
    async get(key: string, { range }: GetOptions = {}): Promise<StoredObject> {
      if (range !== undefined) asked.push(range)
      const { start, end } = resolveRange(range, bytes.length, key)
      return { ...info, bytes: bytes.slice(start, end) }
    },
    head: async () => info,
    put: async () => ({ etag: '2' }),
    delete: async () => {},
    list: async function* () {},
    ...changes,
  }
}

async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('getRanges that is filled in', () => {
  const object = bytesOf(1000)
  it.each<[string, ByteRange[], number, ByteRange[]]>([
    [
      'joins neighbours',
      [
        { start: 10, end: 20 },
        { start: 0, end: 10 },
      ],
      0,
      [{ start: 0, end: 20 }],
    ],
    [
      'joins over a gap',
      [
        { start: 0, end: 10 },
        { start: 15, end: 20 },
      ],
      5,
      [{ start: 0, end: 20 }],
    ],
    [
      'keeps apart what is further',
      [
        { start: 0, end: 10 },
        { start: 16, end: 20 },
      ],
      5,
      [
        { start: 0, end: 10 },
        { start: 16, end: 20 },
      ],
    ],
    [
      'reads what lies inside once',
      [
        { start: 0, end: 100 },
        { start: 40, end: 50 },
      ],
      0,
      [{ start: 0, end: 100 }],
    ],
    ['takes an open end for all behind', [{ start: 900, end: 950 }, { start: 500 }], 0, [{ start: 500 }]],
    ['reads suffixes alone', [{ suffix: 10 }, { start: 990 }], 0, [{ suffix: 10 }, { start: 990 }]],
  ])('%s', async (_name, ranges, maxGapBytes, reads) => {
    const store = small(object)
    const { parts } = await defineObjectStore(store).getRanges('k', ranges, { maxGapBytes })
    expect(store.asked).toEqual(reads)
    expect(parts).toEqual(
      ranges.map((range) => {
        const { start, end } = resolveRange(range, object.length, 'k')
        return object.slice(start, end)
      }),
    )
  })

  it('gives what each range alone would give, whatever they are', async () => {
    const range = fc.oneof(
      fc.record({ suffix: fc.integer({ min: 1, max: 1200 }) }),
      fc
        .tuple(fc.nat(999), fc.integer({ min: 1, max: 400 }))
        .map(([start, length]) => ({ start, end: start + length })),
      fc.nat(999).map((start) => ({ start })),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(range, { maxLength: 12 }), fc.nat(60), async (ranges, maxGapBytes) => {
        const store = small(object)
        const { parts } = await defineObjectStore(store).getRanges('k', ranges, { maxGapBytes })
        expect(store.asked.length).toBeLessThanOrEqual(ranges.length)
        expect(parts.length).toBe(ranges.length)
        for (const [i, each] of ranges.entries()) {
          const { start, end } = resolveRange(each, object.length, 'k')
          expect(Buffer.compare(parts[i]!, object.subarray(start, end))).toBe(0)
        }
      }),
    )
  })

  it('does not join reads over gaps without end', async () => {
    const mib = 1024 * 1024
    const asked: ByteRange[] = []
    const get = async (_key: string, { range }: GetOptions = {}): Promise<StoredObject> => {
      asked.push(range!)
      return { key: 'k', size: 100 * mib, etag: '1', modifiedMs: 0, bytes: new Uint8Array(0) }
    }
    const ranges = Array.from({ length: 40 }, (_, i) => ({ start: i * mib, end: i * mib + 10 }))
    await defineObjectStore(small(object, { get })).getRanges('k', ranges)
    expect(asked.length).toBe(3)
    for (const range of asked as { start: number; end: number }[])
      expect(range.end - range.start).toBeLessThanOrEqual(16 * mib)
  })

  it('reads at most eight at a time, and says that the object was overwritten between two', async () => {
    let [now, most, version] = [0, 0, 0]
    const get = async (): Promise<StoredObject> => {
      most = Math.max(most, ++now)
      await Promise.resolve()
      now--
      return { key: 'k', size: 1000, etag: String(version), modifiedMs: 0, bytes: new Uint8Array(1) }
    }
    const store = defineObjectStore(small(object, { get }))
    const ranges = Array.from({ length: 50 }, (_, i) => ({ start: i * 20, end: i * 20 + 1 }))
    await store.getRanges('k', ranges, { maxGapBytes: 0 })
    expect(most).toBe(8)
    const tags = ['1', '1', '2']
    const changing = async (): Promise<StoredObject> => ({ ...(await get()), etag: tags.shift() ?? '2' })
    const error = await errorOf(
      defineObjectStore(small(object, { get: changing })).getRanges('k', ranges, { maxGapBytes: 0 }),
    )
    expect(isKind(error, 'conflict', 'OVERWRITTEN'), String(error)).toBe(true)
    version++
  })
})

describe('deleteMany that is filled in', () => {
  it('deletes eight at a time, each key once, and says key by key what it could not', async () => {
    let [now, most] = [0, 0]
    const deleted: string[] = []
    const store = defineObjectStore(
      small(bytesOf(1), {
        async delete(key) {
          most = Math.max(most, ++now)
          await Promise.resolve()
          now--
          if (key.endsWith('3')) throw unavailable('DOWN', `${key} is out of reach`)
          deleted.push(key)
        },
      }),
    )
    const keys = Array.from({ length: 30 }, (_, i) => `k/${29 - i}`)
    const { failed } = await store.deleteMany([...keys, ...keys])
    expect(failed.map(({ key }) => key)).toEqual(['k/23', 'k/13', 'k/3'])
    for (const { error } of failed) expect(isKind(error, 'unavailable', 'DOWN')).toBe(true)
    expect(deleted.length).toBe(27)
    expect(most).toBe(8)
  })

  it('stops when the signal fires, and says that some may be gone', async () => {
    const controller = new AbortController()
    const deleted: string[] = []
    const store = defineObjectStore(
      small(bytesOf(1), {
        async delete(key) {
          deleted.push(key)
          if (deleted.length === 5) controller.abort()
          await Promise.resolve()
        },
      }),
    )
    const keys = Array.from({ length: 100 }, (_, i) => `k/${i}`)
    const error = await errorOf(store.deleteMany(keys, { signal: controller.signal }))
    expect(isKind(error, 'aborted') && error.outcome).toBe('unknown')
    expect(deleted.length).toBeLessThan(20)
  })
})

describe('putStream that is filled in', () => {
  it('takes as many bytes as it gathers and not one more', async () => {
    const put: number[] = []
    const store = defineObjectStore(
      small(bytesOf(1), {
        async put(_key, bytes, options) {
          expect(options).toEqual({ mode: 'create', attemptId: 'a' })
          put.push(bytes.length)
          return { etag: '3' }
        },
      }),
      { maxStreamBytes: 100 },
    )
    const options = { mode: 'create', attemptId: 'a', partBytes: 5 } as const
    await store.putStream('k', [bytesOf(60), bytesOf(40)], options)
    expect(put).toEqual([100])
    const error = await errorOf(store.putStream('k', [bytesOf(60), bytesOf(41)], options))
    expect(isKind(error, 'exhausted', 'STREAM_TOO_LONG') && error.message).toContain('100 bytes')
    expect(put).toEqual([100])
  })
})

describe('defineObjectStore', () => {
  it('keeps what the store has, also of a class with private state', async () => {
    class Mine implements SmallObjectStore {
      readonly name = 'mine'
      readonly root = 'mine:///'
      readonly capabilities = { createIfAbsent: true, compareAndSwap: false, multipart: false }
      readonly durability = 'memory'
      readonly listOrder = 'none'
      readonly #inner = small(bytesOf(10))
      get(key: string, options?: GetOptions): Promise<StoredObject> {
        return this.#inner.get(key, options)
      }
      head: SmallObjectStore['head'] = (key) => this.#inner.head(key)
      put: SmallObjectStore['put'] = (key, bytes) => this.#inner.put(key, bytes)
      delete: SmallObjectStore['delete'] = (key) => this.#inner.delete(key)
      list: SmallObjectStore['list'] = () => this.#inner.list()
      async deleteMany(): ReturnType<ObjectStore['deleteMany']> {
        return { failed: [{ key: 'mine', error: undefined }] }
      }
    }
    const mine = new Mine()
    const store = defineObjectStore(mine)
    expect(store).toBe(mine)
    expect((await store.deleteMany([])).failed.length).toBe(1)
    expect((await store.getRanges('k', [{ start: 8 }])).parts).toEqual([bytesOf(10).slice(8)])
  })

  it('fills in for a wrapper what it leaves undefined, over its own calls', async () => {
    const inner = defineObjectStore(small(bytesOf(10)))
    let gets = 0
    const wrapper = defineObjectStore({
      ...inner,
      get: (key: string, options?: GetOptions) => (gets++, inner.get(key, options)),
      getRanges: undefined,
    })
    await wrapper.getRanges('k', [{ start: 0 }])
    expect(gets).toBe(1)
  })
})

describe('equalParts', () => {
  it('gives the bytes in parts of equal size, the last one shorter, in memory of their own', async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 9 }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(chunks, fc.integer({ min: 1, max: 7 }), async (given, partBytes) => {
        const whole = Buffer.concat(given)
        const parts: Uint8Array[] = []
        for await (const part of equalParts(given, partBytes)) parts.push(part)
        expect(Buffer.concat(parts).equals(whole)).toBe(true)
        for (const part of parts.slice(0, -1)) expect(part.length).toBe(partBytes)
        if (parts.length > 0) expect(parts.at(-1)!.length).toBeGreaterThan(0)
        expect(new Set(parts.map(({ buffer }) => buffer)).size).toBe(parts.length)
      }),
    )
  })
})

it('cuts no parts of no bytes', async () => {
  for (const partBytes of [0, -1, 1.5, NaN]) {
    const error = await errorOf(equalParts([bytesOf(3)], partBytes).next())
    expect(isKind(error, 'invalid', 'PART_BYTES'), String(partBytes)).toBe(true)
  }
})

describe('readChunks', () => {
  it('stops the source when it is left early, and not when it has ended or failed', async () => {
    const stopped: string[] = []
    const source = (name: string, steps: (() => Uint8Array)[]): AsyncIterable<Uint8Array> => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const step = steps.shift()
          return step === undefined ? { done: true, value: undefined } : { done: false, value: step() }
        },
        return: async () => {
          stopped.push(name)
          throw new Error('nobody hears this')
        },
      }),
    })
    const chunk = (): Uint8Array => bytesOf(1)
    const broken = (): never => {
      throw unavailable('BROKEN', 'broken')
    }
    for await (const _ of readChunks(source('left', [chunk, chunk]))) break
    for await (const _ of readChunks(source('ended', [chunk, chunk]))) continue
    const failing = async (): Promise<void> => {
      for await (const _ of readChunks(source('failed', [chunk, broken]))) continue
    }
    expect(isKind(await errorOf(failing()), 'unavailable', 'BROKEN')).toBe(true)
    expect(stopped).toEqual(['left'])
  })
})
