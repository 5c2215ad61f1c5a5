import { resolveRange } from '@moulin/core'
import type { ByteRange, MoulinError, ObjectInfo } from '@moulin/core'
import type { GcsReply } from './gcs-requests.ts'

/** The error for what is no answer of Google's, whatever its status says: the page of a gateway. */
export type NoAnswer = () => MoulinError

/** Of an object's resource, what is asked for: numbers of 64 bits are text. */
interface Resource {
  readonly name?: unknown
  readonly size?: unknown
  readonly generation?: unknown
  readonly updated?: unknown
  readonly metadata?: Readonly<Record<string, unknown>>
}

export interface ListPage {
  readonly infos: readonly ObjectInfo[]
  readonly nextPageToken: string | undefined
}

/** The generation that a write has made. */
export function writtenTag({ body }: GcsReply, noAnswer: NoAnswer): { readonly etag: string } {
  return { etag: generationIn((body as Resource | undefined)?.generation, noAnswer) }
}

export function generationIn(value: unknown, noAnswer: NoAnswer): string {
  if (typeof value !== 'string' || !/^[1-9]\d*$/.test(value)) throw noAnswer()
  return value
}

export function infoOf(resource: unknown, noAnswer: NoAnswer): ObjectInfo {
  const { name, size, generation, updated } = (resource ?? {}) as Resource
  const etag = generationIn(generation, noAnswer)
  if (typeof name !== 'string' || typeof size !== 'string' || !/^\d+$/.test(size)) throw noAnswer()
  return { key: name, size: Number(size), etag, modifiedMs: secondOf(typeof updated === 'string' ? updated : '') }
}

export function metadataOf(resource: unknown, name: string): string | undefined {
  const value = (resource as Resource).metadata?.[name]
  return typeof value === 'string' ? value : undefined
}

/** A page, which has the word for it even where it is empty: another's page would be an empty list. */
export function pageOf({ body }: GcsReply, noAnswer: NoAnswer): ListPage {
  const { kind, items = [], nextPageToken } = (body ?? {}) as Readonly<Record<string, unknown>>
  const isToken = nextPageToken === undefined || typeof nextPageToken === 'string'
  if (kind !== 'storage#objects' || !Array.isArray(items) || !isToken) throw noAnswer()
  return { infos: items.map((item) => infoOf(item, noAnswer)), nextPageToken }
}

/** A session's own address: without its id the next request would be about the bucket itself. */
export function sessionOf({ headers }: GcsReply, noAnswer: NoAnswer): string {
  const { location = '' } = headers
  if (!URL.canParse(location) || !new URL(location).searchParams.has('upload_id')) throw noAnswer()
  return location
}

/** Google says 204, fake-gcs-server JSON. */
export function checkDeleted({ status, headers }: GcsReply, noAnswer: NoAnswer): void {
  if (status !== 204 && !/^application\/json\b/.test(headers['content-type'] ?? '')) throw noAnswer()
}

/** The size of the object whose bytes came, which must be those of the range that was asked for. */
export function sizeBehind(
  key: string,
  contentRange: string | undefined,
  range: ByteRange | undefined,
  length: number,
  noAnswer: NoAnswer,
): number {
  if (range === undefined) return length
  // All of it may come as if it had been asked for so.
  const told = contentRange ?? `bytes 0-${length - 1}/${length}`
  const [, from, to, size] = (/^bytes (\d+)-(\d+)\/(\d+)$/.exec(told) ?? []).map(Number)
  if (from === undefined || to === undefined || size === undefined) throw noAnswer()
  const { start, end } = resolveRange(range, size, key)
  if (from !== start || to + 1 !== end || length !== end - start) throw noAnswer()
  return size
}

/** Lists tell milliseconds and headers do not: one object has one time. */
export function secondOf(date: string | undefined): number {
  return Math.floor(Date.parse(date ?? '') / 1_000) * 1_000 || 0
}
