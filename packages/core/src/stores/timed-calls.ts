import type { Timer, Timers } from '../doors/runtime.ts'
import { aborted, isMoulinError, throwIfAborted, unavailable } from '../model/errors.ts'
import { waitFor } from '../shared-work.ts'
import type { StoreCall } from './answers.ts'
import type { Bucket } from './bucket.ts'

export interface TimedCall {
  readonly call: StoreCall
  /** As the caller knows it. */
  readonly key?: string
  readonly signal?: AbortSignal | undefined
  /** That are sent: each MiB is worth another second. */
  readonly bytes?: number
  /** Of an upload that is completed, which takes services minutes where there are thousands: each is worth a tenth of a second. */
  readonly parts?: number
}

/** Runs one request. `onBytes` says that some of a long answer have come, so that the deadline counts anew. */
export type TimedCalls = <T>(
  call: TimedCall,
  send: (signal: AbortSignal, onBytes: () => void) => Promise<T>,
) => Promise<T>

const MIB = 1024 * 1024
const writes: ReadonlySet<StoreCall> = new Set(['create', 'swap', 'overwrite', 'delete'])

/**
 * Requests with an end: each is over at the caller's signal, or at the deadline, and what the SDK throws becomes an error of ours.
 * What ends a write early leaves its outcome `unknown`, once it has begun.
 */
export function timedCalls(
  store: string,
  bucket: Pick<Bucket, 'failure'>,
  timers: Pick<Timers, 'after'>,
  deadlineMs: number,
): TimedCalls {
  return async ({ call, key, signal, bytes = 0, parts = 0 }, send) => {
    const outcome = writes.has(call) ? 'unknown' : 'rejected'
    throwIfAborted(signal)
    const control = new AbortController()
    let isLate = false
    let isOver = false
    const ms = deadlineMs + (bytes / MIB) * 1_000 + parts * 100
    const start = (): Timer =>
      timers.after(ms, () => {
        isLate = true
        control.abort()
      })
    let timer = start()
    const onBytes = (): void => {
      timer.cancel()
      if (!isOver && !control.signal.aborted) timer = start()
    }
    const isStopped = (): boolean => signal?.aborted === true
    const stop = (): void => control.abort(signal?.reason)
    signal?.addEventListener('abort', stop, { once: true })
    try {
      return await waitFor(send(control.signal, onBytes), control.signal)
    } catch (thrown) {
      if (isStopped())
        throw aborted('ABORTED', 'The call was aborted by its signal.', { outcome, cause: signal?.reason })
      if (isLate) {
        const message = `${store} has said nothing for ${Math.round(ms)} ms (${call}${key === undefined ? '' : ` of ${JSON.stringify(key)}`}): try again, or raise deadlineMs.`
        throw unavailable('DEADLINE', message, { outcome, context: { store, call, key, deadlineMs: ms } })
      }
      throw isMoulinError(thrown) ? thrown : bucket.failure(thrown, call, key)
    } finally {
      isOver = true
      timer.cancel()
      signal?.removeEventListener('abort', stop)
    }
  }
}
