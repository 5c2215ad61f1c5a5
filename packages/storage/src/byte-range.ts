import type { ByteRange } from '@moulin/core'
import { invalid } from '@moulin/core'

/** Where a range lies in an object of `size` bytes. @throws `invalid` code `RANGE`. */
export function resolveRange(
  range: ByteRange | undefined,
  size: number,
  key: string,
): { readonly start: number; readonly end: number } {
  if (range === undefined) return { start: 0, end: size }
  if ('suffix' in range) {
    if (!Number.isSafeInteger(range.suffix) || range.suffix < 1)
      throw badRange(key, size, `A suffix of ${range.suffix} bytes is none; ask for 1 or more`)
    return { start: Math.max(0, size - range.suffix), end: size }
  }
  const { start, end = Infinity } = range
  if (!Number.isSafeInteger(start) || start < 0 || (end !== Infinity && !Number.isSafeInteger(end)) || end <= start)
    throw badRange(key, size, `[${start}, ${end}) is not a range of bytes; give 0 <= start < end, whole numbers`)
  if (start >= size) throw badRange(key, size, `Byte ${start} lies past the end; start below the size`)
  return { start, end: Math.min(end, size) }
}

function badRange(key: string, size: number, why: string): Error {
  return invalid('RANGE', `${why} (object ${JSON.stringify(key)}, ${size} bytes).`, { context: { key, size } })
}
