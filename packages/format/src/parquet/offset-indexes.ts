import { bytesIn, type LoadedRange, loadSpans } from './byte-ranges.ts'
import type { FileNode } from './file-node.ts'
import type { FooterColumn, FooterRowGroup } from './footer.ts'
import { type IgnoredStatistics, placeIn } from './ignored-statistics.ts'
import { type PageLocation, readOffsetIndex } from './page-index.ts'
import type { RangeReader } from './range-reader.ts'

/** The offset indexes of an open file, as far as they are believed. */
export interface OffsetIndexes {
  /** The bytes of those of all columns of a row group, kept for the next read: they lie side by side. */
  load(rowGroup: number, { columns }: FooterRowGroup): Promise<LoadedRange[]>
  /** What the one of a column says, if it is among the loaded bytes and holds. */
  pagesOf(chunk: IndexedChunk, loaded: readonly LoadedRange[]): PageLocation[] | undefined
  /** From now on the row group has none, or has them again. */
  doubt(rowGroup: number): void
  trust(rowGroup: number): void
  isDoubted(rowGroup: number): boolean
}

export interface IndexedChunk {
  readonly column: FooterColumn
  readonly leaf: FileNode
  readonly rowGroup: number
  readonly rowCount: number
}

/** Row groups whose offset indexes are kept. */
const maxKept = 64
const none = Promise.resolve<LoadedRange[]>([])

/** `before` came with the footer. */
export function offsetIndexes({
  file,
  before,
  ignored,
}: {
  readonly file: RangeReader
  readonly before: LoadedRange
  readonly ignored: IgnoredStatistics
}): OffsetIndexes {
  const kept = new Map<number, Promise<LoadedRange[]>>()
  return {
    load(rowGroup, { columns }) {
      const known = kept.get(rowGroup)
      if (known !== undefined) return known
      const spans = columns.flatMap(({ offsetIndex }) => (offsetIndex === undefined ? [] : [offsetIndex]))
      if (spans.every((span) => bytesIn([before], span) !== undefined)) return Promise.resolve([before])
      // Shared by its readers, so no one's signal ends it.
      const loading = loadSpans(file, spans, undefined)
      kept.set(rowGroup, loading)
      loading.catch(() => {
        if (kept.get(rowGroup) === loading) kept.delete(rowGroup)
      })
      if (kept.size > maxKept) kept.delete(kept.keys().next().value!)
      return loading
    },
    pagesOf({ column, leaf, rowGroup, rowCount }, loaded) {
      const bytes = column.offsetIndex === undefined ? undefined : bytesIn(loaded, column.offsetIndex)
      if (bytes === undefined) return undefined
      const what = `The offset index of column ${leaf.path.join('.')} in row group ${rowGroup} of ${file.name}`
      const place = placeIn(leaf, rowGroup, 'offset index')
      return ignored.attempt(place, () => readOffsetIndex(bytes, column, rowCount, what))
    },
    doubt: (rowGroup) => void kept.set(rowGroup, none),
    trust: (rowGroup) => void kept.delete(rowGroup),
    isDoubted: (rowGroup) => kept.get(rowGroup) === none,
  }
}
