import type { Chunks, PutStreamOptions } from '../doors/object-store.ts'
import { exhausted, isKind, isMoulinError, withOutcome } from '../model/errors.ts'
import { equalParts } from './chunks.ts'
import type { Bucket, BucketUpload, BucketWrite } from './bucket.ts'
import type { TimedCalls } from './timed-calls.ts'

export interface UploadLimits {
  readonly partBytes: number
  /** A first part that is longer does not go alone. */
  readonly maxPutBytes: number
  readonly maxParts: number
  readonly parallelParts: number
}

/** A stream as the service takes it: the first part alone, or an upload to be completed. */
export type Streamed =
  | { readonly bytes: Uint8Array }
  | {
      readonly complete: (signal?: AbortSignal) => Promise<{ readonly etag: string }>
      readonly abandon: () => Promise<void>
    }

/** Cuts a stream into parts of equal size and sends them, some at a time. What fits into one part, and one request, is not sent. */
export async function streamed(
  bucket: Bucket,
  timed: TimedCalls,
  place: { readonly store: string; readonly key: string; readonly inner: string },
  chunks: Chunks,
  write: BucketWrite,
  { partBytes, maxPutBytes, maxParts, parallelParts }: UploadLimits,
  { signal }: PutStreamOptions,
): Promise<Streamed> {
  const { key, inner } = place
  const call = typeof write.mode === 'object' ? 'swap' : write.mode
  // Also of a source that says nothing when a part has failed: nobody waits for what comes of it.
  const reading = new AbortController()
  const stop = (): void => reading.abort(signal?.reason)
  signal?.addEventListener('abort', stop, { once: true })
  const parts = equalParts(chunks, partBytes, reading.signal)
  try {
    return await cut()
  } finally {
    signal?.removeEventListener('abort', stop)
  }

  async function cut(): Promise<Streamed> {
    const first = await parts.next()
    if (first.done === true) return { bytes: new Uint8Array(0) }
    const second = await parts.next()
    if (second.done === true && first.value.length <= maxPutBytes) return { bytes: first.value }

    let begun: BucketUpload | undefined
    let isGivenUp = false
    const upload = await timed({ call, key, signal }, async (end) => {
      begun = await bucket.beginUpload(inner, write, end)
      // Nobody waits for it any more, so nobody else removes it.
      if (isGivenUp) void abandoned(timed, begun, key)
      return begun
    }).catch(async (error: unknown) => {
      isGivenUp = true
      await parts.return()
      if (begun !== undefined) await abandoned(timed, begun, key)
      // Nobody sees an upload that was not completed.
      throw withOutcome(error, 'rejected', isMoulinError(error) && error.kind === 'unavailable' ? undefined : false)
    })
    const abandon = async (): Promise<void> => await abandoned(timed, upload, key)
    const underWay = new Set<Promise<void>>()
    const failures: unknown[] = []
    const send = async (number: number, bytes: Uint8Array): Promise<void> => {
      try {
        await timed({ call, key, signal, bytes: bytes.length }, (end) => upload.part(number, bytes, end))
      } catch (error) {
        failures.push(withOutcome(error, 'rejected'))
        reading.abort()
      }
    }
    const begin = async (number: number, bytes: Uint8Array): Promise<void> => {
      const part: Promise<void> = send(number, bytes).finally(() => underWay.delete(part))
      underWay.add(part)
      if (underWay.size >= parallelParts) await Promise.race(underWay)
      if (failures.length > 0) throw failures[0]
    }
    let number = 1
    try {
      await begin(1, first.value)
      if (second.done !== true) await begin(++number, second.value)
      for await (const part of parts) {
        if (++number > maxParts) throw tooManyParts(place.store, key, partBytes, maxParts)
        await begin(number, part)
      }
      await Promise.all(underWay)
      if (failures.length > 0) throw failures[0]
    } catch (error) {
      await parts.return()
      await Promise.all(underWay)
      await abandon()
      throw failures[0] ?? error
    }
    const complete = (end?: AbortSignal): Promise<{ readonly etag: string }> =>
      timed({ call, key, signal: end, parts: number }, (each) => upload.complete(each))
    return { complete, abandon }
  }
}

const ABANDON_TRIES = 3

/** Without the caller's signal: an aborted upload is cleaned up too. What cannot be removed the service's own rules remove some day. */
async function abandoned(timed: TimedCalls, upload: BucketUpload, key: string): Promise<void> {
  for (let tries = 1; tries <= ABANDON_TRIES; tries++) {
    try {
      return await timed({ call: 'delete', key }, (end) => upload.abort(end))
    } catch (error) {
      // What went wrong on the way may go well the next time; an upload that is gone, or forbidden, is not worth another.
      if (!isKind(error, 'unavailable') || !(error.retryable || error.outcome === 'unknown')) return
    }
  }
}

function tooManyParts(store: string, key: string, partBytes: number, maxParts: number): Error {
  const message = `A stream to ${JSON.stringify(key)} has more than the ${maxParts} parts of ${partBytes} bytes that ${store} takes: give a larger partBytes.`
  return exhausted('TOO_MANY_PARTS', message, { context: { store, key, partBytes, maxParts } })
}
