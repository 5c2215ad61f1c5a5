import type { ByteSpan } from './byte-ranges.ts'
import type { FileNode } from './file-node.ts'
import type { Footer, FooterColumn } from './footer.ts'
import type { IgnoredStatistics, Statistic } from './ignored-statistics.ts'

/**
 * The footer without the statistics that cannot be: so nobody behind this believes one. Whether bounds are in order is
 * seen when they are asked for, for that takes their types.
 */
export function withSoundStatistics(
  footer: Footer,
  leaves: readonly FileNode[],
  pagesEnd: number,
  { ignore }: IgnoredStatistics,
): Footer {
  const rowGroups = footer.rowGroups.map((group, rowGroup) => {
    const columns = group.columns.map((column, index) => {
      const leaf = leaves[index]!
      const flaws = flawsOf(column, leaf, pagesEnd)
      for (const { statistic, reason } of flaws) ignore({ statistic, column: leaf.path.join('.'), rowGroup }, reason)
      return flaws.reduce<FooterColumn>((sound, { without }) => ({ ...sound, ...without }), column)
    })
    return columns.every((column, index) => column === group.columns[index]) ? group : { ...group, columns }
  })
  return { ...footer, rowGroups }
}

interface Flaw {
  readonly statistic: Statistic
  readonly reason: string
  readonly without: Partial<FooterColumn>
}

const noBounds = { minValue: undefined, maxValue: undefined }

function flawsOf(column: FooterColumn, leaf: FileNode, pagesEnd: number): Flaw[] {
  const flaws: Flaw[] = []
  const { nullCount, valueCount, minValue, maxValue } = column
  const most = leaf.definition === 0 ? 0 : valueCount
  if (nullCount !== undefined && (nullCount < 0 || nullCount > most)) {
    const reason = nullCount < 0 ? 'It is no count.' : `It counts ${nullCount} nulls where there may be ${most}.`
    flaws.push({ statistic: 'null count', reason, without: { nullCount: undefined } })
  }
  // One of the two is wrong, and nothing tells which.
  if (nullCount === valueCount && valueCount > 0 && (minValue !== undefined || maxValue !== undefined)) {
    const reason = 'It has bounds of values of which it counts none.'
    flaws.push({ statistic: 'null count', reason, without: { nullCount: undefined, ...noBounds } })
  }
  const isOutside = (span: ByteSpan | undefined): boolean =>
    span !== undefined && (span.start < 4 || span.end > pagesEnd)
  const outside = (statistic: Statistic, without: Partial<FooterColumn>): void =>
    void flaws.push({ statistic, reason: 'It lies outside the file.', without })
  if (isOutside(column.offsetIndex)) outside('offset index', { offsetIndex: undefined })
  if (isOutside(column.columnIndex)) outside('column index', { columnIndex: undefined })
  if (isOutside(column.bloomFilter)) outside('bloom filter', { bloomFilter: undefined })
  return flaws
}
