import { isKind } from '@moulin/core'
import { describe, expect, it } from 'vitest'
import { memory } from './memory.ts'

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('memory', () => {
  it('dates objects by the clock it was given', async () => {
    const store = memory({ clock: { now: () => 123 } })
    await store.put('a', new Uint8Array(2))
    expect(await store.head('a')).toMatchObject({ key: 'a', size: 2, modifiedMs: 123 })
  })

  it('keeps stores apart and names them', async () => {
    const [one, two] = [memory({ name: 'one' }), memory({ name: 'two' })]
    await one.put('a', new Uint8Array(1))
    expect(await two.head('a')).toBeUndefined()
    expect([one.root, two.name]).toEqual(['memory://one/', 'memory(two)'])
  })

  it('leaves objects out of a running list that were removed meanwhile', async () => {
    const store = memory()
    for (const key of ['a', 'b', 'c']) await store.put(key, new Uint8Array(0))
    const seen: string[] = []
    for await (const { key } of store.list()) {
      seen.push(key)
      await store.delete('b')
    }
    expect(seen).toEqual(['a', 'c'])
  })

  it('stops a list when the signal fires between two steps', async () => {
    const store = memory()
    for (const key of ['a', 'b', 'c']) await store.put(key, new Uint8Array(0))
    const controller = new AbortController()
    const list = store.list({ signal: controller.signal })[Symbol.asyncIterator]()
    await list.next()
    controller.abort()
    await expect(list.next()).rejects.toSatisfy((error) => isKind(error, 'aborted'))
  })

  it('stays in byte order through many puts and deletes', async () => {
    const store = memory()
    const keys = Array.from({ length: 300 }, (_, i) => `k/${(i * 7919) % 300}`)
    for (const key of keys) await store.put(key, new Uint8Array(0))
    for (const key of keys.slice(0, 150)) await store.delete(key)
    const listed = (await collect(store.list())).map(({ key }) => key)
    expect(listed).toEqual(keys.slice(150).sort())
  })
})
