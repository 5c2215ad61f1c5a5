import type { ObjectStore } from '@moulin/core'
import { isKind, unavailable } from '@moulin/core'
import { errorOf, expectBytes, expectEqual, expectError, expectTrue } from './assertions.ts'
import type { ObjectStoreCheck } from './object-store-checks.ts'
import { encode, expectOneWinner, listKeys, pattern, readText, turn } from './object-store-checks.ts'

const MAX_GATHERED_BYTES = 1024 * 1024 * 1024

/** Puts from streams. */
export const streamChecks: readonly ObjectStoreCheck[] = [
  {
    name: 'stores a stream as the chunks that it comes in, one behind the other',
    async run(store) {
      const bytes = pattern(500_003, 7)
      for (const lengths of [[500_003], [1, 2, 3], [4_096], [65_536, 1], [0, 100_000, 0]]) {
        const key = `cut/${lengths.join('-')}`
        const { etag } = await store.putStream(key, cut(bytes, lengths), { partBytes: 65_536 })
        expectBytes((await store.get(key)).bytes, bytes, `a stream in chunks of ${lengths.join(', ')} bytes`)
        const head = await store.head(key)
        expectEqual([head?.etag, head?.size], [etag, bytes.length], 'tag and size of what was streamed')
      }
      await store.putStream('list', [encode('a'), new Uint8Array(0), Buffer.from('bc'), pattern(9).subarray(2, 4)])
      expectBytes(
        (await store.get('list')).bytes,
        Buffer.concat([encode('abc'), pattern(9).subarray(2, 4)]),
        'a list of chunks',
      )
      for (const none of [[], [new Uint8Array(0)]]) {
        await store.putStream('empty', none)
        expectEqual((await store.get('empty')).size, 0, 'the size of a stream of nothing')
      }
      await store.putStream('list', [encode('again')])
      expectEqual(await readText(store, 'list'), 'again', 'an object that a stream has overwritten')
    },
  },
  {
    name: 'keeps a long stream whole',
    needs: 'multipart',
    async run(store, { largeBytes }) {
      const bytes = pattern(largeBytes, 11)
      await store.putStream('long', cut(bytes, [1_000_000, 3_000, 700_001]))
      expectBytes((await store.get('long')).bytes, bytes, `a stream of ${largeBytes} bytes`)
    },
  },
  {
    name: 'refuses by name a stream longer than it gathers, and stores nothing of it',
    without: 'multipart',
    async run(store) {
      let stopped = false
      const chunk = new Uint8Array(4 * 1024 * 1024)
      async function* endless(): AsyncGenerator<Uint8Array> {
        try {
          for (let sent = 0; sent < MAX_GATHERED_BYTES; sent += chunk.length) yield chunk
        } finally {
          stopped = true
        }
      }
      const error = await errorOf(store.putStream('long', endless()))
      expectTrue(
        isKind(error, 'exhausted') || isKind(error, 'unsupported'),
        `a stream without end is refused, not: ${error}`,
      )
      expectTrue(stopped, 'the stream that was refused is stopped')
      expectEqual(await listKeys(store), [], 'the list after a stream that was refused')
    },
  },
  {
    name: 'shows what is streamed only when it is whole',
    async run(store) {
      const bytes = pattern(300_000)
      for (let round = 0; round < 6; round++) {
        const key = `new/${round}`
        let done = false
        const reader = async (): Promise<void> => {
          while (!done) {
            try {
              expectBytes((await store.get(key)).bytes, bytes, 'bytes read while the object is streamed')
            } catch (error) {
              if (!isKind(error, 'not-found')) throw error
            }
            for await (const info of store.list()) {
              expectTrue(/^new\/\d$/.test(info.key), `${info.key} is an object that somebody put`)
              expectEqual(info.size, bytes.length, 'size that list shows')
            }
            await turn()
          }
        }
        const options = { partBytes: 65_536, ...(round % 2 === 0 ? { mode: 'create' as const } : {}) }
        const put = store.putStream(key, slowly(cut(bytes, [60_000])), options).finally(() => (done = true))
        await Promise.all([put, reader()])
      }
    },
  },
  {
    name: 'creates from a stream only where nothing is',
    async run(store) {
      const { etag } = await store.putStream('k', [encode('first')], { mode: 'create' })
      for (const text of ['second', 'first']) {
        await expectError(store.putStream('k', [encode(text)], { mode: 'create' }), 'exists', 'a second create')
        expectEqual([await readText(store, 'k'), (await store.head('k'))?.etag], ['first', etag], 'the object then')
      }
      await expectError(store.put('k', encode('x'), { mode: 'create' }), 'exists', 'a put behind a stream')
    },
  },
  {
    name: 'lets exactly one of 20 racing streams create',
    needs: 'createIfAbsent',
    async run(store) {
      for (let round = 0; round < 3; round++) {
        const put = (racer: number): Promise<unknown> => {
          const chunks = [encode('racer '), encode(`${racer}`)]
          return store.putStream(`r/${round}`, racer % 2 === 0 ? chunks : slowly(chunks), { mode: 'create' })
        }
        const winner = await expectOneWinner(put, 'exists')
        expectEqual(await readText(store, `r/${round}`), `racer ${winner}`, 'the object that racing streams left')
      }
    },
  },
  {
    name: 'swaps by a stream only for who holds the present tag',
    needs: 'compareAndSwap',
    async run(store) {
      const { etag: first } = await store.put('k', encode('first'))
      const { etag: second } = await store.putStream('k', [encode('second')], { mode: { ifMatch: first } })
      await expectError(store.putStream('k', [encode('x')], { mode: { ifMatch: first } }), 'conflict', 'a stale swap')
      await expectError(
        store.putStream('no', [encode('x')], { mode: { ifMatch: second } }),
        'conflict',
        'a swap of nothing',
      )
      expectEqual(await readText(store, 'k'), 'second', 'the object after refused swaps')
      expectEqual(await listKeys(store), ['k'], 'the list after refused swaps')
    },
  },
  {
    name: 'stores nothing of a stream that breaks off, and keeps what was there',
    async run(store) {
      await store.put('old', encode('old'))
      const broken = unavailable('BROKEN', 'the source broke')
      async function* breaking(length: number): AsyncGenerator<Uint8Array> {
        yield* cut(pattern(length), [50_000])
        throw broken
      }
      for (const key of ['old', 'new'])
        for (const length of [0, 10, 400_000]) {
          const error = await errorOf(store.putStream(key, breaking(length), { partBytes: 65_536 }))
          expectTrue(error === broken, `the error of the source passes as it is, not: ${error}`)
        }
      await expectError(
        store.putStream('new', [encode('a'), 'b' as never]),
        'invalid',
        'a chunk that is a text',
        'CHUNK',
      )
      expectEqual(await readText(store, 'old'), 'old', 'the object that a broken stream was to overwrite')
      expectEqual(await listKeys(store), ['old'], 'the list after broken streams')
    },
  },
  {
    name: 'stores nothing of a stream when the signal fires meanwhile, and stops it',
    async run(store) {
      await store.put('old', encode('old'))
      for (const key of ['old', 'new'])
        for (let turns = 0; turns < 4; turns++) {
          const controller = new AbortController()
          let stopped = false
          async function* endless(): AsyncGenerator<Uint8Array> {
            try {
              for (let sent = 0; sent < 100_000; sent++) {
                yield encode('chunk')
                if (sent === turns) controller.abort()
                await turn()
              }
            } finally {
              stopped = true
            }
          }
          const put = store.putStream(key, endless(), { signal: controller.signal })
          await expectError(put, 'aborted', `a stream that was aborted after chunk ${turns}`)
          for (let i = 0; i < 5; i++) await turn()
          expectTrue(stopped, 'the source of a stream that was aborted is stopped')
        }
      // A source that never answers again is waited for by nobody.
      const controller = new AbortController()
      async function* stuck(): AsyncGenerator<Uint8Array> {
        yield encode('chunk')
        controller.abort()
        await new Promise(() => {})
      }
      await expectError(
        store.putStream('new', stuck(), { signal: controller.signal }),
        'aborted',
        'a stream that is stuck',
      )
      expectEqual(await readText(store, 'old'), 'old', 'the object that an aborted stream was to overwrite')
      expectEqual(await listKeys(store), ['old'], 'the list after aborted streams')
    },
  },
  {
    name: 'stops a stream that it refuses',
    needs: 'createIfAbsent',
    async run(store) {
      let open = 0
      async function* counted(): AsyncGenerator<Uint8Array> {
        open++
        try {
          yield encode('a')
          yield 'no bytes' as never
        } finally {
          open--
        }
      }
      await expectError(store.putStream('k', counted()), 'invalid', 'a stream of texts', 'CHUNK')
      for (let i = 0; i < 5; i++) await turn()
      expectEqual(open, 0, 'how many sources are still open')
    },
  },
  {
    name: 'keeps a copy of the chunks that it was given',
    async run(store) {
      for (const partBytes of [1, 65_536]) {
        const chunks = [encode('given '), Buffer.from('in '), encode('chunks')]
        await store.putStream('k', partBytes === 1 ? chunks : slowly(chunks), { partBytes: 65_536 })
        for (const chunk of chunks) chunk.fill(0)
        expectEqual(await readText(store, 'k'), 'given in chunks', 'the object after the caller reused its chunks')
      }
    },
  },
  {
    name: 'changes nothing of what it was given',
    async run(store) {
      const given = (): Uint8Array[] => [encode('some bytes'), pattern(70_000).subarray(5), Buffer.from('a buffer')]
      for (const [i, bytes] of given().entries()) {
        await store.put(`put/${i}`, bytes, i === 0 ? { mode: 'create' } : {})
        expectBytes(bytes, given()[i]!, 'the bytes that were given to put')
      }
      const chunks = given()
      await store.putStream('stream', chunks, { partBytes: 65_536 })
      chunks.forEach((chunk, i) => expectBytes(chunk, given()[i]!, 'a chunk that was given to putStream'))
    },
  },
]

/** The bytes in chunks of these lengths, over and over. */
function* cut(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length]!
    yield bytes.subarray(at, at + length)
    at += length
  }
}

async function* slowly(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) {
    yield chunk
    await turn()
  }
}

/** What a store has from the stream that it is given, for stores that are wrong. */
export async function drained(chunks: Parameters<ObjectStore['putStream']>[1]): Promise<Uint8Array[]> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return all
}
