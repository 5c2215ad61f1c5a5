import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { joinBytes, resolveRange, unavailable } from '@moulin/core'
import type { ByteRange, MoulinError, ObjectInfo } from '@moulin/core'

/** The error for what is no answer of S3, whatever its status says: the page of a gateway. */
export type NoAnswer = (answer: Answered) => MoulinError

interface Answered {
  readonly $metadata: object
}

export function tagOf(answer: Answered & { readonly ETag?: string | undefined }, noAnswer: NoAnswer): string {
  if (answer.ETag === undefined) throw noAnswer(answer)
  return answer.ETag
}

export function isNext(next: string | undefined, token: string | undefined): boolean {
  return next !== undefined && next !== '' && next !== token
}

export function isRefusal(thrown: unknown): boolean {
  const status = (thrown as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0
  return status >= 400 && status < 500
}

/** The size of the object that a part of was asked for, where the answer is of that part. */
export function sizeBehind(
  key: string,
  answer: GetObjectCommandOutput,
  range: ByteRange,
  length: number,
  noAnswer: NoAnswer,
): number {
  // Amazon says 416 of the last bytes of an empty object; versitygw gives the whole, of which there is no range to tell.
  if ('suffix' in range && answer.ContentRange === undefined && answer.ContentLength === 0) return 0
  const [, start, end, size] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.ContentRange ?? '') ?? []).map(Number)
  if (start === undefined || end === undefined || size === undefined) throw noAnswer(answer)
  const wanted = resolveRange(range, size, key)
  if (start !== wanted.start || end + 1 !== wanted.end || length !== wanted.end - wanted.start) throw noAnswer(answer)
  return size
}

export function infoOf(
  key: string,
  facts: { ETag?: string | undefined; LastModified?: Date | undefined },
  size: number,
): ObjectInfo {
  return { key, size, etag: facts.ETag ?? '', modifiedMs: secondOf(facts.LastModified) }
}

export async function bodyOf(
  store: string,
  key: string,
  { Body, ContentLength }: GetObjectCommandOutput,
  onBytes: () => void,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of Body as AsyncIterable<Uint8Array>) {
    onBytes()
    chunks.push(chunk)
    length += chunk.length
  }
  if (ContentLength !== undefined && ContentLength !== length) {
    const message = `The answer of ${store} for ${JSON.stringify(key)} was cut at ${length} of ${ContentLength} bytes: try again.`
    throw unavailable('BODY_CUT', message, { context: { store, key, length, ContentLength } })
  }
  return joinBytes(chunks)
}

export function decoded(text: string): string {
  // Most keys are spelt as they are.
  if (!/[%+]/.test(text)) return text
  return decodeURIComponent(text.replaceAll('+', ' '))
}

/** Lists tell milliseconds and headers do not: one object has one time. */
function secondOf(date: Date | undefined): number {
  return Math.floor((date?.getTime() ?? 0) / 1_000) * 1_000
}
