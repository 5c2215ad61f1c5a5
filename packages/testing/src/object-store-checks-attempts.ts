import type { ObjectStore, PutOptions } from '@moulin/core'
import { hasOutcome, isKind, isMoulinError, unavailable } from '@moulin/core'
import { expectBytes, expectEqual, failure } from './assertions.ts'
import { hookedStore } from './hooked-store.ts'
import type { ObjectStoreCheck } from './object-store-checks.ts'
import { encode, pattern, readText, turn } from './object-store-checks.ts'
import { derive } from './wrong-store.ts'

type Tag = { readonly etag: string }

/** One write that is sent twice, and what a layer makes of answers that are lost below it. */
export const attemptChecks: readonly ObjectStoreCheck[] = [
  {
    name: 'takes two tries of one write that are under way at once for one',
    needs: 'attemptIds',
    async run(store) {
      for (let round = 0; round < 6; round++) {
        const key = `twice/${round}`
        const twice = async (text: string, options: PutOptions): Promise<Tag> => {
          const bytes = pattern(1 + round * 20_000, text.length)
          const tries = [1, 2].map(() => patiently(() => store.put(key, bytes, options)))
          const [first, second] = await Promise.all(tries)
          const tag = (await store.head(key))?.etag
          expectEqual([first!.etag, second!.etag], [tag, tag], `the tags of two tries (${text})`)
          expectBytes((await store.get(key)).bytes, bytes, `the object of two tries (${text})`)
          return first!
        }
        const { etag } = await twice('created', { mode: 'create', attemptId: `create-${round}` })
        if (store.capabilities.compareAndSwap)
          await twice('swapped', { mode: { ifMatch: etag }, attemptId: `swap-${round}` })
      }
    },
  },
  {
    name: 'says of no write that it was rejected when a try of it lands later',
    layered: true,
    async run(_store, _sizes, { over }) {
      if (over === undefined) throw new TypeError('This check has a layer over a store of its own: give it a way.')
      for (const when of ['before', 'after'] as const)
        for (const knowsAttempts of [true, false])
          for (const isSwap of [false, true]) {
            const below = lateStore(when, knowsAttempts)
            const layer = over(below.store)
            const { etag } = await layer.put('swapped', encode('old'))
            const [key, mode] = isSwap ? (['swapped', { ifMatch: etag }] as const) : (['created', 'create'] as const)
            below.loseNext()
            const put = layer.put(key, encode('mine'), { mode })
            const error = await put.then(
              () => undefined,
              (thrown: unknown) => thrown as Error,
            )
            // The request that was stuck in the network arrives at last, if it has not yet.
            await below.land()
            const what = `a ${isSwap ? 'swap' : 'create'} whose first try lands ${when} the second one`
            if (error === undefined) {
              expectEqual((await layer.head(key))?.etag, (await put).etag, `the tag of ${what}`)
              expectEqual(await readText(layer, key), 'mine', `the object of ${what}`)
            } else if (!hasOutcome(error, 'unknown')) throw failure(`${what} may have happened: ${error}`, error)
          }
    },
  },
]

/** Sent again while the store says that it did not happen and may go well later: two writers of one key may be told so. */
async function patiently(put: () => Promise<Tag>): Promise<Tag> {
  for (let tries = 1; ; tries++) {
    try {
      return await put()
    } catch (error) {
      if (!isMoulinError(error) || !error.retryable || tries === 20) throw error
      await turn()
    }
  }
}

interface LateStore {
  readonly store: ObjectStore
  /** The next put gets no answer, and has its effect later. */
  loseNext(): void
  /** Now. */
  land(): Promise<void>
}

/** A store in which a put may be late: its effect comes before or after that of the next put, and before the answer to that. */
function lateStore(when: 'before' | 'after', knowsAttempts: boolean): LateStore {
  const whole = hookedStore()
  const attempts = new Map<string, { readonly id: string; readonly etag: string }>()
  let isLosing = false
  let late: (() => Promise<unknown>) | undefined
  const put: ObjectStore['put'] = async (key, bytes, { attemptId, ...options } = {}) => {
    const known = attempts.get(key)
    const isRepeated =
      attemptId !== undefined && known?.id === attemptId && (await whole.head(key))?.etag === known.etag
    if (isRepeated) return { etag: known.etag }
    const { etag } = await whole.put(key, bytes, options)
    if (knowsAttempts && attemptId !== undefined) attempts.set(key, { id: attemptId, etag })
    return { etag }
  }
  const land = async (): Promise<void> => {
    const effect = late
    late = undefined
    await effect?.().catch((error: unknown) => {
      // Refused, since something else is there by now.
      if (!isKind(error, 'exists') && !isKind(error, 'conflict')) throw error
    })
  }
  const capabilities = { ...whole.capabilities, ...(knowsAttempts ? { attemptIds: true } : {}) }
  const store = derive(whole, {
    capabilities,
    async put(key, bytes, options) {
      if (isLosing) {
        isLosing = false
        const kept = new Uint8Array(bytes)
        late = () => put(key, kept, options)
        throw unavailable('LOST', 'The answer is lost.', { outcome: 'unknown' })
      }
      if (when === 'before') await land()
      try {
        return await put(key, bytes, options)
      } finally {
        await land()
      }
    },
  })
  return { store, loseNext: () => void (isLosing = true), land }
}
