import { describe, expect, it } from 'vitest'
import type { ListOptions, ObjectStore } from '../doors/object-store.ts'
import { opened } from './bucket.test-support.ts'
import type { MemoryBucket } from './bucket.test-support.ts'

const keysOf = async (store: ObjectStore, options: ListOptions = {}): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of store.list(options)) keys.push(key)
  return keys
}
/** Pages by the token that asks for them, each of some keys and the token of the next. */
const pages = (
  bucket: MemoryBucket,
  answers: Readonly<Record<string, readonly [readonly string[], string?]>>,
): void => {
  let asked = 0
  bucket.listPage = ({ token = 'first' }) => {
    if (++asked > 20) throw new TypeError('It goes round.')
    const [keys, next] = answers[token]!
    return Promise.resolve({ infos: keys.map((key) => ({ key, size: 1, etag: '"1"', modifiedMs: 0 })), token: next })
  }
}

describe('a list of a bucket', () => {
  it.each(['bytes', 'none'] as const)('leaves out what no call could name, in the order %s', async (listOrder) => {
    const { bucket, store } = opened({ listOrder })
    const strangers = ['', '/', 'a//b', 'b/', 'c/../d', './e', 'f\u0001', `g${'x'.repeat(1024)}`]
    pages(bucket, { first: [['a b/', ...strangers.map((key) => `a b/${key}`), 'a b/h', 'a c/i', 'b'].sort()] })
    expect(await keysOf(store)).toEqual(['h'])
    expect((await store.deleteMany(await keysOf(store))).failed).toEqual([])
  })

  it('leaves out what was not asked for', async () => {
    const { bucket, store } = opened({ listOrder: 'none' })
    pages(bucket, { first: [['a b/x/1', 'a b/y/1', 'z'], 'next'], next: [['a b/x/2', 'a b/x']] })
    expect(await keysOf(store, { prefix: 'x/' })).toEqual(['x/1', 'x/2'])
  })

  it.each(['bytes', 'none'] as const)('asks for no half of a surrogate pair, in the order %s', async (listOrder) => {
    const { bucket, store } = opened({ listOrder })
    const asked: unknown[] = []
    const { listPage } = bucket
    bucket.listPage = (ask, signal) => {
      asked.push(ask.prefix, ask.after ?? '')
      return listPage(ask, signal)
    }
    await store.put('k/\u{1f600}', new Uint8Array(1))
    expect(await keysOf(store, { prefix: 'k/\ud83d', after: 'k/\ud83d' })).toEqual(['k/\u{1f600}'])
    expect(asked.every((text) => (text as string).isWellFormed())).toBe(true)
  })

  it.each([
    ['the same again', { first: [[], 'one'], one: [[], 'one'] }],
    ['one of those before', { first: [['a b/1'], 'one'], one: [[], 'two'], two: [[], 'one'] }],
    ['none, and says that it goes on', { first: [['a b/1'], ''] }],
  ] as const)('ends where the token is %s', async (_, answers) => {
    const { bucket, store } = opened({ listOrder: 'none' })
    pages(bucket, answers)
    await expect(keysOf(store)).rejects.toMatchObject({ kind: 'unavailable', context: { name: 'EndlessList' } })
  })
})
