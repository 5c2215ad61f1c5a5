import { joinBytes } from '@moulin/core'
import { gcsRefusal } from './gcs-answers.ts'
import { gcsCondition } from './gcs-conditions.ts'
import { checkName, hashesOf, jsonOf, written } from './gcs-objects.ts'
import { wordsOf } from './gcs-resource.ts'
import type { GcsCall, GcsUpload } from './gcs-state.ts'
import type { FakeAnswer } from './http-fake.ts'
import { Refusal } from './http-fake.ts'

/** The session's address is made of the host that the client said, so that it goes on through the same proxy. */
export async function beginUpload(call: GcsCall): Promise<FakeAnswer> {
  const { request, settings, bucketName, key } = call
  const { query, headers } = request
  const resource = jsonOf(Buffer.from(await request.body()).toString())
  const about = wordsOf(resource, query, headers['x-upload-content-type'], settings)
  checkName(key)
  const bucket = call.bucket()
  gcsCondition(query, settings)(bucket.objects.get(key))
  const id = call.nextUploadId()
  bucket.uploads.set(id, { id, key, startedMs: settings.clock.now(), about, query, chunks: [], bytes: 0 })
  const place = `/upload/storage/v1/b/${encodeURIComponent(bucketName)}/o`
  const location = `http://${headers['host'] ?? ''}${place}?uploadType=resumable&name=${encodeURIComponent(key)}&upload_id=${id}`
  return { status: 200, headers: { location, 'x-guploader-uploadid': id } }
}

/** A chunk, the last one, or a question how far it has come. */
export async function continueUpload(call: GcsCall): Promise<FakeAnswer> {
  const { request, settings } = call
  const body = await request.body()
  const id = request.query.get('upload_id')!
  const bucket = call.bucket()
  const completed = bucket.completed.get(id)
  if (completed !== undefined) return completed
  const upload = bucket.uploads.get(id)
  if (upload === undefined) throw gcsRefusal('notFound', `No such upload session: ${id}`)
  const { start, total } = placeOf(request.headers['content-range'], body.length)
  const isLast = total !== undefined && (start === undefined ? upload.bytes : start + body.length) >= total
  if (!isLast && body.length % settings.chunkBytes !== 0)
    throw gcsRefusal('badRequest', `A chunk that is not the last is a multiple of ${settings.chunkBytes} bytes.`)
  if (start !== undefined) take(upload, start, body)
  if (!isLast) {
    const range: Record<string, string> = upload.bytes === 0 ? {} : { range: `bytes=0-${upload.bytes - 1}` }
    return { status: 308, headers: range }
  }
  const given = hashesOf(request.headers['x-goog-hash'])
  const words = { ...upload.about, crc32c: given.crc32c ?? upload.about.crc32c, md5: given.md5 ?? upload.about.md5 }
  try {
    const answer = written(call, upload.key, words, joinBytes(upload.chunks), upload.query)
    bucket.completed.set(id, answer)
    bucket.uploads.delete(id)
    return answer
  } catch (error) {
    // Who came too soon may come again.
    if (!(error instanceof Refusal) || error.code !== 'rateLimitExceeded') bucket.uploads.delete(id)
    throw error
  }
}

/** Google answers 499 to a session that was cancelled. */
export function cancelUpload(call: GcsCall): FakeAnswer {
  const id = call.request.query.get('upload_id')!
  if (!call.bucket().uploads.delete(id)) throw gcsRefusal('notFound', `No such upload session: ${id}`)
  return { status: 499 }
}

/** Bytes that are there already are passed over, so that a chunk may be sent again. */
function take(upload: GcsUpload, start: number, body: Uint8Array): void {
  if (start > upload.bytes)
    throw gcsRefusal('badRequest', `The chunk begins at ${start}, and the upload has ${upload.bytes} bytes.`)
  const fresh = body.subarray(upload.bytes - start)
  upload.chunks.push(Uint8Array.from(fresh))
  upload.bytes += fresh.length
}

/** Without a header it is all there is. */
function placeOf(
  header: string | undefined,
  length: number,
): { readonly start: number | undefined; readonly total: number | undefined } {
  if (header === undefined) return { start: 0, total: length }
  const [, first, last, total] = /^bytes (?:(\d+)-(\d+|\*)|\*)\/(\d+|\*)$/.exec(header) ?? []
  const start = first === undefined ? undefined : Number(first)
  const isWhole = start === undefined ? length === 0 : last === '*' || Number(last) - start + 1 === length
  if (total === undefined || !isWhole) throw gcsRefusal('badRequest', `Content-Range does not fit the body: ${header}`)
  // The SDK sends a stream in one request without knowing its length: where its body ends, it all ends.
  if (last === '*') return { start, total: start! + length }
  return { start, total: total === '*' ? undefined : Number(total) }
}
