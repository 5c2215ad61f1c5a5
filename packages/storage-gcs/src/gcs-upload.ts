import { createHash } from 'node:crypto'
import type { Bucket } from '@google-cloud/storage'
import { joinBytes, unavailable } from '@moulin/core'
import type { BucketUpload } from '@moulin/core'
import { headerOf, statusOf } from './gcs-failure.ts'
import { writtenTag } from './gcs-facts.ts'
import type { NoAnswer } from './gcs-facts.ts'
import { asked } from './gcs-requests.ts'
import type { GcsReply } from './gcs-requests.ts'

/** A resumable upload refused to go on: the bytes that it says it has. */
const INCOMPLETE = 308
/** Google's answer to a session that was cancelled, as asked. */
const CANCELLED = 499

/** What all requests of a session but the last send a multiple of. */
export const STEP_BYTES: number = 256 * 1024

/**
 * One session, its bytes sent in order. The newest few are held back, for the last request says how many bytes there are and what their
 * MD5 is, which the service holds against what it has before anybody sees an object.
 */
export function gcsUpload(name: string, bucket: Bucket, uri: string, noAnswer: NoAnswer): BucketUpload {
  const hash = createHash('md5')
  let held: Uint8Array = new Uint8Array(0)
  let sent = 0

  const send = async (bytes: Uint8Array, isLast: boolean, md5?: string): Promise<GcsReply | undefined> => {
    for (let at = 0; ;) {
      const from = sent + at
      const rest = bytes.subarray(at)
      const range = rest.length === 0 ? '*' : `${from}-${from + rest.length - 1}`
      const headers = {
        'content-type': 'application/octet-stream',
        'content-range': `bytes ${range}/${isLast ? sent + bytes.length : '*'}`,
        ...(md5 === undefined ? {} : { 'x-goog-hash': `md5=${md5}` }),
      }
      try {
        return await asked(bucket, { method: 'PUT', uri, headers, body: rest })
      } catch (thrown) {
        if (statusOf(thrown) !== INCOMPLETE) throw thrown
        const has = Number(/-(\d+)$/.exec(headerOf(thrown, 'range') ?? '')?.[1] ?? -1) + 1 - sent
        if (!isLast && has === bytes.length) return undefined
        // It may keep less than it was sent; what it says it has of other parts cannot be.
        if (has <= at || has > bytes.length) throw cut(name, sent + has, sent + bytes.length)
        at = has
      }
    }
  }

  return {
    async part(_number, bytes) {
      hash.update(bytes)
      const all = held.length === 0 ? bytes : joinBytes([held, bytes])
      const whole = Math.floor((all.length - 1) / STEP_BYTES) * STEP_BYTES
      held = all.slice(whole)
      if (whole === 0) return
      await send(all.subarray(0, whole), false)
      sent += whole
    },
    async complete() {
      const reply = await send(held, true, hash.digest('base64'))
      return writtenTag(reply!, noAnswer)
    },
    async abort() {
      await asked(bucket, { method: 'DELETE', uri }).catch((thrown: unknown) => {
        const status = statusOf(thrown)
        if (status !== CANCELLED && status !== 404) throw thrown
      })
    },
  }
}

function cut(store: string, has: number, length: number): Error {
  const message = `${store} kept ${has} of the ${length} bytes of an upload that it was sent, and goes no further: try again.`
  return unavailable('UPLOAD_CUT', message, { context: { store, has, length } })
}
