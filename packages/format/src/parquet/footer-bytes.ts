import { corrupt, exhausted, type FileCaps, unsupported } from '@moulin/core'
import { type LoadedRange, readSpans } from './byte-ranges.ts'
import type { Footer } from './footer.ts'
import type { RangeReader } from './range-reader.ts'

const magicBytes = 4
/** Fetched at once from a file's end: most footers are in it, with the offset indexes before them. */
const tailBytes = 32 * 1024

/** The bytes of a file's end. */
export interface FooterBytes {
  readonly bytes: Uint8Array
  /** Where the footer begins, and the last page or index ends. */
  readonly pagesEnd: number
  /** What came along from before the footer. */
  readonly before: LoadedRange
}

/** Fetches the footer in one request, or two when it is long. @throws as `openParquet` does. */
export async function readFooterBytes(
  file: RangeReader,
  caps: FileCaps,
  signal: AbortSignal | undefined,
): Promise<FooterBytes> {
  const { size, name } = file
  const context = { file: name, sizeBytes: size }
  const call = signal === undefined ? {} : { signal }
  if (size < 2 * magicBytes + 4)
    throw corrupt('PARQUET_MAGIC', `${name} has ${size} bytes, too few for a Parquet file.`, { context })
  const tailStart = Math.max(0, size - tailBytes)
  const ends = [{ start: tailStart, end: size }, ...(tailStart === 0 ? [] : [{ start: 0, end: magicBytes }])]
  const [tail, head] = (await readSpans(file, ends, call)) as [Uint8Array, Uint8Array?]
  for (const magic of [text(head ?? tail.subarray(0, magicBytes)), text(tail.subarray(-magicBytes))]) {
    if (magic === 'PARE') throw unsupported('PARQUET_ENCRYPTED', `${name} is encrypted.`, { context })
    if (magic !== 'PAR1')
      throw corrupt('PARQUET_MAGIC', `${name} is not a Parquet file: it lacks the mark PAR1 at an end.`, { context })
  }
  const lengthAt = tail.length - 8
  const length = new DataView(tail.buffer, tail.byteOffset + lengthAt, 4).getUint32(0, true)
  if (length > size - 12) {
    const message = `${name} states a footer of ${length} bytes, but has only ${size}.`
    throw corrupt('PARQUET_FOOTER', message, { context })
  }
  const { maxParquetFooterBytes } = caps
  if (length > maxParquetFooterBytes) {
    const message = `The footer of ${name} has ${length} bytes; the limit maxParquetFooterBytes is ${maxParquetFooterBytes}.`
    throw exhausted('PARQUET_LIMIT', message, { context: { ...context, maxParquetFooterBytes } })
  }
  const pagesEnd = size - 8 - length
  const before = { start: tailStart, bytes: tail.subarray(0, Math.max(0, pagesEnd - tailStart)) }
  if (pagesEnd >= tailStart) return { bytes: tail.subarray(pagesEnd - tailStart, lengthAt), pagesEnd, before }
  const bytes = new Uint8Array(length)
  bytes.set(await file.read(pagesEnd, tailStart, call))
  bytes.set(tail.subarray(0, lengthAt), tailStart - pagesEnd)
  return { bytes, pagesEnd, before }
}

/** Of what came along with the footer, the part from the first offset index on: a copy, so that the rest can go. */
export function indexBytes({ rowGroups }: Footer, before: LoadedRange): LoadedRange {
  let start = before.start + before.bytes.length
  for (const { columns } of rowGroups)
    for (const { offsetIndex } of columns)
      if (offsetIndex !== undefined && offsetIndex.start >= before.start) start = Math.min(start, offsetIndex.start)
  return { start, bytes: new Uint8Array(before.bytes.subarray(start - before.start)) }
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes)
