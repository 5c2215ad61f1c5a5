import type { FileVerdict, ReaderDifference } from '@moulin/format/second-opinion'

/** What two readers say of a file, for people; of what is not read no more than `limit` lines. */
export function verdictLines(verdict: FileVerdict, limit: number): string[] {
  const { file, reader, rows, values, differenceCount, differences, unread } = verdict
  const result = differenceCount > 0 ? `${differenceCount} DIFFERENCES` : unread.length > 0 ? 'NOT ALL READ' : 'same'
  const more = (count: number): string[] => (count > 0 ? [`  and ${count} more`] : [])
  return [
    `${file}: ${result} (${rows} rows, ${values} values, moulin and ${reader})`,
    ...differences.map((difference) => differenceLine(difference, reader)),
    ...more(differenceCount - differences.length),
    ...unread.slice(0, limit).map(({ reader: by, rowGroup, column, message }) => {
      return `  not read by ${by}: ${placeText({ rowGroup, column, row: null })}: ${message}`
    }),
    ...more(unread.length - limit),
  ]
}

function differenceLine({ what, ours, theirs, ...place }: ReaderDifference, reader: string): string {
  return `  ${what}${placeText(place) === '' ? '' : ` in ${placeText(place)}`}: moulin ${ours}, ${reader} ${theirs}`
}

function placeText({ rowGroup, column, row }: Pick<ReaderDifference, 'rowGroup' | 'column' | 'row'>): string {
  const parts = [
    column === null ? '' : `column ${column}`,
    rowGroup === null ? '' : `row group ${rowGroup}`,
    row === null ? '' : `row ${row}`,
  ]
  return parts.filter((part) => part !== '').join(', ')
}
