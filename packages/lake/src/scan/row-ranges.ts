import { rowGroupMightMatch } from '@moulin/iceberg'
import type { BoundColumn, Predicate, RowGroupBounds } from '@moulin/iceberg'

/** Rows of a row group, half-open. */
export interface RowRange {
  readonly start: number
  readonly end: number
}

/** What is known of some rows of a column; `ParquetPageBounds` of `@moulin/format` is one. */
export interface PageBounds extends RowRange, ReturnType<RowGroupBounds['bounds']> {}

/**
 * The rows that might match, by the bounds of pages: rising ranges, apart from each other. Rows that no page tells of
 * are among them, so a page index with holes costs time and no row.
 */
export function matchingRanges(
  predicate: Predicate,
  rowCount: number,
  pagesOf: (column: BoundColumn) => readonly PageBounds[] | undefined,
): readonly RowRange[] {
  const all = rowCount === 0 ? [] : [{ start: 0, end: rowCount }]
  switch (predicate.op) {
    case 'true':
      return all
    case 'false':
      return []
    case 'and':
      return predicate.args.map((arg) => matchingRanges(arg, rowCount, pagesOf)).reduce(intersection, all)
    case 'or':
      return joined(
        predicate.args.flatMap((arg) => matchingRanges(arg, rowCount, pagesOf)),
        0,
      )
    default: {
      const pages = pagesOf(predicate.column) ?? []
      const excluded = pages.filter(
        (page) => !rowGroupMightMatch(predicate, { rowCount: page.end - page.start, bounds: () => page }),
      )
      return complement(joined(excluded, 0), rowCount)
    }
  }
}

/** Rising and apart, ranges with at most `gap` rows between them made one. */
export function joined(ranges: readonly RowRange[], gap: number): readonly RowRange[] {
  const result: { start: number; end: number }[] = []
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1)
    if (last !== undefined && start <= last.end + gap) last.end = Math.max(last.end, end)
    else if (start < end) result.push({ start, end })
  }
  return result
}

export function intersection(a: readonly RowRange[], b: readonly RowRange[]): readonly RowRange[] {
  const result: RowRange[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const start = Math.max(a[i]!.start, b[j]!.start)
    const end = Math.min(a[i]!.end, b[j]!.end)
    if (start < end) result.push({ start, end })
    if (a[i]!.end < b[j]!.end) i++
    else j++
  }
  return result
}

function complement(ranges: readonly RowRange[], rowCount: number): readonly RowRange[] {
  const result: RowRange[] = []
  let next = 0
  for (const { start, end } of ranges) {
    if (next < start) result.push({ start: next, end: start })
    next = end
  }
  if (next < rowCount) result.push({ start: next, end: rowCount })
  return result
}
