import type { ObjectStore } from '@moulin/core'
import { hasOutcome } from '@moulin/core'
import { turn } from './object-store-checks.ts'
import { derive } from './wrong-store.ts'
import type { WrongStore } from './wrong-store.ts'

/** Stores and layers that do not know their own writes. */
export const wrongAttempts: readonly WrongStore[] = [
  {
    name: 'put that knows its attempt once it has answered',
    breaks: 'takes two tries of one write that are under way at once for one',
    wrap(store) {
      const answered = new Map<string, { readonly id: string | undefined; readonly etag: string }>()
      return derive(store, {
        async put(key, bytes, { attemptId, ...options } = {}) {
          const known = answered.get(key)
          const isKnown = options.mode !== undefined && attemptId !== undefined && known?.id === attemptId
          if (isKnown && (await store.head(key))?.etag === known.etag) return { etag: known.etag }
          const { etag } = await store.put(key, bytes, options)
          for (let turns = 0; turns < 3; turns++) await turn()
          answered.set(key, { id: attemptId, etag })
          return { etag }
        },
      })
    },
  },
  {
    name: 'layer that sends a lost create again under another attempt',
    breaks: 'says of no write that it was rejected when a try of it lands later',
    wrap: (store) => store,
    over(below) {
      let tries = 0
      return again(below, (options) => ({ ...options, attemptId: `try-${++tries}` }))
    },
  },
  {
    name: 'layer that sends a lost create again where nobody knows attempts',
    breaks: 'says of no write that it was rejected when a try of it lands later',
    wrap: (store) => store,
    over: (below) => again(below, (options) => ({ attemptId: 'one', ...options })),
  },
]

/** Sends a put whose outcome is unknown once more, with the options of that try, and believes what it then hears. */
function again(
  below: ObjectStore,
  optionsOf: (options: Parameters<ObjectStore['put']>[2]) => Parameters<ObjectStore['put']>[2],
): ObjectStore {
  return derive(below, {
    put: (key, bytes, options) =>
      below.put(key, bytes, optionsOf(options)).catch((error: unknown) => {
        if (!hasOutcome(error, 'unknown')) throw error
        return below.put(key, bytes, optionsOf(options))
      }),
  })
}
