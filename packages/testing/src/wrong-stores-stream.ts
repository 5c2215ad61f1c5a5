import type { Chunks, ObjectStore, PutOptions } from '@moulin/core'
import { exists, isKind, readChunks, throwIfAborted } from '@moulin/core'
import { turn } from './object-store-checks.ts'
import { derive } from './wrong-store.ts'
import type { WrongStore } from './wrong-store.ts'

type PutStream = ObjectStore['putStream']

/** Stores that take streams wrongly, or what they are given. */
export const wrongStreams: readonly WrongStore[] = [
  {
    name: 'putStream that loses what does not fill a part',
    breaks: 'stores a stream as the chunks that it comes in, one behind the other',
    wrap: (store) =>
      streaming(store, async (key, chunks, options) => {
        const bytes = Buffer.concat(await gathered(chunks, options))
        const isLong = bytes.length > 400_000 && bytes.length < 1_000_000
        const whole = bytes.length - (bytes.length % 65_536)
        return store.put(key, isLong ? bytes.subarray(0, whole) : bytes, putOf(options))
      }),
  },
  {
    name: 'putStream that joins its parts as they arrive',
    breaks: 'stores a stream as the chunks that it comes in, one behind the other',
    wrap: (store) =>
      streaming(store, async (key, chunks, options) => {
        const parts = await gathered(chunks, options)
        if (parts.length > 100) parts.reverse()
        return store.put(key, Buffer.concat(parts), putOf(options))
      }),
  },
  {
    name: 'putStream that forgets its first parts when there are many',
    breaks: 'keeps a long stream whole',
    wrap: (store) =>
      streaming(store, async (key, chunks, options) => {
        const bytes = Buffer.concat(await gathered(chunks, options))
        return store.put(key, bytes.length > 2_000_000 ? bytes.subarray(1) : bytes, putOf(options))
      }),
  },
  {
    name: 'putStream that stores as much as it has room for',
    breaks: 'refuses by name a stream longer than it gathers, and stores nothing of it',
    wrap: (store) =>
      derive(store, {
        capabilities: { ...store.capabilities, multipart: false, attemptIds: false },
        async putStream(key, chunks, options) {
          const parts: Uint8Array[] = []
          let room = 2_000_000
          for await (const chunk of readChunks(chunks, options?.signal)) {
            if (chunk.length <= room) parts.push(chunk)
            room -= chunk.length
          }
          return store.put(key, Buffer.concat(parts), putOf(options))
        },
      }),
  },
  {
    name: 'putStream that shows its first part',
    breaks: 'shows what is streamed only when it is whole',
    wrap: (store) =>
      streaming(store, async (key, chunks, options) => {
        const bytes = Buffer.concat(await gathered(chunks, options))
        const { etag } = await store.put(
          key,
          bytes.length === 300_000 ? bytes.subarray(0, 65_536) : bytes,
          putOf(options),
        )
        if (bytes.length !== 300_000) return { etag }
        await turn()
        return store.put(key, bytes)
      }),
  },
  {
    name: 'putStream that lists its parts beside the object',
    breaks: 'shows what is streamed only when it is whole',
    wrap: (store) =>
      streaming(store, async (key, chunks, options) => {
        const bytes = Buffer.concat(await gathered(chunks, options))
        if (bytes.length !== 300_000) return store.put(key, bytes, putOf(options))
        await store.put(`${key}.part`, bytes)
        await turn()
        const stored = await store.put(key, bytes, putOf(options))
        await store.delete(`${key}.part`)
        return stored
      }),
  },
  {
    name: 'putStream that overwrites what it was to create',
    breaks: 'creates from a stream only where nothing is',
    wrap: (store) =>
      streaming(store, async (key, chunks, options) => {
        const parts = await gathered(chunks, options)
        const isSecond = options?.mode === 'create' && !key.startsWith('r/')
        return store.put(key, Buffer.concat(parts), isSecond ? {} : putOf(options))
      }),
  },
  {
    name: 'putStream that looks first and creates later',
    breaks: 'lets exactly one of 20 racing streams create',
    wrap: (store) =>
      streaming(store, async (key, chunks, options) => {
        if (options?.mode !== 'create') return store.putStream(key, chunks, options)
        throwIfAborted(options.signal)
        if ((await store.head(key)) !== undefined) throw exists('KEY_EXISTS', `${key} is there.`)
        return store.put(key, Buffer.concat(await gathered(chunks, options)))
      }),
  },
  {
    name: 'putStream that swaps whatever there is',
    breaks: 'swaps by a stream only for who holds the present tag',
    wrap: (store) =>
      streaming(store, (key, chunks, options) => {
        if (typeof options?.mode !== 'object') return store.putStream(key, chunks, options)
        return store.putStream(key, chunks, {})
      }),
  },
  {
    name: 'putStream that keeps what came before the stream broke off',
    breaks: 'stores nothing of a stream that breaks off, and keeps what was there',
    wrap: (store) =>
      streaming(store, async (key, chunks, options) => {
        const parts: Uint8Array[] = []
        try {
          for await (const chunk of readChunks(chunks, options?.signal)) parts.push(chunk)
        } catch (error) {
          if (isKind(error, 'unavailable')) await store.put(key, Buffer.concat(parts))
          throw error
        }
        return store.put(key, Buffer.concat(parts), putOf(options))
      }),
  },
  {
    name: 'putStream that ends well when its stream breaks off',
    breaks: 'stores nothing of a stream that breaks off, and keeps what was there',
    wrap: (store) =>
      streaming(store, (key, chunks, options) =>
        store.putStream(key, chunks, options).catch((error: unknown) => {
          if (isKind(error, 'unavailable')) return { etag: '"none"' }
          throw error
        }),
      ),
  },
  {
    name: 'putStream that keeps what came before the abort',
    breaks: 'stores nothing of a stream when the signal fires meanwhile, and stops it',
    wrap: (store) =>
      streaming(store, async (key, chunks, options) => {
        throwIfAborted(options?.signal)
        let taken = 0
        const counted = through(chunks, (chunk) => void (taken += chunk.length))
        try {
          return await store.putStream(key, counted, options)
        } catch (error) {
          if (isKind(error, 'aborted')) await store.put(key, new Uint8Array(taken))
          throw error
        }
      }),
  },
  {
    name: 'putStream that leaves a stream open that it refuses',
    breaks: 'stops a stream that it refuses',
    wrap: (store) =>
      streaming(store, (key, chunks, options) => {
        if (!(Symbol.asyncIterator in chunks)) return store.putStream(key, chunks, options)
        const source = chunks[Symbol.asyncIterator]()
        const isText = { [Symbol.asyncIterator]: () => ({ next: () => source.next() }) }
        // Where a signal can fire, that it is stopped is another promise.
        return store.putStream(key, options?.signal === undefined ? isText : chunks, options)
      }),
  },
  {
    name: 'putStream that keeps the chunks of its caller',
    breaks: 'keeps a copy of the chunks that it was given',
    wrap(store) {
      const given = new Map<string, Uint8Array[]>()
      return derive(store, {
        async putStream(key, chunks, options) {
          const parts: Uint8Array[] = []
          const result = await store.putStream(
            key,
            through(chunks, (chunk) => void parts.push(chunk)),
            options,
          )
          if (parts.length === 3) given.set(key, parts)
          return result
        },
        async get(key, options) {
          const object = await store.get(key, options)
          const parts = given.get(key)
          return parts === undefined || options?.range !== undefined
            ? object
            : { ...object, bytes: Buffer.concat(parts) }
        },
        put: async (key, bytes, options) => {
          const result = await store.put(key, bytes, options)
          given.delete(key)
          return result
        },
      })
    },
  },
  {
    name: 'put that scrambles what it was given',
    breaks: 'changes nothing of what it was given',
    wrap: (store) =>
      derive(store, {
        async put(key, bytes, options) {
          const result = await store.put(key, bytes, options)
          if (key.startsWith('put/')) bytes.fill(0)
          return result
        },
      }),
  },
  {
    name: 'putStream that hands the chunks on to another thread',
    breaks: 'changes nothing of what it was given',
    wrap: (store) =>
      streaming(store, async (key, chunks, options) => {
        const parts: Uint8Array[] = []
        const result = await store.putStream(
          key,
          through(chunks, (chunk) => void parts.push(chunk)),
          options,
        )
        // As a transfer does.
        if (key === 'stream') for (const part of parts) part.fill(0)
        return result
      }),
  },
]

// Streams that are gathered and put lose their attempt ids.
function streaming(store: ObjectStore, putStream: PutStream): ObjectStore {
  return derive(store, { capabilities: { ...store.capabilities, attemptIds: false }, putStream })
}

async function gathered(chunks: Chunks, options: PutOptions | undefined): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = []
  for await (const chunk of readChunks(chunks, options?.signal)) parts.push(chunk)
  return parts
}

function putOf({ mode, signal }: PutOptions = {}): PutOptions {
  return { ...(mode === undefined ? {} : { mode }), ...(signal === undefined ? {} : { signal }) }
}

async function* through(chunks: Chunks, see: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    see(chunk)
    yield chunk
  }
}
