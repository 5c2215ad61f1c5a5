import type { PutStreamOptions } from '@moulin/core'
import { expectEqual, expectError, expectTrue } from './assertions.ts'
import type { ObjectStoreCheck } from './object-store-checks.ts'
import { encode, listKeys, pattern, readText } from './object-store-checks.ts'

const durabilities: readonly unknown[] = ['memory', 'disk', 'zone', 'region']
const orders: readonly unknown[] = ['bytes', 'none']
/** What Amazon takes at least of a part that is not the last. */
const PART_BYTES = 5 * 1024 * 1024

/** What a store says of itself, and what it keeps. */
export const claimChecks: readonly ObjectStoreCheck[] = [
  {
    name: 'declares what it survives and in what order it lists',
    async run({ durability, listOrder }) {
      expectTrue(durabilities.includes(durability), `durability is memory, disk, zone or region, not ${durability}`)
      expectTrue(orders.includes(listOrder), `listOrder is bytes or none, not ${listOrder}`)
    },
  },
  {
    name: 'recognises a create or swap that is repeated by its attempt id',
    needs: 'attemptIds',
    async run(store) {
      const attempt = { mode: 'create', attemptId: 'one' } as const
      const { etag } = await store.put('k', encode('mine'), attempt)
      expectEqual((await store.put('k', encode('mine'), attempt)).etag, etag, 'the tag of a create, repeated')
      for (const other of [{ mode: 'create', attemptId: 'two' }, { mode: 'create' }] as const)
        await expectError(store.put('k', encode('theirs'), other), 'exists', 'the create of somebody else')
      if (!store.capabilities.compareAndSwap) return
      const swap = { mode: { ifMatch: etag }, attemptId: 'three' } as const
      const { etag: swapped } = await store.put('k', encode('swapped'), swap)
      expectEqual((await store.put('k', encode('swapped'), swap)).etag, swapped, 'the tag of a swap, repeated')
      const other = { mode: { ifMatch: etag }, attemptId: 'four' }
      await expectError(store.put('k', encode('theirs'), other), 'conflict', 'the swap of somebody else')
      await expectError(store.put('k', encode('mine'), attempt), 'exists', 'a create that was overwritten since')
      expectEqual(await readText(store, 'k'), 'swapped', 'the object in the end')
    },
  },
  {
    name: 'recognises a stream that is repeated by its attempt id',
    needs: 'attemptIds',
    async run(store) {
      for (const parts of [1, 2]) {
        const key = `streamed/${parts}`
        // Other bytes for each write: where tags are made of them, equal ones would have an equal tag.
        const send = (options: PutStreamOptions, begin = 'created'): Promise<{ readonly etag: string }> =>
          store.putStream(key, [encode(begin), pattern(2, PART_BYTES)].slice(0, parts), {
            partBytes: PART_BYTES,
            ...options,
          })
        const attempt = { mode: 'create', attemptId: `create-${parts}` } as const
        const { etag } = await send(attempt)
        expectEqual((await send(attempt)).etag, etag, `the tag of a create of ${parts} parts, repeated`)
        await expectError(send({ ...attempt, attemptId: 'other' }), 'exists', 'the stream of somebody else')
        if (!store.capabilities.compareAndSwap) continue
        const swap = { mode: { ifMatch: etag }, attemptId: `swap-${parts}` } as const
        const { etag: swapped } = await send(swap, 'swapped')
        expectEqual((await send(swap, 'swapped')).etag, swapped, `the tag of a swap of ${parts} parts, repeated`)
        await expectError(send({ ...swap, attemptId: 'other' }, 'other'), 'conflict', 'the swap of somebody else')
      }
    },
  },
  {
    name: 'overwrites whatever the attempt id',
    needs: 'attemptIds',
    async run(store) {
      const attemptId = 'one'
      await store.put('k', encode('first'), { mode: 'create', attemptId })
      for (const text of ['second', 'third']) {
        await store.put('k', encode(text), { attemptId })
        expectEqual(await readText(store, 'k'), text, 'an object that was overwritten under the id of its create')
      }
      await store.putStream('k', [encode('last')], { attemptId })
      expectEqual(await readText(store, 'k'), 'last', 'an object that a stream overwrote under the same id')
    },
  },
  {
    name: 'keeps what it has acknowledged for whoever opens it anew',
    lasting: true,
    async run(store, _sizes, { reopen }) {
      if (reopen === undefined) throw new TypeError('This check opens the store anew: give it a way.')
      const kept = ['a/created', 'a/put', 'b/streamed', 'c']
      await store.put('a/created', encode('a/created'), { mode: 'create' })
      await store.put('a/put', encode('older'))
      await store.put('a/put', encode('a/put'))
      await store.putStream('b/streamed', [encode('b/'), encode('streamed')])
      for (const key of ['a/gone', 'b/gone', 'd/e/f']) await store.put(key, encode(key))
      await store.delete('a/gone')
      expectEqual((await store.deleteMany(['b/gone', 'd/e/f'])).failed, [], 'what could not be deleted')
      await store.put('c', encode('c'))
      const tags = await Promise.all(kept.map(async (key) => (await store.head(key))?.etag))
      const again = await reopen(store)
      expectEqual(await listKeys(again), kept, 'the list of the store, opened anew')
      for (const [i, key] of kept.entries()) {
        expectEqual(await readText(again, key), key, `the object ${key} of the store, opened anew`)
        expectEqual((await again.head(key))?.etag, tags[i], `the tag of ${key} in the store, opened anew`)
      }
    },
  },
]
