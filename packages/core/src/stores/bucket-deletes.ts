import type { CallOptions, DeleteFailure, DeleteManyResult } from '../doors/object-store.ts'
import { isKind, throwIfAborted, withOutcome } from '../model/errors.ts'
import { atMost } from './at-most.ts'
import type { Bucket } from './bucket.ts'
import type { TimedCalls } from './timed-calls.ts'

const PARALLEL_DELETES = 8
const PARALLEL_BATCHES = 2

/** Deletes by batches as large as the service's, and one by one where there are none. `inner` are the keys as the service knows them. */
export async function bucketDeletes(
  bucket: Bucket,
  timed: TimedCalls,
  maxBatchKeys: number,
  keys: readonly string[],
  inner: readonly string[],
  { signal }: CallOptions,
): Promise<DeleteManyResult> {
  throwIfAborted(signal)
  const failures = new Map<number, DeleteFailure>()
  let begun = false
  const fail = (at: number, error: unknown): void => void failures.set(at, { key: keys[at]!, error })
  const sent = async <T>(
    positions: readonly number[],
    work: (end: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> => {
    try {
      const key = positions.length === 1 ? { key: keys[positions[0]!]! } : {}
      if (signal?.aborted !== true) begun = true
      return await timed({ call: 'delete', signal, ...key }, work)
    } catch (error) {
      if (isKind(error, 'aborted')) throw begun ? withOutcome(error, 'unknown') : error
      for (const at of positions) fail(at, error)
      return undefined
    }
  }
  const places = new Map(inner.map((key, at) => [key, at]))
  const batched = async (batch: readonly number[], end: AbortSignal): Promise<{ readonly isRefused: boolean }> => {
    const left = await bucket.deleteBatch!(
      batch.map((at) => inner[at]!),
      end,
    )
    for (const { key, thrown } of left ?? []) {
      const at = places.get(key)
      // A failure of no key that was asked for is one of all.
      for (const each of at === undefined ? batch : [at]) fail(each, bucket.failure(thrown, 'delete', keys[each]!))
    }
    return { isRefused: left === undefined }
  }
  const batches: (readonly number[])[] = []
  for (let at = 0; at < keys.length; at += maxBatchKeys)
    batches.push(keys.slice(at, at + maxBatchKeys).map((_, i) => at + i))
  /** Each of these has a request, and a deadline, of its own. */
  const refused: (readonly number[])[] = bucket.deleteBatch === undefined ? batches : []
  if (bucket.deleteBatch !== undefined) {
    await atMost(PARALLEL_BATCHES, batches, async (batch) => {
      const answer = await sent(batch, (end) => batched(batch, end))
      if (answer?.isRefused === true) refused.push(batch)
    })
  }
  await atMost(PARALLEL_DELETES, refused.flat(), async (at) => {
    await sent([at], (end) => bucket.delete(inner[at]!, end))
  })
  return { failed: [...failures].sort(([a], [b]) => a - b).map(([, failure]) => failure) }
}
