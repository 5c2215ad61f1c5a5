import type { Chunks, PutStreamOptions } from '../doors/object-store.ts'
import { exhausted, isKind, isMoulinError, withOutcome } from '../model/errors.ts'
import { equalParts } from './chunks.ts'
import type { Bucket, BucketUpload, BucketWrite } from './bucket.ts'
import type { TimedCalls } from './timed-calls.ts'

export interface UploadLimits {
  readonly partBytes: number
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

/** Cuts a stream into parts of equal size and sends them, some at a time. What fits into one part is not sent. */
export async function streamed(
  bucket: Bucket,
  timed: TimedCalls,
  place: { readonly store: string; readonly key: string; readonly inner: string },
  chunks: Chunks,
  write: BucketWrite,
  { partBytes, maxParts, parallelParts }: UploadLimits,
  { signal }: PutStreamOptions,
): Promise<Streamed> {
  const { key, inner } = place
  const call = typeof write.mode === 'object' ? 'swap' : write.mode
  const parts = equalParts(chunks, partBytes, signal)
  const first = await parts.next()
  if (first.done === true) return { bytes: new Uint8Array(0) }
  const second = await parts.next()
  if (second.done === true) return { bytes: first.value }

  const upload = await timed({ call, key, signal }, (end) => bucket.beginUpload(inner, write, end)).catch(
    async (error: unknown) => {
      await parts.return()
      // Nobody sees an upload that was not completed.
      throw withOutcome(error, 'rejected', isMoulinError(error) && error.kind === 'unavailable' ? undefined : false)
    },
  )
  const abandon = async (): Promise<void> => await abandoned(timed, upload, key)
  const underWay = new Set<Promise<void>>()
  const failures: unknown[] = []
  const send = async (number: number, bytes: Uint8Array): Promise<void> => {
    try {
      await timed({ call, key, signal, bytes: bytes.length }, (end) => upload.part(number, bytes, end))
    } catch (error) {
      failures.push(withOutcome(error, 'rejected'))
    }
  }
  const begin = async (number: number, bytes: Uint8Array): Promise<void> => {
    const part: Promise<void> = send(number, bytes).finally(() => underWay.delete(part))
    underWay.add(part)
    if (underWay.size >= parallelParts) await Promise.race(underWay)
    if (failures.length > 0) throw failures[0]
  }
  try {
    await begin(1, first.value)
    await begin(2, second.value)
    let number = 2
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
    throw error
  }
  return { complete: (end) => timed({ call, key, signal: end }, (each) => upload.complete(each)), abandon }
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
