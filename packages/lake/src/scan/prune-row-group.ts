import type { CallOptions, IcebergField } from '@moulin/core'
import type { ParquetFile, ParquetPageBounds } from '@moulin/format'
import { compilePredicate, rowGroupMightMatch } from '@moulin/iceberg'
import type { BoundColumn, Datum, Predicate, PredicateLeaf } from '@moulin/iceberg'
import { joined, matchingRanges } from './row-ranges.ts'
import type { RowRange } from './row-ranges.ts'

/** What a file says of its row groups before their pages are read. */
export type PrunableFile = Pick<ParquetFile, 'fields' | 'rowGroups' | 'pageBounds' | 'dictionary' | 'mightContain'>

export interface PruneRequest extends CallOptions {
  readonly file: PrunableFile
  readonly rowGroup: number
  readonly predicate: Predicate
  /** The table's field of a column, undefined for a column that the table has no more. */
  readonly fieldOf: (column: BoundColumn) => IcebergField | undefined
  /** Compressed bytes below which a row group is read as a whole: reading what narrows it down takes as long. */
  readonly smallBytes?: number
  /** Ranges with no more rows between them are read as one: a page has more. */
  readonly gapRows?: number
}

const SMALL_BYTES = 128 * 1024
const GAP_ROWS = 4096

/**
 * The rows of a row group that might match: none or all by the bounds in its footer, and where these leave it open, by
 * its bloom filters, its dictionaries and the bounds of its pages. Each is asked for only where it can say something.
 */
export async function rowsToRead(request: PruneRequest): Promise<readonly RowRange[]> {
  const { file, rowGroup, predicate, smallBytes = SMALL_BYTES, gapRows = GAP_ROWS } = request
  const group = file.rowGroups[rowGroup]!
  const open = reduced(predicate, (leaf) => isDefaulted(request, leaf) || rowGroupMightMatch(leaf, group))
  if (open.op === 'false') return []
  if (open.op === 'true' || group.sizeBytes < smallBytes) return [{ start: 0, end: group.rowCount }]
  const impossible = new Set<PredicateLeaf>()
  for (const leaf of leavesOf(open)) if (!(await mightHold(request, leaf))) impossible.add(leaf)
  const left = reduced(open, (leaf) => !impossible.has(leaf))
  if (left.op === 'false') return []
  const pages = await pagesOf(request, left)
  const ranges = matchingRanges(left, group.rowCount, ({ id }) => pages.get(id))
  return joined(ranges, gapRows)
}

/** Whether the rows have the column's initial default, and the file nothing of it: to its footer they are null. */
function isDefaulted({ file, fieldOf }: PruneRequest, { column }: PredicateLeaf): boolean {
  const field = fieldOf(column)
  const value = field?.['initial-default']
  return value !== undefined && value !== null && !file.fields.some(({ id }) => id === field!.id)
}

/** The predicate without the conditions that no row can meet. */
function reduced(predicate: Predicate, isPossible: (leaf: PredicateLeaf) => boolean): Predicate {
  switch (predicate.op) {
    case 'true':
    case 'false':
      return predicate
    case 'and': {
      const args = predicate.args.map((arg) => reduced(arg, isPossible))
      return args.some(({ op }) => op === 'false') ? { op: 'false' } : { op: 'and', args }
    }
    case 'or': {
      const args = predicate.args.map((arg) => reduced(arg, isPossible)).filter(({ op }) => op !== 'false')
      return args.length === 0 ? { op: 'false' } : { op: 'or', args }
    }
    default:
      return isPossible(predicate) ? predicate : { op: 'false' }
  }
}

function leavesOf(predicate: Predicate): PredicateLeaf[] {
  switch (predicate.op) {
    case 'true':
    case 'false':
      return []
    case 'and':
    case 'or':
      return predicate.args.flatMap(leavesOf)
    default:
      return [predicate]
  }
}

// Of the conditions that ask for certain values; the others are what bounds are for.
async function mightHold(request: PruneRequest, leaf: PredicateLeaf): Promise<boolean> {
  const { file, rowGroup, fieldOf, signal } = request
  const field = fieldOf(leaf.column)
  if (field === undefined || (leaf.op !== 'eq' && leaf.op !== 'isIn' && leaf.op !== 'startsWith')) return true
  const place = { rowGroup, ...(signal === undefined ? {} : { signal }) }
  if (leaf.op !== 'startsWith' && !(await mayBeIn(file, leaf.values, { ...place, fieldId: field.id }))) return false
  const dictionary = await file.dictionary({ ...place, field })
  if (dictionary === undefined) return true
  const holds = compilePredicate(leaf, () => dictionary)
  for (let entry = 0; entry < dictionary.length; entry++) if (holds(entry)) return true
  return false
}

async function mayBeIn(
  file: PrunableFile,
  values: readonly Datum[],
  place: { readonly rowGroup: number; readonly fieldId: number; readonly signal?: AbortSignal },
): Promise<boolean> {
  for (const value of values) {
    // A filter tells bits apart that compare as equal: the two zeros, and all the NaNs.
    if (value === 0 || Number.isNaN(value)) return true
    if (await file.mightContain({ ...place, value })) return true
  }
  return false
}

async function pagesOf(
  request: PruneRequest,
  predicate: Predicate,
): Promise<Map<number, readonly ParquetPageBounds[]>> {
  const { file, rowGroup, fieldOf, signal } = request
  const pages = new Map<number, readonly ParquetPageBounds[]>()
  const columns = new Map(leavesOf(predicate).map(({ column }) => [column.id, column]))
  for (const column of columns.values()) {
    const field = fieldOf(column)
    if (field === undefined) continue
    const place = { rowGroup, fieldId: field.id, type: field.type, ...(signal === undefined ? {} : { signal }) }
    const bounds = await file.pageBounds(place)
    if (bounds !== undefined) pages.set(column.id, bounds)
  }
  return pages
}
