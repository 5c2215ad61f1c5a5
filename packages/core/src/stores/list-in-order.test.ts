import { describe, expect, it } from 'vitest'
import type { ObjectInfo } from '../doors/object-store.ts'
import { inByteOrder, listInOrder } from './list-in-order.ts'

const infos = (...keys: string[]): AsyncIterable<ObjectInfo> =>
  (async function* () {
    for (const key of keys) yield await Promise.resolve({ key, size: 1, etag: '"1"', modifiedMs: 0 })
  })()
const keysOf = async (list: AsyncIterable<ObjectInfo>): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key } of list) keys.push(key)
  return keys
}
const store = (...keys: string[]): Parameters<typeof listInOrder>[0] => ({
  name: 'odd',
  listOrder: 'none',
  list: () => infos(...keys),
})

describe('lists', () => {
  it('sorts a list in no order, up to a limit', async () => {
    expect(await keysOf(listInOrder(store('a/b', 'a-b', 'a.b'), {}, 3))).toEqual(['a-b', 'a.b', 'a/b'])
    await expect(keysOf(listInOrder(store('a', 'b', 'c'), {}, 2))).rejects.toMatchObject({
      kind: 'exhausted',
      code: 'LIST_TOO_LONG',
      context: { maxListKeys: 2 },
    })
  })

  it('ends a list whose order is not the one it was said to have', async () => {
    expect(await keysOf(inByteOrder('s3', infos('\uFFFD', '\u{1F600}')))).toHaveLength(2)
    for (const keys of [
      ['a/b', 'a-b'],
      ['a', 'a'],
      ['\u{1F600}', '\uFFFD'],
    ])
      await expect(keysOf(inByteOrder('s3', infos(...keys)))).rejects.toMatchObject({
        kind: 'unsupported',
        code: 'LIST_ORDER',
      })
  })
})
