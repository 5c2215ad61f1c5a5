import { corrupt } from '@moulin/core'
import type { RangeReader } from './range-reader.ts'

/** Half-open. */
export interface ByteSpan {
  readonly start: number
  readonly end: number
}

/** Bytes of a file and where they lie in it. */
export interface LoadedRange {
  readonly start: number
  readonly bytes: Uint8Array
}

/** Spans nearer to each other than this are fetched as one: a request costs more than the bytes between them. */
const maxGapBytes = 64 * 1024
/** A fetch grows no larger by joining. */
const maxJoinedBytes = 16 * 1024 * 1024

/** Sorted, with near ones joined. */
export function joinSpans(spans: readonly ByteSpan[]): ByteSpan[] {
  const joined: { start: number; end: number }[] = []
  for (const { start, end } of spans.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (start >= end) continue
    const last = joined.at(-1)
    const overlaps = last !== undefined && start < last.end
    const isNear = last !== undefined && start <= last.end + maxGapBytes && end - last.start <= maxJoinedBytes
    if (last !== undefined && (overlaps || isNear)) last.end = Math.max(last.end, end)
    else joined.push({ start, end })
  }
  return joined
}

/** Fetches them, all at once. */
export async function loadSpans(
  file: RangeReader,
  spans: readonly ByteSpan[],
  signal: AbortSignal | undefined,
): Promise<LoadedRange[]> {
  const options = signal === undefined ? {} : { signal }
  return await Promise.all(
    joinSpans(spans).map(async ({ start, end }) => {
      const bytes = await file.read(start, end, options)
      if (bytes.length !== end - start)
        throw corrupt('FILE_SIZE', `${file.name} gave ${bytes.length} bytes for the range ${start} to ${end}.`)
      return { start, bytes }
    }),
  )
}

/** A view of bytes that were loaded; undefined when they are not all there. */
export function bytesIn(ranges: readonly LoadedRange[], { start, end }: ByteSpan): Uint8Array | undefined {
  const range = ranges.find((loaded) => loaded.start <= start && end <= loaded.start + loaded.bytes.length)
  return range?.bytes.subarray(start - range.start, end - range.start)
}
