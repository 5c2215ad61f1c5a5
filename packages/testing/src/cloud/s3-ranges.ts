import { s3Refusal } from './s3-answers.ts'

/**
 * What a `Range` header means for that many bytes. Undefined, which is all of them, for none, for several, and for what is no range.
 * @throws the refusal `InvalidRange` where it holds not one byte.
 */
export function rangeOf(
  header: string | undefined,
  size: number,
): { readonly start: number; readonly end: number } | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    const suffix = Number(last)
    if (suffix === 0 || size === 0) throw outside(header!, size)
    return { start: Math.max(0, size - suffix), end: size }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= size) throw outside(header!, size)
  return { start, end: last === '' ? size : Math.min(size, Number(last) + 1) }
}

function outside(header: string, size: number): Error {
  return s3Refusal('InvalidRange', 'The requested range is not satisfiable', {
    RangeRequested: header,
    ActualObjectSize: size,
  })
}
