import { createHash } from 'node:crypto'
import type { BlobRequestConditions, BlockBlobClient } from '@azure/storage-blob'
import { joinBytes } from '@moulin/core'
import type { ByteRange, StoredObject } from '@moulin/core'
import { OWN_CODES } from './azure-answers.ts'
import { strangeAnswer } from './azure-failure.ts'

/** The longest range of which the service makes a checksum. */
const MAX_CHECKED_BYTES = 4 * 1024 * 1024
const SUFFIX_TRIES = 4

export const md5Of = (bytes: Uint8Array): Uint8Array => createHash('md5').update(bytes).digest()

/**
 * A blob, or a range of it. Azure knows no suffixes: the size is asked for first, and the range is of that very version. What comes is
 * held against its MD5, which the service makes of ranges up to 4 MiB and keeps of blobs that were put by one request.
 */
export async function readBlob(
  blob: BlockBlobClient,
  key: string,
  range: ByteRange | undefined,
  conditions: BlobRequestConditions,
  abortSignal: AbortSignal,
  onBytes: () => void,
): Promise<StoredObject> {
  if (range === undefined || !('suffix' in range)) {
    const end = range?.end === undefined ? undefined : range.end
    return await download(blob, key, { start: range?.start ?? 0, end }, conditions, abortSignal, onBytes)
  }
  for (let tries = 1; ; tries++) {
    const head = await blob.getProperties({ conditions, abortSignal })
    onBytes()
    const size = head.contentLength ?? 0
    const etag = tagOf(head.etag)
    if (size === 0) return { key, size, etag, modifiedMs: head.lastModified?.getTime() ?? 0, bytes: new Uint8Array(0) }
    const start = Math.max(0, size - range.suffix)
    try {
      return await download(blob, key, { start, end: size }, { ifMatch: etag }, abortSignal, onBytes)
    } catch (thrown) {
      // Overwritten in between.
      if ((thrown as { statusCode?: unknown }).statusCode !== 412 || tries === SUFFIX_TRIES) throw thrown
    }
  }
}

async function download(
  blob: BlockBlobClient,
  key: string,
  { start, end }: { readonly start: number; readonly end: number | undefined },
  conditions: BlobRequestConditions,
  abortSignal: AbortSignal,
  onBytes: () => void,
): Promise<StoredObject> {
  const count = end === undefined ? undefined : end - start
  const answer = await blob.download(start, count, {
    conditions,
    rangeGetContentMD5: count !== undefined && count <= MAX_CHECKED_BYTES,
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
  const size = answer.contentRange === undefined ? bytes.length : Number(answer.contentRange.split('/')[1])
  // Azurite answers 206 and nothing.
  if (start > 0 && start >= size) throw strangeAnswer('InvalidRange', 416)
  const { contentMD5, etag, lastModified } = answer
  if (contentMD5 !== undefined && Buffer.compare(md5Of(bytes), contentMD5) !== 0)
    throw strangeAnswer(OWN_CODES.checksum)
  return { key, size, etag: tagOf(etag), modifiedMs: lastModified?.getTime() ?? 0, bytes }
}

/** Headers quote a tag, and lists do not. */
export function tagOf(etag: string | undefined): string {
  if (etag === undefined || etag === '') throw strangeAnswer(OWN_CODES.strange)
  return etag.startsWith('"') ? etag : `"${etag}"`
}
