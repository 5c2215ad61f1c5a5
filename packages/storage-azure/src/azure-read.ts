import type { BlobRequestConditions, BlockBlobClient } from '@azure/storage-blob'
import { joinBytes, md5Of, unavailable } from '@moulin/core'
import type { ByteRange, StoredObject } from '@moulin/core'
import { OWN_CODES } from './azure-answers.ts'
import { strangeAnswer } from './azure-failure.ts'

/** The longest range of which the service makes a checksum. */
const MAX_CHECKED_BYTES = 4 * 1024 * 1024
const SUFFIX_TRIES = 4

export interface ReadOptions {
  readonly conditions: BlobRequestConditions
  readonly abortSignal: AbortSignal
  readonly onBytes: () => void
}

/**
 * A blob, or a range of it. Azure knows no suffixes: the size is asked for first, and asked for again where the range turns out to be of a
 * version of another size. What comes is held against its MD5, which the service makes of ranges up to 4 MiB and keeps of blobs that were
 * put by one request.
 */
export async function readBlob(
  store: string,
  blob: BlockBlobClient,
  key: string,
  range: ByteRange | undefined,
  ask: ReadOptions,
): Promise<StoredObject> {
  if (range === undefined || !('suffix' in range)) return await download(blob, key, range, ask)
  const { conditions, abortSignal } = ask
  for (let tries = 1; tries <= SUFFIX_TRIES; tries++) {
    const { contentLength: size = 0 } = await blob.getProperties({ conditions, abortSignal })
    ask.onBytes()
    if (size === 0) throw strangeAnswer('InvalidRange', 416)
    const start = Math.max(0, size - range.suffix)
    const found = await download(blob, key, { start, end: size }, ask).catch((thrown: unknown) => {
      if ((thrown as { statusCode?: unknown }).statusCode === 416) return undefined
      throw thrown
    })
    // Of the same size it is the suffix of whichever version answered.
    if (found?.size === size) return found
  }
  const message = `${JSON.stringify(key)} in ${store} was overwritten each of ${SUFFIX_TRIES} times that its end was read: try again.`
  throw unavailable('OVERWRITTEN', message, { context: { store, key } })
}

async function download(
  blob: BlockBlobClient,
  key: string,
  range: { readonly start: number; readonly end?: number } | undefined,
  { conditions, abortSignal, onBytes }: ReadOptions,
): Promise<StoredObject> {
  const start = range?.start ?? 0
  const count = range?.end === undefined ? undefined : range.end - start
  const answer = await blob.download(start, count, {
    conditions: { ...conditions },
    ...(count !== undefined && count <= MAX_CHECKED_BYTES ? { rangeGetContentMD5: true } : {}),
    contentChecksumAlgorithm: 'None',
    // What is tried again the layer `retry` knows; the SDK would try five times.
    maxRetryRequests: 0,
    abortSignal,
  })
  const chunks: Uint8Array[] = []
  for await (const chunk of answer.readableStreamBody! as AsyncIterable<Uint8Array>) {
    onBytes()
    chunks.push(chunk)
  }
  const bytes = joinBytes(chunks)
  const size = sizeOf(range, answer.contentRange, bytes.length)
  const { contentMD5, etag, lastModified } = answer
  if (contentMD5 !== undefined && Buffer.compare(md5Of(bytes), contentMD5) !== 0)
    throw strangeAnswer(OWN_CODES.checksum)
  return { key, size, etag: tagOf(etag), modifiedMs: lastModified?.getTime() ?? 0, bytes }
}

/** Of the whole object; the answer must be of the range that was asked for. */
function sizeOf(
  range: { readonly start: number; readonly end?: number } | undefined,
  contentRange: string | undefined,
  length: number,
): number {
  if (range === undefined) return length
  const { start, end = Infinity } = range
  // A range of everything is sent as none.
  const told = contentRange ?? (start === 0 && length <= end ? `bytes 0-${length - 1}/${length}` : undefined)
  const [, from, to, total] = (/^bytes (\d+)-(-?\d+)\/(\d+)$/.exec(told ?? '') ?? []).map(Number)
  // Azurite answers 206 or 200, and nothing.
  if (total !== undefined && start >= total) throw strangeAnswer('InvalidRange', 416)
  if (total === undefined || from !== start || to !== Math.min(end, total) - 1 || length !== to - from + 1)
    throw strangeAnswer(OWN_CODES.strange)
  return total
}

/** Headers quote a tag, and lists do not. */
export function tagOf(etag: string | undefined): string {
  if (etag === undefined || etag === '') throw strangeAnswer(OWN_CODES.strange)
  return /^(W\/)?"/.test(etag) ? etag : `"${etag}"`
}
