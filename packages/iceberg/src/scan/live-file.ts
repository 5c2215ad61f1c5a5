import type { CallOptions, ColumnBatch, TableMetadata } from '@moulin/core'
import type { ParquetFile, ParquetReadRequest, ParquetRowGroup } from '@moulin/format'
import type { RowMask } from './row-mask.ts'
import type { FileScanTask } from './scan-plan.ts'

/** A data file as a snapshot lists it. */
export type ListedFile = Pick<FileScanTask, 'file' | 'sequenceNumber' | 'spec' | 'deletes'>

/** What is asked of {@link DeletesOf}. */
export interface DeletesQuestion {
  /** The table as it is read: its current snapshot says what is deleted. */
  readonly metadata: TableMetadata
  readonly listed: ListedFile
  /** The file with all its rows: where rows are deleted by what they hold, they are looked for there. */
  readonly whole: (call: CallOptions) => Promise<Pick<ParquetFile, 'fields' | 'rowGroups' | 'read'>>
}

/**
 * What is deleted in a data file of the table's current snapshot; undefined where nothing is. It is asked whenever a file is opened or
 * counted, so whoever has to read for the answer remembers it, by snapshot.
 */
export type DeletesOf = (question: DeletesQuestion, call: CallOptions) => Promise<RowMask | undefined>

/** A row group of which some rows may be deleted. Row numbers, counts and bounds are those of all its rows, but for {@link liveRows}. */
export interface LiveRowGroup extends ParquetRowGroup {
  /** Rows that are not deleted. */
  readonly liveRows: number
}

/** Rows of a row group that are not deleted. */
export interface LiveRows {
  readonly batch: ColumnBatch
  /** The first row that was asked for. */
  readonly start: number
  /** The row number, within the row group, of each row of the batch, rising; undefined: they follow each other from `start` on. */
  readonly rows: Int32Array | undefined
}

/**
 * A data file as the table has it: what is deleted in it is not there. Columns are asked for by field id and given as the fields say, whatever
 * the file calls them. What it says before its pages are read (bounds, dictionaries, filters) is true of all its rows, so of those that
 * are left.
 */
export interface LiveFile extends Pick<
  ParquetFile,
  'name' | 'fields' | 'keyValue' | 'pageBounds' | 'dictionary' | 'mightContain'
> {
  readonly listed: ListedFile
  /** Name, and what is deleted: what is made of the file's rows is remembered under it. */
  readonly key: string
  /** Undefined: nothing. */
  readonly deleted: RowMask | undefined
  readonly rowGroups: readonly LiveRowGroup[]
  /** As `ParquetFile.read`, without deleted rows. */
  read(request: ParquetReadRequest): Promise<LiveRows>
}
