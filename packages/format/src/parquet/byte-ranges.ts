import { corrupt, joinSpans } from '@moulin/core'
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

/** Fetches them, near ones joined, all at once: in one call where the reader takes several. */
export async function loadSpans(
  file: RangeReader,
  spans: readonly ByteSpan[],
  signal: AbortSignal | undefined,
): Promise<LoadedRange[]> {
  const options = signal === undefined ? {} : { signal }
  const wanted = joinSpans(
    spans.filter(({ start, end }) => start < end),
    maxGapBytes,
  )
  const parts = await readSpans(file, wanted, options)
  return wanted.map(({ start, end }, index) => {
    const bytes = parts[index]!
    if (bytes.length !== end - start)
      throw corrupt('FILE_SIZE', `${file.name} gave ${bytes.length} bytes for the range ${start} to ${end}.`)
    return { start, bytes }
  })
}

/** These and no others, all at once. */
export async function readSpans(
  file: RangeReader,
  spans: readonly ByteSpan[],
  options: { readonly signal?: AbortSignal },
): Promise<readonly Uint8Array[]> {
  if (file.readMany !== undefined && spans.length > 1) return await file.readMany(spans, options)
  return await Promise.all(spans.map(({ start, end }) => file.read(start, end, options)))
}

/** A view of bytes that were loaded; undefined when they are not all there. */
export function bytesIn(ranges: readonly LoadedRange[], { start, end }: ByteSpan): Uint8Array | undefined {
  const range = ranges.find((loaded) => loaded.start <= start && end <= loaded.start + loaded.bytes.length)
  return range?.bytes.subarray(start - range.start, end - range.start)
}
