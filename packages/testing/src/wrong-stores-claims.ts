import { isKind } from '@moulin/core'
import { encode } from './object-store-checks.ts'
import { derive } from './wrong-store.ts'
import type { WrongStore } from './wrong-store.ts'

/** Stores that claim what they do not keep. */
export const wrongClaims: readonly WrongStore[] = [
  {
    name: 'durability that is no word of ours',
    breaks: 'declares what it survives and in what order it lists',
    wrap: (store) => derive(store, { durability: 'eleven nines' as never }),
  },
  {
    name: 'order of lists that nobody declares',
    breaks: 'declares what it survives and in what order it lists',
    wrap: (store) => derive(store, { listOrder: undefined as never }),
  },
  {
    name: 'put that forgets whose attempt it was',
    breaks: 'recognises a create or swap that is repeated by its attempt id',
    wrap(store) {
      const answered = new Set<string>()
      return derive(store, {
        async put(key, bytes, { attemptId, ...options } = {}) {
          const isKept = attemptId !== undefined && !answered.has(attemptId)
          const tag = await store.put(key, bytes, isKept ? { ...options, attemptId } : options)
          if (attemptId !== undefined) answered.add(attemptId)
          return tag
        },
      })
    },
  },
  {
    name: 'create that takes any attempt for its own',
    breaks: 'recognises a create or swap that is repeated by its attempt id',
    wrap: (store) =>
      derive(store, {
        put: (key, bytes, options = {}) =>
          store.put(key, bytes, options).catch(async (error: unknown) => {
            const present = options.attemptId === undefined ? undefined : await store.head(key)
            if (present === undefined || !isKind(error, 'exists')) throw error
            return { etag: present.etag }
          }),
      }),
  },
  {
    name: 'putStream that forgets whose attempt it was',
    breaks: 'recognises a stream that is repeated by its attempt id',
    alone: true,
    wrap: (store) =>
      derive(store, {
        putStream: (key, chunks, { attemptId: _, ...options } = {}) => store.putStream(key, chunks, options),
      }),
  },
  {
    name: 'overwrite that takes a known attempt for done',
    breaks: 'overwrites whatever the attempt id',
    alone: true,
    wrap(store) {
      const answered = new Map<string, string>()
      return derive(store, {
        async put(key, bytes, options = {}) {
          const { attemptId } = options
          const present = await store.head(key)
          if (present !== undefined && attemptId !== undefined && answered.get(key) === attemptId) return present
          const tag = await store.put(key, bytes, options)
          if (attemptId !== undefined) answered.set(key, attemptId)
          return tag
        },
      })
    },
  },
  {
    name: 'put that is acknowledged before it is kept',
    breaks: 'keeps what it has acknowledged for whoever opens it anew',
    wrap: (store) => store,
    lose: (store) => store.delete('c'),
  },
  {
    name: 'putStream whose name is not kept',
    breaks: 'keeps what it has acknowledged for whoever opens it anew',
    wrap: (store) => store,
    lose: (store) => store.delete('b/streamed'),
  },
  {
    name: 'deleteMany that the next process undoes',
    breaks: 'keeps what it has acknowledged for whoever opens it anew',
    wrap: (store) => store,
    async lose(store) {
      await store.put('d/e/f', encode('d/e/f'))
    },
  },
]
