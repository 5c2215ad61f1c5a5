import type { ByteRange } from '../doors/object-store.ts'
import { invalid } from '../model/errors.ts'

/** Where a range lies in an object of `size` bytes. @throws `invalid` code `RANGE`. */
export function resolveRange(
  range: ByteRange | undefined,
  size: number,
  key: string,
): { readonly start: number; readonly end: number } {
  if (range === undefined) return { start: 0, end: size }
  checkRange(range, key)
  if ('suffix' in range) return { start: Math.max(0, size - range.suffix), end: size }
  const { start, end = Infinity } = range
  if (start >= size)
    throw badRange(key, `Byte ${start} lies past the end; start below the size, which is ${size} bytes`, size)
  return { start, end: Math.min(end, size) }
}

const names: ReadonlySet<string> = new Set(['start', 'end', 'suffix'])

/** What can be said of a range before the size of the object is known. @throws `invalid` code `RANGE`. */
export function checkRange(range: ByteRange, key: string): void {
  // An end under another name would be none, and all of the object come.
  const odd = Object.keys(range).find((name) => !names.has(name) || ('suffix' in range && name !== 'suffix'))
  if (odd !== undefined)
    throw badRange(key, `A range has no ${JSON.stringify(odd)}; give { start, end } or { suffix }, and no more`)
  if ('suffix' in range) {
    if (Number.isSafeInteger(range.suffix) && range.suffix >= 1) return
    throw badRange(key, `A suffix of ${range.suffix} bytes is none; ask for 1 or more`)
  }
  const { start, end = Infinity } = range
  if (Number.isSafeInteger(start) && start >= 0 && (end === Infinity || Number.isSafeInteger(end)) && end > start)
    return
  throw badRange(key, `[${start}, ${end}) is not a range of bytes; give 0 <= start < end, whole numbers`)
}

function badRange(key: string, why: string, size?: number): Error {
  return invalid('RANGE', `${why} (object ${JSON.stringify(key)}).`, { context: { key, size } })
}
