import { byteRangeOf } from './byte-ranges.ts'
import { s3Refusal } from './s3-answers.ts'

/**
 * What a `Range` header means for that many bytes. Undefined, which is all of them, for none, for several, and for what is no range.
 * @throws the refusal `InvalidRange` where it holds not one byte.
 */
export function rangeOf(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  const range = byteRangeOf(header, size)
  if (range !== 'outside') return range
  throw s3Refusal('InvalidRange', 'The requested range is not satisfiable', {
    RangeRequested: header!,
    ActualObjectSize: size,
  })
}
