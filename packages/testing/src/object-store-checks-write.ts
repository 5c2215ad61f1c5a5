import { isKind } from '@moulin/core'
import { errorOf, expectBytes, expectEqual, expectError, expectTrue } from './assertions.ts'
import type { ObjectStoreCheck } from './object-store-checks.ts'
import { encode, expectOneWinner, listKeys, pattern, readText, turn } from './object-store-checks.ts'

/** Writing: creates, swaps, deletes, races, aborts. */
export const writeChecks: readonly ObjectStoreCheck[] = [
  {
    name: 'creates only where nothing is, and leaves what is there alone',
    async run(store) {
      const { etag } = await store.put('k', encode('first'), { mode: 'create' })
      for (const text of ['second', 'first']) {
        await expectError(store.put('k', encode(text), { mode: 'create' }), 'exists', 'a second create')
        expectEqual(await readText(store, 'k'), 'first', 'the object after a refused create')
        expectEqual((await store.head('k'))?.etag, etag, 'its tag after a refused create')
      }
      await store.put('k', encode('third'))
      await expectError(store.put('k', encode('fourth'), { mode: 'create' }), 'exists', 'a create after an overwrite')
      await store.delete('k')
      await store.put('k', encode('fifth'), { mode: 'create' })
      expectEqual(await readText(store, 'k'), 'fifth', 'a create after a delete')
    },
  },
  {
    name: 'lets exactly one of 20 racing creates win',
    needs: 'createIfAbsent',
    async run(store) {
      for (let round = 0; round < 5; round++) {
        const key = `race/${round}`
        // Different lengths: a store that writes in place would mix them.
        const bytes = (racer: number): Uint8Array => new Uint8Array(1 + (racer % 7) * 5_000).fill(racer + 1)
        const winner = await expectOneWinner((racer) => store.put(key, bytes(racer), { mode: 'create' }), 'exists')
        expectBytes((await store.get(key)).bytes, bytes(winner), 'the object of the winner')
      }
    },
  },
  {
    name: 'swaps only for who holds the present tag',
    needs: 'compareAndSwap',
    async run(store) {
      const first = (await store.put('k', encode('first'))).etag
      const second = (await store.put('k', encode('second'), { mode: { ifMatch: first } })).etag
      for (const ifMatch of [first, '"made-up"'])
        await expectError(store.put('k', encode('stale'), { mode: { ifMatch } }), 'conflict', 'a swap with another tag')
      expectEqual(await readText(store, 'k'), 'second', 'the object after refused swaps')
      await store.put('k', encode('third'), { mode: { ifMatch: second } })
      expectEqual(await readText(store, 'k'), 'third', 'the object after a swap')
    },
  },
  {
    name: 'refuses the swap of a missing key',
    needs: 'compareAndSwap',
    async run(store) {
      const { etag } = await store.put('k', encode('x'))
      await store.delete('k')
      for (const key of ['k', 'never'])
        await expectError(
          store.put(key, encode('y'), { mode: { ifMatch: etag } }),
          'conflict',
          'a swap of a missing key',
        )
      expectEqual(await listKeys(store), [], 'the list after refused swaps')
    },
  },
  {
    name: 'lets exactly one of 20 racing swaps win, and loses no increment',
    needs: 'compareAndSwap',
    async run(store) {
      for (let round = 0; round < 5; round++) {
        const { etag } = await store.put('k', encode(`start ${round}`))
        const swap = (racer: number): Promise<unknown> =>
          store.put('k', encode(`racer ${racer}`), { mode: { ifMatch: etag } })
        const winner = await expectOneWinner(swap, 'conflict')
        expectEqual(await readText(store, 'k'), `racer ${winner}`, 'the object of the winner')
      }
      await store.put('counter', encode('0'))
      const increment = async (): Promise<void> => {
        for (;;) {
          const { bytes, etag } = await store.get('counter')
          const next = Number(new TextDecoder().decode(bytes)) + 1
          const error = await errorOf(store.put('counter', encode(String(next)), { mode: { ifMatch: etag } }))
          if (error === undefined) return
          if (!isKind(error, 'conflict')) throw error
        }
      }
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let i = 0; i < 5; i++) await increment()
        }),
      )
      expectEqual(await readText(store, 'counter'), '40', 'a counter after 40 increments by 8 workers')
    },
  },
  {
    name: 'refuses a swap that it does not claim to have',
    without: 'compareAndSwap',
    async run(store) {
      const { etag } = await store.put('k', encode('x'))
      await expectError(store.put('k', encode('y'), { mode: { ifMatch: etag } }), 'unsupported', 'a swap')
      expectEqual(await readText(store, 'k'), 'x', 'the object after a refused swap')
    },
  },
  {
    name: 'deletes for every reader at once, and takes a second delete',
    async run(store) {
      for (const key of ['a', 'b', 'c']) await store.put(key, encode(key))
      await store.delete('b')
      await expectError(store.get('b'), 'not-found', 'get of a deleted object')
      expectEqual(await store.head('b'), undefined, 'head of a deleted object')
      expectEqual(await listKeys(store), ['a', 'c'], 'list after a delete')
      for (const key of ['b', 'never', 'never/below'])
        expectEqual(await errorOf(store.delete(key)), undefined, `delete of the missing ${key}`)
    },
  },
  {
    name: 'does nothing when the signal has fired already',
    async run(store) {
      await store.put('k', encode('old'))
      const signal = AbortSignal.abort()
      await expectError(store.get('k', { signal }), 'aborted', 'get')
      await expectError(store.head('k', { signal }), 'aborted', 'head')
      for (const mode of ['overwrite', 'create'] as const)
        await expectError(store.put(`new-${mode}`, encode('new'), { signal, mode }), 'aborted', `put with ${mode}`)
      await expectError(store.put('k', encode('new'), { signal }), 'aborted', 'overwrite')
      await expectError(store.delete('k', { signal }), 'aborted', 'delete')
      await expectError(listKeys(store, { signal }), 'aborted', 'list')
      expectEqual(await readText(store, 'k'), 'old', 'the object after aborted calls')
      expectEqual(await listKeys(store), ['k'], 'the list after aborted calls')
    },
  },
  {
    name: 'ends whole or absent when the signal fires meanwhile',
    async run(store) {
      const bytes = pattern(400_000)
      for (let turns = 0; turns < 8; turns++) {
        const key = `k/${turns}`
        const controller = new AbortController()
        const put = errorOf(store.put(key, bytes, { mode: 'create', signal: controller.signal }))
        for (let i = 0; i < turns; i++) await turn()
        controller.abort()
        const error = await put
        const present = (await store.head(key)) !== undefined
        if (error === undefined) expectTrue(present, 'a put that resolved has stored its object')
        else {
          const { outcome } = await expectError(Promise.reject(error), 'aborted', 'a put that was aborted')
          if (outcome === 'rejected') expectTrue(!present, 'a put that was rejected has stored nothing')
        }
        if (present) expectBytes((await store.get(key)).bytes, bytes, 'the object of an aborted put')
        await store.put(key, bytes)

        const reads = new AbortController()
        const get = store.get(key, { signal: reads.signal }).then(({ bytes: read }) => read)
        for (let i = 0; i < turns; i++) await turn()
        reads.abort()
        const read = await get.catch(() => undefined)
        if (read === undefined) await expectError(get, 'aborted', 'a get that was aborted')
        else expectBytes(read, bytes, 'the bytes of a get that the signal came too late for')
      }
    },
  },
  {
    name: 'stops a list when the signal fires between two of its keys',
    async run(store) {
      for (const key of ['a', 'b', 'c']) await store.put(key, encode(key))
      const controller = new AbortController()
      const list = store.list({ signal: controller.signal })[Symbol.asyncIterator]()
      expectTrue((await list.next()).done !== true, 'the list begins')
      controller.abort()
      await expectError(list.next(), 'aborted', 'the step after the signal')
    },
  },
]
