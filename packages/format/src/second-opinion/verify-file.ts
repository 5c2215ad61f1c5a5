import { checkOptions, formatCaps, isKind, isMoulinError, option, type OptionTable } from '@moulin/core'
import type { FileNode } from '../parquet/file-node.ts'
import { fileSchema } from '../parquet/file-schema.ts'
import { parseFooter } from '../parquet/footer.ts'
import { readFooterBytes } from '../parquet/footer-bytes.ts'
import { openParquet } from '../parquet/open-parquet.ts'
import type { ParquetFile } from '../parquet/parquet-file.ts'
import type { RangeReader } from '../parquet/range-reader.ts'
import { type NaturalField, naturalFields } from './natural-fields.ts'
import { type SecondOpinion, secondOpinion } from './second-reader.ts'
import { elementText, ownElement, type SecondElement } from './second-schema.ts'
import { valueComparer } from './value-comparer.ts'

export interface VerifyFileOptions {
  /** Differences that are told; all are counted. Default 20. */
  readonly maxDifferences?: number
  readonly signal?: AbortSignal
}

/** What two readers say of a file. */
export interface FileVerdict {
  readonly file: string
  /** Whose opinion was asked for beside ours. */
  readonly reader: string
  /** By our footer. */
  readonly rows: number
  /** Values of top-level columns that were compared. */
  readonly values: number
  readonly differenceCount: number
  readonly differences: readonly ReaderDifference[]
  /** What one of the two did not read, so that it is not known whether they differ there. */
  readonly unread: readonly UnreadColumn[]
}

export interface ReaderDifference {
  /** Of the schema, of the count of rows, or of a value. After a difference of the schema no values are compared. */
  readonly what: 'schema' | 'rows' | 'value'
  readonly rowGroup: number | null
  /** Dotted; below a list with the position: `headers[2].key`. */
  readonly column: string | null
  /** Counted from the file's first row. */
  readonly row: number | null
  readonly ours: string
  readonly theirs: string
}

export interface UnreadColumn {
  readonly reader: string
  readonly rowGroup: number | null
  readonly column: string
  readonly message: string
}

const optionTable: OptionTable<VerifyFileOptions> = {
  maxDifferences: option.integer('', 0),
  signal: option.abortSignal,
}

/**
 * Reads a whole Parquet file twice, with our reader and with hyparquet, and compares schema, row counts and every value:
 * NaN is NaN, −0 is not 0, times are exact (INT96 to the microsecond), strings are bytes. One column of a row group is in
 * memory at a time, twice. Both run in this thread and damaged bytes may hang them: it is for files whose writer is known.
 * @throws `unsupported` code `PACKAGE_MISSING` without hyparquet, `SECOND_READER` when it does not read the footer; what
 * `openParquet` throws; what the file's reader throws; `aborted`.
 */
export async function verifyFile(file: RangeReader, options: VerifyFileOptions = {}): Promise<FileVerdict> {
  checkOptions('verifyFile', options, optionTable)
  return compareReaders(file, file, options)
}

/** Our reader's view of one file beside the other reader's view of another. */
export async function compareReaders(
  file: RangeReader,
  theirFile: RangeReader,
  options: VerifyFileOptions,
): Promise<FileVerdict> {
  const { maxDifferences = 20, signal } = options
  const call = signal === undefined ? {} : { signal }
  const { bytes } = await readFooterBytes(file, formatCaps, signal)
  const footer = parseFooter(bytes, formatCaps, file.name)
  const root = fileSchema(footer, file.name, [])
  const { fields, nameMapping } = naturalFields(root)
  const mapped = nameMapping === undefined ? {} : { nameMapping }
  const ours = await openParquet(file, { ...mapped, int96: 'timestamp', ...call })
  const theirs = await secondOpinion(theirFile)

  const differences: ReaderDifference[] = []
  let differenceCount = 0
  const differ = (difference: ReaderDifference): void => {
    if (++differenceCount <= maxDifferences) differences.push(difference)
  }
  schemaDifferences(footer.schema.map(ownElement), theirs.schema).forEach(differ)
  const isSameSchema = differenceCount === 0
  rowDifferences(ours, theirs).forEach(differ)

  const unread: UnreadColumn[] = []
  let values = 0
  for (const [column, natural] of isSameSchema ? fields.entries() : []) {
    const name = natural.node.path.join('.')
    if (natural.field === undefined) {
      unread.push({ reader: 'moulin', rowGroup: null, column: name, message: natural.reason })
      continue
    }
    for (let rowGroup = 0; rowGroup < Math.min(ours.rowGroups.length, theirs.rowGroups.length); rowGroup++) {
      const both = await readBoth(ours, theirs, { natural, column, rowGroup, ...call })
      for (const { reader, message } of both.unread) unread.push({ reader, rowGroup, column: name, message })
      if (both.pair === undefined) continue
      values += comparePair(both.pair, natural, { rowGroup, firstRow: ours.rowGroups[rowGroup]!.firstRow }, differ)
    }
  }
  return { file: file.name, reader: theirs.reader, rows: ours.rowCount, values, differenceCount, differences, unread }
}

