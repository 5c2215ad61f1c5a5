import { takeRows } from '@moulin/core'
import type { CallOptions, TableMetadata } from '@moulin/core'
import type { ParquetFile, ParquetReadRequest } from '@moulin/format'
import { partitionTupleKey } from '@moulin/iceberg'
import type { DataFile, DeletesOf, ListedFile, LiveFile, LiveRowGroup, LiveRows, RowMask } from '@moulin/iceberg'
import { lacksIds } from './data-files.ts'
import type { DataFiles } from './data-files.ts'
import { nameMappingOf } from './name-mappings.ts'
import { withPartitionColumns } from './partition-constants.ts'

/** A topic's way to the data files of its table: no row that is deleted comes out of here. */
export interface LiveFiles {
  /**
   * A file of the metadata's current snapshot. The same object again while its footer is kept, the same is deleted in it, and it is listed alike.
   * @throws as {@link DataFiles.open}; what `deletesOf` does.
   */
  open(listed: ListedFile, metadata: TableMetadata, call?: CallOptions): Promise<LiveFile>
  /** How many rows of it are not deleted: from what is known of the file without opening it. */
  count(listed: ListedFile, metadata: TableMetadata, call?: CallOptions): Promise<bigint>
  /** Its {@link LiveFile.key}, without opening it. */
  keyOf(listed: ListedFile, metadata: TableMetadata, call?: CallOptions): Promise<string>
  /** Whether its footer can be read. @throws as {@link DataFiles.open}. */
  check(file: DataFile, call?: CallOptions): Promise<void>
}

export interface LiveFilesParts {
  readonly files: DataFiles
  readonly deletesOf: DeletesOf
}

export function liveFiles({ files, deletesOf }: LiveFilesParts): LiveFiles {
  // As long as the footer, and one of a file: what is deleted in it mostly grows.
  const kept = new WeakMap<ParquetFile, LiveFile>()
  const wholeOf = (listed: ListedFile, metadata: TableMetadata, call: CallOptions): Promise<ParquetFile> =>
    files.open(listed.file, { ...call, mapping: nameMappingOf(metadata) })
  const deletedIn = (listed: ListedFile, metadata: TableMetadata, call: CallOptions): Promise<RowMask | undefined> =>
    deletesOf(
      { metadata, listed, whole: async (own) => withPartitionColumns(await wholeOf(listed, metadata, own), listed) },
      call,
    )

  return {
    async open(listed, metadata, call = {}) {
      const deleted = await deletedIn(listed, metadata, call)
      const whole = await wholeOf(listed, metadata, call)
      const known = kept.get(whole)
      const key = keyOf(listed, metadata, deleted)
      if (known?.key === key && isListedAlike(known.listed, listed)) return known
      const live = new MaskedFile(listed, whole, key, deleted)
      kept.set(whole, live)
      return live
    },
    async count(listed, metadata, call = {}) {
      const deleted = await deletedIn(listed, metadata, call)
      return listed.file.recordCount - BigInt(deleted?.size ?? 0)
    },
    keyOf: async (listed, metadata, call = {}) => keyOf(listed, metadata, await deletedIn(listed, metadata, call)),
    async check(file, call = {}) {
      try {
        await files.open(file, call)
      } catch (error) {
        // Its footer was read; what its names mean is another question.
        if (!lacksIds(error)) throw error
      }
    },
  }
}

/** One snapshot may say of a file what another one does not: where it was added again, moved to format version 3, or named by another scheme. */
function isListedAlike(a: ListedFile, b: ListedFile): boolean {
  return (
    a.sequenceNumber === b.sequenceNumber &&
    a.file.firstRowId === b.file.firstRowId &&
    a.file.filePath === b.file.filePath &&
    a.file.specId === b.file.specId &&
    partitionTupleKey(a.file.partition) === partitionTupleKey(b.file.partition)
  )
}

function keyOf({ file }: ListedFile, metadata: TableMetadata, deleted: RowMask | undefined): string {
  const mapping = nameMappingOf(metadata)
  const path = mapping === undefined ? file.filePath : `${file.filePath}@${mapping.key}`
  return deleted === undefined ? path : `${path}#${deleted.key}`
}

class MaskedFile implements LiveFile {
  readonly listed: ListedFile
  readonly name: string
  readonly key: string
  readonly fields: ParquetFile['fields']
  readonly keyValue: ReadonlyMap<string, string>
  readonly deleted: RowMask | undefined
  readonly rowGroups: readonly LiveRowGroup[]
  readonly #whole: ReturnType<typeof withPartitionColumns>

  constructor(listed: ListedFile, whole: ParquetFile, key: string, deleted: RowMask | undefined) {
    this.listed = listed
    this.name = whole.name
    this.key = key
    this.fields = whole.fields
    this.keyValue = whole.keyValue
    this.deleted = deleted
    this.#whole = withPartitionColumns(whole, listed)
    this.rowGroups = this.#whole.rowGroups.map((group) => {
      const { firstRow, rowCount } = group
      return { ...group, liveRows: rowCount - (deleted?.countIn(firstRow, firstRow + rowCount) ?? 0) }
    })
  }

  async read(request: ParquetReadRequest): Promise<LiveRows> {
    const batch = await this.#whole.read(request)
    const start = request.rows?.start ?? 0
    const first = this.rowGroups[request.rowGroup]!.firstRow + start
    return left({ batch, start, rows: undefined }, this.deleted?.leftIn(first, first + batch.length))
  }

  pageBounds: LiveFile['pageBounds'] = (request) => this.#whole.pageBounds(request)
  dictionary: LiveFile['dictionary'] = (request) => this.#whole.dictionary(request)
  mightContain: LiveFile['mightContain'] = (request) => this.#whole.mightContain(request)
}

/** Some of the rows, by position in the batch, rising; undefined: all of them. */
export function left({ batch, start, rows }: LiveRows, some: Int32Array | undefined): LiveRows {
  if (some === undefined) return { batch, start, rows }
  const columns = batch.columns.map(({ name, column }) => ({ name, column: takeRows(column, some) }))
  return {
    batch: { length: some.length, columns },
    start,
    rows: some.map((at) => (rows === undefined ? start + at : rows[at]!)),
  }
}

/** The row number of each row of the batch. */
export function rowOf({ start, rows }: Pick<LiveRows, 'start' | 'rows'>, at: number): number {
  return rows === undefined ? start + at : rows[at]!
}

/** Where in the batch a row number is that it has. */
export function positionsOf({ start, rows }: Pick<LiveRows, 'start' | 'rows'>): (row: number) => number {
  if (rows === undefined || rows.length === 0) return (row) => row - start
  const positions = new Int32Array(rows.at(-1)! + 1 - start).fill(-1)
  rows.forEach((row, at) => (positions[row - start] = at))
  return (row) => positions[row - start]!
}