function schemaDifferences(ours: readonly SecondElement[], theirs: readonly SecondElement[]): ReaderDifference[] {
  const nowhere = { what: 'schema', rowGroup: null, row: null } as const
  if (ours.length !== theirs.length) {
    const told = (schema: readonly SecondElement[]): string => `${schema.length} elements`
    return [{ ...nowhere, column: null, ours: told(ours), theirs: told(theirs) }]
  }
  return ours.flatMap((element, index) => {
    const other = theirs[index]!
    const [mine, its] = [elementText(element), elementText(other)]
    // The root's own words mean nothing.
    if (index === 0 ? element.childCount === other.childCount : mine === its && element.name === other.name) return []
    const named = (text: string, { name }: SecondElement): string => `${JSON.stringify(name)} ${text}`
    return [{ ...nowhere, column: element.name, ours: named(mine, element), theirs: named(its, other) }]
  })
}

function rowDifferences(ours: ParquetFile, theirs: SecondOpinion): ReaderDifference[] {
  const found: ReaderDifference[] = []
  const compare = (rowGroup: number | null, mine: number | undefined, its: number | undefined): void => {
    const told = (count: number | undefined): string => (count === undefined ? 'no such row group' : `${count} rows`)
    if (mine !== its)
      found.push({ what: 'rows', rowGroup, column: null, row: null, ours: told(mine), theirs: told(its) })
  }
  compare(null, ours.rowCount, theirs.rowCount)
  const count = Math.max(ours.rowGroups.length, theirs.rowGroups.length)
  for (let group = 0; group < count; group++)
    compare(group, ours.rowGroups[group]?.rowCount, theirs.rowGroups[group]?.rowCount)
  return found
}

interface Wanted {
  readonly natural: NaturalField
  readonly column: number
  readonly rowGroup: number
  readonly signal?: AbortSignal
}

type OwnColumn = Awaited<ReturnType<ParquetFile['read']>>['columns'][number]['column']
type TheirColumn = Awaited<ReturnType<SecondOpinion['readColumn']>>
type Pair = readonly [OwnColumn, TheirColumn]

/** A column of a row group as both have it, or who of them does not read it, and why. */
async function readBoth(
  ours: ParquetFile,
  theirs: SecondOpinion,
  { natural, column, rowGroup, signal }: Wanted,
): Promise<{
  readonly pair: Pair | undefined
  readonly unread: readonly { readonly reader: string; readonly message: string }[]
}> {
  const call = signal === undefined ? {} : { signal }
  const unread: { reader: string; message: string }[] = []
  const attempt = async <T>(reader: string, read: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await read()
    } catch (error) {
      // What the file's reader says of the store ends it all.
      const isOfTheFile = (['corrupt', 'unsupported', 'exhausted', 'invalid'] as const).some((k) => isKind(error, k))
      if (!isMoulinError(error) || !isOfTheFile) throw error
      unread.push({ reader, message: error.message })
      return undefined
    }
  }
  const types = [natural.field!]
  const mine = await attempt('moulin', async () => (await ours.read({ rowGroup, types, ...call })).columns[0]!.column)
  const its = await attempt(theirs.reader, () => theirs.readColumn({ rowGroup, column, ...call }))
  return { pair: mine === undefined || its === undefined ? undefined : [mine, its], unread }
}

/** Gives the number of values compared. */
function comparePair(
  [ours, theirs]: Pair,
  { node, field }: NaturalField,
  { rowGroup, firstRow }: { readonly rowGroup: number; readonly firstRow: number },
  differ: (difference: ReaderDifference) => void,
): number {
  const name = nameOf(node)
  if (ours.length !== theirs.length) {
    const told = (count: number): string => `${count} rows`
    const place = { what: 'rows', rowGroup, column: name, row: null } as const
    differ({ ...place, ours: told(ours.length), theirs: told(theirs.length) })
  }
  const compare = valueComparer(field!.type, node, ours)
  const count = Math.min(ours.length, theirs.length)
  for (let row = 0; row < count; row++) {
    const flaw = compare(row, theirs[row])
    if (flaw === undefined) continue
    const { path, ours: mine, theirs: its } = flaw
    differ({ what: 'value', rowGroup, column: name + path, row: firstRow + row, ours: mine, theirs: its })
  }
  return count
}

function nameOf({ path }: FileNode): string {
  return path.join('.')
}
